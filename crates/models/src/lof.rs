//! Local outlier factor.

use zsad_core::{Error, MethodSpec, Needs, Params, Result, Setting};

use crate::classical::neighbours::{Neighbour, nearest};
use crate::classical::{Classical, Detector, FIT, POOL_SAMPLES, Points};
use crate::knn::neighbours;

/// The registry's entry. Exactly k neighbours are taken, as scikit-learn and PyOD do; the paper takes all that are as
/// near as the k-th.
pub const DEF: Classical = Classical {
    spec: &MethodSpec {
        name: "lof",
        version: 1,
        summary: "local outlier factor: density of the neighbours against the point's own",
        citation: "Breunig, Kriegel, Ng, Sander: LOF: Identifying Density-Based Local Outliers, SIGMOD 2000",
        setting: Setting::InBatch,
        needs: Needs::ANY,
        params: &[neighbours(20), FIT, POOL_SAMPLES],
    },
    fit,
};

struct Lof {
    base: Points,
    k: usize,
    /// The k neighbours of every point.
    near: Vec<Neighbour>,
    /// Local reachability density of every point.
    density: Vec<f64>,
}

fn fit(params: &Params, x: &Points, _: u64) -> Result<Box<dyn Detector>> {
    if x.len() < 2 {
        return Err(Error::refused("one point alone has no neighbours: two samples at least"));
    }
    let k = params.size("k").min(x.len() - 1);
    let near = nearest(x, x, k, true);
    let mut lof = Lof { base: x.clone(), k, near, density: Vec::new() };
    lof.density = lof.near.chunks_exact(k).map(|near| lof.density_at(near)).collect();
    Ok(Box::new(lof))
}

impl Lof {
    /// The distance of a point to its k-th neighbour.
    fn reach(&self, point: usize) -> f64 {
        self.near[(point + 1) * self.k - 1].squared.sqrt()
    }

    /// 1 / mean reachability distance to `near`; the small term of scikit-learn keeps it finite among duplicates.
    fn density_at(&self, near: &[Neighbour]) -> f64 {
        let sum: f64 = near.iter().map(|n| n.squared.sqrt().max(self.reach(n.index))).sum();
        1.0 / (sum / self.k as f64 + 1e-10)
    }

    fn factor(&self, near: &[Neighbour], density: f64) -> f64 {
        near.iter().map(|n| self.density[n.index]).sum::<f64>() / self.k as f64 / density
    }
}

impl Detector for Lof {
    fn score(&self, x: &Points) -> Result<Vec<f64>> {
        let near = nearest(&self.base, x, self.k, false);
        Ok(near.chunks_exact(self.k).map(|near| self.factor(near, self.density_at(near))).collect())
    }

    fn score_fitted(&self, _: &Points) -> Result<Vec<f64>> {
        Ok(self.near.chunks_exact(self.k).zip(&self.density).map(|(near, &own)| self.factor(near, own)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classical::testing::{agree, defaults, x, y};

    // from pyod.models.lof import LOF; x and y as in classical::testing
    // m = LOF().fit(x); print(m.decision_scores_[:12], m.decision_function(y))
    #[test]
    fn equals_pyod() {
        let found = fit(&defaults(&DEF), &x(), 0).unwrap();
        agree(
            &found.score_fitted(&x()).unwrap(),
            &[
                0.990671107731178,
                1.001193176700735,
                0.9995868431939389,
                0.9959017206350846,
                0.9959017206350846,
                1.052443206750816,
                0.9995382866834408,
                1.004586356042823,
                1.009884799998853,
                0.974989291519605,
                1.0160990282491702,
                4.206259097133019,
            ],
            1e-9,
        );
        agree(
            &found.score(&y()).unwrap(),
            &[1.1076644286451094, 1.0633270281778973, 1.0561777546105249, 0.9965493493003535],
            1e-9,
        );
    }

    #[test]
    fn duplicates_are_ordinary() {
        let same = Points::from_values(vec![0.7; 60], 2);
        let scores = fit(&defaults(&DEF), &same, 0).unwrap().score_fitted(&same).unwrap();
        assert!(scores.iter().all(|&s| s == 1.0), "{scores:?}");
    }
}
