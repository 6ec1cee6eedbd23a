//! Logistic regression.

use faer::Mat;
use serde::{Deserialize, Serialize};
use zsad_core::{Error, Result};

use crate::linear::{Scale, solve};

/// Newton's steps at most; a handful are enough.
const STEPS: usize = 100;

/// The probability of a label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Logistic {
    scale: Scale,
    /// A weight for every column on that scale, and the intercept.
    weights: Vec<f64>,
}

impl Logistic {
    /// The regression of labels on rows: least negative log-likelihood + ½ |w|² with columns of mean 0 and standard
    /// deviation 1 (scikit-learn's default), found by Newton's method.
    ///
    /// # Errors
    /// [`Error::Refused`] where there is no row, or it does not converge.
    pub fn fit(rows: &[Vec<f64>], labels: &[bool]) -> Result<Self> {
        if rows.is_empty() {
            return Err(Error::refused("no sample to learn probabilities from"));
        }
        let scale = Scale::of(rows);
        let p = scale.columns() + 1;
        let mut x = Vec::with_capacity(rows.len() * p);
        for row in rows {
            x.extend(scale.apply(row));
            x.push(1.0);
        }
        let mut weights = vec![0.0; p];
        for _ in 0..STEPS {
            let step = newton(&x, labels, &weights)?;
            weights.iter_mut().zip(&step).for_each(|(w, s)| *w -= s);
            if step.iter().all(|s| s.abs() < 1e-10) {
                return Ok(Logistic { scale, weights });
            }
        }
        Err(Error::refused("the regression of labels on scores does not converge"))
    }

    /// The probability of a row.
    pub fn at(&self, row: &[f64]) -> f64 {
        let x = self.scale.apply(row);
        sigmoid(x.iter().chain([&1.0]).zip(&self.weights).map(|(x, w)| x * w).sum())
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// The inverse Hessian times the gradient of the penalised negative log-likelihood; `x` `[rows, weights]`.
fn newton(x: &[f64], labels: &[bool], weights: &[f64]) -> Result<Vec<f64>> {
    let p = weights.len();
    let (mut hessian, mut gradient) = (Mat::<f64>::zeros(p, p), Mat::<f64>::zeros(p, 1));
    for (row, &label) in x.chunks_exact(p).zip(labels) {
        let q = sigmoid(row.iter().zip(weights).map(|(x, w)| x * w).sum());
        let (off, curve) = (q - f64::from(u8::from(label)), q * (1.0 - q));
        for j in 0..p {
            gradient[(j, 0)] += off * row[j];
            for i in j..p {
                hessian[(i, j)] += curve * row[i] * row[j];
            }
        }
    }
    for j in 0..p - 1 {
        hessian[(j, j)] += 1.0;
        gradient[(j, 0)] += weights[j];
    }
    solve(hessian, gradient)
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: [f64; 4] = [0.28239906708546486, 0.5320417899828299, 0.6659947576018128, 0.6195912222007051];

    // import numpy as np; from sklearn.linear_model import LogisticRegression
    // i = np.arange(40); x = np.stack([np.sin(i * .7), np.cos(i * 1.9) + i * .05], 1); y = np.sin(i * .7) + np.sin(i * 5.3) > .4
    // x = (x - x.mean(0)) / x.std(0); m = LogisticRegression(tol=1e-12, max_iter=10000).fit(x, y)
    // print(m.predict_proba(x)[:4, 1].tolist())
    #[test]
    fn scikit_learn_says_the_same() {
        let x: Vec<Vec<f64>> =
            (0..40).map(f64::from).map(|i| vec![(i * 0.7).sin(), (i * 1.9).cos() + i * 0.05]).collect();
        let y: Vec<bool> = (0..40).map(f64::from).map(|i| (i * 0.7).sin() + (i * 5.3).sin() > 0.4).collect();
        let model = Logistic::fit(&x, &y).unwrap();
        for (row, p) in x.iter().zip(P) {
            assert!((model.at(row) - p).abs() < 1e-6, "{} instead of {p}", model.at(row));
        }
    }

    #[test]
    fn labels_that_are_apart_have_an_end() {
        let model = Logistic::fit(&[vec![0.0], vec![1.0], vec![2.0]], &[false, false, true]).unwrap();
        assert!(model.at(&[2.0]) > 0.5 && model.at(&[0.0]) < 0.5);
    }
}
