//! Local outlier factor.

use zsad_core::{Accepts, Error, MethodSpec, Result};

use crate::families::classical::{Classical, PointMethod};
use crate::families::neighbourhood::{Aggregate, HowMany};
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
        /// what of the neighbours' densities stands over the point's own: mean, as published; median, which a few dense
        /// neighbours do not move; largest: the densest neighbour
        pub aggregate: Aggregate = Aggregate::Mean;
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

    fn factor(&self, aggregate: Aggregate, near: &[Neighbour], density: f64) -> f64 {
        aggregate.of(near.iter().map(|n| self.density[n.index]).collect()) / density
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
            return Ok(own.map(|(near, &density)| lof.factor(self.aggregate, near, density)).collect());
        }
        let near = nearest(&lof.base, x, lof.k, false);
        Ok(near.chunks_exact(lof.k).map(|near| lof.factor(self.aggregate, near, lof.density_at(near))).collect())
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
        let lof = Lof { near: HowMany { k: 20, k_share: 0.2 }, ..Lof::default() };
        agree(&in_batch(&lof, &x()), &[0.9843650407825312, 0.995647425177439, 0.985149525038147], 1e-9);
        let of_y = [1.163825481653533, 1.105224536645429, 1.0672379192554997, 0.9930453364746943];
        agree(&on_pool(&lof, &x(), &y()), &of_y, 1e-9);
    }

    // from sklearn.neighbors import LocalOutlierFactor
    // m = LocalOutlierFactor(n_neighbors=20, novelty=True).fit(x); lrd = m._lrd
    // (_, near), (dy, near_y) = m.kneighbors(), m.kneighbors(y); lrd_y = m._local_reachability_density(dy, near_y)
    // for f in (np.median, np.max): print((f(lrd[near], 1) / lrd)[[0, 1, 2, 3, 4, 11]], f(lrd[near_y], 1) / lrd_y)
    #[test]
    fn medians_and_greatest_densities_are_over_scikit_learns() {
        let rows = [0, 1, 2, 3, 4, 11];
        for (aggregate, of_x, of_y) in [(Aggregate::Median, MEDIAN, MEDIAN_Y), (Aggregate::Largest, LARGEST, LARGEST_Y)]
        {
            let lof = Lof { aggregate, ..Lof::default() };
            let scores = in_batch(&lof, &x());
            agree(&rows.map(|i| scores[i]), &of_x, 1e-9);
            agree(&on_pool(&lof, &x(), &y()), &of_y, 1e-9);
        }
    }

    const MEDIAN: [f64; 6] = [
        0.9982206300687827,
        1.0121338878029207,
        1.0089857535787208,
        0.9986663824229115,
        0.9986663824229115,
        4.248667188764672,
    ];
    const MEDIAN_Y: [f64; 4] = [1.1223708221671451, 1.067961345673397, 1.0582113460470366, 1.0];
    const LARGEST: [f64; 6] = [
        1.0197223818306256,
        1.027700973535822,
        1.0284418007685474,
        1.0266522158551794,
        1.0266522158551794,
        4.405637858096,
    ];
    const LARGEST_Y: [f64; 4] = [1.1496310442737663, 1.0905416838474529, 1.0916943093269915, 1.0266522158551794];

    #[test]
    fn duplicates_are_ordinary() {
        let same = Points::from_values(vec![0.7; 60], 2);
        let scores = in_batch(&Lof::default(), &same);
        assert!(scores.iter().all(|&s| s == 1.0), "{scores:?}");
    }
}
