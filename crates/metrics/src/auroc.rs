//! Area under the ROC curve.

use zsad_core::{MetricSpec, MetricValue};

use crate::{Formula, Metric, Ranking, Step};

/// The registry's entry.
pub static DEF: Metric = Metric {
    spec: MetricSpec {
        name: "auroc",
        label: "AUROC",
        summary: "area under the ROC curve: how often an anomaly scores above a normal, ties one half",
        headline: true,
        ..MetricSpec::SAMPLE
    },
    formula: Formula::Samples(value),
};

fn value(ranking: &Ranking) -> MetricValue {
    ranking.defined(|steps, total| area(steps, total))
}

/// The Mann-Whitney statistic over the number of pairs. Twice the statistic is a whole number, so the only rounding
/// is that of the last division.
pub(crate) fn area(steps: &mut dyn Iterator<Item = Step>, total: Step) -> f64 {
    let mut twice: u128 = 0;
    let mut before = Step { tp: 0, fp: 0 };
    for step in steps {
        twice += u128::from(step.fp - before.fp) * u128::from(step.tp + before.tp);
        before = step;
    }
    twice as f64 / (2.0 * total.tp as f64 * total.fp as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ranking;
    use proptest::prelude::*;

    #[test]
    fn totals_name_the_missing_class() {
        let none = ranking::both_classes(Step { tp: 3, fp: 0 }, || 1.0);
        assert_eq!(none, MetricValue::Undefined("only one class: no normal"));
    }

    proptest! {
        #[test]
        fn equals_counting_pairs(points in prop::collection::vec((-4i8..4, any::<bool>()), 2..60)) {
            let scores: Vec<f64> = points.iter().map(|p| f64::from(p.0) / 3.0).collect();
            let labels: Vec<bool> = points.iter().map(|p| p.1).collect();
            let (mut won, mut pairs) = (0.0, 0.0);
            for (a, _) in points.iter().filter(|p| p.1) {
                for (b, _) in points.iter().filter(|p| !p.1) {
                    pairs += 1.0;
                    won += if a > b { 1.0 } else if a == b { 0.5 } else { 0.0 };
                }
            }
            let ours = value(&Ranking::new(&scores, &labels).unwrap()).value();
            prop_assert_eq!(ours, (pairs > 0.0).then(|| won / pairs));
        }
    }
}
