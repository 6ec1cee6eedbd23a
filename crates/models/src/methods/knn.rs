//! Distance to the k-th nearest neighbour.

use zsad_core::{Accepts, Error, MethodSpec, Result};

use crate::families::classical::{Classical, Distances, PointMethod};
use crate::families::neighbourhood::{Aggregate, HowMany};
use crate::math::Points;
use crate::math::neighbours::{Neighbour, nearest};

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
        /// how many neighbours
        pub near: HowMany = HowMany::default();
        /// which distance is the score: largest: to the k-th neighbour; mean: the mean over all k (Angiulli and Pizzuti
        /// 2002, who take the sum); median: their median
        pub aggregate: Aggregate = Aggregate::Largest;
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
        let k = self.near.of(base.len()).min(others);
        let distances = |near: &[Neighbour]| near.iter().map(|n| n.squared.sqrt()).collect();
        Ok(nearest(base, x, k, fitted).chunks_exact(k).map(|near| self.aggregate.of(distances(near))).collect())
    }

    fn distances(&self, base: &Points, x: &Points, anomalies: &Points) -> Result<Option<Distances>> {
        let known = nearest(anomalies, x, 1, false).iter().map(|near| near.squared.sqrt()).collect();
        Ok(Some(Distances { own: self.score(base, x, true)?, known }))
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

    // for a in ("mean", "median"): m = KNN(method=a).fit(x); print(m.decision_scores_[:12], m.decision_function(y))
    #[test]
    fn means_and_medians_are_pyods() {
        let of = |aggregate| Knn { aggregate, ..Knn::default() };
        let rows = [0, 1, 2, 3, 4, 11];
        let some = |scores: Vec<f64>| rows.map(|i| scores[i]);
        for (aggregate, of_x, of_y) in [(Aggregate::Mean, MEAN, MEAN_Y), (Aggregate::Median, MEDIAN, MEDIAN_Y)] {
            agree(&some(in_batch(&of(aggregate), &x())), &of_x, 1e-12);
            agree(&on_pool(&of(aggregate), &x(), &y()), &of_y, 1e-12);
        }
    }

    const MEAN: [f64; 6] = [
        5.548552868865101,
        4.979950697017106,
        5.551956727574331,
        4.090469748551039,
        4.090469748551039,
        38.19445724208032,
    ];
    const MEAN_Y: [f64; 4] = [7.622087952687766, 7.925150506206005, 6.38643090406355, 2.7177443572218047];
    const MEDIAN: [f64; 6] = [
        6.3307286310503,
        6.9450971915445505,
        6.967558754685891,
        4.816962216999423,
        4.816962216999423,
        38.19358584893542,
    ];
    const MEDIAN_Y: [f64; 4] = [8.454843286542927, 7.866066361276137, 7.975548570474635, 3.1746062748000736];

    #[test]
    fn a_share_of_the_points_is_that_many_neighbours() {
        let of = |k, k_share| in_batch(&Knn { near: HowMany { k, k_share }, ..Knn::default() }, &x());
        assert_eq!(of(5, 0.2), of(12, 0.0));
        assert_eq!(of(5, 0.001), of(1, 0.0));
        assert_ne!(of(5, 0.2), of(5, 0.0));
        // An even number of them: the median lies between both in the middle.
        let line = Points::from_values(vec![0.0, 1.0, 3.0, 6.0, 10.0], 1);
        let median = Knn { near: HowMany { k: 4, k_share: 0.0 }, aggregate: Aggregate::Median };
        assert_eq!(in_batch(&median, &line), [4.5, 3.5, 3.0, 4.5, 8.0]);
    }

    #[test]
    fn distances_are_to_the_neighbours_and_to_the_nearest_known_anomaly() {
        let line = Points::from_values(vec![0.0, 1.0, 3.0, 6.0, 10.0], 1);
        let known = Points::from_values(vec![12.0, -1.0], 1);
        let second = Knn { near: HowMany { k: 2, k_share: 0.0 }, ..Knn::default() };
        let found = second.distances(&line, &line, &known).unwrap().unwrap();
        assert_eq!(found.own, [3.0, 2.0, 3.0, 4.0, 7.0]);
        assert_eq!(found.known, [1.0, 2.0, 4.0, 6.0, 2.0]);
    }

    #[test]
    fn few_points_have_few_neighbours() {
        let two = Points::from_values(vec![0.0, 0.0, 3.0, 4.0], 2);
        assert_eq!(in_batch(&Knn::default(), &two), [5.0, 5.0]);
        let one = two.select(&[0]);
        assert!(matches!(Knn::default().score(&one, &one, true), Err(Error::Refused(_))));
    }
}
