//! Bootstrap interval of a mean.

use rand::RngExt;
use zsad_core::rng;

/// Number of resamples behind an interval.
const RESAMPLES: usize = 10_000;

/// An interval of plausible values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// The 95 % percentile interval of the mean of `values` (Efron 1979): the 2.5 % and 97.5 % quantiles of the means of
/// 10,000 resamples. `None` for fewer than two values, which say nothing of their spread.
///
/// `axes` name the random stream; with the same name, the same values in any order give the same interval.
pub fn bootstrap_mean(values: &[f64], axes: &[(&str, &str)]) -> Option<Interval> {
    if values.len() < 2 {
        return None;
    }
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let mut rng = rng::stream(0, &[&[("purpose", "bootstrap_mean")], axes].concat());
    let n = values.len();
    let mut resample = || (0..n).map(|_| values[rng.random_range(0..n)]).sum::<f64>() / n as f64;
    let mut means: Vec<f64> = (0..RESAMPLES).map(|_| resample()).collect();
    means.sort_by(f64::total_cmp);
    Some(Interval { low: quantile(&means, 0.025), high: quantile(&means, 0.975) })
}

/// The quantile `q` of sorted values, interpolated linearly between its two neighbours.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let at = q * (sorted.len() - 1) as f64;
    let (below, part) = (at.floor() as usize, at.fract());
    let above = sorted[(below + 1).min(sorted.len() - 1)];
    sorted[below] + part * (above - sorted[below])
}

#[cfg(test)]
mod tests {
    use super::*;

    // import numpy as np; from scipy.stats import bootstrap
    // x = np.array([0.81, 0.92, 0.88, 0.95, 0.79, 0.9, 0.86, 0.93, 0.7, 0.97])
    // print(bootstrap((x,), np.mean, n_resamples=200_000, method="percentile", rng=0).confidence_interval)
    #[test]
    fn equals_scipy_within_the_noise_of_resampling() {
        let x = [0.81, 0.92, 0.88, 0.95, 0.79, 0.9, 0.86, 0.93, 0.7, 0.97];
        let found = bootstrap_mean(&x, &[]).unwrap();
        assert!((found.low - 0.819).abs() < 2e-3 && (found.high - 0.917).abs() < 2e-3, "{found:?}");
    }

    #[test]
    fn order_does_not_matter_and_the_name_does() {
        let x = [0.3, 0.1, 0.9, 0.4, 0.77, 0.6];
        let y = [0.9, 0.4, 0.3, 0.1, 0.6, 0.77];
        let found = bootstrap_mean(&x, &[("method", "knn")]);
        assert_eq!(found, bootstrap_mean(&y, &[("method", "knn")]));
        assert_ne!(found, bootstrap_mean(&x, &[("method", "lof")]));
    }

    #[test]
    fn one_value_has_no_interval_and_equal_values_have_an_empty_one() {
        assert_eq!(bootstrap_mean(&[0.5], &[]), None);
        assert_eq!(bootstrap_mean(&[0.5; 4], &[]), Some(Interval { low: 0.5, high: 0.5 }));
        assert_eq!(bootstrap_mean(&[0.25, 0.75], &[]), Some(Interval { low: 0.25, high: 0.75 }));
    }

    #[test]
    fn quantiles_interpolate_as_numpy_does() {
        // np.quantile([1, 2, 4, 8], [0, 0.5, 0.9, 1])
        let x = [1.0, 2.0, 4.0, 8.0];
        let found: Vec<f64> = [0.0, 0.5, 0.9, 1.0].iter().map(|&q| quantile(&x, q)).collect();
        assert!(found.iter().zip([1.0, 3.0, 6.8, 8.0]).all(|(a, b)| (a - b).abs() < 1e-12), "{found:?}");
    }
}
