//! Wilcoxon signed-rank test of paired differences.

use statrs::function::erf::erfc;

use super::ranks;

/// Up to so many differences the null distribution is counted out; beyond, it is as good as normal.
const EXACT: usize = 50;

/// Outcome of the test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wilcoxon {
    /// The lesser of the rank sums of the positive and of the negative differences.
    pub statistic: f64,
    /// Two-sided p-value.
    pub p_value: f64,
    /// Number of differences that are not zero.
    pub n: usize,
}

/// Tests whether the paired differences `a - b` are symmetric about zero (Wilcoxon 1945), two-sided.
///
/// Zero differences are dropped; equal absolute differences share their mean rank. The p-value is exact up to 50
/// differences, ties included, and beyond from the normal approximation with tie correction and without continuity
/// correction (as SciPy has it). `None` where no difference is left.
///
/// # Panics
/// Where `a` and `b` are not of the same length (a mistake of the caller).
pub fn wilcoxon(a: &[f64], b: &[f64]) -> Option<Wilcoxon> {
    assert_eq!(a.len(), b.len(), "paired values");
    let differences: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).filter(|d| *d != 0.0).collect();
    let n = differences.len();
    if n == 0 {
        return None;
    }
    let absolute: Vec<f64> = differences.iter().map(|d| d.abs()).collect();
    let (ranks, groups) = ranks(&absolute);
    let plus: f64 = differences.iter().zip(&ranks).filter(|(d, _)| **d > 0.0).map(|(_, r)| r).sum();
    let all = (n * (n + 1)) as f64 / 2.0;
    let statistic = plus.min(all - plus);
    let p_value = if n <= EXACT { exact(&ranks, statistic) } else { approximate(n, &groups, statistic) };
    Some(Wilcoxon { statistic, p_value, n })
}

/// Twice the share of all 2ⁿ sign patterns whose positive rank sum is at most `statistic`.
fn exact(ranks: &[f64], statistic: f64) -> f64 {
    // Mean ranks are halves, so twice a rank is a whole number. ways[s]: share of the patterns with the doubled sum s.
    let doubled: Vec<usize> = ranks.iter().map(|r| (2.0 * r) as usize).collect();
    let mut ways = vec![0.0; doubled.iter().sum::<usize>() + 1];
    ways[0] = 1.0;
    for rank in doubled {
        for sum in (0..ways.len()).rev() {
            ways[sum] = (ways[sum] + if sum >= rank { ways[sum - rank] } else { 0.0 }) / 2.0;
        }
    }
    (2.0 * ways[..=(2.0 * statistic) as usize].iter().sum::<f64>()).min(1.0)
}

fn approximate(n: usize, groups: &[usize], statistic: f64) -> f64 {
    let (n, cubes) = (n as f64, groups.iter().map(|&t| (t as f64).powi(3) - t as f64).sum::<f64>());
    let variance = (n * (n + 1.0) * (2.0 * n + 1.0) - cubes / 2.0) / 24.0;
    let z = (statistic - n * (n + 1.0) / 4.0) / variance.sqrt();
    // Two normal tails.
    erfc(z.abs() / std::f64::consts::SQRT_2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    // from scipy.stats import wilcoxon; import numpy as np
    // a = np.array([0.91, 0.85, 0.78, 0.93, 0.88, 0.71, 0.95, 0.69]); b = np.array([0.9, 0.8, 0.8, 0.85, 0.81, 0.74, 0.83, 0.6])
    // print(wilcoxon(a, b))
    // t = np.array([1, -1, 2, 3, -2, 4, 5, 0, 6, 3.]); print(wilcoxon(t))   # ties and a zero: permutation test
    // i = np.arange(60); x = (i * 37 % 19 - 7) / 4; print(wilcoxon(x))      # ties: normal approximation
    #[test]
    fn equals_scipy() {
        let a = [0.91, 0.85, 0.78, 0.93, 0.88, 0.71, 0.95, 0.69];
        let b = [0.9, 0.8, 0.8, 0.85, 0.81, 0.74, 0.83, 0.6];
        let ties = [1.0, -1.0, 2.0, 3.0, -2.0, 4.0, 5.0, 0.0, 6.0, 3.0];
        let many: Vec<f64> = (0..60).map(|i| f64::from(i * 37 % 19 - 7) / 4.0).collect();
        let zero = |n| vec![0.0; n];
        for (found, statistic, p_value, n) in [
            (wilcoxon(&a, &b), 5.0, 0.078125, 8),
            (wilcoxon(&ties, &zero(10)), 5.0, 0.0390625, 9),
            (wilcoxon(&many, &zero(60)), 493.0, 0.007982578406244086, 57),
        ] {
            let found = found.unwrap();
            assert_eq!((found.statistic, found.n), (statistic, n));
            assert!((found.p_value - p_value).abs() < 1e-12, "{found:?} {p_value}");
        }
        assert_eq!(wilcoxon(&a, &a), None);
    }

    proptest! {
        #[test]
        fn the_exact_test_counts_all_sign_patterns(d in prop::collection::vec(-5i8..=5, 1..10)) {
            let d: Vec<f64> = d.into_iter().filter(|&d| d != 0).map(f64::from).collect();
            if let Some(found) = wilcoxon(&d, &vec![0.0; d.len()]) {
                let (ranks, _) = ranks(&d.iter().map(|d| d.abs()).collect::<Vec<_>>());
                let sum = |pattern: u32| (0..d.len()).filter(|i| pattern >> i & 1 == 1).map(|i| ranks[i]).sum::<f64>();
                let extreme = (0..1u32 << d.len()).filter(|&p| sum(p) <= found.statistic).count();
                let p = (2.0 * extreme as f64 / f64::from(1u32 << d.len())).min(1.0);
                prop_assert!((found.p_value - p).abs() < 1e-12, "{found:?} {p}");
            }
        }
    }
}
