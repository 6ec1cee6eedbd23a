//! A Gaussian of few points in many dimensions.

use faer::Mat;
use zsad_core::Result;

use super::Points;
use super::linalg::{cholesky, solved_squared_norms};

/// Mean and covariance Σ = share · ZᵀZ + ridge · I of `n` points, Z being the centred ones, inverted through a matrix of
/// `n` rows (Woodbury's identity): xᵀ Σ⁻¹ x = (|x|² − |L⁻¹ Z x|²) / ridge with L Lᵀ = (ridge / share) I + Z Zᵀ.
pub(crate) struct Gaussian {
    mean: Vec<f64>,
    centred: Points,
    /// `None` where `share` is 0.
    factor: Option<Mat<f64>>,
    ridge: f64,
}

impl Gaussian {
    /// `ridge` must be positive.
    pub fn fit(points: &Points, share: f64, ridge: f64) -> Result<Self> {
        let n = points.len();
        let mean = points.mean();
        let centred = points.standardised(&mean, &vec![1.0; mean.len()]);
        let diagonal = |i, j| if i == j { ridge / share } else { 0.0 };
        let gram = |i, j| dot(centred.row(i), centred.row(j)) + diagonal(i, j);
        let factor = if share > 0.0 { Some(cholesky(Mat::from_fn(n, n, gram))?) } else { None };
        Ok(Gaussian { mean, centred, factor, ridge })
    }

    /// The squared Mahalanobis distance of a point.
    pub fn squared(&self, x: &[f64]) -> f64 {
        let x: Vec<f64> = x.iter().zip(&self.mean).map(|(x, m)| x - m).collect();
        let inside = self.factor.as_ref().map_or(0.0, |factor| {
            solved_squared_norms(factor, Mat::from_fn(self.centred.len(), 1, |i, _| dot(self.centred.row(i), &x)))[0]
        });
        ((dot(&x, &x) - inside) / self.ridge).max(0.0)
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::testing::{agree, x, y};

    // import numpy as np; x and y as in math::testing
    // for p in (x, x[:4]):
    //     inv = np.linalg.inv(np.cov(p, rowvar=False) + 0.01 * np.eye(5)); d = y - p.mean(0)
    //     print(np.sqrt(np.einsum("ij,jk,ik->i", d, inv, d)))
    #[test]
    fn distances_are_numpys() {
        let distances = |p: &Points| {
            let gaussian = Gaussian::fit(p, 1.0 / (p.len() - 1) as f64, 0.01).unwrap();
            y().rows().map(|row| gaussian.squared(row).sqrt()).collect::<Vec<_>>()
        };
        agree(&distances(&x()), &MANY, 1e-9);
        agree(&distances(&x().select(&[0, 1, 2, 3])), &FEW, 1e-9);
    }

    #[test]
    fn without_covariance_the_ridge_scales_the_euclidean_distance() {
        for gaussian in [Gaussian::fit(&x().select(&[7]), 1.0, 0.25), Gaussian::fit(&x().select(&[7, 7]), 0.0, 0.25)] {
            let gaussian = gaussian.unwrap();
            let mut point = x().row(7).to_vec();
            assert_eq!(gaussian.squared(&point), 0.0);
            point[2] += 3.0;
            assert!((gaussian.squared(&point) - 36.0).abs() < 1e-9);
        }
    }

    const MANY: [f64; 4] = [2.3481307353408827, 3.0352979093757093, 2.366258435731144, 1.9143336034776282];
    const FEW: [f64; 4] = [36.00108264966172, 85.36876215090874, 64.29076437273513, 1.4995873867781808];
}
