//! Distance to the k-th nearest neighbour.

use zsad_core::{Accepts, Error, MethodSpec, Result};

use crate::families::classical::{Classical, PointMethod};
use crate::math::{Points, neighbours::nearest};

/// The registry's entry: Euclidean distance to the k-th neighbour; in a batch, other than the point itself.
pub const DEF: Classical<Knn> = Classical::new(&MethodSpec {
    name: "knn",
    version: 1,
    summary: "distance to the k-th nearest neighbour (with fewer points, to the farthest)",
    citation: "Ramaswamy, Rastogi, Shim: Efficient Algorithms for Mining Outliers from Large Data Sets, SIGMOD 2000",
    accepts: Accepts::ANY,
});

zsad_core::params! {
    /// Its parameters.
    pub struct Knn {
        /// number of neighbours; all others where there are fewer
        pub k: usize = 5, in 1..=1 << 32;
    }
}

impl PointMethod for Knn {
    type Model = Points;

    fn fit(&self, x: &Points, _: u64) -> Result<Points> {
        Ok(x.clone())
    }

    fn score(&self, base: &Points, x: &Points, fitted: bool) -> Result<Vec<f64>> {
        let others = base.len() - usize::from(fitted);
        if others == 0 {
            return Err(Error::refused("a batch of one has no neighbours: two samples at least"));
        }
        let k = self.k.min(others);
        Ok(nearest(base, x, k, fitted).chunks_exact(k).map(|near| near[k - 1].squared.sqrt()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::classical::testing::{in_batch, on_pool};
    use crate::math::testing::{agree, x, y};

    // from pyod.models.knn import KNN; x and y as in math::testing
    // m = KNN().fit(x); print(m.decision_scores_[:12], m.decision_function(y))
    #[test]
    fn equals_pyod() {
        agree(
            &in_batch(&Knn::default(), &x()),
            &[
                6.925947588597534,
                7.380294709562755,
                7.54672942406179,
                6.863626956646173,
                6.863626956646173,
                8.46869234297716,
                7.83621400932874,
                7.394043210585126,
                7.398268378478845,
                4.889401803901986,
                7.134861596415168,
                39.174090608462116,
            ],
            1e-12,
        );
        agree(
            &on_pool(&Knn::default(), &x(), &y()),
            &[8.950384069971523, 8.5968744320247, 8.28684952198361, 5.5971532943095275],
            1e-12,
        );
    }

    #[test]
    fn few_points_have_few_neighbours() {
        let two = Points::from_values(vec![0.0, 0.0, 3.0, 4.0], 2);
        assert_eq!(in_batch(&Knn::default(), &two), [5.0, 5.0]);
        let one = two.select(&[0]);
        assert!(matches!(Knn::default().score(&one, &one, true), Err(Error::Refused(_))));
    }
}
