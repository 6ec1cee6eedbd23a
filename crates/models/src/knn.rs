//! Distance to the k-th nearest neighbour.

use zsad_core::{Error, MethodSpec, Needs, ParamDefault, ParamKind, ParamSpec, Params, Result, Setting};

use crate::classical::neighbours::nearest;
use crate::classical::{Classical, Detector, FIT, POOL_SAMPLES, Points};

/// The registry's entry: Euclidean distance to the k-th neighbour; in a batch, other than the point itself.
pub const DEF: Classical = Classical {
    spec: &MethodSpec {
        name: "knn",
        version: 1,
        summary: "distance to the k-th nearest neighbour (with fewer points, to the farthest)",
        citation: "Ramaswamy, Rastogi, Shim: Efficient Algorithms for Mining Outliers from Large Data Sets, SIGMOD 2000",
        setting: Setting::InBatch,
        needs: Needs::ANY,
        params: &[neighbours(5), FIT, POOL_SAMPLES],
    },
    fit,
};

/// The parameter `k`.
pub(crate) const fn neighbours(default: i64) -> ParamSpec {
    ParamSpec {
        name: "k",
        doc: "number of neighbours; all others where there are fewer",
        kind: ParamKind::Int { min: 1, max: 1 << 32 },
        default: ParamDefault::Int(default),
    }
}

struct Knn {
    base: Points,
    k: usize,
}

fn fit(params: &Params, x: &Points, _: u64) -> Result<Box<dyn Detector>> {
    Ok(Box::new(Knn { base: x.clone(), k: params.size("k") }))
}

impl Knn {
    fn distances(&self, x: &Points, itself: bool) -> Vec<f64> {
        let k = self.k.min(self.base.len() - usize::from(itself));
        nearest(&self.base, x, k, itself).chunks_exact(k).map(|near| near[k - 1].squared.sqrt()).collect()
    }
}

impl Detector for Knn {
    fn score(&self, x: &Points) -> Result<Vec<f64>> {
        Ok(self.distances(x, false))
    }

    fn score_fitted(&self, x: &Points) -> Result<Vec<f64>> {
        if x.len() < 2 {
            return Err(Error::refused("a batch of one has no neighbours: two samples at least"));
        }
        Ok(self.distances(x, true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classical::testing::{agree, defaults, x, y};

    // from pyod.models.knn import KNN; x and y as in classical::testing
    // m = KNN().fit(x); print(m.decision_scores_[:12], m.decision_function(y))
    #[test]
    fn equals_pyod() {
        let found = fit(&defaults(&DEF), &x(), 0).unwrap();
        agree(
            &found.score_fitted(&x()).unwrap(),
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
            &found.score(&y()).unwrap(),
            &[8.950384069971523, 8.5968744320247, 8.28684952198361, 5.5971532943095275],
            1e-12,
        );
    }

    #[test]
    fn few_points_have_few_neighbours() {
        let two = Points::from_values(vec![0.0, 0.0, 3.0, 4.0], 2);
        assert_eq!(fit(&defaults(&DEF), &two, 0).unwrap().score_fitted(&two).unwrap(), [5.0, 5.0]);
        let one = two.select(&[0]);
        assert!(matches!(fit(&defaults(&DEF), &one, 0).unwrap().score_fitted(&one), Err(Error::Refused(_))));
    }
}
