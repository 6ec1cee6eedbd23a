//! Local outlier factor.

use zsad_core::{Accepts, Error, MethodSpec, Result};

use crate::families::classical::{Classical, PointMethod};
use crate::families::neighbourhood::HowMany;
use crate::math::Points;
use crate::math::neighbours::{Neighbour, nearest};

/// The registry's entry. Exactly k neighbours are taken, as scikit-learn and PyOD do; the paper takes all that are as
/// near as the k-th.
pub const DEF: Classical<Lof> = Classical::new(&MethodSpec {
    name: "lof",
    version: 1,
    summary: "local outlier factor: density of the neighbours against the point's own",
    citation: "Breunig, Kriegel, Ng, Sander: LOF: Identifying Density-Based Local Outliers, SIGMOD 2000",
    accepts: Accepts::ANY,
});

zsad_core::params! {
    /// Its parameters.
    pub struct Lof {
        /// how many neighbours
        pub near: HowMany = HowMany { k: 20, k_share: 0.0 };
    }
}

/// Points with their neighbours.
pub(crate) struct Neighbourhoods {
    base: Points,
    k: usize,
    /// The k neighbours of every point.
    near: Vec<Neighbour>,
    /// Local reachability density of every point.
    density: Vec<f64>,
}

impl Neighbourhoods {
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

impl PointMethod for Lof {
    type Model = Neighbourhoods;

    fn fit(&self, x: &Points, _: u64) -> Result<Neighbourhoods> {
        if x.len() < 2 {
            return Err(Error::refused("one point alone has no neighbours: two samples at least"));
        }
        let k = self.near.of(x.len()).min(x.len() - 1);
        let mut lof = Neighbourhoods { base: x.clone(), k, near: nearest(x, x, k, true), density: Vec::new() };
        lof.density = lof.near.chunks_exact(k).map(|near| lof.density_at(near)).collect();
        Ok(lof)
    }

    fn score(&self, lof: &Neighbourhoods, x: &Points, fitted: bool) -> Result<Vec<f64>> {
        if fitted {
            let own = lof.near.chunks_exact(lof.k).zip(&lof.density);
            return Ok(own.map(|(near, &density)| lof.factor(near, density)).collect());
        }
        let near = nearest(&lof.base, x, lof.k, false);
        Ok(near.chunks_exact(lof.k).map(|near| lof.factor(near, lof.density_at(near))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::classical::testing::{in_batch, on_pool};
    use crate::math::testing::{agree, x, y};

    // from pyod.models.lof import LOF; x and y as in math::testing
    // m = LOF().fit(x); print(m.decision_scores_[:12], m.decision_function(y))
    #[test]
    fn equals_pyod() {
        agree(
            &in_batch(&Lof::default(), &x()),
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
            &on_pool(&Lof::default(), &x(), &y()),
            &[1.1076644286451094, 1.0633270281778973, 1.0561777546105249, 0.9965493493003535],
            1e-9,
        );
    }

    // m = LOF(n_neighbors=12).fit(x); print(m.decision_scores_[:3], m.decision_function(y))
    #[test]
    fn with_a_share_of_a_fifth_it_is_pyods_of_twelve_neighbours() {
        let lof = Lof { near: HowMany { k: 20, k_share: 0.2 } };
        agree(&in_batch(&lof, &x()), &[0.9843650407825312, 0.995647425177439, 0.985149525038147], 1e-9);
        let of_y = [1.163825481653533, 1.105224536645429, 1.0672379192554997, 0.9930453364746943];
        agree(&on_pool(&lof, &x(), &y()), &of_y, 1e-9);
    }

    #[test]
    fn duplicates_are_ordinary() {
        let same = Points::from_values(vec![0.7; 60], 2);
        let scores = in_batch(&Lof::default(), &same);
        assert!(scores.iter().all(|&s| s == 1.0), "{scores:?}");
    }
}
