//! What a run leaves: one record a cell, and the rows of the result tables made from it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::method::{FitReport, Setting};
use crate::protocol::{Pooling, TestPoint};

/// Format version of [`CellRecord`] and [`FitRecord`]; readers refuse a newer one.
pub const SCHEMA: u32 = 1;

/// How a cell ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Scored.
    Ok,
    /// Went wrong; `error` says how.
    Failed,
    /// Does not apply; `error` says why.
    Refused,
}

/// What a cell is: everything its key is made of, and the names under which it was asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CellId {
    /// Experiment name.
    pub experiment: String,
    /// Profile, or empty.
    pub profile: String,
    /// Data set name.
    pub dataset: String,
    /// What results call it, where its name alone would not tell it from another of the experiment; in no key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset_label: Option<String>,
    /// Its revision.
    pub dataset_revision: String,
    /// Its complete parameters.
    pub dataset_params: Value,
    /// Fold, or empty.
    pub fold: String,
    /// Method name.
    pub method: String,
    /// Its version.
    pub method_version: u32,
    /// What it sees of the target.
    pub setting: Setting,
    /// Its complete parameters.
    pub params: Value,
    /// Base seed.
    pub seed: u64,
    /// Test protocol point.
    pub point: TestPoint,
}

impl CellId {
    /// The data set as results call it.
    pub fn dataset_shown(&self) -> &str {
        self.dataset_label.as_deref().unwrap_or(&self.dataset)
    }
}

/// What was measured on one domain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DomainResult {
    /// Domain name.
    pub domain: String,
    /// Batches scored.
    pub n_batches: usize,
    /// Batches whose sample-level metrics are undefined (one class only).
    pub n_undefined: usize,
    /// Normals over all batches.
    pub n_normal: usize,
    /// Anomalies over all batches.
    pub n_anomalous: usize,
    /// Metric values by name; an undefined one is `None`.
    pub metrics: BTreeMap<String, Option<f64>>,
}

/// Where and how a cell was computed; not part of any key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// Version of zsad.
    pub version: String,
    /// Commit, with `-dirty` where the tree had changes; empty where unknown.
    pub git_sha: String,
    /// `cpu` or `cuda:N`.
    pub device: String,
    /// Threads of the worker.
    pub threads: usize,
    /// End of the computation, RFC 3339, UTC.
    pub finished: String,
}

/// One finished cell: `records/<cell_key>.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CellRecord {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Key of the cell.
    pub cell_key: String,
    /// Key of its fit.
    pub fit_key: String,
    /// What it is.
    pub cell: CellId,
    /// How it ended.
    pub status: Status,
    /// Why, unless `ok`.
    pub error: Option<String>,
    /// Results by domain; empty unless `ok`.
    pub domains: Vec<DomainResult>,
    /// `name@version` of the metrics in `domains`.
    pub metrics: Vec<String>,
    /// Seconds of the training that this cell shares with others; `None` where nothing is trained.
    pub fit_seconds: Option<f64>,
    /// Seconds of scoring.
    pub score_seconds: Option<f64>,
    /// Facts of the data set that belong beside its numbers.
    pub notes: Vec<(String, String)>,
    /// Where it was computed.
    pub provenance: Provenance,
}

/// One finished training: `fits/<fit_key>/fit.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FitRecord {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Key of the fit.
    pub fit_key: String,
    /// Data set name.
    pub dataset: String,
    /// Its complete parameters; null in files of versions that did not keep them.
    #[serde(default)]
    pub dataset_params: Value,
    /// Fold, or empty.
    pub fold: String,
    /// Method name.
    pub method: String,
    /// Its version.
    pub method_version: u32,
    /// Its complete parameters.
    pub params: Value,
    /// Base seed.
    pub seed: u64,
    /// Seconds of training.
    pub fit_seconds: f64,
    /// Loss curve and facts.
    pub report: FitReport,
    /// Where it was computed.
    pub provenance: Provenance,
}

/// One row of `results.csv` and `results.parquet`: a cell and a domain. Field order is column order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the columns are described once, in the README")]
pub struct Row {
    pub experiment: String,
    pub profile: String,
    pub dataset: String,
    pub domain: String,
    pub method: String,
    pub method_version: u32,
    pub setting: String,
    pub params: String,
    pub seed: u64,
    pub contamination: Option<f64>,
    pub contamination_realised: Option<f64>,
    pub batch_size: Option<u64>,
    pub pooling: String,
    pub n_batches: u64,
    pub n_undefined: u64,
    pub n_normal: u64,
    pub n_anomalous: u64,
    pub auroc: Option<f64>,
    pub aupr: Option<f64>,
    pub f1_max: Option<f64>,
    pub fpr95: Option<f64>,
    pub pixel_auroc: Option<f64>,
    pub pixel_aupr: Option<f64>,
    pub aupro: Option<f64>,
    pub fit_seconds: Option<f64>,
    pub score_seconds: Option<f64>,
    pub status: String,
    pub error: String,
    pub fit_key: String,
    pub cell_key: String,
    pub git_sha: String,
    pub device: String,
    pub threads: u64,
}

impl Pooling {
    /// The word in YAML and results.
    pub fn as_str(self) -> &'static str {
        match self {
            Pooling::Batch => "batch",
            Pooling::Domain => "domain",
        }
    }
}

impl Status {
    /// The word in results.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Ok => "ok",
            Status::Failed => "failed",
            Status::Refused => "refused",
        }
    }
}
