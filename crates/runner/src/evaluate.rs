//! One cell: its test batches, their scores, their metrics.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use zsad_core::detector::adapted;
use zsad_core::{
    Batch, Dataset, Detector, Environment, Error, Fold, LabelledBatch, Maps, Masks, MetricInput, Pooling, Progress,
    Result, SampleRef, Scores, Shots, TestPoint, Unlabelled,
};
use zsad_data::copies::Copies;
use zsad_data::sampler;
use zsad_data::shift::Shifted;
use zsad_metrics::{Metric, evaluate};
use zsad_store::{DomainResult, Facts};

use crate::facts::facts;
use crate::given::{self, Given};

/// Everything that a cell's scores depend on, save the detector.
pub struct CellInput<'a> {
    /// The data set as the fold reads it.
    pub dataset: &'a dyn Dataset,
    /// Whose meta-test domains are tested.
    pub fold: &'a Fold,
    /// The protocol point.
    pub point: &'a TestPoint,
    /// Base seed of the test batches.
    pub seed: u64,
    /// Normal references of the target that the method wants.
    pub shots: Shots,
    /// Device, caches, weights.
    pub env: &'a Environment,
}

/// A scored cell.
pub struct Outcome {
    /// Results by domain.
    pub domains: Vec<DomainResult>,
    /// Every score.
    pub batches: Vec<LabelledBatch<f64>>,
    /// What is known of the scored samples, in the same order.
    pub facts: Facts,
    /// What a record says of the shift, where there was one.
    pub shift: Option<(String, String)>,
    /// Seconds spent in the method.
    pub seconds: f64,
}

/// Scores all batches of all meta-test domains and measures them. A domain that is left out as too small has a result
/// without batches.
///
/// # Errors
/// The first error of a domain, which it names: a cell is whole or it is not there. That of `progress`, which is told of
/// every batch, where it ends the work.
pub fn score_cell(
    detector: &dyn Detector,
    input: &CellInput,
    metrics: &[&'static Metric],
    progress: &dyn Progress,
) -> Result<Outcome> {
    if input.fold.meta_test.is_empty() {
        return Err(Error::failed("the data set has no meta-test domains to score"));
    }
    let shift = input.point.shift.map(|by| Shifted::new(input.dataset, by)).transpose()?.map(|shifted| shifted.note());
    let (domains, batches) = (Vec::new(), Vec::new());
    let mut outcome = Outcome { domains, batches, facts: Facts::default(), shift, seconds: 0.0 };
    let total = (input.fold.meta_test.len() * input.point.n_batches) as u64;
    let mut done = 0;
    let mut too_small = None;
    let mut labelled = Vec::new();
    for &domain in &input.fold.meta_test {
        let small = sampler::counts(input.dataset.info(), input.fold, domain, input.point).err();
        if small.is_some() && input.point.skip_small {
            let domain = input.dataset.info().domains[domain].name.clone();
            outcome.domains.push(DomainResult { domain, ..DomainResult::default() });
            too_small = too_small.or(small);
            continue;
        }
        let mut measured = Measures::new(input.point.pooling, metrics);
        let known = &mut outcome.facts;
        labelled.clear();
        let (mut batches, time) = score_domain(detector, input, domain, |seen| {
            known.append(facts(input.dataset, domain, seen.batch, (seen.shifted, seen.given))?);
            labelled.extend(seen.given.map(|given| given.labelled.clone()));
            done += 1;
            progress.tick(done, total, "batches")?;
            measured.pixels(seen.scores, seen.masks)
        })?;
        if !labelled.is_empty() {
            measured.rest(&given::rest(&batches, &labelled));
            given::place(&mut batches, &labelled);
        }
        measured.samples(&batches);
        outcome.domains.push(measured.result(&batches));
        outcome.batches.extend(batches);
        outcome.seconds += time.as_secs_f64();
    }
    match too_small {
        Some(e) if outcome.batches.is_empty() => Err(e),
        _ => Ok(outcome),
    }
}

/// A batch that was scored, with what is there at that moment alone.
pub struct Seen<'a> {
    /// The batch as it was drawn.
    pub batch: &'a LabelledBatch<SampleRef>,
    /// Where its samples were read, through the shift where there is one.
    pub dataset: &'a dyn Dataset,
    /// Its samples there.
    pub items: &'a [SampleRef],
    /// Which of them were shifted, where there is a shift.
    pub shifted: Option<&'a [bool]>,
    /// What labels made of it, where they were given.
    pub given: Option<&'a Given>,
    /// Its scores.
    pub scores: &'a Scores,
    /// The ground truth of its maps.
    pub masks: Option<&'a Masks>,
}

/// Scores the batches of a domain; `see` sees each. Batches are shifted as the point says, references are not.
///
/// # Errors
/// With the domain and the batch in front.
pub fn score_domain(
    detector: &dyn Detector,
    input: &CellInput,
    domain: usize,
    mut see: impl FnMut(Seen) -> Result<()>,
) -> Result<(Vec<LabelledBatch<f64>>, Duration)> {
    let CellInput { dataset: clean, fold, point, seed, shots, env } = *input;
    let shift = point.shift.map(|by| Shifted::new(clean, by)).transpose()?;
    let dataset = shift.as_ref().map_or(clean, |shifted| shifted as &dyn Dataset);
    let source = Unlabelled::new(dataset);
    let (mut all, mut time) = (Vec::new(), Duration::ZERO);
    // Batches of one support set stand one after the other more often than not.
    let (mut ready_for, mut own): (Option<Vec<SampleRef>>, Option<Box<dyn Detector>>) = (None, None);
    for batch in &sampler::test_batches(dataset, fold, domain, point, seed)? {
        let at = |e: Error| e.at(format_args!("domain `{}`, batch {}", batch.domain, batch.number));
        let support = match shots {
            Shots::Number(0) => Vec::new(),
            shots => sampler::support(dataset, domain, shots, point.reference_seed.unwrap_or(seed), &batch.items)
                .map_err(at)?,
        };
        let start = Instant::now();
        if ready_for.as_ref() != Some(&support) {
            own = adapted(detector, shots, &Batch::new(&source, &support, env)).map_err(at)?;
            ready_for = Some(support);
        }
        let detector = own.as_deref().unwrap_or(detector);
        let moved = shift.as_ref().map(|shift| shift.batch(fold, point, seed, batch));
        let (items, shifted) = match &moved {
            Some((items, shifted)) => (items.as_slice(), Some(shifted.as_slice())),
            None => (batch.items.as_slice(), None),
        };
        let mut given = None;
        // An experiment has one of the two: a shift, or copies; and labels beside a shift alone.
        let scores = match (point.anomaly_kinds, point.labels) {
            (Some(_), _) => with_copies(detector, input, domain, batch),
            (None, None) => detector.score(&Batch::new(&source, items, env)),
            (None, Some(budget)) => {
                given::score(detector, input, &source, items, (batch, budget)).map(|(scores, made)| {
                    given = Some(made);
                    scores
                })
            }
        };
        let scores = scores.map_err(at)?;
        time += start.elapsed();
        check(&scores, items.len()).map_err(at)?;
        let masks = match &scores.maps {
            Some(maps) => masks_of(dataset, items, maps).map_err(at)?,
            None => None,
        };
        let given = given.as_ref();
        see(Seen { batch, dataset, items, shifted, given, scores: &scores, masks: masks.as_ref() }).map_err(at)?;
        all.push(batch.with(scores.samples));
    }
    Ok((all, time))
}

/// The scores of a batch with repeated anomalies, each repetition changed a little.
fn with_copies(
    detector: &dyn Detector,
    input: &CellInput,
    domain: usize,
    batch: &LabelledBatch<SampleRef>,
) -> Result<Scores> {
    let (copies, items) = Copies::of(input.dataset, domain, batch, input.seed)?;
    // What a cache keeps of copies would be asked for once.
    let env = Environment { cache: None, ..input.env.clone() };
    detector.score(&Batch::new(&Unlabelled::new(&copies), &items, &env))
}

fn masks_of(dataset: &dyn Dataset, refs: &[SampleRef], maps: &Maps) -> Result<Option<Masks>> {
    match dataset.masks(refs)? {
        Some(masks) if masks.shape != maps.shape => {
            Err(Error::failed(format!("maps of {:?} against masks of {:?}", maps.shape, masks.shape)))
        }
        masks => Ok(masks),
    }
}

/// What a method must return: a finite score for every sample, and finite maps of the right number.
pub fn check(scores: &Scores, n: usize) -> Result<()> {
    if scores.samples.len() != n {
        return Err(Error::failed(format!("{} scores for {n} samples", scores.samples.len())));
    }
    if let Some(i) = scores.samples.iter().position(|s| !s.is_finite()) {
        let bad = scores.samples.iter().filter(|s| !s.is_finite()).count();
        let first = scores.samples[i];
        return Err(Error::failed(format!("{bad} of {n} scores are not finite; the first, of sample {i}, is {first}")));
    }
    match &scores.maps {
        Some(maps) if maps.values.len() != n * maps.positions() => {
            Err(Error::failed(format!("{} map values for {n} maps of {:?}", maps.values.len(), maps.shape)))
        }
        Some(maps) if maps.values.iter().any(|v| !v.is_finite()) => Err(Error::failed("a map holds values not finite")),
        _ => Ok(()),
    }
}

/// The metrics of one domain, taken batch by batch or over all its batches. A batch of one class has no metrics: it is
/// counted as undefined and left out of the average.
struct Measures<'m> {
    pooling: Pooling,
    metrics: &'m [&'static Metric],
    /// Sum and number of the defined values by metric.
    sums: BTreeMap<&'static str, (f64, u32)>,
    /// Maps and masks of a domain that are pooled.
    pooled: Option<(Maps, Masks)>,
    undefined: usize,
}

impl<'m> Measures<'m> {
    fn new(pooling: Pooling, metrics: &'m [&'static Metric]) -> Self {
        Measures { pooling, metrics, sums: BTreeMap::new(), pooled: None, undefined: 0 }
    }

    fn add(&mut self, input: MetricInput) {
        for (spec, value) in evaluate(input, self.metrics) {
            if let Some(value) = value.value() {
                let sum = self.sums.entry(spec.name).or_default();
                *sum = (sum.0 + value, sum.1 + 1);
            }
        }
    }

    /// Maps are looked at once, and kept only where they are pooled.
    fn pixels(&mut self, scores: &Scores, masks: Option<&Masks>) -> Result<()> {
        let (Some(maps), Some(masks)) = (&scores.maps, masks) else { return Ok(()) };
        match (self.pooling, &mut self.pooled) {
            (Pooling::Batch, _) => {
                self.add(MetricInput::Maps { maps: &maps.values, masks: &masks.values, shape: &maps.shape });
            }
            (Pooling::Domain, None) => self.pooled = Some((maps.clone(), masks.clone())),
            (Pooling::Domain, Some((all, _))) if all.shape != maps.shape => {
                return Err(Error::failed(format!("maps of {:?} beside {:?}", maps.shape, all.shape)));
            }
            (Pooling::Domain, Some((all, truth))) => {
                all.values.extend(&maps.values);
                truth.values.extend(&masks.values);
            }
        }
        Ok(())
    }

    /// What was not labelled; batches of which all anomalies, or all normals, were labelled are left out.
    fn rest(&mut self, batches: &[LabelledBatch<f64>]) {
        self.of_samples(batches, |scores, labels| MetricInput::Rest { scores, labels });
    }

    fn samples(&mut self, batches: &[LabelledBatch<f64>]) {
        self.undefined = self.of_samples(batches, |scores, labels| MetricInput::Samples { scores, labels });
        if let Some((maps, masks)) = self.pooled.take() {
            self.add(MetricInput::Maps { maps: &maps.values, masks: &masks.values, shape: &maps.shape });
        }
    }

    /// Adds the metrics of each batch, or of all at once, and says of how many batches there are none.
    fn of_samples(
        &mut self,
        batches: &[LabelledBatch<f64>],
        input: for<'i> fn(&'i [f64], &'i [bool]) -> MetricInput<'i>,
    ) -> usize {
        let one_class = |labels: &[bool]| labels.iter().all(|l| *l == labels[0]);
        match self.pooling {
            Pooling::Batch => {
                let (alike, mixed): (Vec<_>, Vec<_>) = batches.iter().partition(|b| one_class(&b.labels));
                mixed.iter().for_each(|batch| self.add(input(&batch.items, &batch.labels)));
                alike.len()
            }
            Pooling::Domain => {
                let scores: Vec<f64> = batches.iter().flat_map(|b| &b.items).copied().collect();
                let labels: Vec<bool> = batches.iter().flat_map(|b| &b.labels).copied().collect();
                if one_class(&labels) {
                    return batches.len();
                }
                self.add(input(&scores, &labels));
                0
            }
        }
    }

    fn result(self, batches: &[LabelledBatch<f64>]) -> DomainResult {
        let n_anomalous = batches.iter().flat_map(|b| &b.labels).filter(|l| **l).count();
        let mean = |m: &&Metric| {
            let (sum, n) = self.sums.get(m.spec.name)?;
            Some(sum / f64::from(*n))
        };
        DomainResult {
            domain: batches[0].domain.clone(),
            n_batches: batches.len(),
            n_undefined: self.undefined,
            n_normal: batches.iter().map(|b| b.labels.len()).sum::<usize>() - n_anomalous,
            n_anomalous,
            metrics: self.metrics.iter().map(|m| (m.spec.name.to_owned(), mean(m))).collect(),
        }
    }
}

/// The results by domain of stored scores: domain by domain, batch by batch. Metrics of maps are not among them.
pub fn by_domain(batches: &[LabelledBatch<f64>], pooling: Pooling, metrics: &[&'static Metric]) -> Vec<DomainResult> {
    let of = |domain: &[LabelledBatch<f64>]| {
        let mut measures = Measures::new(pooling, metrics);
        measures.samples(domain);
        measures.result(domain)
    };
    batches.chunk_by(|a, b| a.domain == b.domain).map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batches(all: &[&[(f64, bool)]]) -> Vec<LabelledBatch<f64>> {
        let of = |(number, samples): (usize, &&[(f64, bool)])| LabelledBatch {
            domain: "d".into(),
            number: number as u32,
            items: samples.iter().map(|s| s.0).collect(),
            labels: samples.iter().map(|s| s.1).collect(),
        };
        all.iter().enumerate().map(of).collect()
    }

    #[test]
    fn batches_of_one_class_are_counted_and_left_out() {
        let auroc = zsad_metrics::find("auroc").unwrap();
        let batches = batches(&[
            &[(0.0, false), (1.0, true)],
            &[(0.5, false), (0.7, false)],
            &[(2.0, false), (1.0, true)],
            &[(2.0, true)],
        ]);
        let batch = &by_domain(&batches, Pooling::Batch, &[auroc])[0];
        assert_eq!((batch.n_batches, batch.n_undefined, batch.n_normal, batch.n_anomalous), (4, 2, 4, 3));
        assert_eq!(batch.metrics["auroc"], Some(0.5));
        // Normals 0, 0.5, 0.7, 2 against anomalies 1, 1, 2: wins 3 + 3 + 3.5 of 12.
        let pooled = &by_domain(&batches, Pooling::Domain, &[auroc])[0];
        assert_eq!((pooled.n_undefined, pooled.metrics["auroc"]), (0, Some(9.5 / 12.0)));
    }

    #[test]
    fn without_anomalies_nothing_is_defined() {
        let auroc = zsad_metrics::find("auroc").unwrap();
        let batches = batches(&[&[(0.0, false)], &[(1.0, false)]]);
        for pooling in [Pooling::Batch, Pooling::Domain] {
            let result = &by_domain(&batches, pooling, &[auroc])[0];
            assert_eq!((result.n_undefined, result.metrics["auroc"]), (2, None));
        }
    }

    #[test]
    fn pixel_metrics_are_pooled_as_the_protocol_says() {
        let metric = zsad_metrics::find("pixel_auroc").unwrap();
        // Two batches of one image of 1 × 2, ranked right, and ranked right 10 higher: pooled, half of the pairs between
        // them are wrong.
        let maps = [[0.0, 1.0], [10.0, 11.0]];
        let value = |pooling| {
            let mut measures = Measures::new(pooling, std::slice::from_ref(&metric));
            for map in maps {
                let maps = Maps { shape: vec![1, 2], values: map.to_vec() };
                let scores = Scores { samples: vec![0.0], maps: Some(maps) };
                let masks = Masks { shape: vec![1, 2], values: vec![0, 1] };
                measures.pixels(&scores, Some(&masks)).unwrap();
            }
            let batches = batches(&[&[(0.0, true)], &[(1.0, true)]]);
            measures.samples(&batches);
            measures.result(&batches).metrics["pixel_auroc"]
        };
        assert_eq!((value(Pooling::Batch), value(Pooling::Domain)), (Some(1.0), Some(0.75)));
    }
}
