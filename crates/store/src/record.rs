//! What a run leaves: one record a cell, one a training, and the rows of the result tables made from them.

mod schema_1;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zsad_core::job::{Asked, CellId, FitId};
use zsad_core::{BatchSize, Error, FitReport, Result, TestPoint};

use crate::json;

/// Format version of records and plans; readers refuse a newer one.
pub const SCHEMA: u32 = 2;

zsad_core::choices! {
    /// How a cell ended.
    pub enum Status {
        /// Scored.
        Ok = "ok",
        /// Went wrong; `error` says how.
        Failed = "failed",
        /// Does not apply; `error` says why.
        Refused = "refused",
    }
}

impl From<&Error> for Status {
    fn from(e: &Error) -> Self {
        if matches!(e, Error::Refused(_)) { Status::Refused } else { Status::Failed }
    }
}

/// What was measured on one domain.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// Version of zsad.
    pub version: String,
    /// Commit, with `-dirty` where the tree had changes; empty where unknown.
    pub git_sha: String,
    /// `cpu` or `cuda:N`.
    pub device: String,
    /// Vector instructions of the kernels; empty in records of versions that did not say.
    #[serde(default)]
    pub simd: String,
    /// Threads of the worker.
    pub threads: usize,
    /// End of the computation, RFC 3339, UTC.
    pub finished: String,
}

/// One finished cell: `records/<cell_key>.json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CellRecord {
    /// [`SCHEMA`] of the version that wrote it.
    pub schema: u32,
    /// Key of the cell.
    pub cell_key: String,
    /// Key of its fit.
    pub fit_key: String,
    /// What it is.
    pub cell: CellId,
    /// How it was asked for.
    pub asked: Asked,
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

impl CellRecord {
    /// The record in a file; `None` where it is missing or damaged. Records of schema 1, whose data and weights are
    /// unknown, are read too; their keys are no key of today's.
    ///
    /// # Errors
    /// Where it comes from a newer zsad or cannot be read.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        json::read_old(path, schema_1::cell)
    }
}

/// One finished training: `<store>/<fit_key>/fit.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FitRecord {
    /// [`SCHEMA`] of the version that wrote it.
    pub schema: u32,
    /// Key of the fit.
    pub fit_key: String,
    /// What it is.
    pub fit: FitId,
    /// The data set's complete parameters, those of tests as they were when it was trained.
    pub dataset_params: Value,
    /// Digest of the model's tensors.
    pub digest: String,
    /// Seconds of training.
    pub fit_seconds: f64,
    /// Loss curve and facts.
    pub report: FitReport,
    /// Where it was computed.
    pub provenance: Provenance,
}

impl FitRecord {
    /// The record in a file; as [`CellRecord::read`].
    ///
    /// # Errors
    /// As there.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        json::read_old(path, schema_1::fit)
    }
}

/// A metric of one cell that was computed after the cell was finished: `metrics/<metric_key>.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricRecord {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Key of the cell.
    pub cell_key: String,
    /// `name@version`.
    pub metric: String,
    /// Values by domain; an undefined one is `None`.
    pub domains: BTreeMap<String, Option<f64>>,
}

/// One row of `results.csv` and `results.parquet`: a record, and what it says of one domain; nothing where it was not
/// scored. Rows that are read back know of a record what the columns say, and neither notes nor digests.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The record; its results stand in the rows.
    pub record: Arc<CellRecord>,
    /// The result on the domain.
    pub result: DomainResult,
}

impl Row {
    /// What results call the method.
    pub fn method(&self) -> &str {
        self.asked().method_or(&self.fit().method.name)
    }

    /// How the cell was asked for.
    pub fn asked(&self) -> &Asked {
        &self.record.asked
    }

    /// Its fit.
    pub fn fit(&self) -> &FitId {
        &self.record.cell.fit
    }

    /// The seed of its test batches and references.
    pub fn seed(&self) -> u64 {
        self.record.cell.seed()
    }

    /// Its test point.
    pub fn point(&self) -> &TestPoint {
        &self.record.cell.point
    }

    /// The value of a metric.
    pub fn metric(&self, name: &str) -> Option<f64> {
        self.result.metrics.get(name).copied().flatten()
    }

    /// The share of anomalies in all batches.
    pub fn contamination_realised(&self) -> Option<f64> {
        let DomainResult { n_normal, n_anomalous, .. } = self.result;
        (n_normal + n_anomalous > 0).then(|| n_anomalous as f64 / (n_normal + n_anomalous) as f64)
    }

    /// Samples in a batch: all batches of a domain at one point are of one size.
    pub fn batch_total(&self) -> Option<u64> {
        match (&self.result, self.point().size) {
            (d, _) if d.n_batches > 0 => Some(((d.n_normal + d.n_anomalous) / d.n_batches) as u64),
            (_, BatchSize::Total(n)) => Some(n as u64),
            (_, BatchSize::Normals(_) | BatchSize::All) => None,
        }
    }
}
