//! Whether a batch looks like what zero-shot detection rests on: enough samples, most of them normal.

use std::ops::RangeInclusive;

/// Fewer samples than this say little about what is normal.
const SMALL: usize = 16;
/// Fewer values than this cannot show two groups.
const ENOUGH: usize = 10;
/// A split into two groups counts where it explains more of the variance than this share. The best split of a normal
/// distribution explains 2/π = 0.64 of it, that of a uniform one 0.75.
const EXPLAINED: f64 = 0.85;
/// Two groups, neither of which has less than this share of the batch, leave open which one is normal.
const MINORITY: f64 = 0.2;

/// What makes the scores of a batch doubtful, a sentence each; `along` is where its samples lie in the direction in
/// which they vary most. With `references` what is normal is known from them, and not from the batch.
pub fn batch_warnings(scores: &[f64], along: &[f64], references: usize) -> Vec<String> {
    let n = scores.len();
    let mut warnings = Vec::new();
    if references == 1 {
        warnings.push("1 reference: how normal samples differ cannot be seen from it; give 4 or more".into());
    }
    if n < SMALL && references == 0 {
        warnings.push(format!("{n} samples are a small batch: what is normal is estimated from them alone"));
    }
    if n > 1 && is_constant(scores) {
        warnings.push("all samples have one score: nothing in the batch tells them apart".into());
        return warnings;
    }
    if references > 0 {
        return warnings;
    }
    let open = MINORITY * n as f64..=(1.0 - MINORITY) * n as f64;
    // Anomalies in great number move the batch's statistics until their scores no longer stand out; then the samples
    // themselves may still show two groups.
    if let Some(group) = upper_group(scores, &open).or_else(|| upper_group(along, &open)) {
        let (small, large) = (group.min(n - group), group.max(n - group));
        warnings.push(format!(
            "the batch falls into groups of {small} and {large} samples: it may be too contaminated for a method that \
             takes most of it to be normal"
        ));
    }
    warnings
}

/// Whether values differ by no more than rounding.
fn is_constant(values: &[f64]) -> bool {
    let range = values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), &v| (a.min(v), b.max(v)));
    range.1 - range.0 <= 1e-9 * range.1.abs().max(range.0.abs())
}

/// The size of the upper of two groups of values, if there are two and it is in `sizes` (Otsu 1979: the split that
/// explains most of the variance, if that is enough).
fn upper_group(values: &[f64], sizes: &RangeInclusive<f64>) -> Option<usize> {
    let n = values.len();
    if n < ENOUGH || is_constant(values) {
        return None;
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let total: f64 = sorted.iter().sum();
    let mean = total / n as f64;
    let variance: f64 = sorted.iter().map(|v| (v - mean).powi(2)).sum();
    let mut below = 0.0;
    let mut best = (0.0, 0);
    for (i, value) in sorted[..n - 1].iter().enumerate() {
        below += value;
        let (low, high) = ((i + 1) as f64, (n - i - 1) as f64);
        let between = low * (below / low - mean).powi(2) + high * ((total - below) / high - mean).powi(2);
        if between > best.0 {
            best = (between, n - i - 1);
        }
    }
    (best.0 > EXPLAINED * variance && sizes.contains(&(best.1 as f64))).then_some(best.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_group_is_no_reason_for_doubt() {
        let uniform: Vec<f64> = (0..100).map(f64::from).collect();
        let skewed: Vec<f64> = (1..100).map(|i| -(f64::from(i) / 100.0).ln()).collect();
        assert!(batch_warnings(&uniform, &uniform, 0).is_empty());
        assert!(batch_warnings(&skewed, &skewed, 0).is_empty());
        assert_eq!(batch_warnings(&uniform[..15], &uniform[..15], 0).len(), 1, "too small");
        assert!(batch_warnings(&[1.0; 50], &uniform[..50], 0)[0].contains("one score"));
    }

    #[test]
    fn few_anomalies_are_expected_and_many_are_not() {
        let batch = |anomalies: u32| -> Vec<f64> {
            (0..60).map(|i| if i < anomalies { 20.0 } else { 0.0 } + f64::from(i * 37 % 60) / 30.0).collect()
        };
        assert!(batch_warnings(&batch(6), &batch(6), 0).is_empty());
        let said = "groups of 24 and 36 samples";
        assert!(batch_warnings(&batch(24), &batch(0), 0)[0].contains(said), "the scores show it");
        assert!(batch_warnings(&batch(0), &batch(24), 0)[0].contains(said), "the samples show it");
    }

    #[test]
    fn beside_references_neither_size_nor_groups_of_the_batch_matter() {
        assert!(batch_warnings(&[1.0, 9.0], &[1.0, 9.0], 4).is_empty());
        assert!(batch_warnings(&[1.0, 9.0], &[1.0, 9.0], 1)[0].contains("1 reference"));
    }
}
