//! Whether a batch looks like what zero-shot detection rests on: enough samples, most of them normal.

/// Fewer samples than this say little about what is normal.
const SMALL: usize = 16;
/// Fewer scores than this cannot show two groups.
const ENOUGH: usize = 10;
/// A split into two groups counts where it explains more of the scores' variance than this share. The best split of a
/// normal distribution explains 2/π = 0.64 of it, that of a uniform one 0.75.
const EXPLAINED: f64 = 0.85;
/// An upper group above this share is too many for "most of the batch is normal" to be safe.
const MANY: f64 = 0.25;

/// What makes the scores of a batch doubtful, a sentence each.
pub fn doubts(scores: &[f64]) -> Vec<String> {
    let n = scores.len();
    let mut doubts = Vec::new();
    if n < SMALL {
        doubts.push(format!("{n} samples are a small batch: what is normal is estimated from them alone"));
    }
    let upper = upper_group(scores);
    if upper as f64 > MANY * n as f64 {
        doubts.push(format!(
            "{upper} of {n} scores form a group of their own above the rest: the batch may hold too many anomalies for \
             a method that takes most of it to be normal"
        ));
    }
    doubts
}

/// The size of the upper of two groups of scores, 0 where they are one (Otsu 1979: the split that explains most of the
/// variance, if that is enough).
fn upper_group(scores: &[f64]) -> usize {
    let n = scores.len();
    if n < ENOUGH {
        return 0;
    }
    let mut sorted = scores.to_vec();
    sorted.sort_by(f64::total_cmp);
    let total: f64 = sorted.iter().sum();
    let mean = total / n as f64;
    let variance: f64 = sorted.iter().map(|s| (s - mean).powi(2)).sum();
    let mut below = 0.0;
    let mut best = (0.0, 0);
    for (i, score) in sorted[..n - 1].iter().enumerate() {
        below += score;
        let (low, high) = ((i + 1) as f64, (n - i - 1) as f64);
        let between = low * (below / low - mean).powi(2) + high * ((total - below) / high - mean).powi(2);
        if between > best.0 {
            best = (between, n - i - 1);
        }
    }
    if best.0 > EXPLAINED * variance { best.1 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_group_is_no_reason_for_doubt() {
        let uniform: Vec<f64> = (0..100).map(f64::from).collect();
        let skewed: Vec<f64> = (1..100).map(|i| -(f64::from(i) / 100.0).ln()).collect();
        assert_eq!([upper_group(&uniform), upper_group(&skewed), upper_group(&[1.0; 50])], [0; 3]);
        assert!(doubts(&uniform).is_empty() && doubts(&skewed).is_empty());
        assert_eq!(doubts(&uniform[..15]).len(), 1);
    }

    #[test]
    fn few_anomalies_are_expected_and_many_are_not() {
        let batch = |anomalies: usize| -> Vec<f64> {
            (0..60).map(|i| if i < anomalies { 20.0 } else { 0.0 } + f64::from(i as u32 * 37 % 60) / 30.0).collect()
        };
        assert_eq!(upper_group(&batch(6)), 6);
        assert!(doubts(&batch(6)).is_empty());
        assert!(doubts(&batch(24))[0].starts_with("24 of 60 scores form a group"), "{:?}", doubts(&batch(24)));
    }
}
