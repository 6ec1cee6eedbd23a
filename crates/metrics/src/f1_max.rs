//! The greatest F1 score over all thresholds.

use zsad_core::{MetricSpec, MetricValue};

use crate::{Formula, Metric, Ranking, Step};

pub(crate) static DEF: Metric = Metric {
    spec: MetricSpec {
        name: "f1_max",
        label: "F1max",
        summary: "greatest F1 score over all thresholds (the threshold is chosen with the labels: an upper bound)",
        ..MetricSpec::SAMPLE
    },
    formula: Formula::Samples(value),
};

fn value(ranking: &Ranking) -> MetricValue {
    ranking.defined(|steps, total| max(steps, total))
}

/// The greatest 2 tp / (2 tp + fp + fn); tp + fn are all anomalies.
pub(crate) fn max(steps: &mut dyn Iterator<Item = Step>, total: Step) -> f64 {
    steps.map(|s| 2.0 * s.tp as f64 / (s.tp + s.fp + total.tp) as f64).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn equals_a_loop_over_thresholds(points in prop::collection::vec((-4i8..4, any::<bool>()), 2..60)) {
            let scores: Vec<f64> = points.iter().map(|p| f64::from(p.0) / 3.0).collect();
            let labels: Vec<bool> = points.iter().map(|p| p.1).collect();
            let brute = (-4i8..4).map(|t| {
                let tp = points.iter().filter(|p| p.0 >= t && p.1).count() as f64;
                let precision = tp / points.iter().filter(|p| p.0 >= t).count() as f64;
                let recall = tp / labels.iter().filter(|&&l| l).count() as f64;
                if tp > 0.0 { 2.0 * precision * recall / (precision + recall) } else { 0.0 }
            }).fold(0.0, f64::max);
            match value(&Ranking::new(&scores, &labels).unwrap()) {
                MetricValue::Defined(ours) => prop_assert!((ours - brute).abs() < 1e-12, "{ours} {brute}"),
                MetricValue::Undefined(_) => prop_assert!(labels.iter().all(|&l| l == labels[0])),
            }
        }
    }
}
