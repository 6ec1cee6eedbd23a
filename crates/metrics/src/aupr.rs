//! Average precision.

use zsad_core::{MetricSpec, MetricValue};

use crate::{Formula, Metric, Ranking, Step};

pub(crate) static DEF: Metric = Metric {
    spec: MetricSpec {
        name: "aupr",
        label: "AUPR (average precision)",
        summary: "average precision: sum over the distinct scores of precision times the gain in recall, ties together",
        ..MetricSpec::SAMPLE
    },
    formula: Formula::Samples(value),
};

fn value(ranking: &Ranking) -> MetricValue {
    ranking.defined(|steps, total| average_precision(steps, total))
}

/// Σ (Rₖ − Rₖ₋₁) Pₖ over the steps, without interpolation.
pub(crate) fn average_precision(steps: &mut dyn Iterator<Item = Step>, total: Step) -> f64 {
    let mut sum = 0.0;
    let mut before = 0;
    for step in steps {
        sum += (step.tp - before) as f64 * step.tp as f64 / (step.tp + step.fp) as f64;
        before = step.tp;
    }
    sum / total.tp as f64
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
            let positives = points.iter().filter(|p| p.1).count() as f64;
            // Every anomaly contributes the precision of the threshold at its own score.
            let brute: f64 = points.iter().filter(|p| p.1).map(|p| {
                let above = points.iter().filter(|q| q.0 >= p.0);
                above.clone().filter(|q| q.1).count() as f64 / above.count() as f64 / positives
            }).sum();
            match value(&Ranking::new(&scores, &labels).unwrap()) {
                MetricValue::Defined(ours) => prop_assert!((ours - brute).abs() < 1e-12, "{ours} {brute}"),
                MetricValue::Undefined(_) => prop_assert!(labels.iter().all(|&l| l == labels[0])),
            }
        }
    }
}
