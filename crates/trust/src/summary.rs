//! What is taken from a batch's scores: their shape, without their unit.

use zsad_metrics::stats::mid_ranks;

use crate::split::split;

/// Quantiles of the standardised scores: 0, 0.05, …, 1.
const QUANTILES: usize = 21;
/// Numbers that a batch of one detector's scores is summarised by.
pub const DETECTOR_FEATURES: usize = QUANTILES + 4;

/// The quantile at `share` of sorted values, between two by a straight line (NumPy's default).
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = share * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    low + (high - low) * at.fract()
}

/// Scores about their median, in units of the distance from it to their 5 % quantile, which anomalies do not reach, on a
/// logarithmic scale: sign(s − m) ln(1 + |s − m| / (m − q₀₅)). All zero where no score differs; where only the lower ones are
/// equal, in units of the mean distance from the median.
pub fn standardised(scores: &[f64]) -> Vec<f64> {
    let mut sorted = scores.to_vec();
    sorted.sort_by(f64::total_cmp);
    let median = quantile(&sorted, 0.5);
    let mean = sorted.iter().map(|s| (s - median).abs()).sum::<f64>() / sorted.len() as f64;
    let unit = match median - quantile(&sorted, 0.05) {
        below if below > 0.0 => below,
        _ if mean > 0.0 => mean,
        _ => 1.0,
    };
    let scale = |s: &f64| {
        let off = (s - median) / unit;
        off.signum() * off.abs().ln_1p()
    };
    scores.iter().map(scale).collect()
}

/// The summary of a batch: for the scores of each detector the quantiles 0, 0.05, …, 1 of [`standardised`], and the variance
/// that Otsu's split explains and the share that it puts above, of the scores and of the standardised ones; then Spearman's
/// correlation of every two detectors.
pub fn summary(scores: &[&[f64]]) -> Vec<f64> {
    let mut all = Vec::with_capacity(scores.len() * DETECTOR_FEATURES);
    for own in scores {
        let z = standardised(own);
        let (raw, scaled) = (split(own), split(&z));
        let mut sorted = z;
        sorted.sort_by(f64::total_cmp);
        all.extend((0..QUANTILES).map(|i| quantile(&sorted, i as f64 / (QUANTILES - 1) as f64)));
        all.extend([raw.explained, raw.upper, scaled.explained, scaled.upper]);
    }
    let ranks: Vec<Vec<f64>> = scores.iter().map(|s| mid_ranks(s)).collect();
    for (i, a) in ranks.iter().enumerate() {
        all.extend(ranks[..i].iter().map(|b| correlation(a, b)));
    }
    all
}

/// Pearson's correlation; 0 where one side does not vary.
fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let n = a.len() as f64;
    let (ma, mb) = (a.iter().sum::<f64>() / n, b.iter().sum::<f64>() / n);
    let sum = |f: &dyn Fn(f64, f64) -> f64| a.iter().zip(b).map(|(x, y)| f(x - ma, y - mb)).sum::<f64>();
    let (ab, aa, bb) = (sum(&|x, y| x * y), sum(&|x, _| x * x), sum(&|_, y| y * y));
    if aa * bb > 0.0 { ab / (aa * bb).sqrt() } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const Z: [f64; 3] = [-0.46488665522356454, 0.5493583713437843, -0.5063320638086567];
    const QUANTILES_OF_Z: [f64; 3] = [-0.8547659297399117, -0.5174942814278308, 0.8839343382561792];
    const SPEARMAN: f64 = -0.06293706293706294;

    // import numpy as np; from scipy.stats import spearmanr
    // s = np.sin(np.arange(12) * 1.7) + np.arange(12) * .1; t = np.cos(np.arange(12) * .9) - np.arange(12) * .05
    // m, q = np.median(s), np.quantile(s, .05)
    // z = np.sign(s - m) * np.log1p(np.abs(s - m) / (m - q))
    // print(z[:3].tolist(), np.quantile(z, [0, .15, 1]).tolist(), spearmanr(s, t)[0])
    #[test]
    fn numpy_and_scipy_say_the_same() {
        let s: Vec<f64> = (0..12).map(|i| (f64::from(i) * 1.7).sin() + f64::from(i) * 0.1).collect();
        let t: Vec<f64> = (0..12).map(|i| (f64::from(i) * 0.9).cos() - f64::from(i) * 0.05).collect();
        let z = standardised(&s);
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} instead of {b}");
        for (a, b) in z.iter().zip(Z) {
            close(*a, b);
        }
        let all = summary(&[&s, &t]);
        assert_eq!(all.len(), 2 * DETECTOR_FEATURES + 1);
        for (i, b) in [(0, QUANTILES_OF_Z[0]), (3, QUANTILES_OF_Z[1]), (20, QUANTILES_OF_Z[2])] {
            close(all[i], b);
        }
        close(all[2 * DETECTOR_FEATURES], SPEARMAN);
    }

    #[test]
    fn the_unit_of_scores_does_not_matter() {
        let s = [0.1, 0.4, 0.2, 0.9, 0.35, 0.3];
        let scaled = s.map(|v| 40.0 * v - 7.0);
        for (a, b) in summary(&[&s]).iter().zip(summary(&[&scaled])) {
            assert!((a - b).abs() < 1e-12);
        }
    }

    #[test]
    fn constant_scores_have_a_summary() {
        assert!(summary(&[&[2.0; 7], &[1.0; 7]]).iter().all(|v| v.is_finite()));
        // The lower half equal: another unit.
        assert!(standardised(&[0.0, 0.0, 0.0, 0.0, 3.0]).iter().all(|v| v.is_finite()));
    }
}
