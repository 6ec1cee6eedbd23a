//! One cell: its test batches, their scores, their metrics.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use zsad_core::record::DomainResult;
use zsad_core::{Dataset, Error, Fitted, Fold, MetricDef, MetricInput, Result, Scores, TestBatch, TestPoint};
use zsad_data::sampler::{self, LabelledBatch};
use zsad_report::scores::ScoreRow;

use crate::measure;

/// Everything that a cell's scores depend on, save the detector.
pub struct CellInput<'a> {
    /// The opened data set.
    pub dataset: &'a dyn Dataset,
    /// Whose meta-test domains are tested.
    pub fold: &'a Fold,
    /// The protocol point.
    pub point: &'a TestPoint,
    /// Base seed of the test batches.
    pub seed: u64,
    /// Normal references of the target that the method wants.
    pub shots: usize,
    /// Folder for feature caches.
    pub cache: Option<&'a Path>,
    /// Metrics to compute.
    pub metrics: &'a [&'static dyn MetricDef],
}

/// A scored cell.
pub struct Outcome {
    /// Results by domain.
    pub domains: Vec<DomainResult>,
    /// Every score.
    pub rows: Vec<ScoreRow>,
    /// Seconds spent in the method.
    pub seconds: f64,
}

/// Scores all batches of all meta-test domains.
///
/// # Errors
/// The first error of a domain, which it names: a cell is whole or it is not there.
pub fn score_cell(fitted: &dyn Fitted, input: &CellInput) -> Result<Outcome> {
    if input.fold.meta_test.is_empty() {
        return Err(Error::failed("the data set has no meta-test domains to score"));
    }
    let mut scorer = Scorer { fitted, input, rows: Vec::new(), time: Duration::ZERO };
    let mut pixels = Vec::new();
    for &domain in &input.fold.meta_test {
        pixels.push(scorer.domain(domain)?);
    }
    let mut domains = measure::by_domain(&scorer.rows, input.point.pooling, input.metrics);
    for (result, pixels) in domains.iter_mut().zip(pixels) {
        result.metrics.extend(pixels);
    }
    Ok(Outcome { domains, rows: scorer.rows, seconds: scorer.time.as_secs_f64() })
}

struct Scorer<'a> {
    fitted: &'a dyn Fitted,
    input: &'a CellInput<'a>,
    rows: Vec<ScoreRow>,
    time: Duration,
}

/// Maps and masks of a domain, as far as both are there.
#[derive(Default)]
struct Pixels {
    maps: Vec<f32>,
    masks: Vec<u8>,
    size: Option<(usize, usize)>,
}

impl Scorer<'_> {
    /// Scores a domain's batches and returns its pixel metrics.
    fn domain(&mut self, domain: usize) -> Result<BTreeMap<String, Option<f64>>> {
        let CellInput { dataset, fold, point, seed, .. } = *self.input;
        let name = &dataset.info().domains[domain].name;
        let mut pixels = Pixels::default();
        for (number, batch) in sampler::test_batches(dataset, fold, domain, point, seed)?.iter().enumerate() {
            let at = |e| in_place(e, &format!("domain `{name}`, batch {number}"));
            let scores = self.batch(domain, batch).map_err(at)?;
            for (index, (&label, &score)) in batch.labels.iter().zip(&scores.samples).enumerate() {
                let (domain, batch, index) = (name.clone(), number as u32, index as u32);
                self.rows.push(ScoreRow { domain, batch, index, label, score });
            }
            pixels.add(dataset, batch, scores).map_err(at)?;
        }
        Ok(pixels.metrics(self.input.metrics))
    }

    fn batch(&mut self, domain: usize, batch: &LabelledBatch) -> Result<Scores> {
        let CellInput { dataset, seed, shots, cache, .. } = *self.input;
        let references = match shots {
            0 => Vec::new(),
            k => sampler::references(dataset, domain, k, seed, &batch.refs)?,
        };
        let start = Instant::now();
        let scores = self.fitted.score(&TestBatch::new(dataset, &batch.refs, &references, cache))?;
        self.time += start.elapsed();
        check(&scores, batch.refs.len())?;
        Ok(scores)
    }
}

/// What a method must return: a finite score for every sample, and finite maps of the right number.
fn check(scores: &Scores, n: usize) -> Result<()> {
    if scores.samples.len() != n {
        return Err(Error::failed(format!("{} scores for {n} samples", scores.samples.len())));
    }
    if let Some(i) = scores.samples.iter().position(|s| !s.is_finite()) {
        let bad = scores.samples.iter().filter(|s| !s.is_finite()).count();
        let first = scores.samples[i];
        return Err(Error::failed(format!("{bad} of {n} scores are not finite; the first, of sample {i}, is {first}")));
    }
    match &scores.maps {
        Some(maps) if maps.values.len() != n * maps.height * maps.width => Err(Error::failed(format!(
            "{} map values for {n} maps of {}×{}",
            maps.values.len(),
            maps.height,
            maps.width
        ))),
        Some(maps) if maps.values.iter().any(|v| !v.is_finite()) => Err(Error::failed("a map holds values not finite")),
        _ => Ok(()),
    }
}

impl Pixels {
    fn add(&mut self, dataset: &dyn Dataset, batch: &LabelledBatch, scores: Scores) -> Result<()> {
        let Some(maps) = scores.maps else { return Ok(()) };
        let Some(masks) = dataset.masks(&batch.refs)? else { return Ok(()) };
        let size = (maps.height, maps.width);
        if size != (masks.height, masks.width) || self.size.is_some_and(|s| s != size) {
            let (height, width) = (masks.height, masks.width);
            return Err(Error::failed(format!("maps of {}×{} against masks of {height}×{width}", size.0, size.1)));
        }
        self.size = Some(size);
        self.maps.extend(maps.values);
        self.masks.extend(masks.values);
        Ok(())
    }

    fn metrics(&self, metrics: &[&'static dyn MetricDef]) -> BTreeMap<String, Option<f64>> {
        let value = |metric: &dyn MetricDef| {
            let (height, width) = self.size?;
            metric.compute(MetricInput::Pixels { maps: &self.maps, masks: &self.masks, height, width }).value()
        };
        let pixel = metrics.iter().filter(|m| m.spec().pixel);
        pixel.map(|m| (m.spec().name.to_owned(), value(*m))).collect()
    }
}

/// The same error, of the same kind, with its place in front.
fn in_place(e: Error, place: &str) -> Error {
    match e {
        Error::Refused(m) => Error::Refused(format!("{place}: {m}")),
        Error::Failed(m) => Error::Failed(format!("{place}: {m}")),
        Error::Config(m) => Error::Config(format!("{place}: {m}")),
        // A file's name is place enough.
        data @ Error::Data { .. } => data,
    }
}
