//! Scores in units that methods share.

use super::ranks::mid_ranks;

/// Ranks over their number, equals sharing theirs.
pub fn rank_shares(scores: &[f64]) -> Vec<f64> {
    let n = scores.len() as f64;
    mid_ranks(scores).into_iter().map(|rank| rank / n).collect()
}

/// Scores less their mean, divided by their standard deviation; 0 where no score differs from another.
pub fn z_scores(scores: &[f64]) -> Vec<f64> {
    let n = scores.len() as f64;
    let mean = scores.iter().sum::<f64>() / n;
    let deviation = (scores.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / n).sqrt();
    let scale = if deviation > 0.0 { deviation } else { 1.0 };
    scores.iter().map(|s| (s - mean) / scale).collect()
}
