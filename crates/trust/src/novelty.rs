//! Whether a batch is like those of the calibration's domains.

use faer::linalg::triangular_solve::solve_lower_triangular_in_place;
use faer::{Mat, Par};
use serde::{Deserialize, Serialize};
use zsad_core::Result;

use crate::linear::cholesky;

/// How far the covariance is drawn to the identity; without it columns that hardly vary would decide.
const SHRINKAGE: f64 = 0.1;

/// A distance to the episodes of all domains, and every episode's distance to those of the other domains.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Novelty {
    of_all: Distance,
    /// By domain.
    unseen: Vec<Vec<f64>>,
}

/// Squared Mahalanobis distance from some rows, their covariance shrunk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Distance {
    mean: Vec<f64>,
    /// The lower Cholesky factor of the covariance, row by row.
    factor: Vec<Vec<f64>>,
}

/// How many rows there are, their sum, and the sum of their products (the lower half).
#[derive(Clone)]
struct Sums {
    n: f64,
    sum: Mat<f64>,
    products: Mat<f64>,
}

impl Sums {
    fn none(p: usize) -> Self {
        Sums { n: 0.0, sum: Mat::zeros(p, 1), products: Mat::zeros(p, p) }
    }

    fn add(&mut self, row: &[f64]) {
        self.n += 1.0;
        for (j, a) in row.iter().enumerate() {
            self.sum[(j, 0)] += a;
            for (i, b) in row.iter().enumerate().skip(j) {
                self.products[(i, j)] += a * b;
            }
        }
    }

    fn without(&self, other: &Sums) -> Self {
        Sums { n: self.n - other.n, sum: &self.sum - &other.sum, products: &self.products - &other.products }
    }
}

impl Distance {
    fn from(rows: &Sums) -> Result<Self> {
        let p = rows.sum.nrows();
        let mean: Vec<f64> = rows.sum.col(0).iter().map(|s| s / rows.n).collect();
        let covariance = Mat::from_fn(p, p, |i, j| {
            // Rows are standardised: nothing cancels that matters beside the shrinkage.
            let own = if i >= j { rows.products[(i, j)] / rows.n - mean[i] * mean[j] } else { 0.0 };
            (1.0 - SHRINKAGE) * own + if i == j { SHRINKAGE } else { 0.0 }
        });
        let factor = cholesky(covariance)?;
        let row = |i: usize| (0..=i).map(|j| factor[(i, j)]).collect();
        Ok(Distance { mean, factor: (0..p).map(row).collect() })
    }

    fn squared(&self, x: &[f64]) -> f64 {
        let p = self.mean.len();
        let factor = Mat::from_fn(p, p, |i, j| self.factor[i].get(j).copied().unwrap_or(0.0));
        let mut off = Mat::from_fn(p, 1, |i, _| x[i] - self.mean[i]);
        solve_lower_triangular_in_place(factor.as_ref(), off.as_mut(), Par::Seq);
        off.col(0).iter().map(|v| v * v).sum()
    }
}

impl Novelty {
    /// Learns it from the rows of `x`, whose domains are numbered from 0 in `group`, each of one row at least.
    ///
    /// # Errors
    /// Where a covariance is not finite.
    pub fn fit(x: &[Vec<f64>], group: &[usize]) -> Result<Self> {
        let groups = group.iter().max().map_or(0, |g| g + 1);
        let p = x.first().map_or(0, Vec::len);
        let (mut all, mut of) = (Sums::none(p), vec![Sums::none(p); groups]);
        for (row, &g) in x.iter().zip(group) {
            all.add(row);
            of[g].add(row);
        }
        let unseen = |domain: usize| {
            let others = Distance::from(&all.without(&of[domain]))?;
            let own = x.iter().zip(group).filter(|(_, g)| **g == domain);
            Ok(own.map(|(row, _)| others.squared(row)).collect())
        };
        Ok(Novelty { of_all: Distance::from(&all)?, unseen: (0..groups).map(unseen).collect::<Result<_>>()? })
    }

    /// The number of domains.
    pub fn domains(&self) -> usize {
        self.unseen.len()
    }

    /// The least p that so many domains can give.
    pub fn least_p(&self) -> f64 {
        1.0 / (self.domains() as f64 + 1.0)
    }

    /// The conformal p of a batch of a new domain: (1 + Σ over domains of the share of their episodes at least as far) /
    /// (domains + 1). A domain counts once, however many episodes it has: what is exchangeable are domains (Lee, Barber,
    /// Willett, Distribution-free inference with hierarchical data, 2023).
    pub fn p(&self, x: &[f64]) -> f64 {
        let own = self.of_all.squared(x);
        let share = |d: &Vec<f64>| d.iter().filter(|d| **d >= own).count() as f64 / d.len().max(1) as f64;
        (1.0 + self.unseen.iter().map(share).sum::<f64>()) * self.least_p()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(domains: usize, each: usize) -> (Vec<Vec<f64>>, Vec<usize>) {
        let row = |i: usize| {
            let (d, e) = ((i / each) as f64, (i % each) as f64);
            vec![(d * 2.3).sin() + 0.1 * (e * 1.1).sin(), (d * 1.9).cos() + 0.1 * (e * 1.7).cos()]
        };
        ((0..domains * each).map(row).collect(), (0..domains * each).map(|i| i / each).collect())
    }

    #[test]
    fn what_is_like_no_domain_has_the_least_p() {
        let (x, group) = rows(20, 10);
        let novelty = Novelty::fit(&x, &group).unwrap();
        assert_eq!((novelty.domains(), novelty.least_p()), (20, 1.0 / 21.0));
        assert!((novelty.p(&[9.0, -9.0]) - 1.0 / 21.0).abs() < 1e-15);
        assert!(novelty.p(&x[35]) > 0.05);
    }

    #[test]
    fn the_distance_is_that_of_the_shrunk_covariance() {
        let rows = [vec![1.0, 0.0], vec![-1.0, 0.0], vec![0.0, 2.0], vec![0.0, -2.0]];
        let mut sums = Sums::none(2);
        rows.iter().for_each(|row| sums.add(row));
        let distance = Distance::from(&sums).unwrap();
        // Variances ½ and 2, uncorrelated: 0.9 · ½ + 0.1 and 0.9 · 2 + 0.1.
        assert!((distance.squared(&[1.0, 3.0]) - (1.0 / 0.55 + 9.0 / 1.9)).abs() < 1e-12);
    }
}
