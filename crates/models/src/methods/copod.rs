//! Copula-based outlier detection.

use zsad_core::{Accepts, MethodSpec, Result};

use crate::families::classical::{Classical, PointMethod};
use crate::math::{Points, tails::tail_sums};

/// The registry's entry: a feature adds its skewed tail, or the mean of both tails where that is more. As in PyOD,
/// with `fit: pool` the tails are those of pool and batch together.
pub const DEF: Classical<Copod> = Classical::new(&MethodSpec {
    name: "copod",
    version: 1,
    summary: "sum over features of empirical tail probabilities, through the empirical copula",
    citation: "Li, Zhao, Botta, Ionescu, Hu: COPOD: Copula-Based Outlier Detection, ICDM 2020",
    accepts: Accepts::ANY,
});

zsad_core::params! {
    /// It has no parameters of its own.
    pub struct Copod {}
}

impl PointMethod for Copod {
    type Model = Points;

    fn fit(&self, x: &Points, _: u64) -> Result<Points> {
        Ok(x.clone())
    }

    fn score(&self, base: &Points, x: &Points, fitted: bool) -> Result<Vec<f64>> {
        Ok(tail_sums(if fitted { None } else { Some(base) }, x, |t| t.skewed.max((t.left + t.right) / 2.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::classical::testing::{in_batch, on_pool};
    use crate::math::testing::{agree, x, y};

    // from pyod.models.copod import COPOD; x and y as in math::testing
    // m = COPOD().fit(x); print(m.decision_scores_[:12], m.decision_function(y))
    #[test]
    fn equals_pyod() {
        agree(
            &in_batch(&Copod::default(), &x()),
            &[
                5.391991101363542,
                7.441815226342088,
                6.194160308391433,
                5.548975083430536,
                5.548975083430536,
                5.53852322716511,
                6.3620991240828,
                5.969073310451929,
                5.104439864060037,
                6.144956697015268,
                7.698768569124786,
                20.471722811110503,
            ],
            1e-12,
        );
        agree(
            &on_pool(&Copod::default(), &x(), &y()),
            &[5.518686242308183, 9.195386342381948, 5.469414322497588, 5.168818599162492],
            1e-12,
        );
    }
}
