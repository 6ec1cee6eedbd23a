//! How right judgements were, where labels are known after all.

use crate::calibration::{Judgement, auroc, share};
use crate::posterior::Estimate;
use crate::verdict::{Decision, decide};

/// A judgement and the truth.
#[derive(Debug, Clone)]
pub struct Judged {
    /// What was said of a batch.
    pub judgement: Judgement,
    /// The scores that it was said of.
    pub scores: Vec<f64>,
    /// `true` where a sample is an anomaly.
    pub labels: Vec<bool>,
    /// The mean contamination and AUROC of the calibration's episodes.
    pub prior: (f64, f64),
}

/// How good estimates of a number are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Accuracy {
    /// Batches where the number is defined.
    pub batches: usize,
    /// Mean absolute error.
    pub mae: f64,
    /// The same where every batch is said to be as the calibration's mean.
    pub mae_constant: f64,
    /// Pearson's correlation of estimate and truth; `None` where one does not vary.
    pub correlation: Option<f64>,
    /// The share of the nominal 90 % intervals that hold the truth.
    pub coverage: f64,
    /// Their mean width.
    pub width: f64,
}

/// How good judgements are.
#[derive(Debug, Clone, PartialEq)]
pub struct Assessment {
    /// Of the contamination.
    pub contamination: Accuracy,
    /// Of the AUROC, over batches of both classes; `None` where there is none.
    pub auroc: Option<Accuracy>,
    /// Mean squared error of the samples' probabilities.
    pub brier: f64,
    /// Expected calibration error of the probabilities, in ten bins of equal width (Naeini, Cooper, Hauskrecht, 2015).
    pub ece: f64,
    /// The share of samples that is left undecided.
    pub rejected: f64,
    /// The share of wrong decisions among the others.
    pub error_accepted: f64,
    /// The share of wrong decisions where none is left undecided.
    pub error_all: f64,
    /// The cost of a sample: 1 for a wrong decision, `cost_reject` for none.
    pub cost: f64,
    /// The mean AUROC of the batches whose expected AUROC is highest: of all, of the best half, of the best quarter.
    pub trusted: [Option<f64>; 3],
}

/// Judgements against the truth, where leaving a sample undecided costs `cost_reject`; `None` where there is none.
pub fn assess(judged: &[Judged], cost_reject: f64) -> Option<Assessment> {
    let contamination =
        accuracy(judged.iter().map(|j| (j.judgement.contamination, share(&j.labels), j.prior.0)).collect())?;
    let mut ranked: Vec<(Estimate, f64, f64)> =
        judged.iter().filter_map(|j| Some((j.judgement.auroc, auroc(&j.scores, &j.labels)?, j.prior.1))).collect();
    ranked.sort_by(|a, b| b.0.mean.total_cmp(&a.0.mean));
    let trusted = [1, 2, 4].map(|part| {
        let best = &ranked[..ranked.len() / part];
        (!best.is_empty()).then(|| best.iter().map(|(_, truth, _)| truth).sum::<f64>() / best.len() as f64)
    });
    let samples: Vec<(f64, bool)> =
        judged.iter().flat_map(|j| j.judgement.probabilities.iter().copied().zip(j.labels.iter().copied())).collect();
    let n = samples.len() as f64;
    let brier = samples.iter().map(|&(p, l)| (p - f64::from(u8::from(l))).powi(2)).sum::<f64>() / n;
    let share_of = |is: &dyn Fn(f64, bool) -> bool| samples.iter().filter(|(p, l)| is(*p, *l)).count() as f64 / n;
    let wrong = |p: f64, l: bool| (p > 0.5) != l;
    let is_rejected = |p: f64| decide(p, cost_reject) == Decision::Rejected;
    let rejected = share_of(&|p, _| is_rejected(p));
    let wrong_accepted = share_of(&|p, l| !is_rejected(p) && wrong(p, l));
    Some(Assessment {
        contamination,
        auroc: accuracy(ranked),
        brier,
        ece: calibration_error(&samples),
        rejected,
        error_accepted: if rejected < 1.0 { wrong_accepted / (1.0 - rejected) } else { 0.0 },
        error_all: share_of(&wrong),
        cost: wrong_accepted + cost_reject * rejected,
        trusted,
    })
}

/// That of (estimate, truth, what would be said without looking); `None` where there is none.
pub(crate) fn accuracy(all: Vec<(Estimate, f64, f64)>) -> Option<Accuracy> {
    if all.is_empty() {
        return None;
    }
    let n = all.len() as f64;
    let mean = |of: &dyn Fn(&(Estimate, f64, f64)) -> f64| all.iter().map(of).sum::<f64>() / n;
    let (estimate, truth) = (mean(&|a| a.0.mean), mean(&|a| a.1));
    let both = mean(&|a| (a.0.mean - estimate) * (a.1 - truth));
    let spread = (mean(&|a| (a.0.mean - estimate).powi(2)) * mean(&|a| (a.1 - truth).powi(2))).sqrt();
    Some(Accuracy {
        batches: all.len(),
        mae: mean(&|a| (a.0.mean - a.1).abs()),
        mae_constant: mean(&|a| (a.2 - a.1).abs()),
        correlation: (spread > 0.0).then(|| both / spread),
        coverage: mean(&|a| f64::from(u8::from(a.0.covers(a.1)))),
        width: mean(&|a| a.0.hi - a.0.lo),
    })
}

fn calibration_error(samples: &[(f64, bool)]) -> f64 {
    let mut bins = [(0.0, 0.0); 10];
    for &(p, label) in samples {
        let bin = &mut bins[((p * 10.0) as usize).min(9)];
        bin.0 += p;
        bin.1 += f64::from(u8::from(label));
    }
    bins.iter().map(|(p, l)| (p - l).abs()).sum::<f64>() / samples.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(mean: f64, lo: f64, hi: f64, auroc: f64, p: &[f64], labels: &[bool]) -> Judged {
        let judgement = Judgement {
            contamination: Estimate { mean, lo, hi },
            contaminations: Vec::new(),
            auroc: Estimate { mean: auroc, lo: auroc - 0.1, hi: auroc + 0.1 },
            probabilities: p.to_vec(),
            novelty_p: 1.0,
            least_p: 0.05,
            domains: 19,
            most_contaminated: 0.5,
        };
        Judged { judgement, scores: p.to_vec(), labels: labels.to_vec(), prior: (0.25, 0.8) }
    }

    #[test]
    fn by_hand() {
        let all = [
            judged(0.3, 0.2, 0.4, 0.9, &[0.05, 0.2, 0.95, 0.1], &[false, false, true, false]),
            judged(0.1, 0.0, 0.2, 0.7, &[0.6, 0.05, 0.04, 0.05], &[false, false, true, false]),
        ];
        let found = assess(&all, 0.1).unwrap();
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} instead of {b}");
        let c = found.contamination;
        close(c.mae, (0.05 + 0.15) / 2.0);
        close(c.coverage, 0.5);
        close(c.width, 0.2);
        close(c.mae_constant, 0.0);
        assert_eq!(c.correlation, None);
        let a = found.auroc.unwrap();
        // AUROC 1 (said 0.9, constant 0.8) and 0 (said 0.7).
        close(a.mae, (0.1 + 0.7) / 2.0);
        close(a.mae_constant, (0.2 + 0.8) / 2.0);
        assert_eq!(found.trusted, [Some(0.5), Some(1.0), None]);
        let squares = [0.0025, 0.04, 0.0025, 0.01, 0.36, 0.0025, 0.9216, 0.0025];
        close(found.brier, squares.iter().sum::<f64>() / 8.0);
        // Undecided are 0.2 and 0.6; the anomaly of 0.04 is missed, and with everything decided 0.6 is wrong too.
        close(found.rejected, 0.25);
        close(found.error_accepted, 1.0 / 6.0);
        close(found.error_all, 0.25);
        close(found.cost, 0.125 + 0.025);
        // Bins 0–0.1 (0.05 0.05 0.04 0.05, one anomaly), 0.1–0.2, 0.2–0.3, 0.6–0.7, 0.9–1.
        close(found.ece, (0.81 + 0.1 + 0.2 + 0.6 + 0.05) / 8.0);
    }
}
