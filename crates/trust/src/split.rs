//! Otsu's split of values into two groups.

use serde::{Deserialize, Serialize};

/// Two groups of values, the lower and the upper.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Split {
    /// The share of the variance that lies between the groups: 0 … 1.
    pub explained: f64,
    /// The share of the values in the upper group.
    pub upper: f64,
    /// The lowest value of the upper group.
    pub at: f64,
}

/// The split with the greatest variance between the groups (Otsu, A threshold selection method from gray-level histograms,
/// 1979, over all splits of the sorted values instead of a histogram's); nothing explained and nobody above where all values
/// are equal.
pub fn split(values: &[f64]) -> Split {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len() as f64;
    let mean = sorted.iter().sum::<f64>() / n;
    let total = sorted.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
    let mut best = Split { explained: 0.0, upper: 0.0, at: f64::INFINITY };
    let mut below = 0.0;
    for (i, pair) in sorted.windows(2).enumerate() {
        below += pair[0] - mean;
        let lower = (i + 1) as f64;
        // Between the groups: n₁ (m₁ − m)² + n₂ (m₂ − m)², and n₂ (m₂ − m) = −n₁ (m₁ − m).
        let between = below * below * (1.0 / lower + 1.0 / (n - lower));
        if pair[0] < pair[1] && between > best.explained * total {
            best = Split { explained: (between / total).min(1.0), upper: (n - lower) / n, at: pair[1] };
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_of_all_splits_is_found() {
        let values = [0.9, 0.1, 0.25, 0.8, 0.2, 0.15, 0.85, 0.3];
        let found = split(&values);
        assert_eq!((found.upper, found.at), (3.0 / 8.0, 0.8));
        // By the definition, over every cut.
        let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
        let m = mean(&values);
        let total = values.iter().map(|v| (v - m).powi(2)).sum::<f64>();
        let cuts = values.iter().map(|cut| {
            let (upper, lower): (Vec<f64>, Vec<f64>) = values.iter().partition(|v| *v >= cut);
            let of = |v: &[f64]| if v.is_empty() { 0.0 } else { v.len() as f64 * (mean(v) - m).powi(2) };
            (of(&upper) + of(&lower)) / total
        });
        assert!((found.explained - cuts.fold(0.0, f64::max)).abs() < 1e-12);
    }

    #[test]
    fn equal_values_are_one_group() {
        assert_eq!(split(&[0.5; 4]), Split { explained: 0.0, upper: 0.0, at: f64::INFINITY });
    }
}
