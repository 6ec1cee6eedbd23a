//! A mixture of Gaussians.

use rand::RngExt;
use zsad_core::rng::{Rng, stream};
use zsad_core::{Accepts, Error, MethodSpec, Result};

use crate::families::classical::{Classical, PointMethod};
use crate::math::Points;
use crate::math::points::squared_distance;
use normal::Normal;

mod normal;

/// The registry's entry, as in scikit-learn and PyOD: full covariances with a ridge, fitted by expectation and maximisation from a
/// k-means clustering of its own random starts. One component is a Mahalanobis distance up to an affine map.
pub const DEF: Classical<Gmm> = Classical::new(&MethodSpec {
    name: "gmm",
    version: 1,
    summary: "negative logarithm of the density of a mixture of Gaussians",
    citation: "Dempster, Laird, Rubin: Maximum Likelihood from Incomplete Data via the EM Algorithm, JRSS B 1977",
    accepts: Accepts::ANY,
});

zsad_core::params! {
    /// Its parameters.
    pub struct Gmm {
        /// Gaussians; no more than there are points
        pub components: usize = 1, in 1..=1000;
        /// added to every variance
        pub ridge: f64 = 1e-6, in 1e-12..;
    }
}

/// Steps of k-means and of expectation and maximisation at most, and the gain of the mean log density below which the latter end.
const STEPS: usize = 100;
const LEAST_GAIN: f64 = 1e-3;
/// Features at most: a covariance of 4096 takes 128 MB and seconds.
const MOST_FEATURES: usize = 4096;

/// Gaussians with the logarithms of their weights.
pub(crate) struct Mixture(Vec<(f64, Normal)>);

impl Mixture {
    /// From the share of every point that each component has, `[components][points]`.
    fn of(x: &Points, shares: &[Vec<f64>], ridge: f64) -> Result<Self> {
        let component = |shares: &Vec<f64>| {
            // The small term of scikit-learn keeps an empty component finite.
            let total = shares.iter().sum::<f64>() + 10.0 * f64::EPSILON;
            Ok(((total / x.len() as f64).ln(), Normal::of(x, shares, total, ridge)?))
        };
        Ok(Mixture(shares.iter().map(component).collect::<Result<_>>()?))
    }

    /// Weighted log densities, `[components][points]`, and the logarithm of their sum for every point.
    fn log_densities(&self, x: &Points) -> (Vec<Vec<f64>>, Vec<f64>) {
        let of = |(weight, normal): &(f64, Normal)| normal.log_density(x).into_iter().map(|v| weight + v).collect();
        let parts: Vec<Vec<f64>> = self.0.iter().map(of).collect();
        let sum = |i: usize| {
            let greatest = parts.iter().map(|p| p[i]).fold(f64::NEG_INFINITY, f64::max);
            greatest + parts.iter().map(|p| (p[i] - greatest).exp()).sum::<f64>().ln()
        };
        let sums = (0..x.len()).map(sum).collect();
        (parts, sums)
    }

    /// Expectation and maximisation from there on.
    fn improved(mut self, x: &Points, ridge: f64) -> Result<Self> {
        let mut before = f64::NEG_INFINITY;
        for _ in 0..STEPS {
            let (mut parts, sums) = self.log_densities(x);
            parts.iter_mut().for_each(|part| part.iter_mut().zip(&sums).for_each(|(p, s)| *p = (*p - s).exp()));
            self = Mixture::of(x, &parts, ridge)?;
            let mean = sums.iter().sum::<f64>() / x.len() as f64;
            if (mean - before).abs() < LEAST_GAIN {
                break;
            }
            before = mean;
        }
        Ok(self)
    }
}

impl PointMethod for Gmm {
    type Model = Mixture;

    fn fit(&self, x: &Points, seed: u64) -> Result<Mixture> {
        if x.dim() > MOST_FEATURES {
            return Err(Error::refused(format!(
                "{} features, and a full covariance of more than {MOST_FEATURES} is not kept; hint: use mahalanobis, or fewer features",
                x.dim()
            )));
        }
        let components = self.components.min(x.len());
        let start = Mixture::of(x, &clusters(x, components, seed), self.ridge)?;
        if components == 1 { Ok(start) } else { start.improved(x, self.ridge) }
    }

    fn score(&self, mixture: &Mixture, x: &Points, _: bool) -> Result<Vec<f64>> {
        Ok(mixture.log_densities(x).1.into_iter().map(|v| -v).collect())
    }
}

/// 1 where a point belongs to a cluster, else 0, `[k][points]`: k-means from centres drawn in proportion to their squared distance
/// to those before (k-means++).
fn clusters(x: &Points, k: usize, seed: u64) -> Vec<Vec<f64>> {
    let mut rng = stream(seed, &[("purpose", "gmm_clusters")]);
    let mut centres = vec![x.row(rng.random_range(0..x.len())).to_vec()];
    while centres.len() < k {
        centres.push(x.row(draw_far(x, &centres, &mut rng)).to_vec());
    }
    let nearest = |centres: &[Vec<f64>], row: &[f64]| {
        let distances = centres.iter().map(|c| squared_distance(c, row)).enumerate();
        distances.fold((0, f64::INFINITY), |best, other| if other.1 < best.1 { other } else { best }).0
    };
    let mut of: Vec<usize> = x.rows().map(|row| nearest(&centres, row)).collect();
    for _ in 0..STEPS {
        for (c, centre) in centres.iter_mut().enumerate() {
            let members: Vec<usize> = (0..x.len()).filter(|&i| of[i] == c).collect();
            // A cluster without points keeps its centre.
            if !members.is_empty() {
                *centre = x.select(&members).mean();
            }
        }
        let next: Vec<usize> = x.rows().map(|row| nearest(&centres, row)).collect();
        if next == of {
            break;
        }
        of = next;
    }
    (0..k).map(|c| of.iter().map(|&o| f64::from(u8::from(o == c))).collect()).collect()
}

/// A point, with a probability in proportion to its squared distance to the nearest centre.
fn draw_far(x: &Points, centres: &[Vec<f64>], rng: &mut Rng) -> usize {
    let far = |row: &[f64]| centres.iter().map(|c| squared_distance(c, row)).fold(f64::INFINITY, f64::min);
    let distances: Vec<f64> = x.rows().map(far).collect();
    let mut left = rng.random::<f64>() * distances.iter().sum::<f64>();
    for (i, d) in distances.iter().enumerate() {
        left -= d;
        if left < 0.0 {
            return i;
        }
    }
    // All points are equal, or rounding left a rest.
    x.len() - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::classical::testing::{in_batch, on_pool};
    use crate::math::testing::{agree, x, y};

    // from pyod.models.gmm import GMM; x and y as in math::testing
    // m = GMM().fit(x); print(m.decision_scores_[[0, 1, 2, 3, 4, 11]], m.decision_function(y))
    #[test]
    fn one_component_is_pyods() {
        let scores = in_batch(&Gmm::default(), &x());
        agree(&[0, 1, 2, 3, 4, 11].map(|i| scores[i]), &ONE, 1e-10);
        agree(&on_pool(&Gmm::default(), &x(), &y()), &ONE_Y, 1e-10);
    }

    // from sklearn.mixture import GaussianMixture; from sklearn.mixture._gaussian_mixture import _estimate_gaussian_parameters
    // r = np.zeros((60, 2)); r[np.arange(60), (x[:, 0] > 6).astype(int)] = 1
    // n, m, c = _estimate_gaussian_parameters(x, r, 1e-6, "full")
    // g = GaussianMixture(2, weights_init=n / 60, means_init=m, precisions_init=np.linalg.inv(c)).fit(x)
    // print(-g.score_samples(x)[[0, 1, 2, 3, 4, 11]], -g.score_samples(y))
    #[test]
    fn from_given_clusters_two_components_are_scikit_learns() {
        let upper: Vec<f64> = x().rows().map(|row| f64::from(u8::from(row[0] > 6.0))).collect();
        let shares = [upper.iter().map(|u| 1.0 - u).collect(), upper];
        let mixture = Mixture::of(&x(), &shares, 1e-6).unwrap().improved(&x(), 1e-6).unwrap();
        let scores = Gmm::default().score(&mixture, &x(), true).unwrap();
        agree(&[0, 1, 2, 3, 4, 11].map(|i| scores[i]), &TWO, 1e-8);
        agree(&Gmm::default().score(&mixture, &y(), false).unwrap(), &TWO_Y, 1e-8);
    }

    #[test]
    fn clusters_far_apart_are_found_and_equal_points_have_equal_scores() {
        let values = (0..30).flat_map(|i| [f64::from(i % 3) * 100.0, f64::from(i).sin()]).collect();
        let shares = clusters(&Points::from_values(values, 2), 3, 0);
        let mut sizes: Vec<usize> = shares.iter().map(|s| s.iter().filter(|v| **v == 1.0).count()).collect();
        sizes.sort_unstable();
        assert_eq!(sizes, [10, 10, 10]);
        let same = Points::from_values(vec![0.3; 12], 2);
        let scores = in_batch(&Gmm { components: 3, ..Gmm::default() }, &same);
        assert!(scores.iter().all(|s| *s == scores[0] && s.is_finite()), "{scores:?}");
    }

    const ONE: [f64; 6] = [
        13.20075358621896,
        13.899759179660949,
        13.642707926949791,
        13.340775644369218,
        13.340775644369218,
        34.96044663126588,
    ];
    const ONE_Y: [f64; 4] = [14.281794155186084, 16.164676108256515, 14.325604934779783, 13.340775644369218];
    const TWO: [f64; 6] = [
        13.792418589310474,
        13.819848890109359,
        13.31286333055651,
        14.529648789240639,
        14.529648789240639,
        21.58699062303714,
    ];
    const TWO_Y: [f64; 4] = [18.5456997951359, 20.23506733963196, 17.943305613255934, 14.529648789240639];
}
