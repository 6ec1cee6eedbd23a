//! What episodes with labels teach about batches without.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use zsad_core::{Error, MetricInput, Result};
use zsad_metrics::stats::mid_ranks;

use crate::assess::{Accuracy, accuracy};
use crate::linear::Scale;
use crate::logistic::Logistic;
use crate::novelty::Novelty;
use crate::posterior::{Estimate, Posterior};
use crate::summary::{standardised, summary};

/// A simulated batch: what detectors gave its samples, and the truth.
#[derive(Debug, Clone, PartialEq)]
pub struct Episode {
    /// Number of its domain, from 0.
    pub domain: usize,
    /// `true` where a sample is an anomaly.
    pub labels: Vec<bool>,
    /// Their scores, by detector. The first is the one that is judged; the others help.
    pub scores: Vec<Vec<f64>>,
}

/// How episodes are learnt from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// How many episodes of like prediction make an interval.
    pub neighbours: usize,
    /// The greatest contamination that episodes were drawn with.
    pub most_contaminated: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { neighbours: 60, most_contaminated: 0.5 }
    }
}

/// What was learnt of batches of one size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Samples of a batch.
    size: usize,
    /// Detectors whose scores it wants.
    detectors: usize,
    settings: Settings,
    scale: Scale,
    contamination: Posterior,
    auroc: Posterior,
    probability: Logistic,
    novelty: Novelty,
    /// The mean of the episodes' contamination and AUROC: what there is to say without looking at a batch.
    prior: (f64, f64),
}

/// What the scores of a batch tell about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// The share of anomalies.
    pub contamination: Estimate,
    /// The shares of the episodes that it rests on, ascending.
    pub contaminations: Vec<f64>,
    /// The AUROC that its labels would give.
    pub auroc: Estimate,
    /// The probability of each sample to be an anomaly.
    pub probabilities: Vec<f64>,
    /// The chance of a batch of the calibration's kind to look as strange.
    pub novelty_p: f64,
    /// The least value that this can take with so many domains.
    pub least_p: f64,
    /// Domains of the calibration.
    pub domains: usize,
    /// The greatest contamination that the calibration knows.
    pub most_contaminated: f64,
}

impl Calibration {
    /// Learns from episodes of one size.
    ///
    /// # Errors
    /// [`Error::Refused`] where there are too few, or of one domain, or none has samples of both classes.
    pub fn fit(episodes: &[Episode], settings: Settings) -> Result<Self> {
        let Some(first) = episodes.first() else { return Err(Error::refused("no episode to learn from")) };
        let (size, detectors) = (first.labels.len(), first.scores.len());
        if episodes.len() < 2 * settings.neighbours {
            let (have, wanted) = (episodes.len(), 2 * settings.neighbours);
            return Err(Error::refused(format!("{have} episodes, and {wanted} are the least to learn from")));
        }
        let raw: Vec<Vec<f64>> = episodes.iter().map(|e| summary(&slices(&e.scores))).collect();
        let scale = Scale::of(&raw);
        let x: Vec<Vec<f64>> = raw.iter().map(|r| scale.apply(r)).collect();
        // A domain of which no batch was drawn says nothing.
        let drawn: BTreeSet<usize> = episodes.iter().map(|e| e.domain).collect();
        let place: BTreeMap<usize, usize> = drawn.into_iter().zip(0..).collect();
        let domains: Vec<usize> = episodes.iter().map(|e| place[&e.domain]).collect();
        let shares: Vec<f64> = episodes.iter().map(|e| share(&e.labels)).collect();
        let contamination = Posterior::fit(&x, &shares, &domains, settings.neighbours)?;
        let aurocs: Vec<Option<f64>> = episodes.iter().map(|e| auroc(&e.scores[0], &e.labels)).collect();
        let (mut ranked, mut of, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
        for (i, auroc) in aurocs.iter().enumerate() {
            if let Some(auroc) = auroc {
                ranked.push(x[i].clone());
                of.push(*auroc);
                theirs.push(domains[i]);
            }
        }
        let auroc = Posterior::fit(&ranked, &of, &theirs, settings.neighbours)?;
        let unseen = contamination.unseen().map(|e| e.mean);
        let rows: Vec<Vec<f64>> = episodes.iter().zip(unseen).flat_map(|(e, c)| samples(&e.scores[0], c)).collect();
        let labels: Vec<bool> = episodes.iter().flat_map(|e| &e.labels).copied().collect();
        let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
        Ok(Calibration {
            size,
            detectors,
            settings,
            scale,
            probability: Logistic::fit(&rows, &labels)?,
            novelty: Novelty::fit(&x, &domains)?,
            contamination,
            auroc,
            prior: (mean(&shares), mean(&of)),
        })
    }

    /// What the scores of a batch tell, by detector as in the episodes.
    ///
    /// # Errors
    /// [`Error::Refused`] where the batch is of another size, or scored by more or fewer detectors.
    pub fn judge(&self, scores: &[&[f64]]) -> Result<Judgement> {
        if scores.len() != self.detectors {
            let (have, wanted) = (scores.len(), self.detectors);
            return Err(Error::refused(format!("scores of {have} detectors, and the calibration is of {wanted}")));
        }
        if let Some(other) = scores.iter().find(|s| s.len() != self.size) {
            let (have, wanted) = (other.len(), self.size);
            return Err(Error::refused(format!("a batch of {have}, and the calibration is of {wanted}")));
        }
        let x = self.scale.apply(&summary(scores));
        let contaminations = self.contamination.alike(&x);
        let contamination = Estimate::of(&contaminations);
        let rows = samples(scores[0], contamination.mean);
        Ok(Judgement {
            contamination,
            contaminations,
            auroc: self.auroc.at(&x),
            probabilities: rows.iter().map(|row| self.probability.at(row)).collect(),
            novelty_p: self.novelty.p(&x),
            least_p: self.novelty.least_p(),
            domains: self.novelty.domains(),
            most_contaminated: self.settings.most_contaminated,
        })
    }

    /// How good the estimates of contamination and AUROC were on the episodes of every domain, learnt from the others.
    pub fn unseen(&self) -> (Option<Accuracy>, Option<Accuracy>) {
        let of = |posterior: &Posterior, prior: f64| {
            accuracy(posterior.unseen().zip(posterior.truths()).map(|(e, truth)| (e, truth, prior)).collect())
        };
        (of(&self.contamination, self.prior.0), of(&self.auroc, self.prior.1))
    }

    /// The mean contamination and AUROC of the episodes: what there is to say of a batch without looking at it.
    pub fn prior(&self) -> (f64, f64) {
        self.prior
    }

    /// The number of domains that it learnt from.
    pub fn domains(&self) -> usize {
        self.novelty.domains()
    }

    /// Samples of a batch that it judges.
    pub fn size(&self) -> usize {
        self.size
    }
}

fn slices(scores: &[Vec<f64>]) -> Vec<&[f64]> {
    scores.iter().map(Vec::as_slice).collect()
}

/// The share of anomalies.
pub fn share(labels: &[bool]) -> f64 {
    labels.iter().filter(|l| **l).count() as f64 / labels.len() as f64
}

/// The AUROC, where there are samples of both classes.
pub fn auroc(scores: &[f64], labels: &[bool]) -> Option<f64> {
    zsad_metrics::find("auroc")?.compute(MetricInput::Samples { scores, labels }).value()
}

/// What the probability of a sample is learnt from, where the contamination is estimated as `c`: its standardised score z, its
/// rank r in the batch (0 … 1), z², r⁴, c, z c, r c, and whether it is among the share c of the highest.
fn samples(scores: &[f64], c: f64) -> Vec<Vec<f64>> {
    let n = scores.len() as f64;
    let row = |(z, rank): (f64, f64)| {
        let r = (rank - 0.5) / n;
        vec![z, z * z, r, r.powi(4), c, z * c, r * c, f64::from(u8::from(r > 1.0 - c))]
    };
    standardised(scores).into_iter().zip(mid_ranks(scores)).map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngExt;
    use rand_distr::{Distribution, StandardNormal};
    use zsad_core::rng::{Rng, stream};

    /// Normals of unit normal scores, anomalies `shift` higher, in a unit of the domain's own.
    fn episode(domain: usize, shift: f64, n: usize, anomalous: usize, rng: &mut Rng) -> Episode {
        let unit = 10f64.powi(domain as i32 % 5 - 2);
        let labels: Vec<bool> = (0..n).map(|i| i < anomalous).collect();
        let mut draw = |l: &bool| {
            let noise: f64 = StandardNormal.sample(rng);
            unit * (noise + if *l { shift } else { 0.0 })
        };
        let scores = labels.iter().map(&mut draw).collect();
        Episode { domain, labels, scores: vec![scores] }
    }

    fn episodes(domains: usize, each: usize, seed: u64) -> Vec<Episode> {
        let mut rng = stream(seed, &[("purpose", "trust")]);
        let mut all = Vec::new();
        for domain in 0..domains {
            for _ in 0..each {
                let anomalous = rng.random_range(0..=40);
                all.push(episode(domain, 4.0, 80, anomalous, &mut rng));
            }
        }
        all
    }

    #[test]
    fn what_is_identifiable_is_found_with_honest_intervals() {
        // Far anomalies: the contamination can be read off the scores, whatever their unit.
        let calibration = Calibration::fit(&episodes(20, 30, 0), Settings::default()).unwrap();
        let new = episodes(10, 30, 1);
        let judged: Vec<Judgement> = new.iter().map(|e| calibration.judge(&slices(&e.scores)).unwrap()).collect();
        let truths = || new.iter().map(|e| share(&e.labels));
        let errors = judged.iter().zip(truths()).map(|(j, t)| (j.contamination.mean - t).abs());
        let mae = errors.sum::<f64>() / 300.0;
        assert!(mae < 0.03, "{mae}");
        let covered = judged.iter().zip(truths()).filter(|(j, t)| j.contamination.covers(*t)).count();
        // Domains are exchangeable here: 90 % of 300, within four standard errors.
        assert!((249..=291).contains(&covered), "{covered}");
        // Every novelty p is possible for 20 domains, and few batches look new.
        let new_looking = judged.iter().filter(|j| j.novelty_p <= 0.05).count();
        assert!(new_looking <= 30, "{new_looking}");
    }

    #[test]
    fn a_batch_of_another_size_or_of_more_detectors_is_refused() {
        let calibration = Calibration::fit(&episodes(4, 40, 0), Settings::default()).unwrap();
        let why = |scores: &[&[f64]]| calibration.judge(scores).unwrap_err().to_string();
        assert!(why(&[&[0.0; 20]]).contains("a batch of 20, and the calibration is of 80"));
        assert!(why(&[&[0.0; 80], &[0.0; 80]]).contains("2 detectors"));
        assert!(Calibration::fit(&episodes(4, 10, 0), Settings::default()).unwrap_err().to_string().contains("120"));
    }

    #[test]
    fn a_calibration_is_kept_to_the_bit() {
        let calibration = Calibration::fit(&episodes(4, 40, 0), Settings::default()).unwrap();
        let text = serde_json::to_string(&calibration).unwrap();
        assert_eq!(serde_json::from_str::<Calibration>(&text).unwrap(), calibration);
    }

    #[test]
    fn scores_that_do_not_differ_are_judged() {
        let calibration = Calibration::fit(&episodes(4, 40, 0), Settings::default()).unwrap();
        let constant = calibration.judge(&[&[1.0; 80]]).unwrap();
        assert!(constant.probabilities.iter().all(|p| (0.0..=1.0).contains(p)));
    }
}
