//! One cell: its test batches, their scores, their metrics.

pub mod abnormal;
mod measures;

use std::time::{Duration, Instant};

use zsad_core::detector::adapted_beside;
use zsad_core::{
    Batch, Dataset, Detector, Environment, Error, Fold, LabelledBatch, Maps, Masks, Progress, Result, SampleRef,
    Scores, Shots, TestPoint, Unlabelled,
};
use zsad_data::copies::Copies;
use zsad_data::sampler;
use zsad_data::shift::Shifted;
use zsad_metrics::Metric;
use zsad_store::{DomainResult, Facts};

use crate::facts::facts;
use crate::given::{self, Given};
use measures::Measures;
pub use measures::by_domain;

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
    let shown = abnormal::given(dataset, domain, point, seed)?;
    let abnormal = shown.as_ref().map(|shown| shown.to_method(&source, env));
    // Batches of one support set stand one after the other more often than not.
    let (mut ready_for, mut own): (Option<Vec<SampleRef>>, Option<Box<dyn Detector>>) = (None, None);
    for batch in &sampler::test_batches(dataset, fold, domain, point, seed)? {
        let at = |e: Error| e.at(format_args!("domain `{}`, batch {}", batch.domain, batch.number));
        let reference_seed = point.reference_seed.unwrap_or(seed);
        let mut support = match shots {
            Shots::Number(0) => Vec::new(),
            shots => sampler::support(dataset, domain, shots, reference_seed, &batch.items).map_err(at)?,
        };
        if point.reference_contamination > 0.0 {
            let by = (point.reference_contamination, reference_seed);
            sampler::contaminate(dataset, fold, domain, &mut support, by, &batch.items).map_err(at)?;
        }
        let start = Instant::now();
        if ready_for.as_ref() != Some(&support) {
            let references = Batch::new(&source, &support, env);
            own = adapted_beside(detector, shots, &references, abnormal.as_ref()).map_err(at)?;
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
