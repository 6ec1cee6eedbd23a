//! Optimisers with PyTorch's semantics, learning-rate steps and gradient clipping.

mod adam;
mod sgd;

pub use adam::{Adam, AdamConfig};
pub use sgd::{Sgd, SgdConfig};

use candle_core::DType;

pub use crate::params::Gradients;
use crate::{Result, ops};

/// Updates parameters from gradients.
pub trait Optimizer: Send {
    /// One update with learning rate `lr`.
    ///
    /// # Errors
    /// Where candle refuses.
    fn step(&mut self, gradients: &Gradients, lr: f64) -> Result<()>;
}

/// A learning rate that is multiplied by `gamma` every `every` steps: `torch.optim.lr_scheduler.StepLR`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepLr {
    /// The first learning rate.
    pub base: f64,
    /// Steps between two cuts; 0: never.
    pub every: u64,
    /// The factor of a cut.
    pub gamma: f64,
}

impl StepLr {
    /// A learning rate that stays.
    pub fn constant(base: f64) -> Self {
        StepLr { base, every: 0, gamma: 1.0 }
    }

    /// The learning rate of update `step`, counted from 0.
    pub fn at(&self, step: u64) -> f64 {
        step.checked_div(self.every).map_or(self.base, |cuts| self.base * self.gamma.powf(cuts as f64))
    }
}

/// Adds `more` to `sum` (empty: of nothing yet), in place where it can. Tensors of `sum` must not be shared.
///
/// # Errors
/// Where candle refuses.
pub fn add_gradients(sum: &mut Gradients, more: Gradients) -> Result<()> {
    sum.resize(more.len(), None);
    for (to, by) in sum.iter_mut().zip(more) {
        *to = match (to.take(), by) {
            (Some(to), Some(by)) => Some(ops::add(to, &by)?),
            (to, by) => to.or(by),
        };
    }
    Ok(())
}

/// The Euclidean norm of all gradients together.
fn global_norm(gradients: &Gradients) -> Result<f64> {
    let mut sum = 0.0;
    for g in gradients.iter().flatten() {
        sum += g.sqr()?.sum_all()?.to_dtype(DType::F64)?.to_scalar::<f64>()?;
    }
    Ok(sum.sqrt())
}

/// Scales all gradients so that their global norm is at most `max`: `torch.nn.utils.clip_grad_norm_`.
/// Returns the norm before.
///
/// # Errors
/// Where candle refuses.
pub fn clip_global_norm(gradients: &mut Gradients, max: f64) -> Result<f64> {
    let norm = global_norm(gradients)?;
    let factor = max / (norm + 1e-6);
    if factor < 1.0 {
        for g in gradients.iter_mut().flatten() {
            *g = (&*g * factor)?;
        }
    }
    Ok(norm)
}

#[cfg(test)]
mod tests;
