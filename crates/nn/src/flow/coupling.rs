//! One step of the flow: affine coupling, scale and offset, rotation.

use candle_core::{D, DType, Tensor, Var};

use super::{Condition, FlowConfig};
use crate::layers::{Linear, LinearInit};
use crate::{Init, Result, params::Builder};

/// The perceptron's output is scaled by this, so that a fresh coupling is close to the identity (FrEIA).
const DAMPING: f64 = 0.1;

#[derive(Debug, Clone)]
pub struct Coupling {
    /// The perceptron's first layer in two parts, one for the kept channels and one for the condition: points that
    /// share a condition share the second part's product.
    kept: Linear,
    condition: Linear,
    second: Linear,
    scale: Var,
    offset: Var,
    rotation: Var,
    split: usize,
    clamp: f64,
}

impl Coupling {
    /// Registers the parameters. The perceptron's are PyTorch's defaults for a layer of both parts' inputs together.
    pub fn new(b: &mut Builder, config: &FlowConfig) -> Result<Self> {
        let channels = config.channels;
        let split = channels - channels / 2;
        let input = split + config.condition;
        let hidden = config.hidden.unwrap_or(2 * input);
        let bound = 1.0 / (input as f64).sqrt();
        let first = LinearInit { weight: Init::Uniform(-bound, bound), bias: Some(Init::TorchBias(input)) };
        let kept = Linear::new(&mut b.scope("kept"), split, hidden, first)?;
        let without_bias = LinearInit { bias: None, ..first };
        let condition = Linear::new(&mut b.scope("condition"), config.condition, hidden, without_bias)?;
        let second = Linear::new(&mut b.scope("second"), hidden, 2 * (channels - split), LinearInit::torch(hidden))?;
        // softplus gives a factor of 1 to start with.
        let one = 2.0 * (5f64.exp() - 1.0).ln();
        let scale = b.add("scale", &[channels], Init::Constant(one))?;
        let offset = b.add("offset", &[channels], Init::ZEROS)?;
        let rotation = b.buffer("rotation", &[channels, channels], Init::Normal(0.0, 1.0))?;
        rotation.set(&orthonormal(&rotation)?)?;
        Ok(Coupling { kept, condition, second, scale, offset, rotation, split, clamp: config.clamp })
    }

    pub fn forward(&self, x: &Tensor, condition: Condition) -> Result<(Tensor, Tensor)> {
        let (kept, changed) = self.halves(x)?;
        let (log_factor, shift) = self.coefficients(&kept, condition)?;
        let changed = ((changed * log_factor.exp()?)? + shift)?;
        let factor = self.factor()?;
        let y = Tensor::cat(&[kept, changed], 1)?.broadcast_mul(&factor)?.broadcast_add(&self.offset)?;
        let log_det = log_factor.sum(D::Minus1)?.broadcast_add(&factor.log()?.sum_all()?)?;
        Ok((y.matmul(&self.rotation.as_detached_tensor().t()?)?, log_det))
    }

    pub fn inverse(&self, y: &Tensor, condition: Condition) -> Result<Tensor> {
        let y = y.matmul(&self.rotation.as_detached_tensor())?;
        let y = y.broadcast_sub(&self.offset)?.broadcast_div(&self.factor()?)?;
        let (kept, changed) = self.halves(&y)?;
        let (log_factor, shift) = self.coefficients(&kept, condition)?;
        let changed = ((changed - shift)? * log_factor.neg()?.exp()?)?;
        Ok(Tensor::cat(&[kept, changed], 1)?)
    }

    /// The channels that pass as they are and those that are changed.
    fn halves(&self, x: &Tensor) -> Result<(Tensor, Tensor)> {
        let rest = x.dims()[1] - self.split;
        Ok((x.narrow(1, 0, self.split)?.contiguous()?, x.narrow(1, self.split, rest)?.contiguous()?))
    }

    /// Logarithm of the factor, softly clamped, and the shift of the changed channels.
    fn coefficients(&self, kept: &Tensor, condition: Condition) -> Result<(Tensor, Tensor)> {
        let by_condition = self.condition.forward(condition.table)?.index_select(condition.rows, 0)?;
        let hidden = (self.kept.forward(kept)? + by_condition)?.relu()?;
        let a = (self.second.forward(&hidden)? * DAMPING)?;
        let n = a.dims()[1] / 2;
        let log_factor = (a.narrow(1, 0, n)?.tanh()? * self.clamp)?;
        Ok((log_factor, a.narrow(1, n, n)?))
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
