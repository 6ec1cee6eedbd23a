//! Mean and covariance of a subset, where the covariance may be singular.

use std::cmp::Ordering;

use faer::Mat;
use zsad_core::Result;

use crate::math::Points;
use crate::math::linalg::{eigen, matrix, product};

/// Mean, and the directions in which the covariance (divisor n) does not vanish: those in which it does are left out, as the
/// pseudo-inverse does.
pub(super) struct Scatter {
    mean: Vec<f64>,
    /// One direction a column, divided by its standard deviation.
    whitening: Mat<f64>,
    log_determinant: f64,
    points: usize,
}

impl Scatter {
    /// Of the points of `subset`.
    pub fn of(x: &Points, subset: &[usize]) -> Result<Self> {
        let chosen = x.select(subset);
        let mean = chosen.mean();
        let d = mean.len();
        let z = chosen.standardised(&mean, &vec![1.0; d]);
        let covariance = product(1.0 / subset.len() as f64, matrix(&z).transpose(), matrix(&z));
        let (values, vectors) = eigen(covariance.as_ref())?;
        // As scipy.linalg.pinvh.
        let negligible = values.iter().fold(0.0f64, |m, v| m.max(v.abs())) * f64::EPSILON * d as f64;
        let kept: Vec<usize> = (0..d).filter(|&k| values[k] > negligible).collect();
        let whitening = Mat::from_fn(d, kept.len(), |i, k| vectors[(i, kept[k])] / values[kept[k]].sqrt());
        let log_determinant = kept.iter().map(|&k| values[k].ln()).sum();
        Ok(Scatter { mean, whitening, log_determinant, points: subset.len() })
    }

    /// The same with the covariance multiplied by `factor`.
    pub fn scaled(mut self, factor: f64) -> Self {
        let root = factor.sqrt();
        let (d, rank) = (self.whitening.nrows(), self.rank());
        self.whitening = Mat::from_fn(d, rank, |i, k| self.whitening[(i, k)] / root);
        self.log_determinant += rank as f64 * factor.ln();
        self
    }

    /// Squared Mahalanobis distances.
    pub fn distances(&self, x: &Points) -> Vec<f64> {
        let z = x.standardised(&self.mean, &vec![1.0; self.mean.len()]);
        let white = product(1.0, matrix(&z), self.whitening.as_ref());
        (0..x.len()).map(|i| (0..self.rank()).map(|k| white[(i, k)] * white[(i, k)]).sum()).collect()
    }

    /// Directions in which the points vary.
    pub fn rank(&self) -> usize {
        self.whitening.ncols()
    }

    /// How many points it is of.
    pub fn points(&self) -> usize {
        self.points
    }

    /// Of the covariance in the directions in which it does not vanish.
    #[cfg(test)]
    pub fn log_determinant(&self) -> f64 {
        self.log_determinant
    }

    /// By determinant: one of fewer directions is 0 and the less.
    pub fn compare(&self, other: &Self) -> Ordering {
        self.rank().cmp(&other.rank()).then(self.log_determinant.total_cmp(&other.log_determinant))
    }
}
