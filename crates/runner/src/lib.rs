//! zsad: a reproducible benchmark harness for zero-shot, batch-level anomaly detection.
//!
//! The way of the data: [`config`] (an experiment file, checked) → [`plan`] (fits and their cells, cached ones struck
//! out) → [`execute`] (train, score, measure, record) → [`rows`] (the result tables, from the records alone).

pub mod cli;
mod commands;
pub mod config;
pub mod execute;
mod exit;
pub mod measure;
pub mod plan;
pub mod progress;
pub mod provenance;
pub mod registry;
pub mod rows;
pub mod score;
pub mod store;
#[cfg(test)]
mod testing;
