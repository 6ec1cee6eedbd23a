//! Scoring a person's own batch: reading it, and what can be said of it without labels.

pub mod batches;
pub mod explain;
pub mod features;
pub mod flagged;
pub mod input;
pub mod maps;
mod normal;
pub mod output;
pub mod own;
pub mod pictures;
pub mod scale;
pub mod scorer;
pub mod split;
pub mod suggest;
pub mod threshold;
pub mod trained;
pub mod usage;
pub mod warnings;
