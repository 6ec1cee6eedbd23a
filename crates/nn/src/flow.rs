//! A conditional normalizing flow: Real-NVP couplings with soft clamping, fixed random rotations and global scaling.
//!
//! Dinh, Sohl-Dickstein, Bengio, Density Estimation Using Real NVP, ICLR 2017; a step is put together as FrEIA's
//! `AllInOneBlock` (affine coupling, then a scale and an offset per channel, then a fixed random rotation: the "soft
//! permutation"), which is what flows on image features (CFLOW, BGAD, ResAD) are built of.

mod coupling;
mod position;
#[cfg(test)]
mod tests;

use std::f64::consts::TAU;

use candle_core::{D, Tensor};

use crate::error::bail_shape;
use crate::{Result, params::Builder};
use coupling::Coupling;
pub use position::position_embedding;

/// A [`ConditionalFlow`] to build.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FlowConfig {
    /// Values of a point: 2 at least.
    pub channels: usize,
    /// Values of a condition.
    pub condition: usize,
    /// Width of the couplings' two-layer perceptrons; `None`: twice their input, as usual with FrEIA.
    pub hidden: Option<usize>,
    /// Number of couplings.
    pub couplings: usize,
    /// The logarithm of a coupling's factor lies within ± this.
    pub clamp: f64,
}

/// An invertible map of points to points that are standard normal where the points are likely.
#[derive(Debug, Clone)]
pub struct ConditionalFlow {
    couplings: Vec<Coupling>,
    channels: usize,
}

/// What the points at hand are conditioned on: a table of conditions, and each point's row in it.
#[derive(Debug, Clone, Copy)]
pub struct Condition<'a> {
    /// `[rows, condition]`.
    pub table: &'a Tensor,
    /// `[n]` of u32.
    pub rows: &'a Tensor,
}

impl Condition<'_> {
    /// A condition a point, `[n, condition]`.
    fn gathered(&self) -> Result<Tensor> {
        Ok(self.table.index_select(self.rows, 0)?)
    }
}

impl ConditionalFlow {
    /// Registers the parameters, in forward order; the rotations are kept as buffers.
    ///
    /// # Errors
    /// Where a name is taken, or there are fewer than two channels.
    pub fn new(b: &mut Builder, config: &FlowConfig) -> Result<Self> {
        if config.channels < 2 {
            bail_shape!("a coupling wants two channels at least, not {}", config.channels);
        }
        let couplings = (0..config.couplings).map(|i| Coupling::new(&mut b.scope(i), config)).collect::<Result<_>>()?;
        Ok(ConditionalFlow { couplings, channels: config.channels })
    }

    /// `x` `[n, channels]` → `z` of the same shape and log |det ∂z/∂x| `[n]`.
    ///
    /// # Errors
    /// Where the shapes do not fit.
    pub fn forward(&self, x: &Tensor, condition: Condition) -> Result<(Tensor, Tensor)> {
        self.check(x)?;
        let conditions = condition.gathered()?;
        let (mut z, mut log_det) = (x.clone(), x.narrow(1, 0, 1)?.zeros_like()?.squeeze(1)?.detach());
        for coupling in &self.couplings {
            let (next, by) = coupling.forward(&z, &conditions)?;
            (z, log_det) = (next, (log_det + by)?);
        }
        Ok((z, log_det))
    }

    /// The inverse of [`Self::forward`]: `z` `[n, channels]` → `x`.
    ///
    /// # Errors
    /// Where the shapes do not fit.
    pub fn inverse(&self, z: &Tensor, condition: Condition) -> Result<Tensor> {
        self.check(z)?;
        let conditions = condition.gathered()?;
        self.couplings.iter().rev().try_fold(z.clone(), |z, coupling| coupling.inverse(&z, &conditions))
    }

    /// log p(x) under a standard normal z, in nats: `[n]`.
    ///
    /// # Errors
    /// Where the shapes do not fit.
    pub fn log_likelihood(&self, x: &Tensor, condition: Condition) -> Result<Tensor> {
        let (z, log_det) = self.forward(x, condition)?;
        let constant = 0.5 * self.channels as f64 * TAU.ln();
        Ok(((log_det - (z.sqr()?.sum(D::Minus1)? * 0.5)?)? - constant)?)
    }

    fn check(&self, x: &Tensor) -> Result<()> {
        if x.rank() != 2 || x.dims()[1] != self.channels {
            bail_shape!("this flow wants [n, {}], not {:?}", self.channels, x.dims());
        }
        Ok(())
    }
}
