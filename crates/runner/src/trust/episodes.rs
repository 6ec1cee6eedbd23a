//! Simulated batches: any size and contamination, drawn with labels as test batches are, and scored as they are.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

use rand::RngExt;
use rayon::prelude::*;
use zsad_core::rng::stream;
use zsad_core::{
    AnomalySource, BatchSize, Contamination, Dataset, DatasetInfo, Detector, Environment, Error, FitContext, Fold,
    Method, Pooling, Progress, Result, Shots, Silent, TestPoint, TrainingData,
};
use zsad_trust::Episode;

use crate::evaluate::{CellInput, score_domain};

/// The greatest contamination of an episode: beyond it normals are no majority.
pub const MOST: f64 = 0.5;
/// Episodes of a size, unless one asks for another number.
pub const EPISODES: usize = 600;

/// What batches are drawn from.
pub struct Pool<'a> {
    /// The data set as the detectors read it.
    pub dataset: &'a dyn Dataset,
    /// A fold whose meta-test domains are the calibration's.
    pub fold: &'a Fold,
    /// Seed of all draws.
    pub seed: u64,
    /// Device, caches, weights.
    pub env: &'a Environment,
}

/// Who scores, and the references that its method wants.
#[derive(Clone, Copy)]
pub struct Scoring<'a> {
    /// The detector.
    pub detector: &'a dyn Detector,
    /// So many.
    pub shots: Shots,
}

/// The detector of a method without training, on data as `view` has them.
///
/// # Errors
/// Those of the method.
pub fn untrained(
    method: &dyn Method,
    (view, fold): (&dyn Dataset, &Fold),
    seed: u64,
    env: &Environment,
) -> Result<Box<dyn Detector>> {
    let data = TrainingData::new(view, fold);
    method.fit(&FitContext { data: &data, seed, env, progress: &Silent })
}

/// A domain that batches of a size can be drawn from.
struct Usable {
    /// Its number in the data set.
    domain: usize,
    /// The greatest share of anomalies that it has enough for.
    most: f64,
}

/// Episodes of one size, and what is to be said of them.
pub struct Drawn {
    /// The episodes.
    pub episodes: Vec<Episode>,
    /// The domains that they come from.
    pub domains: Vec<String>,
    /// Domains that were left out, or whose contamination had to stay lower.
    pub said: Vec<String>,
}

impl Pool<'_> {
    /// `n` batches of `size`, each of a domain drawn at random and of a contamination drawn between 0 and [`MOST`] (less where
    /// a domain has too few anomalies), scored by every detector.
    ///
    /// # Errors
    /// [`Error::Refused`] where fewer than two domains are large enough; those of scoring.
    pub fn draw(&self, size: usize, n: usize, by: &[Scoring], progress: &dyn Progress) -> Result<Drawn> {
        let info = self.dataset.info();
        let (usable, said) = self.usable(size);
        if usable.len() < 2 {
            let why = format!("{} of its domains have {size} normals and an anomaly", usable.len());
            return Err(Error::refused(format!("{}: {why}; two at least are needed", info.name)));
        }
        let done = AtomicU64::new(0);
        let one = |number: usize| {
            let episode = self.episode(&usable, size, number, by)?;
            progress.tick(done.fetch_add(1, Ordering::Relaxed) + 1, n as u64, "batches")?;
            Ok(episode)
        };
        let episodes = (0..n).into_par_iter().map(one).collect::<Result<Vec<_>>>()?;
        let drawn: BTreeSet<usize> = episodes.iter().map(|e| e.domain).collect();
        let domains = drawn.into_iter().map(|which| info.domains[usable[which].domain].name.clone()).collect();
        Ok(Drawn { episodes, domains, said })
    }

    fn usable(&self, size: usize) -> (Vec<Usable>, Vec<String>) {
        let info = self.dataset.info();
        let (mut usable, mut said) = (Vec::new(), Vec::new());
        for &domain in &self.fold.meta_test {
            let about = &info.domains[domain];
            let most = (anomalies(info, self.fold, domain) as f64 / size as f64).min(MOST);
            if about.normal < size || most == 0.0 {
                said.push(format!("`{}` is left out: {} normals, and a batch is {size}", about.name, about.normal));
                continue;
            }
            if most < MOST {
                said.push(format!("`{}` has anomalies for {:.0} % of a batch at most", about.name, 100.0 * most));
            }
            usable.push(Usable { domain, most });
        }
        (usable, said)
    }

    fn episode(&self, usable: &[Usable], size: usize, number: usize, by: &[Scoring]) -> Result<Episode> {
        let (name, size_name) = (self.dataset.info().name.as_str(), size.to_string());
        let axes =
            [("purpose", "calibration"), ("dataset", name), ("size", &size_name), ("episode", &number.to_string())];
        let mut rng = stream(self.seed, &axes);
        let which = rng.random_range(0..usable.len());
        let share = rng.random::<f64>() * usable[which].most;
        let point = TestPoint {
            size: BatchSize::Total(size),
            contamination: Contamination::Ratio(share),
            n_batches: 1,
            pooling: Pooling::Batch,
            ..TestPoint::default()
        };
        let input = |shots| CellInput {
            dataset: self.dataset,
            fold: self.fold,
            point: &point,
            seed: rng.clone().random(),
            shots,
            env: self.env,
        };
        let mut episode = Episode { domain: which, labels: Vec::new(), scores: Vec::with_capacity(by.len()) };
        for scoring in by {
            let input = input(scoring.shots);
            let (batches, _) = score_domain(scoring.detector, &input, usable[which].domain, |_| Ok(()))?;
            for batch in batches {
                episode.labels = batch.labels;
                episode.scores.push(batch.items);
            }
        }
        Ok(episode)
    }
}

/// Anomalies that batches of a domain can have.
fn anomalies(info: &DatasetInfo, fold: &Fold, domain: usize) -> usize {
    match info.anomalies {
        AnomalySource::Genuine => info.domains[domain].anomalous,
        AnomalySource::OtherDomains => {
            fold.meta_test.iter().filter(|d| **d != domain).map(|&d| info.domains[d].normal).sum()
        }
    }
}
