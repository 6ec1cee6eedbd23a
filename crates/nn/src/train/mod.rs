//! Training: the loop under all trained methods, the update of their parameters, and the gradients of meta-training.

mod tasks;
mod trainer;

use zsad_core::Progress;

use crate::optim::{Adam, AdamConfig, Gradients, Optimizer, clip_global_norm};
use crate::params::ParamStore;
use crate::{Error, Result};

pub use tasks::Tasks;
pub use trainer::Trainer;

/// The points of a loss curve at most.
const POINTS: u64 = 300;

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// Its loss.
    pub loss: f64,
    /// Whether it was the last one, however many are left.
    pub stop: bool,
}

impl From<f64> for Step {
    fn from(loss: f64) -> Self {
        Step { loss, stop: false }
    }
}

/// Runs `step` for 1 … `total` and returns the loss curve: (step, mean loss since the point before), at most 300 points;
/// the last few steps may not fill one.
///
/// # Errors
/// That of `step`; [`Error::NonFinite`] where a loss is not finite. Both name the step. That of `progress` where it ends the
/// training.
pub fn run(total: u64, progress: &dyn Progress, mut step: impl FnMut(u64) -> Result<Step>) -> Result<Vec<(u64, f64)>> {
    let every = total.div_ceil(POINTS).max(1);
    let (mut sum, mut points) = (0.0, Vec::new());
    for number in 1..=total {
        let at = |e| match e {
            Error::NonFinite(what) => Error::NonFinite(format!("step {number}: {what}")),
            other => other,
        };
        let Step { loss, stop } = step(number).map_err(at)?;
        finite(loss).map_err(at)?;
        sum += loss;
        if number.is_multiple_of(every) {
            points.push((number, sum / every as f64));
            sum = 0.0;
        }
        progress.tick(number, total, &format!("loss {loss:.4}"))?;
        if stop {
            break;
        }
    }
    Ok(points)
}

fn finite(loss: f64) -> Result<()> {
    if loss.is_finite() {
        return Ok(());
    }
    Err(Error::NonFinite(format!("the loss is {loss}: try a lower learning rate")))
}

/// Updates the parameters of a store by Adam.
pub struct Updater {
    adam: Adam,
    clip: Option<f64>,
}

impl Updater {
    /// Adam over `params`; the gradient's global norm is cut to `clip`, if there is one.
    ///
    /// # Errors
    /// Where the device refuses the memory.
    pub fn new(params: &ParamStore, adam: AdamConfig, clip: Option<f64>) -> Result<Self> {
        Ok(Updater { adam: Adam::new(params, adam)?, clip })
    }

    /// One update with learning rate `lr` by the gradients of `loss`, which it returns.
    ///
    /// # Errors
    /// [`Error::NonFinite`] where the loss, or the norm of a gradient that is to be clipped, is not finite; the parameters
    /// then stay as they were.
    pub fn update(&mut self, loss: f64, mut gradients: Gradients, lr: f64) -> Result<f64> {
        finite(loss)?;
        if let Some(most) = self.clip {
            let norm = clip_global_norm(&mut gradients, most)?;
            if !norm.is_finite() {
                return Err(Error::NonFinite(format!("the gradient has norm {norm}: try a lower learning rate")));
            }
        }
        self.adam.step(&gradients, lr)?;
        Ok(loss)
    }
}

#[cfg(test)]
mod tests;
