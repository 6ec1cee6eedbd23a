//! How well scores follow a severity: Harrell's C-index, Kendall's tau-b, AUROC level by level.
//!
//! Cao et al., MAD-Bench, 2024, whose C-index is that of lifelines: P(s_i > s_j | severity_i > severity_j), ties of the score
//! counting one half, pairs of equal severity left out.

use zsad_core::{MetricInput, MetricValue};

/// Pairs of samples, counted by one merge sort.
struct Pairs {
    /// Pairs that severity and score order alike, and otherwise.
    concordant: f64,
    discordant: f64,
    /// Pairs of equal score and different severity, of equal severity and different score.
    tied_score: f64,
    tied_severity: f64,
}

fn count(severity: &[f64], scores: &[f64]) -> Option<Pairs> {
    if severity.len() != scores.len() || severity.iter().chain(scores).any(|v| !v.is_finite()) {
        return None;
    }
    // Adding zero turns −0 into 0.
    let mut sorted: Vec<(f64, f64)> = severity.iter().zip(scores).map(|(a, s)| (a + 0.0, s + 0.0)).collect();
    sorted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let pairs = |n: usize| n as f64 * (n as f64 - 1.0) / 2.0;
    let runs =
        |equal: fn(&(f64, f64), &(f64, f64)) -> bool| -> f64 { sorted.chunk_by(equal).map(|r| pairs(r.len())).sum() };
    let (both, same_severity) = (runs(|a, b| a == b), runs(|a, b| a.0 == b.0));
    let mut by_score: Vec<f64> = sorted.iter().map(|p| p.1).collect();
    let discordant = inversions(&mut by_score);
    // `inversions` leaves them sorted.
    let same_score: f64 = by_score.chunk_by(|a, b| a == b).map(|r| pairs(r.len())).sum();
    let all = pairs(sorted.len());
    Some(Pairs {
        concordant: all - same_severity - (same_score - both) - discordant,
        discordant,
        tied_score: same_score - both,
        tied_severity: same_severity - both,
    })
}

/// Sorts `values` and says how many pairs stood in the wrong order.
fn inversions(values: &mut Vec<f64>) -> f64 {
    if values.len() < 2 {
        return 0.0;
    }
    let mut right = values.split_off(values.len() / 2);
    let mut swapped = inversions(values) + inversions(&mut right);
    let left = std::mem::take(values);
    let (mut i, mut j) = (0, 0);
    while i < left.len() || j < right.len() {
        if j == right.len() || (i < left.len() && left[i] <= right[j]) {
            values.push(left[i]);
            i += 1;
        } else {
            values.push(right[j]);
            j += 1;
            swapped += (left.len() - i) as f64;
        }
    }
    swapped
}

const ONE_LEVEL: MetricValue = MetricValue::Undefined("only one level of severity");

/// The C-index of `scores` for `severity`.
pub fn c_index(severity: &[f64], scores: &[f64]) -> MetricValue {
    let Some(Pairs { concordant, discordant, tied_score, .. }) = count(severity, scores) else { return NOT_FINITE };
    let all = concordant + discordant + tied_score;
    if all > 0.0 { MetricValue::Defined((concordant + 0.5 * tied_score) / all) } else { ONE_LEVEL }
}

/// Kendall's tau-b of `severity` and `scores`, −1 … 1.
pub fn kendall_tau(severity: &[f64], scores: &[f64]) -> MetricValue {
    let Some(Pairs { concordant, discordant, tied_score, tied_severity }) = count(severity, scores) else {
        return NOT_FINITE;
    };
    let untied = concordant + discordant;
    let length = ((untied + tied_score) * (untied + tied_severity)).sqrt();
    if length > 0.0 { MetricValue::Defined((concordant - discordant) / length) } else { ONE_LEVEL }
}

const NOT_FINITE: MetricValue = MetricValue::Undefined("a score or severity is missing or not finite");

/// AUROC of the samples of each level above 0 against those of level 0, in the order of levels; severity as it is, not
/// rounded.
pub fn auroc_levels(severity: &[f64], scores: &[f64]) -> Vec<(f64, MetricValue)> {
    let mut levels: Vec<f64> = severity.iter().copied().filter(|s| *s > 0.0).collect();
    levels.sort_by(f64::total_cmp);
    levels.dedup();
    let level = |level: f64| {
        let (mut of, mut labels) = (Vec::new(), Vec::new());
        for (severity, score) in severity.iter().zip(scores).filter(|(s, _)| **s == 0.0 || **s == level) {
            of.push(*score);
            labels.push(*severity == level);
        }
        (level, crate::AUROC.compute(MetricInput::Samples { scores: &of, labels: &labels }))
    };
    levels.into_iter().map(level).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEVERITY: [f64; 10] = [0.0, 0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 3.0];
    const SCORES: [f64; 10] = [0.1, 0.3, 0.2, 0.3, 0.5, 0.4, 0.9, 0.8, 0.8, 0.6];

    /// `scipy.stats.kendalltau`, `lifelines.utils.concordance_index`, `sklearn.metrics.roc_auc_score`.
    #[test]
    fn they_equal_scipy_lifelines_and_scikit_learn() {
        let near =
            |found: MetricValue, wanted: f64| assert!((found.value().unwrap() - wanted).abs() < 1e-14, "{found:?}");
        near(kendall_tau(&SEVERITY, &SCORES), 0.7019770947894604);
        near(c_index(&SEVERITY, &SCORES), 32.5 / 37.0);
        let levels = auroc_levels(&SEVERITY, &SCORES);
        assert_eq!(levels.iter().map(|l| l.0).collect::<Vec<_>>(), [1.0, 2.0, 3.0]);
        for ((_, found), wanted) in levels.into_iter().zip([0.9166666666666667, 1.0, 1.0]) {
            near(found, wanted);
        }
        let anomalous: Vec<bool> = SEVERITY.iter().map(|s| *s > 0.0).collect();
        near(crate::AUROC.compute(MetricInput::Samples { scores: &SCORES, labels: &anomalous }), 0.9761904761904763);
    }

    #[test]
    fn counting_by_merging_is_counting_all_pairs() {
        let mut state = 5u32;
        let mut draw = |levels: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from((state >> 16) % levels)
        };
        for _ in 0..50 {
            let (severity, scores): (Vec<f64>, Vec<f64>) = (0..23).map(|_| (draw(4), draw(7))).unzip();
            let (mut c, mut d, mut t) = (0.0, 0.0, 0.0);
            for i in 0..23 {
                for j in 0..i {
                    let (a, b) = (severity[i] - severity[j], scores[i] - scores[j]);
                    match (a != 0.0, b != 0.0) {
                        (true, true) => *if a * b > 0.0 { &mut c } else { &mut d } += 1.0,
                        (true, false) => t += 1.0,
                        _ => {}
                    }
                }
            }
            assert_eq!(c_index(&severity, &scores), MetricValue::Defined((c + 0.5 * t) / (c + d + t)));
        }
    }

    #[test]
    fn one_level_has_no_order() {
        assert_eq!(c_index(&[1.0, 1.0], &[0.0, 1.0]).value(), None);
        assert_eq!(kendall_tau(&[1.0, 1.0], &[0.0, 1.0]).value(), None);
        assert_eq!(c_index(&[0.0, f64::NAN], &[0.0, 1.0]).value(), None);
    }
}
