//! One Gaussian of all patches of the references, in the place of the nearest one.

use faer::Mat;
use zsad_core::Result;

use crate::math::Points;
use crate::math::linalg::{eigen, matrix, product};

/// What a patch differs by from the best combination of the references' patches that a penalty on its weights allows: with C
/// the centred references, (I + CᵀC/λ)⁻¹ (q − m). λ is a share of the mean of the M eigenvalues of CCᵀ.
pub(crate) struct Ridge {
    mean: Vec<f64>,
    /// Eigenvectors of CᵀC as columns.
    axes: Mat<f64>,
    /// What is left of a patch along each.
    left: Vec<f64>,
}

impl Ridge {
    /// Of the references' patches; `share` must be positive.
    pub fn of(references: &Points<f32>, share: f64) -> Result<Self> {
        let values = references.values().iter().map(|&v| f64::from(v)).collect();
        let references = Points::from_values(values, references.dim());
        let mean = references.mean();
        let centred = references.standardised(&mean, &vec![1.0; mean.len()]);
        let scatter = product(1.0, matrix(&centred).transpose(), matrix(&centred));
        let trace: f64 = (0..mean.len()).map(|j| scatter[(j, j)]).sum();
        let (values, axes) = eigen(scatter.as_ref())?;
        let lambda = share * trace / references.len() as f64;
        // Where all references are equal, nothing of a difference to them is explained.
        let left = |v: f64| if lambda > 0.0 { 1.0 / (1.0 + v.max(0.0) / lambda) } else { 1.0 };
        Ok(Ridge { mean, axes, left: values.into_iter().map(left).collect() })
    }

    /// The squared length of what is left of every patch.
    pub fn squared(&self, patches: &Points<f32>) -> Vec<f64> {
        let centred = patches.rows().flat_map(|row| row.iter().zip(&self.mean).map(|(&v, m)| f64::from(v) - m));
        let centred = Points::from_values(centred.collect(), self.mean.len());
        let along = product(1.0, matrix(&centred), self.axes.as_ref());
        let norm = |i: usize| self.left.iter().enumerate().map(|(j, left)| (left * along[(i, j)]).powi(2)).sum();
        (0..centred.len()).map(norm).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::testing::agree;

    // import numpy as np
    // r = np.cos(.4 * np.arange(9)).reshape(3, 3); q = np.sin(.7 * np.arange(12)).reshape(4, 3); m = r.mean(0); c = r - m
    // l = .1 * np.trace(c @ c.T) / 3; print((((q - m) @ np.linalg.inv(np.eye(3) + c.T @ c / l)) ** 2).sum(1))
    #[test]
    fn residuals_are_numpys() {
        let wave = |n: u32, k: f64, f: fn(f64) -> f64| {
            Points::from_values((0..n).map(|i| f(k * f64::from(i)) as f32).collect(), 3)
        };
        let ridge = Ridge::of(&wave(9, 0.4, f64::cos), 0.1).unwrap();
        agree(&ridge.squared(&wave(12, 0.7, f64::sin)), &RIDGE, 1e-6);
        let one = Ridge::of(&Points::from_values(vec![1.0, 2.0], 2), 0.1).unwrap();
        assert_eq!(one.squared(&Points::from_values(vec![4.0, 6.0], 2)), [25.0]);
    }

    const RIDGE: [f64; 4] = [0.46129948, 0.127732048, 0.117338103, 0.452985082];
}
