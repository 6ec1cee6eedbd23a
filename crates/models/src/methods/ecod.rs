//! Outlier detection by empirical cumulative distributions.

use zsad_core::{Accepts, MethodSpec, Result};

use crate::families::classical::{Classical, PointMethod};
use crate::math::{Points, tails::tail_sums};

/// The registry's entry: a feature adds the greatest of its skewed, left and right tail. As in PyOD, with `fit: pool`
/// the tails are those of pool and batch together.
pub const DEF: Classical<Ecod> = Classical::new(&MethodSpec {
    name: "ecod",
    version: 1,
    summary: "sum over features of the greatest empirical tail probability",
    citation: "Li, Zhao, Hu, Botta, Ionescu, Chen: ECOD: Unsupervised Outlier Detection Using ECDFs, TKDE 2022",
    accepts: Accepts::ANY,
});

zsad_core::params! {
    /// It has no parameters of its own.
    pub struct Ecod {}
}

impl PointMethod for Ecod {
    type Model = Points;

    fn fit(&self, x: &Points, _: u64) -> Result<Points> {
        Ok(x.clone())
    }

    fn score(&self, base: &Points, x: &Points, fitted: bool) -> Result<Vec<f64>> {
        Ok(tail_sums(if fitted { None } else { Some(base) }, x, |t| t.skewed.max(t.left).max(t.right)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::classical::testing::{in_batch, on_pool};
    use crate::math::testing::{agree, x, y};

    // from pyod.models.ecod import ECOD; x and y as in math::testing
    // m = ECOD().fit(x); print(m.decision_scores_[:12], m.decision_function(y))
    #[test]
    fn equals_pyod() {
        agree(
            &in_batch(&Ecod::default(), &x()),
            &[
                7.796046616355935,
                9.571139033098778,
                7.379612476877197,
                8.650724584040761,
                8.650724584040761,
                8.510272748571664,
                7.239108694705404,
                6.37745387871549,
                6.730720305321292,
                7.1126207168776565,
                8.938994718844095,
                20.471722811110503,
            ],
            1e-12,
        );
        agree(
            &on_pool(&Ecod::default(), &x(), &y()),
            &[9.812518282911642, 11.784479109166895, 8.52452325855523, 7.887227421059063],
            1e-12,
        );
    }
}
