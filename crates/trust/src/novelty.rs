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

impl Distance {
    fn from<'a>(rows: impl Iterator<Item = &'a Vec<f64>> + Clone) -> Result<Self> {
        let n = rows.clone().count() as f64;
        let p = rows.clone().next().map_or(0, Vec::len);
        let mean: Vec<f64> = (0..p).map(|j| rows.clone().map(|r| r[j]).sum::<f64>() / n).collect();
        let mut covariance = Mat::<f64>::zeros(p, p);
        for row in rows {
            let off: Vec<f64> = row.iter().zip(&mean).map(|(v, m)| v - m).collect();
            for j in 0..p {
                for i in j..p {
                    covariance[(i, j)] += off[i] * off[j] * (1.0 - SHRINKAGE) / n;
                }
            }
        }
        (0..p).for_each(|j| covariance[(j, j)] += SHRINKAGE);
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
    /// Learns it from the rows of `x`, whose domains are numbered from 0 in `group`.
    ///
    /// # Errors
    /// Where a covariance is not finite.
    pub fn fit(x: &[Vec<f64>], group: &[usize]) -> Result<Self> {
        let groups = group.iter().max().map_or(0, |g| g + 1);
        let of = |domain: usize| {
            let rows = x.iter().zip(group);
            let others = Distance::from(rows.clone().filter(|(_, g)| **g != domain).map(|(r, _)| r))?;
            Ok(rows.filter(|(_, g)| **g == domain).map(|(r, _)| others.squared(r)).collect())
        };
        Ok(Novelty { of_all: Distance::from(x.iter())?, unseen: (0..groups).map(of).collect::<Result<_>>()? })
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
        let distance = Distance::from(rows.iter()).unwrap();
        // Variances ½ and 2, uncorrelated: 0.9 · ½ + 0.1 and 0.9 · 2 + 0.1.
        assert!((distance.squared(&[1.0, 3.0]) - (1.0 / 0.55 + 9.0 / 1.9)).abs() < 1e-12);
    }
}
