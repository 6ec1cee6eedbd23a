//! Precision at n: the share of anomalies among the n highest scores, where n is the number of anomalies.

use zsad_core::{MetricSpec, MetricValue};

use crate::{Formula, Metric, Ranking};

pub(crate) static DEF: Metric = Metric {
    spec: MetricSpec {
        name: "precision_at_n",
        label: "precision at n",
        summary: "share of anomalies among the n highest scores, n the number of anomalies; ties in expectation",
        on_request: true,
        ..MetricSpec::SAMPLE
    },
    formula: Formula::Samples(value),
};

/// Of samples that tie at the n-th place as many are taken as are left, each as likely as the other (R-precision of
/// Buckley and Voorhees, SIGIR 2000, in expectation over the order of ties).
fn value(ranking: &Ranking) -> MetricValue {
    ranking.defined(|steps, total| {
        let n = total.tp as f64;
        let (mut taken, mut found) = (0.0, 0.0);
        for step in steps {
            let (all, anomalous) = ((step.tp + step.fp) as f64, step.tp as f64);
            if all >= n {
                return (found + (n - taken) / (all - taken) * (anomalous - found)) / n;
            }
            (taken, found) = (all, anomalous);
        }
        // Not reached: the last step holds all samples, of which the anomalies are a part.
        found / n
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// All orders of the samples, sorted by score alone.
    fn brute(scores: &[f64], labels: &[bool]) -> f64 {
        let n = labels.iter().filter(|l| **l).count();
        let (mut sum, mut orders) = (0.0, 0.0);
        let mut order: Vec<usize> = (0..scores.len()).collect();
        permute(&mut order, 0, &mut |order| {
            let mut sorted = order.to_vec();
            sorted.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
            sum += sorted[..n].iter().filter(|i| labels[**i]).count() as f64 / n as f64;
            orders += 1.0;
        });
        sum / orders
    }

    fn permute(order: &mut [usize], from: usize, each: &mut impl FnMut(&[usize])) {
        if from == order.len() {
            return each(order);
        }
        for i in from..order.len() {
            order.swap(from, i);
            permute(order, from + 1, each);
            order.swap(from, i);
        }
    }

    proptest! {
        #[test]
        fn equals_the_mean_over_all_orders_of_ties(samples in prop::collection::vec((0u8..4, any::<bool>()), 1..7)) {
            let scores: Vec<f64> = samples.iter().map(|s| f64::from(s.0)).collect();
            let labels: Vec<bool> = samples.iter().map(|s| s.1).collect();
            match Ranking::new(&scores, &labels).map(|r| value(&r)) {
                Ok(MetricValue::Defined(ours)) => prop_assert!((ours - brute(&scores, &labels)).abs() < 1e-12),
                _ => prop_assert!(labels.iter().all(|l| *l == labels[0])),
            }
        }
    }
}
