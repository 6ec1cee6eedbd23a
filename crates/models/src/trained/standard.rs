//! Features in units of the pool: zero mean, unit deviation.

use candle_core::{Tensor, Var};
use zsad_nn::{Init, params::Builder};

use super::pool::PoolSource;

/// Mean and deviation of the pool, by feature.
pub(crate) struct Standard {
    mean: Var,
    /// 1 where a feature is constant.
    scale: Var,
}

impl Standard {
    /// Registers `mean` and `scale` of `d` features.
    pub fn new(d: usize, b: &mut Builder) -> zsad_nn::Result<Self> {
        let mean = b.buffer("mean", &[d], Init::ZEROS)?;
        Ok(Standard { mean, scale: b.buffer("scale", &[d], Init::ONES)? })
    }

    /// Takes both from the pool.
    pub fn learn(&self, pool: &PoolSource) -> zsad_nn::Result<()> {
        let (mean, scale) = pool.moments()?;
        self.mean.set(&mean)?;
        Ok(self.scale.set(&scale)?)
    }

    /// `[n, shape…]` → `[n, d]`.
    pub fn apply(&self, x: &Tensor) -> zsad_nn::Result<Tensor> {
        let (mean, scale) = (self.mean.as_tensor().detach(), self.scale.as_tensor().detach());
        Ok(x.flatten_from(1)?.broadcast_sub(&mean)?.broadcast_div(&scale)?)
    }
}
