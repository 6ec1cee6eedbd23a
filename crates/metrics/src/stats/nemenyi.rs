//! Nemenyi's critical difference of mean ranks.

use statrs::distribution::{Continuous, ContinuousCDF, Normal};

/// The least difference of two mean ranks that is significant at level `alpha` when all of `methods` are compared
/// with each other over `blocks` data sets (Nemenyi 1963; Demšar 2006, section 3.2.2):
/// CD = q √(k (k + 1) / (6 N)), with q the studentized range quantile over √2. `None` for fewer than two methods, no
/// block, or a level outside (0, 1).
pub fn nemenyi_critical_difference(methods: usize, blocks: usize, alpha: f64) -> Option<f64> {
    let defined = methods >= 2 && blocks >= 1 && alpha > 0.0 && alpha < 1.0;
    let (k, n) = (methods as f64, blocks as f64);
    defined.then(|| range_quantile(methods, 1.0 - alpha) * (k * (k + 1.0) / (12.0 * n)).sqrt())
}

/// The quantile of the range of `k` standard normal values, by bisection.
fn range_quantile(k: usize, probability: f64) -> f64 {
    let (mut low, mut high) = (0.0, 100.0);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if range_cdf(k, middle) < probability { low = middle } else { high = middle }
    }
    (low + high) / 2.0
}

/// P(range ≤ r) = k ∫ φ(z) (Φ(z + r) − Φ(z))ᵏ⁻¹ dz, z being the least of the values. The trapezoidal rule converges
/// exponentially here: the integrand is smooth and vanishes at both ends.
fn range_cdf(k: usize, r: f64) -> f64 {
    const STEP: f64 = 0.02;
    let normal = Normal::standard();
    let integrand = |i: i32| {
        let z = f64::from(i) * STEP;
        normal.pdf(z) * (normal.cdf(z + r) - normal.cdf(z)).powf(k as f64 - 1.0)
    };
    k as f64 * STEP * (-500..=500).map(integrand).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    // from scipy.stats import studentized_range
    // for k, a in [(2, .05), (3, .05), (5, .05), (10, .05), (10, .1), (30, .01)]: print(studentized_range.ppf(1 - a, k, 1e9))
    #[test]
    fn range_quantiles_equal_scipy() {
        for (k, alpha, q) in [
            (2, 0.05, 2.771807648699355),
            (3, 0.05, 3.314493155398122),
            (5, 0.05, 3.857655510378623),
            (10, 0.05, 4.474124221725907),
            (10, 0.1, 4.129346398236873),
            (30, 0.01, 5.910592386935943),
        ] {
            let found = range_quantile(k, 1.0 - alpha);
            assert!((found - q).abs() < 1e-6, "{k} {alpha}: {found} {q}");
        }
    }

    #[test]
    fn equals_the_worked_example_of_demsar() {
        // Demšar 2006, section 3.2.2: 4 methods on 14 data sets, CD = 1.25 at 0.05 and 1.12 at 0.10.
        let rounded = |alpha| (nemenyi_critical_difference(4, 14, alpha).unwrap() * 100.0).round() / 100.0;
        assert_eq!((rounded(0.05), rounded(0.10)), (1.25, 1.12));
        assert_eq!(nemenyi_critical_difference(1, 14, 0.05), None);
        assert_eq!(nemenyi_critical_difference(4, 0, 0.05), None);
    }
}
