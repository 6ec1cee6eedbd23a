//! False-positive rate at a true-positive rate of 95 %.

use zsad_core::{MetricSpec, MetricValue};

use crate::{Formula, Metric, Ranking};

pub(crate) static DEF: Metric = Metric {
    spec: MetricSpec {
        name: "fpr95",
        label: "FPR at 95 % TPR (lower is better)",
        summary: "least false-positive rate whose true-positive rate is at least 0.95",
        higher_is_better: false,
        ..MetricSpec::SAMPLE
    },
    formula: Formula::Samples(value),
};

fn value(ranking: &Ranking) -> MetricValue {
    // Both rates grow from step to step, so the first step that reaches 95 % = 19/20 has the least rate; the last
    // step holds every anomaly, so there is always one.
    ranking.defined(|mut steps, total| {
        let fp = Iterator::find(&mut steps, |s| 20 * s.tp >= 19 * total.tp).map_or(total.fp, |s| s.fp);
        fp as f64 / total.fp as f64
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn equals_a_loop_over_thresholds(points in prop::collection::vec((-9i8..9, any::<bool>()), 2..90)) {
            let scores: Vec<f64> = points.iter().map(|p| f64::from(p.0) / 3.0).collect();
            let labels: Vec<bool> = points.iter().map(|p| p.1).collect();
            let rate = |t: i8, class: bool| {
                let above = points.iter().filter(|p| p.0 >= t && p.1 == class).count();
                above as f64 / points.iter().filter(|p| p.1 == class).count() as f64
            };
            let brute = (-9i8..9).filter(|&t| rate(t, true) >= 0.95).map(|t| rate(t, false)).fold(f64::INFINITY, f64::min);
            match value(&Ranking::new(&scores, &labels).unwrap()) {
                MetricValue::Defined(ours) => prop_assert_eq!(ours, brute),
                MetricValue::Undefined(_) => prop_assert!(labels.iter().all(|&l| l == labels[0])),
            }
        }
    }
}
