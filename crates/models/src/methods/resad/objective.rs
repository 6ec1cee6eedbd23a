//! What is minimised, layer by layer.

use candle_core::{D, DType, Tensor};
use zsad_nn::Result;

/// Added under square roots, whose slope at 0 has no bound.
const TINY: f64 = 1e-12;

/// Equation 2, the mean over positions: |√(‖x'‖ + 1) − 1| of constrained features x' of normals, ‖x' − x‖ of anomalies.
/// `constrained` and `residuals` are `[n, channels]`; `anomalous` `[n]` holds 1 for anomalies, else 0.
pub(super) fn constraint(constrained: &Tensor, residuals: &Tensor, anomalous: &Tensor) -> Result<Tensor> {
    let norm = |x: &Tensor| (x.sqr()?.sum(D::Minus1)? + TINY)?.sqrt();
    let normal = ((norm(constrained)? + 1.0)?.sqrt()? - 1.0)?;
    let invariant = norm(&(constrained - residuals)?)?;
    Ok((normal.mul(&(1.0 - anomalous)?)? + invariant.mul(anomalous)?)?.mean_all()?)
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

    // import torch; torch.set_default_dtype(torch.float64)
    // w = lambda n, k: torch.sin(torch.arange(n) * 0.9 + k)
    // x = w(18, 0.2).reshape(6, 3).requires_grad_(); r = w(18, 0.5).reshape(6, 3); m = torch.tensor([0, 1, 0, 0, 1, 0.])
    // l = ((1 - m) * ((x.norm(dim=1) + 1).sqrt() - 1).abs() + m * (x - r).norm(dim=1)).mean(); l.backward()
    // print(l, x.grad[1])
    // p = w(8, 0.4).requires_grad_(); m = torch.tensor([0, 0, 1, 0, 0, 1, 0, 0]).bool(); n, a = p[~m], p[m]
    // b = n.detach().sort()[0][int(len(n) * 0.2)]
    // l = (-n).sum() / 6 + 0.7 * ((n - b).clamp(max=0).abs().sum() / 6 + (a - b + 0.1).clamp(min=0).sum() / 2)
    // l.backward(); print(l, p.grad)
    #[test]
    fn losses_and_gradients_are_pytorchs() {
        let x = Var::from_vec(wave(18, 0.2), (6, 3), &Device::Cpu).unwrap();
        let r = Tensor::from_vec(wave(18, 0.5), (6, 3), &Device::Cpu).unwrap();
        let anomalous = Tensor::new(&[0f64, 1.0, 0.0, 0.0, 1.0, 0.0], &Device::Cpu).unwrap();
        let loss = constraint(&x, &r, &anomalous).unwrap();
        let gradient = loss.backward().unwrap().remove(&x).unwrap().to_vec2::<f64>().unwrap();
        near(&[loss.to_scalar().unwrap()], &[CONSTRAINT]);
        near(&gradient[1], &CONSTRAINT_GRADIENT);

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
        let loss = constraint(&x, &x.zeros_like().unwrap(), &Tensor::new(&[0f64, 1.0], &Device::Cpu).unwrap()).unwrap();
        let gradient = loss.backward().unwrap().remove(&x).unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap();
        assert!(gradient.iter().all(|g| *g == 0.0), "{gradient:?}");
    }

    fn near(got: &[f64], want: &[f64]) {
        assert!(got.iter().zip(want).all(|(g, w)| (g - w).abs() < 1e-9), "{got:?} {want:?}");
    }

    const CONSTRAINT: f64 = 0.4475088724007765;
    const CONSTRAINT_GRADIENT: [f64; 3] = [0.136082791498878, 0.09438134514010907, -0.018746021583106155];
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
