//! Empirical tail probabilities by feature: what COPOD and ECOD add up.

use rayon::prelude::*;

use super::Points;

/// Features that are added up together. Fixed: the work is cut alike for any number of threads.
const FEATURES: usize = 16;

/// Negative logarithms of a value's tail probabilities in its feature.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Tails {
    /// −log P(X ≤ x).
    pub left: f64,
    /// −log P(X ≥ x).
    pub right: f64,
    /// The tail that the feature's skewness points away from: left, right, or where there is no skewness both added.
    pub skewed: f64,
}

/// Scores points by the tails of their features among `base` and the points themselves, `term` being what a feature adds;
/// `None`: among themselves alone.
///
/// Joining both is PyOD's way: its decision function does it before it takes the tails, so a score depends on the batch.
pub(crate) fn tail_sums(base: Option<&Points>, x: &Points, term: fn(Tails) -> f64) -> Vec<f64> {
    match base {
        None => sum(x, term),
        Some(base) => sum(&base.and(x), term).split_off(base.len()),
    }
}

fn sum(x: &Points, term: fn(Tails) -> f64) -> Vec<f64> {
    let starts: Vec<usize> = (0..x.dim()).step_by(FEATURES).collect();
    let partial = starts.into_par_iter().map(|start| {
        let mut sums = vec![0.0; x.len()];
        for feature in start..(start + FEATURES).min(x.dim()) {
            let tails = tails(&x.column(feature));
            sums.iter_mut().zip(tails).for_each(|(sum, tails)| *sum += term(tails));
        }
        sums
    });
    let mut sums = vec![0.0; x.len()];
    for partial in partial.collect::<Vec<_>>() {
        sums.iter_mut().zip(partial).for_each(|(sum, part)| *sum += part);
    }
    sums
}

/// The tails of every value of one feature.
fn tails(column: &[f64]) -> Vec<Tails> {
    let n = column.len();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| column[a].total_cmp(&column[b]));
    let skewness = skewness_sign(column);
    let mut out = vec![Tails { left: 0.0, right: 0.0, skewed: 0.0 }; n];
    let mut below = 0;
    for tied in order.chunk_by(|&a, &b| column[a] == column[b]) {
        let left = -((below + tied.len()) as f64 / n as f64).ln();
        let right = -((n - below) as f64 / n as f64).ln();
        let skewed = match skewness {
            1 => right,
            -1 => left,
            _ => left + right,
        };
        tied.iter().for_each(|&i| out[i] = Tails { left, right, skewed });
        below += tied.len();
    }
    out
}

/// The sign of the skewness m₃ / m₂^1.5; 0 where it is no more than rounding, and for a constant feature.
fn skewness_sign(column: &[f64]) -> i8 {
    let n = column.len() as f64;
    let mean = column[0] + column.iter().map(|v| v - column[0]).sum::<f64>() / n;
    let moment = |power| column.iter().map(|v| (v - mean).powi(power)).sum::<f64>() / n;
    let (m2, m3): (f64, f64) = (moment(2), moment(3));
    if m3.abs() <= 1e-12 * m2.powf(1.5) { 0 } else { m3.signum() as i8 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_share_their_tails_and_constants_add_nothing() {
        let third = (1.0f64 / 3.0).ln();
        let found = tails(&[2.0, 5.0, 2.0]);
        assert_eq!(found[0], found[2]);
        assert_eq!((found[0].left, found[0].right), (-(2.0f64 / 3.0).ln(), 0.0));
        assert_eq!((found[1].left, found[1].right, found[1].skewed), (0.0, -third, -third));
        assert!(tails(&[0.1; 7]).iter().all(|t| (t.left, t.right, t.skewed) == (0.0, 0.0, 0.0)));
        // Symmetric to rounding: no skewness, so both tails count.
        assert_eq!([skewness_sign(&[0.1, 0.2, 0.3]), skewness_sign(&[0.1, 0.7])], [0, 0]);
        assert_eq!([skewness_sign(&[0.0, 0.0, 1.0]), skewness_sign(&[0.0, 1.0, 1.0])], [1, -1]);
    }
}
