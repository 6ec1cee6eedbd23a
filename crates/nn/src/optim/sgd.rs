//! Stochastic gradient descent with momentum, as `torch.optim.SGD` computes it.

use candle_core::{Tensor, Var};

use super::{Gradients, Optimizer};
use crate::Result;
use crate::params::ParamStore;

/// Options of [`Sgd`].
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct SgdConfig {
    /// Share of the last update that is kept; 0: none.
    pub momentum: f64,
    /// Whether the momentum is Nesterov's.
    pub nesterov: bool,
    /// L2 penalty, added to the gradient.
    pub weight_decay: f64,
}

/// Gradient descent over the trained parameters of a store.
pub struct Sgd {
    config: SgdConfig,
    states: Vec<(Var, Option<Tensor>)>,
}

impl Sgd {
    /// Starts without momentum.
    pub fn new(params: &ParamStore, config: SgdConfig) -> Self {
        Sgd { config, states: params.trainable().map(|p| (p.var.clone(), None)).collect() }
    }
}

impl Optimizer for Sgd {
    fn step(&mut self, gradients: &Gradients, lr: f64) -> Result<()> {
        let c = self.config;
        for ((var, buffer), grad) in self.states.iter_mut().zip(gradients) {
            let Some(grad) = grad else { continue };
            let theta = var.as_tensor().detach();
            let grad = if c.weight_decay == 0.0 { grad.clone() } else { (grad + (&theta * c.weight_decay)?)? };
            let update = if c.momentum == 0.0 {
                grad
            } else {
                let velocity = match buffer.take() {
                    Some(old) => ((old * c.momentum)? + &grad)?,
                    None => grad.clone(),
                };
                *buffer = Some(velocity.clone());
                if c.nesterov { (grad + (velocity * c.momentum)?)? } else { velocity }
            };
            var.set(&(theta - (update * lr)?)?)?;
        }
        Ok(())
    }
}
