//! The conformance suite: what every method must do, whatever it is.
//!
//! [`violations`] runs one method on one synthetic data set and lists all that is wrong; an empty list is a pass.
//! `tests/conformance.rs` runs it for every registered method on every kind of data that the method accepts, and
//! dead methods planted beside the checks show that each of them is caught. To keep the suite fast, parameters
//! named `steps`, `epochs`, `tasks`, `task_batch` and `maps` are set to [`STEPS`], [`EPOCHS`], [`TASKS`], [`TASK_BATCH`] and [`MAPS`];
//! everything else keeps its default. A method that takes labelled anomalies of the target gets one, with a mask of all of it. A small network made by a formula stands for a vision transformer that is a method's default.
//! [`violations_on`] does the same elsewhere than on the processor with its kernels.

mod checks;
pub mod data;
mod masked;
#[cfg(test)]
mod planted;
mod subject;
mod weights;

pub use checks::{Violation, violations, violations_on};

use zsad_core::{Dataset, Environment, MethodDef, ParamProblem, Result};

/// Training steps given to methods that declare `steps`.
pub const STEPS: i64 = 80;
/// Epochs given to methods that declare `epochs`.
pub const EPOCHS: i64 = 10;
/// Tasks in a step, given to methods that declare `tasks`.
pub const TASKS: i64 = 8;
/// Samples in a task, given to methods that declare `task_batch`.
pub const TASK_BATCH: i64 = 40;
/// Random maps of a sample, given to methods that declare `maps`.
pub const MAPS: i64 = 32;
/// How far above 0.5 the mean AUROC on the easy data must be.
pub const MARGIN: f64 = 0.2;
/// Permuting a batch may change a score by this much of the batch's largest score: batch statistics are sums in the
/// batch's order. Equal seeds, thread counts and a reload must give the same bits.
pub const PERMUTATION_TOLERANCE: f64 = 1e-5;

/// Whether `def` can run here on `dataset` with its defaults: the weights that it wants are there.
///
/// # Errors
/// What is missing.
pub fn ready(def: &dyn MethodDef, dataset: &dyn Dataset) -> Result<()> {
    let method = def.configure(&Default::default()).map_err(|p| ParamProblem::error("its defaults", p))?;
    let method = method.resolve(dataset.info(), &dataset.info().folds[0])?;
    method.artifacts(&Environment::new(weights::data(def)?)).map(drop)
}
