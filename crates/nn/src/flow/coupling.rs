//! One step of the flow: affine coupling, scale and offset, rotation.

use candle_core::{D, DType, Tensor, Var};
use zsad_core::{Implementation, Operator};

use super::FlowConfig;
use crate::layers::{Linear, LinearInit};
use crate::ops::{self, Plan, Source};
use crate::{Init, Result, params::Builder};

/// The perceptron's output is scaled by this, so that a fresh coupling is close to the identity (FrEIA).
const DAMPING: f64 = 0.1;

#[derive(Debug, Clone)]
pub struct Coupling {
    /// The perceptron: the kept channels and the condition come in, factor and shift of the others go out.
    first: Linear,
    second: Linear,
    scale: Var,
    offset: Var,
    rotation: Var,
    split: usize,
    clamp: f64,
    by: Implementation,
}

impl Coupling {
    /// Registers the parameters. The perceptron's are PyTorch's defaults.
    pub fn new(b: &mut Builder, config: &FlowConfig) -> Result<Self> {
        let channels = config.channels;
        let split = channels - channels / 2;
        let input = split + config.condition;
        let hidden = config.hidden.unwrap_or(2 * input);
        let first = Linear::new(&mut b.scope("first"), input, hidden, LinearInit::torch(input))?;
        let second = Linear::new(&mut b.scope("second"), hidden, 2 * (channels - split), LinearInit::torch(hidden))?;
        // softplus gives a factor of 1 to start with.
        let one = 2.0 * (5f64.exp() - 1.0).ln();
        let scale = b.add("scale", &[channels], Init::Constant(one))?;
        let offset = b.add("offset", &[channels], Init::ZEROS)?;
        let rotation = b.buffer("rotation", &[channels, channels], Init::Normal(0.0, 1.0))?;
        rotation.set(&orthonormal(&rotation)?)?;
        let by = b.operator(Operator::Coupling);
        Ok(Coupling { first, second, scale, offset, rotation, split, clamp: config.clamp, by })
    }

    /// `x` `[n, channels]` with conditions `[n, condition]` → y of the same shape and log |det| `[n]`.
    pub fn forward(&self, x: &Tensor, conditions: &Tensor) -> Result<(Tensor, Tensor)> {
        let channels = x.dims()[1];
        let a = self.coefficients(&x.narrow(1, 0, self.split)?, conditions)?;
        let coupled = match self.by {
            Implementation::Fused => ops::affine(x, &a, self.clamp)?,
            Implementation::Composed => self.affine_reference(x, &a)?,
        };
        let factor = self.factor()?;
        // Scale and rotation are one matrix, [in, out].
        let rotation = self.rotation.as_detached_tensor().t()?;
        let offset = self.offset.unsqueeze(0)?.matmul(&rotation)?;
        // A GPU multiplies what lies row by row without gaps alone.
        let y =
            coupled.narrow(1, 0, channels)?.contiguous()?.matmul(&rotation.broadcast_mul(&factor.unsqueeze(1)?)?)?;
        let log_det = coupled.narrow(1, channels, 1)?.squeeze(1)?.broadcast_add(&factor.log()?.sum_all()?)?;
        Ok((y.broadcast_add(&offset)?, log_det))
    }

    /// The inverse of [`Coupling::forward`].
    pub fn inverse(&self, y: &Tensor, conditions: &Tensor) -> Result<Tensor> {
        let y = y.matmul(&self.rotation.as_detached_tensor())?;
        let y = y.broadcast_sub(&self.offset)?.broadcast_div(&self.factor()?)?;
        let (kept, changed) = self.halves(&y)?;
        let (log_factor, shift) = self.log_factor_and_shift(&self.coefficients(&kept, conditions)?)?;
        let changed = ((changed - shift)? * log_factor.neg()?.exp()?)?;
        Ok(Tensor::cat(&[kept, changed], 1)?)
    }

    /// The channels that pass as they are and those that are changed.
    fn halves(&self, x: &Tensor) -> Result<(Tensor, Tensor)> {
        let rest = x.dims()[1] - self.split;
        Ok((x.narrow(1, 0, self.split)?.contiguous()?, x.narrow(1, self.split, rest)?.contiguous()?))
    }

    /// What the perceptron gives: `[n, 2 · changed channels]`.
    fn coefficients(&self, kept: &Tensor, conditions: &Tensor) -> Result<Tensor> {
        let x = Tensor::cat(&[kept, conditions], 1)?;
        let mut plan = Plan::new(&x);
        self.first.plan(&mut plan, Source::Rows, None, true)?;
        self.second.plan(&mut plan, Source::Rows, None, false)?;
        let a = match plan.fits() {
            true => plan.run(&x, 1, &[x.dims()[0], self.second.weight.dims()[0]])?,
            false => self.second.forward(&self.first.forward(&x)?.relu()?)?,
        };
        Ok((a * DAMPING)?)
    }

    /// Logarithm of the factor, softly clamped, and the shift of the changed channels.
    fn log_factor_and_shift(&self, a: &Tensor) -> Result<(Tensor, Tensor)> {
        let n = a.dims()[1] / 2;
        Ok(((a.narrow(1, 0, n)?.tanh()? * self.clamp)?, a.narrow(1, n, n)?))
    }

    /// [`ops::affine`] from candle's own operations.
    fn affine_reference(&self, x: &Tensor, a: &Tensor) -> Result<Tensor> {
        let (kept, changed) = self.halves(x)?;
        let (log_factor, shift) = self.log_factor_and_shift(a)?;
        let changed = ((changed * log_factor.exp()?)? + shift)?;
        Ok(Tensor::cat(&[kept, changed, log_factor.sum_keepdim(D::Minus1)?], 1)?)
    }

    /// The positive factor of every channel: 0.1 softplus with β ½.
    fn factor(&self) -> Result<Tensor> {
        let half = (self.scale.as_tensor() * 0.5)?;
        // log(1 + e^h) without overflow.
        let softplus = (half.relu()? + (half.abs()?.neg()?.exp()? + 1.0)?.log()?)?;
        Ok((softplus * 0.2)?)
    }
}

/// The rows of a square matrix of normal deviates made orthonormal one after the other (Gram and Schmidt, each step
/// done twice, in f64): a rotation or a reflection, uniform over all of them.
fn orthonormal(matrix: &Var) -> Result<Tensor> {
    let mut rows = matrix.to_dtype(DType::F64)?.to_vec2::<f64>()?;
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    for i in 0..rows.len() {
        let (done, rest) = rows.split_at_mut(i);
        let row = &mut rest[0];
        for other in done.iter().chain(done.iter()) {
            let along = dot(row, other);
            row.iter_mut().zip(other).for_each(|(v, o)| *v -= along * o);
        }
        let norm = dot(row, row).sqrt();
        row.iter_mut().for_each(|v| *v /= norm);
    }
    let size = rows.len();
    Ok(Tensor::from_vec(rows.concat(), (size, size), matrix.device())?.to_dtype(matrix.dtype())?)
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};
    use zsad_core::rng::stream;

    use super::*;
    use crate::ParamStore;

    #[test]
    fn the_kernel_is_what_candle_composes_with_the_same_gradients() {
        let mut store = ParamStore::new(&Device::Cpu, DType::F64);
        let mut rng = stream(1, &[]);
        let config = FlowConfig { channels: 5, condition: 4, hidden: Some(6), couplings: 1, clamp: 1.9 };
        let coupling = Coupling::new(&mut store.builder(&mut rng), &config).unwrap();
        let draw = |n: usize, k: f64| {
            let values: Vec<f64> = (0..7 * n).map(|i| (i as f64 * 0.7 + k).sin() * 1.5).collect();
            Var::from_vec(values, (7, n), &Device::Cpu).unwrap()
        };
        let (x, a, weight) = (draw(5, 0.3), draw(4, 0.8), draw(6, 1.7));
        let kernel = ops::affine(&x, &a, coupling.clamp).unwrap();
        let composed = coupling.affine_reference(&x, &a).unwrap();
        let gradients =
            [&kernel, &composed].map(|y| (y * weight.as_tensor()).unwrap().sum_all().unwrap().backward().unwrap());
        let values = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f64>().unwrap();
        let mut pairs = vec![(values(&kernel), values(&composed))];
        for var in [&x, &a] {
            let [kernel, composed] = [0, 1].map(|i| values(gradients[i].get(var).unwrap()));
            pairs.push((kernel, composed));
        }
        for (kernel, composed) in pairs {
            assert!(kernel.iter().any(|v| v.abs() > 0.1));
            assert!(kernel.iter().zip(&composed).all(|(k, c)| (k - c).abs() < 1e-12), "{kernel:?} {composed:?}");
        }
    }
}
