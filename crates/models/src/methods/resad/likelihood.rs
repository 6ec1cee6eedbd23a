//! What likelihoods are relative to, and how far 1 − p saturates (Eq. 7).

zsad_core::choices! {
    /// What p is relative to.
    pub enum Peak {
        /// The greatest likelihood of a normal in the last epoch of training.
        Training = "training",
        /// The likelihood that most normals of the last epoch stay below.
        Quantile = "quantile",
        /// The greatest likelihood of the test batch.
        TargetBatch = "target_batch",
    }
}

/// The share of normals below [`Peak::Quantile`].
const BELOW: f64 = 0.95;
/// Where 1 − p counts as saturated.
const SATURATED: f64 = 0.99;

/// 1 − p of a log-likelihood relative to `peak`. A density has no bound, a probability has: p is 1 at most.
pub(super) fn improbability(log_likelihood: f64, peak: f64) -> f64 {
    1.0 - (log_likelihood - peak).min(0.0).exp()
}

/// The peak of the log-likelihoods of normals in training, which it sorts.
pub(super) fn peak(normals: &mut [f32], peak: Peak) -> f64 {
    normals.sort_unstable_by(f32::total_cmp);
    let at = match peak {
        Peak::Quantile => at(normals, BELOW),
        Peak::Training | Peak::TargetBatch => normals.last(),
    };
    // Where nothing was trained on, any is as good.
    at.copied().map_or(0.0, f64::from)
}

/// What a fit notes of normals' log-likelihoods, sorted, relative to `peak`.
pub(super) fn note(normals: &[f32], peak: f64) -> String {
    let score = |v: &f32| improbability(f64::from(*v), peak);
    let median = at(normals, 0.5).map_or(0.0, score);
    let beyond = normals.iter().filter(|v| score(v) > SATURATED).count() as f64 / normals.len().max(1) as f64;
    format!("median of 1 − p {median:.3}, beyond {SATURATED}: {:.1} %", 100.0 * beyond)
}

/// The value that a share of `sorted` stays below.
fn at(sorted: &[f32], share: f64) -> Option<&f32> {
    sorted.get(((sorted.len() as f64 * share) as usize).min(sorted.len().saturating_sub(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peaks_are_the_greatest_or_what_95_of_100_stay_below() {
        let normals = || (0..100u16).map(|i| f32::from(i * 37 % 100)).collect::<Vec<f32>>();
        assert_eq!(peak(&mut normals(), Peak::Training), 99.0);
        let quantile = peak(&mut normals(), Peak::Quantile);
        assert_eq!(normals().iter().filter(|&&v| f64::from(v) < quantile).count(), 95);
        assert_eq!(peak(&mut [], Peak::Training), 0.0);
    }

    #[test]
    fn the_note_counts_what_is_saturated() {
        // 1 − exp(−4.7) = 0.991, 1 − exp(−4.5) = 0.989
        let normals = [-4.7, -4.5, -0.5, 0.0];
        assert_eq!(note(&normals, 0.0), "median of 1 − p 0.393, beyond 0.99: 25.0 %");
        assert_eq!(improbability(3.0, 0.0), 0.0);
    }
}
