//! The range of standard normals, and what Nemenyi's test makes of it.

use std::f64::consts::{PI, SQRT_2};

use statrs::function::erf::erfc;

/// The chance that the range of `k` independent standard normals exceeds `q`: the studentized range distribution with
/// infinitely many degrees of freedom, `1 − k ∫ φ(z) (Φ(z) − Φ(z − q))^(k−1) dz`.
pub fn range_survival(q: f64, k: usize) -> f64 {
    const REACH: f64 = 9.0;
    const PIECES: usize = 4000;
    let cdf = |x: f64| 0.5 * erfc(-x / SQRT_2);
    let density = |z: f64| (-0.5 * z * z).exp() / (2.0 * PI).sqrt();
    let integrand = |z: f64| density(z) * (cdf(z) - cdf(z - q)).powi(k as i32 - 1);
    // Simpson's rule; the integrand is smooth and nothing beyond nine deviations.
    let step = 2.0 * REACH / PIECES as f64;
    let at = |i: usize| integrand(i as f64 * step - REACH);
    let inner: f64 = (1..PIECES).map(|i| at(i) * if i % 2 == 1 { 4.0 } else { 2.0 }).sum();
    (1.0 - k as f64 * step / 3.0 * (at(0) + inner + at(PIECES))).clamp(0.0, 1.0)
}

/// Nemenyi's critical difference: two of `k` methods whose mean ranks over `n` blocks are further apart differ at the
/// 5 % level, given that Friedman's test says that there are differences (Demšar 2006, Eq. in §3.2.2).
pub fn critical_difference(k: usize, n: usize) -> f64 {
    let (mut low, mut high) = (0.0, 20.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if range_survival(middle, k) > 0.05 { low = middle } else { high = middle }
    }
    let k = k as f64;
    low / SQRT_2 * (k * (k + 1.0) / (6.0 * n as f64)).sqrt()
}
