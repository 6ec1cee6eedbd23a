//! Rejection by stability: which predictions of a ranking would stay the same under another sample of the same size.
//!
//! Perini, Vercruyssen and Davis, Quantifying the Confidence of Anomaly Detectors in Their Example-Wise Predictions, ECML 2020
//! (ExCeeD); Perini and Davis, Unsupervised Anomaly Detection with Rejection, NeurIPS 2023 (RejEx). Tails that are small are
//! computed as tails: one less the other cancels.

use statrs::function::beta::beta_reg;

/// The probability that a sample of score `score` is ranked among the ⌊nγ⌋ highest of `n` = `train.len()`:
/// P(Bin(n, p) > n − ⌊nγ⌋) with p = (1 + k) / (2 + n), k training scores being at most `score`.
pub fn stability(train: &[f64], score: f64, gamma: f64) -> f64 {
    let k = train.iter().filter(|s| **s <= score).count();
    stability_of(train.len(), k, gamma)
}

/// [`stability`] of a score that `k` of `n` training scores are at most.
pub fn stability_of(n: usize, k: usize, gamma: f64) -> f64 {
    let p = (1 + k) as f64 / (2 + n) as f64;
    at_least(n, p, n - anomalies(n, gamma) + 1)
}

/// The same of the other side: 1 − [`stability_of`], at full precision.
fn instability_of(n: usize, k: usize, gamma: f64) -> f64 {
    let p = (1 + k) as f64 / (2 + n) as f64;
    let m = n - anomalies(n, gamma) + 1;
    // P(Bin(n, p) < m) = P(Bin(n, 1 − p) ≥ n − m + 1).
    at_least(n, 1.0 - p, n + 1 - m.min(n + 1))
}

/// ⌊nγ⌋, where rounding of the product has not pushed it below a whole number.
pub fn anomalies(n: usize, gamma: f64) -> usize {
    ((n as f64 * gamma + 1e-9).floor() as usize).min(n)
}

/// P(Bin(n, p) ≥ m).
fn at_least(n: usize, p: f64, m: usize) -> f64 {
    match m {
        0 => 1.0,
        m if m > n => 0.0,
        m => beta_reg(m as f64, (n - m + 1) as f64, p.clamp(0.0, 1.0)),
    }
}

/// Whether a prediction is accepted: its confidence 2|stability − ½| is above 1 − 2 e^{−T}, so that the smaller tail is below
/// e^{−T}.
pub fn is_accepted(n: usize, k: usize, gamma: f64, tolerance: f64) -> bool {
    stability_of(n, k, gamma).min(instability_of(n, k, gamma)) < (-tolerance).exp()
}

/// Whether the sample of the highest score of a batch that is its own training set can be accepted as an anomaly at all.
pub fn is_top_acceptable(n: usize, gamma: f64, tolerance: f64) -> bool {
    anomalies(n, gamma) > 0 && instability_of(n, n, gamma) < (-tolerance).exp()
}

/// The share of predictions that are rejected in expectation: q₂ − q₁ with F(m; n, q₁) = 1 − e^{−T}, F(m; n, q₂) = e^{−T},
/// m = ⌊nγ⌋ − 1 and F the distribution function of Bin(n, q). `None` where ⌊nγ⌋ is 0, for which it is not defined.
pub fn expected_rejected(n: usize, gamma: f64, tolerance: f64) -> Option<f64> {
    ends(n, gamma, tolerance).map(|(low, high)| high - low)
}

/// q₁ and q₂: quantiles of Beta(m + 1, n − m), the lower and the upper tail being e^{−T}.
fn ends(n: usize, gamma: f64, tolerance: f64) -> Option<(f64, f64)> {
    let above = anomalies(n, gamma);
    let m = above.checked_sub(1)?;
    let (a, b, tail) = ((m + 1) as f64, (n - m) as f64, (-tolerance).exp());
    // 1 − F(m; n, q) = I_q(m + 1, n − m): the lower tail of a beta distribution; its upper tail is I_{1−q}(n − m, m + 1).
    Some((quantile(a, b, tail), 1.0 - quantile(b, a, tail)))
}

/// The q with I_q(a, b) = `tail`, by bisection.
fn quantile(a: f64, b: f64, tail: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    // More halvings than any double between 0 and 1 can follow.
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if beta_reg(a, b, middle) < tail { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

/// What at most is rejected with probability 1 − δ (Theorem 3.6 of RejEx). `None` where the root under it is of a negative
/// number: the published code takes 0 there, which is no bound.
pub fn bound(n: usize, gamma: f64, tolerance: f64, delta: f64) -> Option<f64> {
    let (n, t) = (n as f64, tolerance);
    let first = ((n + 1.0 - gamma * (n + 2.0)) / n + t * (n + 2.0) / (2.0 * n.powi(3) * t).sqrt()).min(1.0);
    let under = 2.0 * n * (-3.0 * gamma * gamma - 2.0 * n * (1.0 - gamma).powi(2) + 4.0 * gamma - 3.0)
        + t * (n + 2.0).powi(2)
        - 8.0;
    let root = 0.5 * n.powi(5) * under;
    if root < 0.0 {
        return None;
    }
    let second = ((2.0 + n * (1.0 - gamma) * (n + 1.0)) / (n * n) - root.sqrt() / n.powi(4)).max(0.0);
    Some(first - second + 2.0 * ((2.0 / delta).ln() / (2.0 * n)).sqrt())
}

/// What a decision costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Costs {
    /// A normal that is called anomalous.
    pub false_positive: f64,
    /// An anomaly that is called normal.
    pub false_negative: f64,
    /// A rejection.
    pub rejection: f64,
}

/// The most that a sample costs in expectation: min(γ, q₁) c_fp + min(1 − q₂, γ) c_fn + (q₂ − q₁) c_r.
pub fn cost_bound(n: usize, gamma: f64, tolerance: f64, costs: Costs) -> Option<f64> {
    let (low, high) = ends(n, gamma, tolerance)?;
    let Costs { false_positive, false_negative, rejection } = costs;
    Some(gamma.min(low) * false_positive + (1.0 - high).min(gamma) * false_negative + (high - low) * rejection)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, wanted: f64) {
        assert!((found - wanted).abs() <= 1e-10 * wanted.abs().max(1e-3), "{found} instead of {wanted}");
    }

    /// RejEx's notebook prints .122, .276 and .066; the others by SciPy's beta distribution.
    #[test]
    fn rates_and_bounds_are_those_of_the_published_notebook() {
        let one = Costs { false_positive: 1.0, false_negative: 1.0, rejection: 0.05 };
        near(expected_rejected(750, 0.05, 32.0).unwrap(), 0.122090840532);
        near(bound(750, 0.05, 32.0, 0.1).unwrap(), 0.2760784004801);
        // The published code finds 0.066320387: its root finder is off in the sixth digit of q₁.
        near(cost_bound(750, 0.05, 32.0, one).unwrap(), 0.06632020301124247);
        for (n, gamma, tolerance, rate) in [
            (1000, 0.1, 32.0, 0.143870100535),
            (1000, 0.1, 8.0, 0.06436119253),
            (200, 0.1, 8.0, 0.142436268121),
            (100, 0.1, 4.0, 0.12257385623),
            (50, 0.1, 4.0, 0.169574461202),
            (20, 0.1, 4.0, 0.252242864143),
        ] {
            near(expected_rejected(n, gamma, tolerance).unwrap(), rate);
        }
        near(bound(1000, 0.1, 8.0, 0.1).unwrap(), 0.189596799062);
        // The tolerance that the paper recommends rejects most of a small batch.
        for (n, rate) in [(100, 0.44), (50, 0.60), (20, 0.84)] {
            assert!((expected_rejected(n, 0.1, 32.0).unwrap() - rate).abs() < 0.005, "{n}");
        }
        assert_eq!(bound(50, 0.1, 2.0, 0.1), None, "the root of a negative number");
        assert_eq!(expected_rejected(9, 0.1, 4.0), None);
    }

    #[test]
    fn stability_is_that_of_exceed() {
        let train: Vec<f64> = (1..=20).map(f64::from).collect();
        for (score, wanted) in [
            (0.5, 5.967995e-25),
            (10.0, 2.002716064453e-05),
            (17.0, 0.0983897951164),
            (18.0, 0.2215602736889),
            (19.0, 0.4459308840724),
            (20.0, 0.7700108419978),
        ] {
            let found = stability(&train, score, 0.1);
            assert!((found - wanted).abs() <= 1e-6 * wanted, "{found} instead of {wanted}");
            let k = train.iter().filter(|s| **s <= score).count();
            near(found + instability_of(20, k, 0.1), 1.0);
        }
    }

    /// The least ⌊nγ⌋ at which the top-ranked sample can be accepted as an anomaly grows with the tolerance.
    #[test]
    fn small_batches_never_accept_an_anomaly() {
        assert!(!is_top_acceptable(20, 0.1, 2.0), "two of twenty");
        let least = |tolerance: f64, n: usize| {
            (1..n).find(|&m| is_top_acceptable(n, (m as f64 + 0.01) / n as f64, tolerance)).unwrap()
        };
        // scipy.stats.binom.cdf(n - m, n, (1 + n) / (2 + n)) < exp(-T)
        let all = |n: usize| [1.0, 2.0, 3.0, 4.0, 8.0, 16.0, 32.0].map(|tolerance| least(tolerance, n));
        assert_eq!(all(20), [2, 3, 4, 4, 6, 9, 14]);
        assert_eq!(all(100), [2, 3, 4, 4, 7, 10, 16]);
        assert_eq!(all(1000), [2, 3, 4, 5, 7, 10, 17]);
    }
}
