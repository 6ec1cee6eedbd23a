//! Isolation by nearest neighbours in small random sets.

use rand::seq::index;
use rayon::prelude::*;
use zsad_core::rng::stream;
use zsad_core::{Accepts, Error, MethodSpec, Result};

use crate::families::classical::{Classical, PointMethod};
use crate::math::Points;
use crate::math::points::squared_distance;

/// The registry's entry, as in PyOD: around each point of a small random set lies a ball that reaches to its nearest neighbour
/// in the set; a point's score in a set is 1 − r'/r for the smallest ball of radius r that covers it, r' being the radius around
/// that ball's nearest neighbour, and 1 where none covers it; scores are averaged over sets.
pub const DEF: Classical<Inne> = Classical::new(&MethodSpec {
    name: "inne",
    version: 1,
    summary: "isolation by nearest neighbours: how large, beside its neighbour, the smallest ball around a point is",
    citation: "Bandaragoda et al.: Isolation-based Anomaly Detection Using Nearest-Neighbor Ensembles, Computational Intelligence 2018",
    accepts: Accepts::ANY,
});

zsad_core::choices! {
    /// What radii are measured by.
    pub enum Radius {
        /// Squared distances.
        Squared = "squared",
        /// Distances.
        Distance = "distance",
    }
}

zsad_core::params! {
    /// Its parameters.
    pub struct Inne {
        /// number of random sets
        pub sets: usize = 200, in 1..=1 << 20;
        /// points of a set; all where there are fewer
        pub set_size: usize = 8, in 2..=1 << 20;
        /// what r' / r is the ratio of: squared: squared radii, as PyOD has it; distance: radii, as the paper has it
        pub radius: Radius = Radius::Squared;
    }
}

/// Balls around the points of one set.
pub(crate) struct Balls {
    centres: Points,
    /// Squared radii.
    squared: Vec<f64>,
    /// The score of a point whose smallest ball is this one.
    scores: Vec<f64>,
}

impl Inne {
    fn balls(&self, centres: Points) -> Balls {
        let rows: Vec<&[f64]> = centres.rows().collect();
        let nearest = |i: usize| {
            let others = (0..rows.len()).filter(|&j| j != i).map(|j| (squared_distance(rows[i], rows[j]), j));
            others.fold((f64::INFINITY, i), |best, other| if other.0 < best.0 { other } else { best })
        };
        let nearest: Vec<(f64, usize)> = (0..rows.len()).map(nearest).collect();
        let radius = |squared: f64| match self.radius {
            Radius::Squared => squared,
            Radius::Distance => squared.sqrt(),
        };
        // The small term of PyOD keeps it finite among duplicates.
        let ratio =
            |&(own, next): &(f64, usize)| (radius(nearest[next].0) + f64::EPSILON) / (radius(own) + f64::EPSILON);
        let scores = nearest.iter().map(|ball| 1.0 - ratio(ball)).collect();
        Balls { squared: nearest.iter().map(|n| n.0).collect(), scores, centres }
    }
}

impl Balls {
    /// 1 where no ball covers the point; of equally large ones the first counts.
    fn score(&self, row: &[f64]) -> f64 {
        let mut smallest = (f64::INFINITY, 1.0);
        for (centre, (&squared, &score)) in self.centres.rows().zip(self.squared.iter().zip(&self.scores)) {
            if squared < smallest.0 && squared_distance(row, centre) <= squared {
                smallest = (squared, score);
            }
        }
        smallest.1
    }
}

impl PointMethod for Inne {
    type Model = Vec<Balls>;

    fn fit(&self, x: &Points, seed: u64) -> Result<Vec<Balls>> {
        if x.len() < 2 {
            return Err(Error::refused("one point alone has no neighbours: two samples at least"));
        }
        let size = self.set_size.min(x.len());
        let balls = |set: usize| {
            let mut rng = stream(seed, &[("purpose", "inne"), ("set", &set.to_string())]);
            self.balls(x.select(&index::sample(&mut rng, x.len(), size).into_vec()))
        };
        Ok((0..self.sets).into_par_iter().map(balls).collect())
    }

    fn score(&self, sets: &Vec<Balls>, x: &Points, _: bool) -> Result<Vec<f64>> {
        let rows: Vec<&[f64]> = x.rows().collect();
        let score = |row: &&[f64]| sets.iter().map(|balls| balls.score(row)).sum::<f64>() / sets.len() as f64;
        Ok(rows.par_iter().map(score).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::classical::testing::in_batch;
    use crate::math::testing::{agree, x, y};

    // from pyod.models.inne import INNE; x and y as in math::testing; eps = np.finfo(float).eps
    // m = INNE(n_estimators=3).fit(x)
    // for i, s in enumerate(sets):                                          # SETS
    //     d = ((x[s][:, None] - x[s]) ** 2).sum(-1); np.fill_diagonal(d, np.inf); r = d.min(1)
    //     m._centroids[i], m._centroids_radius[i], m._ratio[i] = x[s], r, 1 - (r[d.argmin(1)] + eps) / (r + eps)
    // print(m.decision_function(x[:12]), m.decision_function(y))
    #[test]
    fn on_given_sets_it_is_pyod() {
        let inne = Inne::default();
        let sets: Vec<Balls> = SETS.iter().map(|set| inne.balls(x().select(set))).collect();
        agree(&inne.score(&sets, &x(), true).unwrap(), &OF_X, 1e-12);
        agree(&inne.score(&sets, &y(), false).unwrap(), &OF_Y, 1e-12);
    }

    const SETS: [[usize; 8]; 3] =
        [[5, 17, 29, 3, 44, 58, 11, 36], [0, 4, 9, 21, 33, 50, 2, 59], [7, 8, 12, 40, 41, 42, 3, 4]];
    const OF_X: [f64; 12] = [
        0.31170878947605535,
        0.8367128506927242,
        0.806446586609062,
        0.0,
        0.0,
        0.6666666666666666,
        0.9094689626502758,
        0.6583357510949006,
        0.5844665448887084,
        0.3250024177615673,
        0.8367128506927242,
        0.991669084428234,
    ];
    const OF_Y: [f64; 4] = [0.6666666666666666, 0.8367128506927242, 0.6666666666666666, 0.0];

    // m = INNE(n_estimators=20000, random_state=0).fit(x); print(m.decision_scores_[[0, 1, 2, 3, 4, 11]], m.decision_function(y))
    #[test]
    fn many_sets_approach_pyod() {
        let inne = Inne { sets: 20_000, ..Inne::default() };
        let sets = inne.fit(&x(), 1).unwrap();
        let scores = inne.score(&sets, &x(), true).unwrap();
        agree(&[0, 1, 2, 3, 4, 11].map(|i| scores[i]), &MANY, 0.015);
        agree(&inne.score(&sets, &y(), false).unwrap(), &MANY_Y, 0.015);
    }

    const MANY: [f64; 6] = [
        0.39866871840724477,
        0.5163996312993153,
        0.4413966050702529,
        0.45730805165264043,
        0.45730805165264043,
        0.9951276535037127,
    ];
    const MANY_Y: [f64; 4] = [0.8175075361989648, 0.8443213774403703, 0.7460886460911152, 0.45730805165264043];

    #[test]
    fn equal_points_have_equal_scores() {
        assert_eq!(in_batch(&Inne::default(), &Points::from_values(vec![0.3; 12], 2)), [0.0; 6]);
    }
}
