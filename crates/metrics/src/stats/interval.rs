//! How wide a bootstrap interval of few values has to be.

use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

/// The lower quantile of a bootstrap distribution over `n` values at which a 95 % interval begins; it ends at one minus
/// that. A plain percentile interval begins at 2.5 % and is too narrow for few values; this one makes up for the factor
/// n − 1 and for Student's distribution: `Φ(−√(n / (n − 1)) · t₀.₉₇₅(n − 1))` (Hesterberg: What Teachers Should Know About
/// the Bootstrap, The American Statistician 2015, §3.3). `None` for fewer than two values.
pub fn expanded_percentile(n: usize) -> Option<f64> {
    let degrees = n.checked_sub(1).filter(|d| *d > 0)? as f64;
    let t = StudentsT::new(0.0, 1.0, degrees).ok()?.inverse_cdf(0.975);
    Some(Normal::standard().cdf(-(n as f64 / degrees).sqrt() * t))
}
