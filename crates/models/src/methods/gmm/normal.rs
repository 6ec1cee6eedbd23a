//! One Gaussian of weighted points.

use faer::Mat;
use zsad_core::{Error, Result};

use crate::math::Points;
use crate::math::linalg::{cholesky, matrix, product, solved_squared_norms};

/// Mean and lower Cholesky factor of the covariance.
pub(super) struct Normal {
    mean: Vec<f64>,
    factor: Mat<f64>,
    /// −½ (d ln 2π + ln det Σ).
    constant: f64,
}

impl Normal {
    /// Weighted mean and covariance, both divided by `total`, and `ridge` on the diagonal.
    pub fn of(x: &Points, weights: &[f64], total: f64, ridge: f64) -> Result<Self> {
        let d = x.dim();
        // Around the first point, so that features that are constant stay so.
        let first = x.row(0);
        let mut mean = vec![0.0; d];
        for (row, w) in x.rows().zip(weights) {
            mean.iter_mut().zip(row.iter().zip(first)).for_each(|(m, (v, first))| *m += w * (v - first));
        }
        mean.iter_mut().zip(first).for_each(|(m, first)| *m = first + *m / total);
        let row = |(row, w): (&[f64], &f64)| {
            let root = w.sqrt();
            row.iter().zip(&mean).map(move |(v, m)| root * (v - m)).collect::<Vec<_>>()
        };
        let z = Points::from_values(x.rows().zip(weights).flat_map(row).collect(), d);
        let mut covariance = product(1.0 / total, matrix(&z).transpose(), matrix(&z));
        (0..d).for_each(|j| covariance[(j, j)] += ridge);
        let factor = cholesky(covariance).map_err(|_| {
            Error::refused("a component's covariance is singular; hint: raise `ridge`, or ask for fewer components")
        })?;
        let log_determinant = 2.0 * (0..d).map(|j| factor[(j, j)].ln()).sum::<f64>();
        let constant = -0.5 * (d as f64 * (2.0 * std::f64::consts::PI).ln() + log_determinant);
        Ok(Normal { mean, factor, constant })
    }

    /// The logarithm of the density at every point.
    pub fn log_density(&self, x: &Points) -> Vec<f64> {
        let z = x.standardised(&self.mean, &vec![1.0; self.mean.len()]);
        let squared = solved_squared_norms(&self.factor, matrix(&z).transpose().to_owned());
        squared.into_iter().map(|s| self.constant - 0.5 * s).collect()
    }
}
