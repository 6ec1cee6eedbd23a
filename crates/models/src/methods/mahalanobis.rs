//! Squared Mahalanobis distance with a shrunk covariance.

use faer::Mat;
use zsad_core::{Accepts, Error, MethodSpec, Result};

use crate::families::classical::{Classical, Distances, PointMethod};
use crate::math::Points;
use crate::math::linalg::{cholesky, matrix, product, solved_squared_norms};

/// The registry's entry: (x − mean)ᵀ Σ⁻¹ (x − mean) with Σ = (1 − s) S + s (trace S / d) I, S the biased covariance
/// (divisor n), as scikit-learn's `ShrunkCovariance` has it. Where nothing varies at all, Σ = I.
pub const DEF: Classical<Mahalanobis> = Classical::new(&MethodSpec {
    name: "mahalanobis",
    version: 2,
    summary: "squared Mahalanobis distance; covariance shrunk towards its mean variance",
    citation: "Mahalanobis 1936; shrinkage as in Ledoit and Wolf: A Well-Conditioned Estimator, JMVA 2004",
    accepts: Accepts::ANY,
});

zsad_core::params! {
    /// Its parameters.
    pub struct Mahalanobis {
        /// weight s of the mean variance against the covariance
        pub shrinkage: f64 = 0.5, in 0.0..=1.0;
    }
}

/// Points that are computed with at once.
const BLOCK: usize = 1 << 16;

/// Mean and covariance of some points.
pub(crate) struct Gaussian {
    mean: Vec<f64>,
    /// The weight of I in Σ.
    ridge: f64,
    factor: Factor,
}

/// Σ⁻¹ through the smaller of two matrices.
enum Factor {
    /// Σ is the ridge alone.
    Ridge,
    /// Of Σ itself, [d, d].
    Covariance(Mat<f64>),
    /// Of (n ridge / (1 − s)) I + Z Zᵀ, [n, n], beside the centred points Z, where n < d (Woodbury's identity).
    Gram(Mat<f64>, Points),
}

impl PointMethod for Mahalanobis {
    type Model = Gaussian;

    fn fit(&self, x: &Points, _: u64) -> Result<Gaussian> {
        let shrinkage = self.shrinkage;
        let (n, d) = (x.len(), x.dim());
        let mean = x.mean();
        let mean_variance = x.variance(&mean).iter().sum::<f64>() / d as f64;
        if mean_variance == 0.0 || shrinkage == 1.0 {
            let ridge = if mean_variance == 0.0 { 1.0 } else { mean_variance };
            return Ok(Gaussian { mean, ridge, factor: Factor::Ridge });
        }
        let ridge = shrinkage * mean_variance;
        if ridge == 0.0 && n <= d {
            return Err(Error::refused(format!(
                "{n} samples of {d} values have a singular covariance: raise `shrinkage`"
            )));
        }
        let factor = if d <= n {
            let of = |z: &Points| product((1.0 - shrinkage) / n as f64, matrix(z).transpose(), matrix(z));
            let sums = centred(x, &mean).map(|z| of(&z)).reduce(|sum, next| sum + next);
            let mut covariance = sums.unwrap_or_else(|| Mat::zeros(d, d));
            (0..d).for_each(|j| covariance[(j, j)] += ridge);
            Factor::Covariance(cholesky(covariance)?)
        } else {
            let z = x.standardised(&mean, &vec![1.0; d]);
            let mut gram = product(1.0, matrix(&z), matrix(&z).transpose());
            (0..n).for_each(|i| gram[(i, i)] += n as f64 * ridge / (1.0 - shrinkage));
            Factor::Gram(cholesky(gram)?, z)
        };
        Ok(Gaussian { mean, ridge, factor })
    }

    fn score(&self, model: &Gaussian, x: &Points, _: bool) -> Result<Vec<f64>> {
        Ok(model.squared_distances(x, &model.mean))
    }

    /// Distances, not their squares: squares of the far ones would drown the others.
    fn distances(&self, model: &Gaussian, x: &Points, anomalies: &Points) -> Result<Option<Distances>> {
        let own = model.squared_distances(x, &model.mean).into_iter().map(|squared| squared.max(0.0).sqrt()).collect();
        let mut known = vec![f64::INFINITY; x.len()];
        for anomaly in anomalies.rows() {
            let squared = model.squared_distances(x, anomaly);
            known.iter_mut().zip(squared).for_each(|(near, squared)| *near = near.min(squared.max(0.0).sqrt()));
        }
        Ok(Some(Distances { own, known }))
    }
}

impl Gaussian {
    /// (x − c)ᵀ Σ⁻¹ (x − c) of every point, from `centre`.
    fn squared_distances(&self, x: &Points, centre: &[f64]) -> Vec<f64> {
        centred(x, centre).flat_map(|x| self.squared_norms(&x)).collect()
    }

    /// xᵀ Σ⁻¹ x of every point.
    fn squared_norms(&self, x: &Points) -> Vec<f64> {
        let norms = x.rows().map(|row| row.iter().map(|v| v * v).sum::<f64>());
        match &self.factor {
            Factor::Ridge => norms.map(|norm| norm / self.ridge).collect(),
            Factor::Covariance(factor) => solved_squared_norms(factor, matrix(x).transpose().to_owned()),
            Factor::Gram(factor, z) => {
                let inside = solved_squared_norms(factor, product(1.0, matrix(z), matrix(x).transpose()));
                norms.zip(inside).map(|(norm, inside)| (norm - inside) / self.ridge).collect()
            }
        }
    }
}

/// The points seen from `centre`, [`BLOCK`] of them at a time: a batch may be a table of a million rows.
fn centred<'x>(x: &'x Points, centre: &'x [f64]) -> impl Iterator<Item = Points> + 'x {
    x.blocks(BLOCK).map(|block| block.standardised(centre, &vec![1.0; centre.len()]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::classical::testing::{in_batch, on_pool};
    use crate::math::testing::{agree, x, y};

    // from sklearn.covariance import ShrunkCovariance; x and y as in math::testing
    // for p in (x, x[:4]):                                      # more points than features, and fewer
    //     m = ShrunkCovariance(shrinkage=0.5).fit(p); print(m.mahalanobis(p)[:12], m.mahalanobis(y))
    #[test]
    fn equals_scikit_learn() {
        let (x, y) = (x(), y());
        agree(
            &on_pool(&Mahalanobis::default(), &x, &x),
            &[
                3.246056409498303,
                4.564753986716863,
                3.7426464190205033,
                3.8165924998414775,
                3.8165924998414775,
                4.818856917365245,
                4.047514609490363,
                2.4069488518983464,
                3.5560654829036737,
                2.545720732328677,
                4.779559192522591,
                62.317886695344185,
            ],
            1e-10,
        );
        agree(
            &on_pool(&Mahalanobis::default(), &x, &y),
            &[5.303916862789247, 7.50585243465727, 4.760703207433128, 3.8165924998414775],
            1e-10,
        );
        let few = x.select(&[0, 1, 2, 3]);
        agree(
            &on_pool(&Mahalanobis::default(), &few, &few),
            &[2.7811637531712377, 3.623431611389757, 3.0918521945764286, 3.295497229284608],
            1e-10,
        );
        agree(
            &on_pool(&Mahalanobis::default(), &few, &y),
            &[10.136825582899894, 11.635028594922883, 11.215231543276392, 3.295497229284608],
            1e-10,
        );
    }

    #[test]
    fn distances_are_of_one_covariance_around_any_centre() {
        let (x, y) = (x(), y());
        let known = y.select(&[0, 1]);
        for points in [x.clone(), x.select(&[0, 1, 2, 3])] {
            let method = Mahalanobis::default();
            let model = method.fit(&points, 0).unwrap();
            let ours = method.distances(&model, &points, &known).unwrap().unwrap();
            let from_mean = method.score(&model, &points, true).unwrap();
            for (i, from_mean) in from_mean.iter().enumerate() {
                // Around another centre the same covariance: points moved by the difference of the centres.
                let near = (0..2).map(|k| {
                    let moved = points.row(i).iter().zip(known.row(k)).zip(&model.mean).map(|((x, a), m)| x - a + m);
                    method.score(&model, &Points::from_values(moved.collect(), points.dim()), false).unwrap()[0].sqrt()
                });
                let near = near.fold(f64::INFINITY, f64::min);
                assert!((ours.own[i] - from_mean.sqrt()).abs() < 1e-12, "{i}: {}", ours.own[i]);
                assert!((ours.known[i] - near).abs() < 1e-9, "{i}: {} {near}", ours.known[i]);
            }
        }
    }

    #[test]
    fn points_without_variance_are_all_at_the_mean() {
        let same = Points::from_values(vec![0.1; 12], 3);
        assert_eq!(in_batch(&Mahalanobis::default(), &same), [0.0; 4]);
    }
}
