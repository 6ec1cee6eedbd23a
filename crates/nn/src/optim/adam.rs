//! Adam (Kingma and Ba, 2015) as `torch.optim.Adam` computes it.

use candle_core::{Tensor, Var};

use super::{Gradients, Optimizer};
use crate::Result;
use crate::params::ParamStore;

/// Options of [`Adam`]; the defaults are PyTorch's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamConfig {
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub eps: f64,
    /// L2 penalty, added to the gradient (not decoupled).
    pub weight_decay: f64,
    /// Whether the second moment's maximum is used instead of it.
    pub amsgrad: bool,
}

impl Default for AdamConfig {
    fn default() -> Self {
        AdamConfig { beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0, amsgrad: false }
    }
}

struct State {
    var: Var,
    m: Tensor,
    v: Tensor,
    v_max: Option<Tensor>,
}

/// Adam over the trained parameters of a store.
pub struct Adam {
    config: AdamConfig,
    states: Vec<State>,
    steps: i32,
}

impl Adam {
    /// Starts with moments of zero.
    ///
    /// # Errors
    /// Where the device refuses the memory.
    pub fn new(params: &ParamStore, config: AdamConfig) -> Result<Self> {
        let state = |var: &Var| -> Result<State> {
            let zeros = || var.zeros_like().map(|t| t.detach());
            Ok(State { var: var.clone(), m: zeros()?, v: zeros()?, v_max: config.amsgrad.then(zeros).transpose()? })
        };
        let states = params.trainable().map(|p| state(&p.var)).collect::<Result<_>>()?;
        Ok(Adam { config, states, steps: 0 })
    }
}

impl Optimizer for Adam {
    fn step(&mut self, gradients: &Gradients, lr: f64) -> Result<()> {
        self.steps += 1;
        let c = self.config;
        let step_size = lr / (1.0 - c.beta1.powi(self.steps));
        let correction = (1.0 - c.beta2.powi(self.steps)).sqrt();
        for (state, grad) in self.states.iter_mut().zip(gradients) {
            let Some(grad) = grad else { continue };
            let theta = state.var.as_tensor().detach();
            let grad = if c.weight_decay == 0.0 { grad.clone() } else { (grad + (&theta * c.weight_decay)?)? };
            state.m = ((&state.m * c.beta1)? + (&grad * (1.0 - c.beta1))?)?;
            state.v = ((&state.v * c.beta2)? + (grad.sqr()? * (1.0 - c.beta2))?)?;
            let second = match &mut state.v_max {
                Some(max) => {
                    *max = max.maximum(&state.v)?;
                    &*max
                }
                None => &state.v,
            };
            let denom = ((second.sqrt()? / correction)? + c.eps)?;
            state.var.set(&(theta - (state.m.div(&denom)? * step_size)?)?)?;
        }
        Ok(())
    }
}
