//! How mathematics becomes a detector: one adapter a family of methods.

pub mod classical;
pub(crate) mod episodic;
pub mod features;
pub(crate) mod neighbourhood;
pub(crate) mod pooled;
pub(crate) mod prompts;
