//! The one sorted pass behind the metrics: cumulative counts at every distinct score, from the highest down.

use zsad_core::MetricValue;

/// What lies at or above one distinct score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Anomalies at or above it (true positives).
    pub tp: u64,
    /// Normals at or above it (false positives).
    pub fp: u64,
}

/// Samples in the order of their scores. Equal scores make one step: no threshold can part them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ranking {
    steps: Vec<Step>,
}

impl Ranking {
    /// Sorts `scores` (higher is more anomalous) beside `labels` (`true` is anomalous).
    ///
    /// # Errors
    /// The reason why nothing can be ranked: a score is not finite, or there are not as many labels.
    pub fn new(scores: &[f64], labels: &[bool]) -> Result<Self, &'static str> {
        if scores.len() != labels.len() {
            return Err("scores and labels differ in number");
        }
        if scores.iter().any(|s| !s.is_finite()) {
            return Err("non-finite score");
        }
        // Adding zero turns -0.0 into 0.0: the two are equal scores.
        let mut sorted: Vec<(f64, bool)> = scores.iter().map(|s| s + 0.0).zip(labels.iter().copied()).collect();
        sorted.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
        let mut at = Step { tp: 0, fp: 0 };
        let steps = sorted.chunk_by(|a, b| a.0 == b.0).map(|tied| {
            let tp = tied.iter().filter(|t| t.1).count() as u64;
            at = Step { tp: at.tp + tp, fp: at.fp + tied.len() as u64 - tp };
            at
        });
        Ok(Ranking { steps: steps.collect() })
    }

    /// The steps from the highest score down; the last one holds all samples.
    pub fn steps(&self) -> impl Iterator<Item = Step> {
        self.steps.iter().copied()
    }

    /// `f` of the steps and the totals of both classes; undefined where a class is missing.
    pub(crate) fn defined(&self, f: impl FnOnce(&mut dyn Iterator<Item = Step>, Step) -> f64) -> MetricValue {
        let total = self.steps.last().copied().unwrap_or(Step { tp: 0, fp: 0 });
        both_classes(total, || f(&mut self.steps(), total))
    }
}

/// `value` where both classes are there.
pub(crate) fn both_classes(total: Step, value: impl FnOnce() -> f64) -> MetricValue {
    match total {
        Step { tp: 0, .. } => MetricValue::Undefined("only one class: no anomaly"),
        Step { fp: 0, .. } => MetricValue::Undefined("only one class: no normal"),
        _ => MetricValue::Defined(value()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_scores_and_both_zeros_make_one_step() {
        let r = Ranking::new(&[0.0, 2.0, -0.0, 2.0, -3.0], &[true, true, false, false, false]).unwrap();
        let steps: Vec<_> = r.steps().map(|s| (s.tp, s.fp)).collect();
        assert_eq!(steps, [(1, 1), (2, 2), (2, 3)]);
    }
}
