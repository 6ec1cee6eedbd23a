//! The share of anomalies in a batch from the labels of a few samples that were chosen by their scores, or by where they lie.

use statrs::distribution::{Continuous, Normal};

/// SOEL's estimate (Li et al., ICML 2023, equation 4; `aodongli/Active-SOEL`): the mean of y · p(s)/q(s) over the labelled
/// samples, y 1 for an anomaly, s its score, p and q the densities of all scores and of those of labelled samples, each by
/// Gaussian kernels of the width (greatest − least of all scores) / (number of labels). Theirs is unbounded; the half of a
/// batch at most is anomalous. `None` without labels, or where all scores are one.
pub fn queried_share(scores: &[f64], labelled: &[(usize, bool)]) -> Option<f64> {
    let weights = importance(scores, labelled)?;
    let anomalous = labelled.iter().zip(&weights).filter(|((_, label), _)| *label).map(|(_, w)| w);
    Some((anomalous.sum::<f64>() / labelled.len() as f64).clamp(0.0, 0.5))
}

/// p/q of each labelled sample.
fn importance(scores: &[f64], labelled: &[(usize, bool)]) -> Option<Vec<f64>> {
    if labelled.is_empty() {
        return None;
    }
    let of: Vec<f64> = labelled.iter().map(|(i, _)| scores.get(*i).copied()).collect::<Option<_>>()?;
    let (low, high) = scores.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), s| (l.min(*s), h.max(*s)));
    // No distribution where the width is 0.
    let kernel = Normal::new(0.0, (high - low) / of.len() as f64).ok()?;
    let density = |at: f64, all: &[f64]| all.iter().map(|s| kernel.pdf(at - s)).sum::<f64>() / all.len() as f64;
    Some(of.iter().map(|s| density(*s, scores) / density(*s, &of)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    // The estimate of the authors' code (NTL/models/NeutralAD_active.py at 56248c8) by NumPy: bandwidth 0.2833333.
    #[test]
    fn importance_and_share_are_soels() {
        let scores = [0.1, 0.2, 0.15, 0.9, 0.3, 0.25, 0.8, 0.05, 0.4, 0.35];
        let labelled = [(3, true), (1, false), (8, false)];
        let theirs = [0.6170590565, 1.2349473814, 1.0351857113];
        for (ours, theirs) in importance(&scores, &labelled).unwrap().iter().zip(theirs) {
            assert!((ours - theirs).abs() < 1e-10, "{ours}");
        }
        assert!((queried_share(&scores, &labelled).unwrap() - 0.2056863522).abs() < 1e-10);
    }

    #[test]
    fn it_is_a_share_where_there_is_one() {
        assert_eq!(queried_share(&[0.1, 0.2, 0.3], &[]), None);
        assert_eq!(queried_share(&[0.1, 0.1], &[(0, true)]), None);
        assert_eq!(queried_share(&[0.0, 1.0, 2.0], &[(9, true)]), None);
        // One label alone: the densities are those of the batch and of one kernel, and their quotient is below one.
        assert!(queried_share(&[0.0, 1.0, 2.0, 3.0], &[(3, true)]).unwrap() <= 0.5);
        assert_eq!(queried_share(&[0.0, 1.0, 2.0, 3.0], &[(0, false), (1, false)]), Some(0.0));
    }
}
