//! What trained methods share: hyperparameters, networks, tasks, and the detector that training leaves.

pub(crate) mod augment;
pub(crate) mod detector;
pub(crate) mod dihedral;
#[cfg(test)]
pub(crate) mod golden;
pub(crate) mod hyperparams;
pub(crate) mod logit;
pub(crate) mod method;
pub(crate) mod network;
mod official;
pub(crate) mod pool;
pub(crate) mod rows;
pub(crate) mod spec;
pub(crate) mod stack;
pub(crate) mod standard;
pub(crate) mod tasks;
#[cfg(test)]
mod tests;
pub(crate) mod validation;
pub(crate) mod views;
