//! A Dirichlet-process mixture of Gaussians by variational inference, as scikit-learn's `BayesianGaussianMixture` with full
//! covariances computes it (Blei, Jordan, Variational inference for Dirichlet process mixtures, 2006).

use std::f64::consts::{LN_2, PI};

use faer::linalg::triangular_solve::solve_lower_triangular_in_place;
use faer::{Mat, Par};
use statrs::function::beta::ln_beta;
use statrs::function::gamma::{digamma, ln_gamma};
use zsad_core::Result;

use crate::linear::cholesky;

/// Added to the diagonals of covariances.
const REGULAR: f64 = 1e-6;
/// Iterations at most.
const ITERATIONS: usize = 1500;
/// The change of the bound at which it ends.
const TOLERANCE: f64 = 1e-3;

/// What is known of the components.
#[derive(Debug, Clone)]
pub struct Mixture {
    /// The stick-breaking parameters, (a, b) of each component's beta distribution.
    pub sticks: Vec<(f64, f64)>,
    /// Means, by component and dimension.
    pub means: Vec<Vec<f64>>,
    /// How many samples each mean is worth.
    pub mean_precision: Vec<f64>,
    /// Degrees of freedom of each precision's Wishart distribution.
    pub freedom: Vec<f64>,
    /// Covariances.
    pub covariances: Vec<Mat<f64>>,
    /// The lower bound of the evidence, less constants.
    pub bound: f64,
    /// Iterations that it took.
    pub iterations: usize,
    factors: Vec<Mat<f64>>,
}

/// What the components are before any sample is seen.
struct Prior {
    weight: f64,
    mean: Vec<f64>,
    covariance: Mat<f64>,
}

impl Mixture {
    /// Fits `x`, `[n][d]`, from responsibilities `[n][k]`, with the concentration `weight` of new components.
    ///
    /// # Errors
    /// [`zsad_core::Error::Refused`] where a covariance is singular.
    pub fn fit(x: &[Vec<f64>], mut responsible: Vec<Vec<f64>>, weight: f64) -> Result<Self> {
        let (n, d) = (x.len() as f64, x[0].len());
        let mean: Vec<f64> = (0..d).map(|j| x.iter().map(|r| r[j]).sum::<f64>() / n).collect();
        let covariance = Mat::from_fn(d, d, |i, j| {
            x.iter().map(|r| (r[i] - mean[i]) * (r[j] - mean[j])).sum::<f64>() / (n - 1.0)
        });
        let prior = Prior { weight, mean, covariance };
        let mut mixture = prior.learn(x, &responsible)?;
        let mut before = f64::NEG_INFINITY;
        for iteration in 1..=ITERATIONS {
            let logs = mixture.expect(x);
            responsible = logs.iter().map(|row| row.iter().map(|l| l.exp()).collect()).collect();
            mixture = prior.learn(x, &responsible)?;
            mixture.bound = mixture.lower_bound(&logs);
            mixture.iterations = iteration;
            if (mixture.bound - before).abs() < TOLERANCE {
                break;
            }
            before = mixture.bound;
        }
        Ok(mixture)
    }

    /// The logarithms of the responsibilities, `[n][k]`.
    fn expect(&self, x: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let d = self.means[0].len() as f64;
        let mut stick = 0.0;
        let terms: Vec<f64> = (0..self.means.len())
            .map(|k| {
                let (a, b) = self.sticks[k];
                let weight = digamma(a) - digamma(a + b) + stick;
                stick += digamma(b) - digamma(a + b);
                let freedom = self.freedom[k];
                let spread: f64 = (0..d as usize).map(|j| digamma(0.5 * (freedom - j as f64))).sum();
                weight - 0.5 * d * (2.0 * PI).ln() - ln_determinant(&self.factors[k]) - 0.5 * d * freedom.ln()
                    + 0.5 * (d * LN_2 + spread - d / self.mean_precision[k])
            })
            .collect();
        let mut logs: Vec<Vec<f64>> = vec![vec![0.0; terms.len()]; x.len()];
        for (k, term) in terms.iter().enumerate() {
            let mut off = Mat::from_fn(d as usize, x.len(), |j, i| x[i][j] - self.means[k][j]);
            solve_lower_triangular_in_place(self.factors[k].as_ref(), off.as_mut(), Par::Seq);
            for (i, row) in logs.iter_mut().enumerate() {
                row[k] = term - 0.5 * off.col(i).iter().map(|v| v * v).sum::<f64>();
            }
        }
        for row in &mut logs {
            let most = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let total = most + row.iter().map(|l| (l - most).exp()).sum::<f64>().ln();
            row.iter_mut().for_each(|l| *l -= total);
        }
        logs
    }

    fn lower_bound(&self, logs: &[Vec<f64>]) -> f64 {
        let d = self.means[0].len() as f64;
        let entropy: f64 = logs.iter().flatten().map(|l| l.exp() * l).sum();
        let wishart = |k: usize| {
            let freedom = self.freedom[k];
            let determinant = -ln_determinant(&self.factors[k]) - 0.5 * d * freedom.ln();
            let gammas: f64 = (0..d as usize).map(|j| ln_gamma(0.5 * (freedom - j as f64))).sum();
            -(freedom * determinant + freedom * d * 0.5 * LN_2 + gammas)
        };
        let wishart: f64 = (0..self.freedom.len()).map(wishart).sum();
        let sticks: f64 = self.sticks.iter().map(|&(a, b)| ln_beta(a, b)).sum();
        let means: f64 = self.mean_precision.iter().map(|p| p.ln()).sum();
        -entropy - wishart + sticks - 0.5 * d * means
    }
}

impl Prior {
    fn learn(&self, x: &[Vec<f64>], responsible: &[Vec<f64>]) -> Result<Mixture> {
        let (d, components) = (self.mean.len(), responsible[0].len());
        let count = |k: usize| responsible.iter().map(|r| r[k]).sum::<f64>() + 10.0 * f64::EPSILON;
        let counts: Vec<f64> = (0..components).map(count).collect();
        let beyond = |k: usize| counts[k + 1..].iter().sum::<f64>();
        let sticks = (0..components).map(|k| (1.0 + counts[k], self.weight + beyond(k))).collect();
        let (mut means, mut covariances, mut factors) = (Vec::new(), Vec::new(), Vec::new());
        let freedom: Vec<f64> = counts.iter().map(|n| d as f64 + n).collect();
        let mean_precision: Vec<f64> = counts.iter().map(|n| 1.0 + n).collect();
        for k in 0..components {
            let weighted = |j: usize| x.iter().zip(responsible).map(|(x, r)| r[k] * x[j]).sum::<f64>() / counts[k];
            let own: Vec<f64> = (0..d).map(weighted).collect();
            let mut spread = Mat::<f64>::zeros(d, d);
            for (row, r) in x.iter().zip(responsible) {
                for j in 0..d {
                    for i in j..d {
                        spread[(i, j)] += r[k] * (row[i] - own[i]) * (row[j] - own[j]);
                    }
                }
            }
            let to_prior = counts[k] / mean_precision[k];
            let covariance = Mat::from_fn(d, d, |i, j| {
                let (i, j) = (i.max(j), i.min(j));
                let regular = if i == j { counts[k] * REGULAR } else { 0.0 };
                let off = (own[i] - self.mean[i]) * (own[j] - self.mean[j]);
                (self.covariance[(i, j)] + spread[(i, j)] + regular + to_prior * off) / freedom[k]
            });
            means.push((0..d).map(|j| (self.mean[j] + counts[k] * own[j]) / mean_precision[k]).collect());
            factors.push(cholesky(covariance.clone())?);
            covariances.push(covariance);
        }
        let (bound, iterations) = (f64::NEG_INFINITY, 0);
        Ok(Mixture { sticks, means, mean_precision, freedom, covariances, bound, iterations, factors })
    }
}

/// Half the logarithm of a covariance's determinant, by its lower Cholesky factor.
fn ln_determinant(factor: &Mat<f64>) -> f64 {
    (0..factor.nrows()).map(|j| factor[(j, j)].ln()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As scikit-learn's formulas, started from one-hot responsibilities i mod 4, have it.
    #[test]
    fn scikit_learn_says_the_same() {
        let x: Vec<Vec<f64>> = (0..24)
            .map(|i| (f64::from(i), if i >= 20 { 1.0 } else { 0.0 }))
            .map(|(i, far)| vec![(1.3 * i).sin() + 4.0 * far, 0.5 * (0.7 * i).cos() + 3.0 * far])
            .collect();
        let start = (0..24).map(|i| (0..4).map(|k| f64::from(u8::from(i % 4 == k))).collect()).collect();
        let found = Mixture::fit(&x, start, 0.01).unwrap();
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-7 * (1.0 + b.abs()), "{a} instead of {b}");
        assert_eq!(found.iterations, 13);
        close(found.bound, -6.07562080147);
        for (stick, (a, b)) in found.sticks.iter().zip([
            (5.181778977572, 19.82822102243),
            (1.045107690559, 19.78311333187),
            (20.773113331869, 0.01),
            (1.0, 0.01),
        ]) {
            close(stick.0, a);
            close(stick.1, b);
        }
        for (mean, [x, y]) in found.means.iter().zip([
            [3.271947261326, 2.196252177239],
            [0.651060728757, 0.474748600058],
            [0.024202604033, 0.065002269534],
            [0.671766649838, 0.489887269864],
        ]) {
            close(mean[0], x);
            close(mean[1], y);
        }
        found.freedom.iter().zip([6.18177898, 2.04510769, 21.77311333, 2.0]).for_each(|(a, b)| close(*a, b));
        let first = &found.covariances[0];
        close(first[(0, 0)], 2.667794393245);
        close(first[(1, 0)], 1.522452777386);
        close(first[(1, 1)], 0.987768897124);
    }
}
