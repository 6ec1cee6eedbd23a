//! Minimum covariance determinant: a Mahalanobis distance that a minority of outliers cannot bend.

use rayon::prelude::*;
use statrs::distribution::{ChiSquared, ContinuousCDF};
use zsad_core::rng::stream;
use zsad_core::{Accepts, Error, MethodSpec, Result};

use crate::families::classical::{Classical, PointMethod};
use crate::math::Points;
use crate::math::linalg::{matrix, right_singular_vectors};
use scatter::Scatter;

mod scatter;

/// The registry's entry, as in scikit-learn 1.9 and PyOD: of all subsets of ⌈(n + d + 1)/2⌉ points the one whose covariance has the
/// least determinant, sought from random subsets by concentration steps; from it robust distances, and from the points that these
/// leave within the 97.5 % quantile of χ² mean and covariance again. The score is the squared Mahalanobis distance to those.
///
/// Unlike there, the search starts on all points at any n, not on parts of 300. The minimum is not unique in practice: another seed
/// may end in another subset, here as there.
///
/// With d + 1 features or more for n points no subset is smaller than the whole, and in a batch every point has the same distance.
/// Below 2d points the estimate is poor.
pub const DEF: Classical<Mcd> = Classical::new(&MethodSpec {
    name: "mcd",
    version: 1,
    summary: "squared Mahalanobis distance to the half of the points that has the least covariance determinant",
    citation: "Rousseeuw, Van Driessen: A Fast Algorithm for the Minimum Covariance Determinant Estimator, Technometrics 1999",
    accepts: Accepts::ROWS,
});

zsad_core::params! {
    /// Its parameters.
    pub struct Mcd {
        /// random subsets that the search starts from
        pub starts: usize = 30, in 1..=1 << 20;
        /// share of the points in the subset; 0: (n + d + 1)/2 of them
        pub support: f64 = 0.0, in 0.0..=1.0;
    }
}

/// Concentration steps from each start, starts that go on, and the most steps of those.
const FIRST_STEPS: usize = 2;
const BEST: usize = 10;
const LAST_STEPS: usize = 30;
/// Share of the points of a Gaussian that reweighting keeps.
const KEPT: f64 = 0.975;

/// What scores are distances to.
pub(crate) struct Robust {
    /// Directions that points are first turned into where they span fewer than there are features, one a column.
    span: Option<faer::Mat<f64>>,
    scatter: Scatter,
}

impl Mcd {
    fn wanted(&self, n: usize, d: usize) -> usize {
        let wanted = if self.support > 0.0 { (self.support * n as f64) as usize } else { (n + d + 2) / 2 };
        wanted.clamp(1, n)
    }

    /// The points of the best subset that was found, of `wanted`.
    fn search(&self, x: &Points, wanted: usize, seed: u64) -> Result<Vec<usize>> {
        if wanted == x.len() {
            return Ok((0..wanted).collect());
        }
        let start = |start: usize| {
            let mut rng = stream(seed, &[("purpose", "mcd"), ("start", &start.to_string())]);
            let subset = rand::seq::index::sample(&mut rng, x.len(), wanted).into_vec();
            concentrate(x, subset, FIRST_STEPS)
        };
        let mut found = (0..self.starts).into_par_iter().map(start).collect::<Result<Vec<_>>>()?;
        // Equal ones stay in the order of their starts.
        found.sort_by(|a, b| a.1.compare(&b.1));
        found.truncate(BEST);
        let last = |(subset, _): (Vec<usize>, Scatter)| concentrate(x, subset, LAST_STEPS);
        let found = found.into_par_iter().map(last).collect::<Result<Vec<_>>>()?;
        let best = found.into_iter().reduce(|best, other| if other.1.compare(&best.1).is_lt() { other } else { best });
        best.map(|(subset, _)| subset).ok_or_else(|| Error::failed("no start of the search ended"))
    }

    /// Mean and covariance of what lies within the robust distances of `subset`; `d` features count for χ².
    fn reweighted(&self, x: &Points, subset: &[usize], d: usize) -> Result<Scatter> {
        let raw = consistency(d, subset.len() as f64 / x.len() as f64)?;
        let limit = chi_squared(d as f64)?.inverse_cdf(KEPT);
        let distances = Scatter::of(x, subset)?.distances(x);
        let kept: Vec<usize> = (0..x.len()).filter(|&i| distances[i] / raw < limit).collect();
        // Nothing is left where the subset is a single place that few points share with the limit at 0.
        let kept = if kept.is_empty() { subset } else { &kept };
        Ok(Scatter::of(x, kept)?.scaled(consistency(d, KEPT)?))
    }
}

/// At most `steps` times the points nearest to the subset's own mean and covariance, as long as the determinant falls.
fn concentrate(x: &Points, mut subset: Vec<usize>, steps: usize) -> Result<(Vec<usize>, Scatter)> {
    let mut scatter = Scatter::of(x, &subset)?;
    for _ in 0..steps {
        let distances = scatter.distances(x);
        let mut order: Vec<usize> = (0..x.len()).collect();
        order.sort_by(|&a, &b| distances[a].total_cmp(&distances[b]));
        order.truncate(subset.len());
        order.sort_unstable();
        let next = Scatter::of(x, &order)?;
        if next.compare(&scatter).is_ge() {
            break;
        }
        (subset, scatter) = (order, next);
    }
    Ok((subset, scatter))
}

fn chi_squared(d: f64) -> Result<ChiSquared> {
    ChiSquared::new(d).map_err(Error::failed)
}

/// By what the covariance of the central `share` of a Gaussian falls short of its own (Croux and Haesbroeck 1999).
fn consistency(d: usize, share: f64) -> Result<f64> {
    if share >= 1.0 {
        return Ok(1.0);
    }
    let quantile = chi_squared(d as f64)?.inverse_cdf(share);
    Ok(share / chi_squared(d as f64 + 2.0)?.cdf(quantile))
}

impl PointMethod for Mcd {
    type Model = Robust;

    fn fit(&self, x: &Points, seed: u64) -> Result<Robust> {
        let (n, d) = (x.len(), x.dim());
        if n < 2 {
            return Err(Error::refused("the covariance of one point: two samples at least"));
        }
        let wanted = self.wanted(n, d);
        if d < n {
            let scatter = self.reweighted(x, &self.search(x, wanted, seed)?, d)?;
            return Ok(Robust { span: None, scatter });
        }
        // n points span n − 1 directions: what is computed in those is the same and much smaller.
        let centred = x.standardised(&x.mean(), &vec![1.0; d]);
        let (_, span) = right_singular_vectors(matrix(&centred))?;
        let turned = turned(x, &span);
        let scatter = self.reweighted(&turned, &self.search(&turned, wanted, seed)?, d)?;
        Ok(Robust { span: Some(span), scatter })
    }

    fn score(&self, model: &Robust, x: &Points, fitted: bool) -> Result<Vec<f64>> {
        // n points in general position are all equally far from their own mean; rounding alone would rank them.
        if fitted && model.scatter.points() == x.len() && model.scatter.rank() + 1 == x.len() {
            return Ok(vec![(x.len() - 1) as f64 / consistency(x.dim(), KEPT)?; x.len()]);
        }
        Ok(match &model.span {
            None => model.scatter.distances(x),
            Some(span) => model.scatter.distances(&turned(x, span)),
        })
    }
}

fn turned(x: &Points, span: &faer::Mat<f64>) -> Points {
    let out = crate::math::linalg::product(1.0, matrix(x), span.as_ref());
    let values = (0..out.nrows()).flat_map(|i| (0..out.ncols()).map(move |j| (i, j))).map(|at| out[at]).collect();
    Points::from_values(values, out.ncols())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::classical::testing::{in_batch, on_pool};
    use crate::math::testing::{agree, x, y};

    // from pyod.models.mcd import MCD; x and y as in math::testing
    // m = MCD(random_state=0).fit(x); print(np.flatnonzero(m.detector_.raw_support_))
    // print(m.decision_scores_[[0, 1, 2, 3, 4, 11]], m.decision_function(y))
    #[test]
    fn with_pyods_subset_distances_are_pyods() {
        let mcd = Mcd::default();
        assert_eq!(mcd.wanted(60, 5), SUBSET.len());
        let scatter = mcd.reweighted(&x(), &SUBSET, 5).unwrap();
        let scores = scatter.distances(&x());
        agree(&[0, 1, 2, 3, 4, 11].map(|i| scores[i]), &OF_X, 1e-9);
        agree(&scatter.distances(&y()), &OF_Y, 1e-9);
    }

    // print(max(np.linalg.slogdet(MinCovDet(random_state=s).fit(x).raw_covariance_)[1] for s in range(50)))   # the least: 9.1026
    #[test]
    fn the_search_ends_as_low_as_that_of_scikit_learn() {
        for seed in 0..5 {
            let subset = Mcd::default().search(&x(), 33, seed).unwrap();
            let (again, scatter) = concentrate(&x(), subset.clone(), 1).unwrap();
            assert_eq!(again, subset, "a step further changes nothing");
            let found = scatter.log_determinant();
            assert!(found < MOST, "{found}");
        }
        let moved = x().values().iter().map(|v| v * 3.0 + 1.0).collect();
        let scores = in_batch(&Mcd::default(), &x());
        agree(&in_batch(&Mcd::default(), &Points::from_values(moved, 5)), &scores, 1e-9);
    }

    #[test]
    fn points_in_fewer_directions_than_features_and_equal_points_are_scored() {
        let values = x().rows().flat_map(|row| [row, &[3.0], &row[..1]].concat()).collect();
        let (wide, narrow) = (Points::from_values(values, 7), x());
        let subset = Mcd::default().search(&wide, 34, 0).unwrap();
        let (of_wide, of_narrow) = (Scatter::of(&wide, &subset).unwrap(), Scatter::of(&narrow, &subset).unwrap());
        assert_eq!((of_wide.rank(), of_narrow.rank()), (5, 5));
        agree(&of_wide.distances(&wide), &of_narrow.distances(&narrow), 1e-9);
        let few = x().select(&[0, 1, 2, 5]);
        let scores = in_batch(&Mcd::default(), &few);
        assert!(scores.iter().all(|s| *s == scores[0]), "{scores:?}");
        assert!(on_pool(&Mcd::default(), &few, &y()).iter().all(|s| s.is_finite()));
        assert_eq!(in_batch(&Mcd::default(), &Points::from_values(vec![0.3; 24], 2)), [0.0; 12]);
    }

    const SUBSET: [usize; 33] = [
        2, 9, 12, 14, 15, 16, 18, 21, 23, 24, 26, 27, 30, 31, 32, 34, 35, 36, 37, 41, 42, 43, 44, 45, 47, 50, 51, 52,
        53, 54, 55, 56, 59,
    ];
    const OF_X: [f64; 6] = [
        7.2544826023422475,
        6.17712899081634,
        6.593844573178718,
        6.1762114839215885,
        6.1762114839215885,
        198.5330373074446,
    ];
    const OF_Y: [f64; 4] = [24.70213261194941, 19.070938964486547, 11.310879643383892, 6.17621148392159];
    const MOST: f64 = 9.35804337268005;
}
