//! The principal subspace of some points, and what a point has outside of it.

use faer::Mat;
use zsad_core::Result;

use crate::math::Points;
use crate::math::linalg::{eigen, matrix, product, right_singular_vectors};

/// Number, sum and outer products of points about a centre: what a covariance is made of. They can be added up piece by piece,
/// and pieces taken away again.
pub(crate) struct Moments {
    points: usize,
    sum: Vec<f64>,
    outer: Mat<f64>,
}

impl Moments {
    /// Of no points of `dim` values.
    pub fn none(dim: usize) -> Self {
        Moments { points: 0, sum: vec![0.0; dim], outer: Mat::zeros(dim, dim) }
    }

    /// Of `x` about `centre`: anything near the points, which keeps rounding small.
    pub fn of(x: &Points, centre: &[f64]) -> Self {
        let z = x.standardised(centre, &vec![1.0; centre.len()]);
        let mut sum = vec![0.0; centre.len()];
        z.rows().for_each(|row| sum.iter_mut().zip(row).for_each(|(s, v)| *s += v));
        Moments { points: x.len(), sum, outer: product(1.0, matrix(&z).transpose(), matrix(&z)) }
    }

    /// With those of other points; about one centre.
    pub fn plus(mut self, other: &Moments) -> Self {
        self.points += other.points;
        self.sum.iter_mut().zip(&other.sum).for_each(|(s, o)| *s += o);
        self.outer += &other.outer;
        self
    }

    /// Without those of some of the points.
    pub fn without(&self, some: &Moments) -> Self {
        Moments {
            points: self.points - some.points,
            sum: self.sum.iter().zip(&some.sum).map(|(s, o)| s - o).collect(),
            outer: &self.outer - &some.outer,
        }
    }

    /// The subspace that holds `share` of the variance.
    pub fn subspace(&self, centre: &[f64], share: f64) -> Result<Subspace> {
        let (d, n) = (centre.len(), self.points as f64);
        // The divisor n − 1 makes no difference to axes and shares.
        let covariance = Mat::from_fn(d, d, |i, j| self.outer[(i, j)] - self.sum[i] * self.sum[j] / n);
        let (values, vectors) = eigen(covariance.as_ref())?;
        let falling: Vec<f64> = values.iter().rev().copied().collect();
        let k = dimensions(&falling, share);
        let mean = centre.iter().zip(&self.sum).map(|(c, s)| c + s / n).collect();
        // What is dropped is measured directly where it has fewer axes.
        let outside = 2 * k > d;
        let axes = match outside {
            true => vectors.subcols(0, d - k).to_owned(),
            false => vectors.subcols(d - k, k).to_owned(),
        };
        Ok(Subspace { mean, axes, outside })
    }
}

/// How many of the axes with these variances, falling, hold `share` of their sum: none where nothing varies.
fn dimensions(variances: &[f64], share: f64) -> usize {
    let total: f64 = variances.iter().map(|v| v.max(0.0)).sum();
    if total <= 0.0 {
        return 0;
    }
    let held = variances.iter().scan(0.0, |sum, v| {
        *sum += v.max(0.0);
        Some(*sum / total)
    });
    (held.take_while(|held| *held < share).count() + 1).min(variances.len())
}

/// A mean and the principal axes that are kept.
pub(crate) struct Subspace {
    mean: Vec<f64>,
    /// One axis a column: those that are kept, or with `outside` those that are not.
    axes: Mat<f64>,
    outside: bool,
}

impl Subspace {
    /// Of points that may be fewer than their values.
    pub fn of(x: &Points, share: f64) -> Result<Self> {
        if x.len() > x.dim() {
            let centre = x.row(0);
            return Moments::of(x, centre).subspace(centre, share);
        }
        let mean = x.mean();
        let (singular, vectors) = right_singular_vectors(matrix(&x.standardised(&mean, &vec![1.0; x.dim()])))?;
        let variances: Vec<f64> = singular.iter().map(|s| s * s).collect();
        let axes = vectors.subcols(0, dimensions(&variances, share)).to_owned();
        Ok(Subspace { mean, axes, outside: false })
    }

    /// The squared distance of every point to the subspace.
    pub fn residuals(&self, x: &Points) -> Vec<f64> {
        let z = x.standardised(&self.mean, &vec![1.0; self.mean.len()]);
        let along = product(1.0, matrix(&z), self.axes.as_ref());
        let norms = |m: &Mat<f64>| (0..m.nrows()).map(|i| (0..m.ncols()).map(|j| m[(i, j)].powi(2)).sum()).collect();
        if self.outside {
            return norms(&along);
        }
        // Point by point |z|² − |Vᵀz|² would lose digits.
        let back = product(-1.0, along.as_ref(), self.axes.transpose());
        norms(&(back + matrix(&z)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::testing::agree;

    /// `x` and `q` in Python.
    fn waves() -> (Points, Points) {
        let x = (0..32).map(|i| {
            let step = [0.1, 0.0, 0.0, 0.05][i % 4];
            (0.7 * i as f64).sin() + (i / 4) as f64 * step
        });
        let q = (0..12).map(|i| (0.4 * f64::from(i)).cos());
        (Points::from_values(x.collect(), 4), Points::from_values(q.collect(), 4))
    }

    // import numpy as np
    // x = np.sin(.7 * np.arange(32)).reshape(8, 4) + np.arange(8)[:, None] * [.1, 0, 0, .05]
    // q = np.cos(.4 * np.arange(12)).reshape(3, 4)
    // def residuals(fit, of, share):
    //     m = fit.mean(0); w, v = np.linalg.eigh(np.cov(fit, rowvar=False)); w, v = w[::-1], v[:, ::-1]
    //     k = min(np.argmax(np.cumsum(w) / w.sum() >= share) + 1, 4); v = v[:, :k]
    //     z = of - m; return ((z - z @ v @ v.T) ** 2).sum(1)
    // for s in (.9, .99): print(residuals(x, q, s), residuals(x, x[:3], s))
    // print([residuals(np.delete(x, i, 0), x[i:i + 1], .9)[0] for i in range(3)])
    #[test]
    fn residuals_are_those_of_numpys_axes() {
        let (x, q) = waves();
        let of = |share, points: &Points| Subspace::of(&x, share).unwrap().residuals(points);
        agree(&of(0.9, &q), &[0.00399394, 0.283033461, 0.32121118], 1e-8);
        agree(&of(0.9, &x), &[0.112186019, 0.052297076, 0.01260434], 1e-8);
        agree(&of(0.99, &q), &[0.000641776, 0.003223654, 0.000484773], 1e-8);
        assert!(of(0.99, &x).iter().all(|v| *v < 1e-25), "x lies in three dimensions");
        let centre = x.row(3).to_vec();
        let all = Moments::of(&x, &centre);
        let without = |i: usize| {
            let own = x.select(&[i]);
            all.without(&Moments::of(&own, &centre)).subspace(&centre, 0.9).unwrap().residuals(&own)[0]
        };
        agree(&[0, 1, 2].map(without), &[0.247702445, 0.197540496, 0.029667448], 1e-8);
    }

    #[test]
    fn fewer_points_than_values_have_the_subspace_of_their_span() {
        let (x, q) = waves();
        let few = x.select(&[0, 3, 5]);
        let direct = Subspace::of(&few, 0.9).unwrap().residuals(&q);
        let centre = few.row(0);
        agree(&Moments::of(&few, centre).subspace(centre, 0.9).unwrap().residuals(&q), &direct, 1e-12);
        let parts = Moments::of(&few.select(&[0]), centre).plus(&Moments::of(&few.select(&[1, 2]), centre));
        agree(&parts.subspace(centre, 0.9).unwrap().residuals(&q), &direct, 1e-12);
    }

    #[test]
    fn axes_are_as_many_as_hold_the_share() {
        assert_eq!([0.5, 0.7, 0.71, 0.9, 1.0].map(|share| dimensions(&[5.0, 2.0, 2.0, 1.0], share)), [1, 2, 3, 3, 4]);
        assert_eq!(dimensions(&[0.0, -1e-17], 0.9), 0);
    }
}
