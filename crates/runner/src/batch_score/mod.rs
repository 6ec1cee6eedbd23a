//! Scoring a person's own batch: reading it, and what can be said of it without labels.

pub mod explain;
pub mod features;
pub mod input;
pub mod maps;
pub mod output;
pub mod pictures;
pub mod suggest;
pub mod usage;
pub mod warnings;
