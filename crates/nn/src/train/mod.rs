//! Training: the loop under all trained methods, the update of their parameters, and the gradients of meta-training.

mod tasks;
mod trainer;

use zsad_core::{Arrays, Progress, State};

use crate::carried::{Carried, named, number_of, numbers, numbers_of, take};
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
/// `carried` and the values of `params` are all that a step leaves to the next: every draw is from a stream named by the
/// step. Where `progress` kept them before an interruption, the training goes on from there and ends with the same bits.
///
/// # Errors
/// That of `step`; [`Error::NonFinite`] where a loss is not finite. Both name the step. That of `progress` where it ends the
/// training, after it has kept what it takes to go on.
pub fn run<C: Carried>(
    total: u64,
    params: &ParamStore,
    progress: &dyn Progress,
    carried: &mut C,
    mut step: impl FnMut(&mut C, u64) -> Result<Step>,
) -> Result<Vec<(u64, f64)>> {
    let every = total.div_ceil(POINTS).max(1);
    let mut curve = Curve::default();
    let first = match progress.interrupted()? {
        Some(state) => 1 + go_on(state, params, carried, &mut curve)?,
        None => 1,
    };
    for number in first..=total {
        let at = |e| match e {
            Error::NonFinite(what) => Error::NonFinite(format!("step {number}: {what}")),
            other => other,
        };
        let Step { loss, stop } = step(carried, number).map_err(at)?;
        finite(loss).map_err(at)?;
        curve.sum += loss;
        if number.is_multiple_of(every) {
            curve.points.push((number, curve.sum / every as f64));
            curve.sum = 0.0;
        }
        let told = progress.tick(number, total, &format!("loss {loss:.4}"));
        if !stop && (told.is_err() || progress.is_due()) {
            progress.keep(interruption(number, params, carried, &curve)?)?;
        }
        told?;
        if stop {
            break;
        }
    }
    Ok(curve.points)
}

/// The losses so far.
#[derive(Default)]
struct Curve {
    /// Its points, by their steps.
    points: Vec<(u64, f64)>,
    /// Of the losses since the last one.
    sum: f64,
}

impl Carried for Curve {
    fn save(&self) -> Result<Arrays> {
        let steps = numbers(self.points.iter().map(|&(step, _)| step as f64));
        let losses = numbers(self.points.iter().map(|&(_, loss)| loss));
        Ok([("steps", steps), ("losses", losses), ("sum", numbers([self.sum]))].map(|(n, a)| (n.into(), a)).into())
    }

    fn load(&mut self, saved: Arrays) -> Result<()> {
        let steps = numbers_of(&saved, "steps").into_iter().map(|step| step as u64);
        self.points = steps.zip(numbers_of(&saved, "losses")).collect();
        self.sum = number_of(&saved, "sum")?;
        Ok(())
    }
}

/// What it takes to go on after `step`.
fn interruption(step: u64, params: &ParamStore, carried: &impl Carried, curve: &Curve) -> Result<State> {
    let mut arrays: Arrays = named("params", params.save()?).collect();
    arrays.extend(named("carried", carried.save()?));
    arrays.extend(named("curve", curve.save()?));
    Ok(State { network: serde_json::json!({ "step": step }), arrays })
}

/// Takes up what [`interruption`] kept; its step.
fn go_on(mut state: State, params: &ParamStore, carried: &mut impl Carried, curve: &mut Curve) -> Result<u64> {
    let step = state.entry("step")?;
    params.clone().load(take("params", &mut state.arrays))?;
    carried.load(take("carried", &mut state.arrays))?;
    curve.load(take("curve", &mut state.arrays))?;
    Ok(step)
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

impl Carried for Updater {
    fn save(&self) -> Result<Arrays> {
        self.adam.save()
    }

    fn load(&mut self, saved: Arrays) -> Result<()> {
        self.adam.load(saved)
    }
}

#[cfg(test)]
mod tests;
