//! What is minimised, layer by layer.

use candle_core::{D, DType, Tensor};
use zsad_nn::Result;

/// Added under square roots, whose slope at 0 has no bound.
const TINY: f64 = 1e-12;

zsad_core::choices! {
    /// What the two terms of Equation 2 are divided by.
    pub enum AnomalyMean {
        /// Each by its own number of positions.
        Separate = "separate",
        /// Both by the number of all positions.
        Pooled = "pooled",
    }
}

zsad_core::choices! {
    /// How far an anomaly has moved.
    pub enum AnomalyTerm {
        /// ‖x' − x‖.
        L2 = "l2",
        /// ‖x' − x‖² / channels.
        Mse = "mse",
    }
}

zsad_core::params! {
    /// Equation 2: √(‖x'‖ + 1) − 1 of constrained features x' of normals, and how far anomalies have moved.
    pub struct Constraint {
        /// separate: the mean over normals and the mean over anomalies, as the authors' function takes them; pooled: both
        /// sums divided by all positions, of which anomalies are one or two in a hundred
        pub anomaly_mean: AnomalyMean = AnomalyMean::Separate;
        /// l2: the norm of an anomaly's movement (Eq. 2); mse: its mean square over channels, as the authors' function
        pub anomaly_term: AnomalyTerm = AnomalyTerm::L2;
        /// whether anomalies are held where they are at all
        pub invariance: bool = true;
    }
}

impl Constraint {
    /// The loss of constrained features and residuals, both `[n, channels]`, of which `anomalous` tells the anomalies.
    pub fn loss(&self, constrained: &Tensor, residuals: &Tensor, anomalous: &[bool]) -> Result<Tensor> {
        let (normals, anomalies) = (rows(anomalous, false), rows(anomalous, true));
        let of = match self.anomaly_mean {
            AnomalyMean::Separate => (normals.len(), anomalies.len()),
            AnomalyMean::Pooled => (anomalous.len(), anomalous.len()),
        };
        let norm = |x: &Tensor| (x.sqr()?.sum(D::Minus1)? + TINY)?.sqrt();
        let at = |x: &Tensor, rows: &[u32]| x.index_select(&Tensor::new(rows, x.device())?, 0);
        let mut loss = Tensor::zeros((), constrained.dtype(), constrained.device())?;
        if !normals.is_empty() {
            let term = ((norm(&at(constrained, &normals)?)? + 1.0)?.sqrt()? - 1.0)?;
            loss = (loss + (term.sum_all()? / of.0 as f64)?)?;
        }
        if self.invariance && !anomalies.is_empty() {
            let moved = (at(constrained, &anomalies)? - at(residuals, &anomalies)?)?;
            let term = match self.anomaly_term {
                AnomalyTerm::L2 => norm(&moved)?,
                AnomalyTerm::Mse => moved.sqr()?.mean(D::Minus1)?,
            };
            loss = (loss + (term.sum_all()? / of.1 as f64)?)?;
        }
        Ok(loss)
    }
}

/// Where `anomalous` is `wanted`.
fn rows(anomalous: &[bool], wanted: bool) -> Vec<u32> {
    (0..).zip(anomalous).filter(|(_, a)| **a == wanted).map(|(i, _)| i).collect()
}

/// The flow's loss and its constants.
#[derive(Debug, Clone, Copy)]
pub(super) struct Boundary {
    /// Margin of the anomalous boundary below the normal one.
    pub tau: f64,
    /// Weight of the boundary loss.
    pub lambda: f64,
    /// Share of normals below the normal boundary.
    pub quantile: f64,
}

impl Boundary {
    /// Equations 4 and 5 on log-likelihoods `[n]` of some positions: over `normals`, −log p and max(b − log p, 0); over
    /// `anomalies`, max(log p − b + τ, 0); b is BGAD's normal boundary, the quantile of the normals here. Sums are
    /// divided by the numbers `of` normals and anomalies of the whole mini-batch.
    pub fn loss(&self, likelihood: &Tensor, normals: &[u32], anomalies: &[u32], of: (usize, usize)) -> Result<Tensor> {
        let values = likelihood.detach().to_dtype(DType::F64)?.to_vec1::<f64>()?;
        let mut sorted: Vec<f64> = normals.iter().map(|&i| values[i as usize]).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let at = (sorted.len() as f64 * self.quantile) as usize;
        let Some(&boundary) = sorted.get(at.min(sorted.len().saturating_sub(1))) else {
            return Err(zsad_core::Error::failed("a boundary wants normals").into());
        };
        let margin = boundary - self.tau;
        let below: Vec<u32> = normals.iter().copied().filter(|&i| values[i as usize] < boundary).collect();
        let above: Vec<u32> = anomalies.iter().copied().filter(|&i| values[i as usize] > margin).collect();

        let sum = |of: &[u32]| likelihood.index_select(&Tensor::new(of, likelihood.device())?, 0)?.sum_all();
        let mut loss = (sum(normals)? * (-1.0 / of.0 as f64))?;
        if !below.is_empty() {
            loss = (loss + ((boundary * below.len() as f64 - sum(&below)?)? * (self.lambda / of.0 as f64))?)?;
        }
        if !above.is_empty() {
            loss = (loss + ((sum(&above)? - margin * above.len() as f64)? * (self.lambda / of.1 as f64))?)?;
        }
        Ok(loss)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    fn wave(n: usize, k: f64) -> Vec<f64> {
        (0..n).map(|i| (i as f64 * 0.9 + k).sin()).collect()
    }

    // import numpy as np; w = lambda n, k: np.sin(np.arange(n) * 0.9 + k); norm = lambda v: sum(e * e for e in v) ** 0.5
    // x, r = w(18, .2).reshape(6, 3), w(18, .5).reshape(6, 3); anomalies = [1, 4]
    // normal = sum((norm(x[i]) + 1) ** 0.5 - 1 for i in [0, 2, 3, 5]); l2 = sum(norm(x[i] - r[i]) for i in anomalies)
    // mse = sum((x[i, c] - r[i, c]) ** 2 for i in anomalies for c in range(3))
    // print(normal / 4 + l2 / 2, normal / 4 + mse / 6, normal / 4, (normal + l2) / 6)
    #[test]
    fn the_constraint_is_numpys_and_its_gradient_that_of_finite_differences() {
        let (separate, pooled) = (AnomalyMean::Separate, AnomalyMean::Pooled);
        for (anomaly_mean, anomaly_term, invariance, want) in [
            (separate, AnomalyTerm::L2, true, SEPARATE),
            (separate, AnomalyTerm::Mse, true, SEPARATE_MSE),
            (separate, AnomalyTerm::L2, false, NORMALS),
            (pooled, AnomalyTerm::L2, true, POOLED),
        ] {
            let constraint = Constraint { anomaly_mean, anomaly_term, invariance };
            let residuals = Tensor::from_vec(wave(18, 0.5), (6, 3), &Device::Cpu).unwrap();
            let loss = |x: &Tensor| constraint.loss(x, &residuals, &ANOMALOUS).unwrap();
            let x = Var::from_vec(wave(18, 0.2), (6, 3), &Device::Cpu).unwrap();
            near(&[loss(&x).to_scalar().unwrap()], &[want]);
            let gradient = loss(&x).backward().unwrap().remove(&x).unwrap().flatten_all().unwrap();
            let at = |i: usize, step: f64| {
                let mut x = wave(18, 0.2);
                x[i] += step;
                loss(&Tensor::from_vec(x, (6, 3), &Device::Cpu).unwrap()).to_scalar::<f64>().unwrap()
            };
            let differences: Vec<f64> = (0..18).map(|i| (at(i, 1e-5) - at(i, -1e-5)) / 2e-5).collect();
            near(&gradient.to_vec1::<f64>().unwrap(), &differences);
        }
    }

    #[test]
    fn a_side_without_positions_adds_nothing() {
        let x = Tensor::from_vec(wave(6, 0.2), (2, 3), &Device::Cpu).unwrap();
        let loss = |x: &Tensor, anomalous| {
            Constraint::default().loss(x, &x.zeros_like().unwrap(), anomalous).unwrap().to_scalar::<f64>().unwrap()
        };
        let norm = |row: &[f64]| row.iter().map(|v| v * v).sum::<f64>().sqrt();
        let norms: Vec<f64> = wave(6, 0.2).chunks(3).map(norm).collect();
        near(&[loss(&x, &[true, true])], &[(norms[0] + norms[1]) / 2.0]);
        let huber = |n: f64| (n + 1.0).sqrt() - 1.0;
        near(&[loss(&x, &[false, false])], &[(huber(norms[0]) + huber(norms[1])) / 2.0]);
    }

    // import torch; torch.set_default_dtype(torch.float64); w = lambda n, k: torch.sin(torch.arange(n) * 0.9 + k)
    // p = w(8, 0.4).requires_grad_(); m = torch.tensor([0, 0, 1, 0, 0, 1, 0, 0]).bool(); n, a = p[~m], p[m]
    // b = n.detach().sort()[0][int(len(n) * 0.2)]
    // l = (-n).sum() / 6 + 0.7 * ((n - b).clamp(max=0).abs().sum() / 6 + (a - b + 0.1).clamp(min=0).sum() / 2)
    // l.backward(); print(l, p.grad)
    #[test]
    fn the_boundary_loss_and_its_gradient_are_pytorchs() {
        let p = Var::from_vec(wave(8, 0.4), 8, &Device::Cpu).unwrap();
        let boundary = Boundary { tau: 0.1, lambda: 0.7, quantile: 0.2 };
        let loss = boundary.loss(&p, &[0, 1, 3, 4, 6, 7], &[2, 5], (6, 2)).unwrap();
        let gradient = loss.backward().unwrap().remove(&p).unwrap().to_vec1::<f64>().unwrap();
        near(&[loss.to_scalar().unwrap()], &[BOUNDARY]);
        near(&gradient, &BOUNDARY_GRADIENT);
    }

    #[test]
    fn the_gradient_at_the_origin_is_finite() {
        let x = Var::zeros((2, 3), DType::F64, &Device::Cpu).unwrap();
        let loss = Constraint::default().loss(&x, &x.zeros_like().unwrap(), &[false, true]).unwrap();
        let gradient = loss.backward().unwrap().remove(&x).unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap();
        assert!(gradient.iter().all(|g| *g == 0.0), "{gradient:?}");
    }

    fn near(got: &[f64], want: &[f64]) {
        assert!(got.iter().zip(want).all(|(g, w)| (g - w).abs() < 1e-9), "{got:?} {want:?}");
    }

    const ANOMALOUS: [bool; 6] = [false, true, false, false, true, false];
    const SEPARATE: f64 = 0.8580727500024277;
    const SEPARATE_MSE: f64 = 0.5310118643003852;
    const NORMALS: f64 = 0.48445386719990186;
    const POOLED: f64 = 0.4475088724007765;
    const BOUNDARY: f64 = 0.4183408016436502;
    const BOUNDARY_GRADIENT: [f64; 8] = [
        -0.16666666666666666,
        -0.16666666666666666,
        0.35,
        -0.16666666666666666,
        -0.2833333333333333,
        0.0,
        -0.16666666666666666,
        -0.16666666666666666,
    ];
}
