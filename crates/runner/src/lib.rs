//! zsad: a reproducible benchmark harness for zero-shot, batch-level anomaly detection.
//!
//! The way of the data: [`config`] (an experiment file, checked) → [`plan`] (fits and their cells, finished ones struck
//! out) → [`executor`] (train, score, record) → [`evaluate`] (metrics) → [`results`] (the result tables, from the records
//! alone).

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "fixtures may be written in any way"))]

pub mod analyses;
mod batch_score;
mod bundle;
mod checkup;
pub mod cli;
mod commands;
pub mod config;
mod cost;
mod csv;
mod embedding;
pub mod evaluate;
mod exchange;
mod executor;
mod exit;
pub mod facts;
mod findings;
pub mod given;
mod heatmaps;
pub mod launcher;
pub mod library;
mod pack;
mod pictures;
pub mod plan;
pub mod progress;
mod ranked;
mod redrawn;
pub mod registry;
mod remarks;
pub mod results;
mod shard;
mod standing;
#[cfg(test)]
mod testing;
mod trust;
mod typical;
mod used;

/// Commit of the source tree that this program was built from, `-dirty` where it had changes; empty where unknown.
pub const GIT_SHA: &str = env!("ZSAD_GIT_SHA");
