//! Records as they were before keys held digests of data and weights.

use serde::Deserialize;
use serde_json::{Value, json};
use zsad_core::job::{Asked, CellId, DataId, FitId, MethodId};
use zsad_core::{FitReport, Supervision, TestPoint};

use super::{DomainResult, Provenance, Status};

#[derive(Deserialize)]
struct Cell {
    experiment: String,
    profile: String,
    dataset: String,
    dataset_label: Option<String>,
    dataset_revision: String,
    dataset_params: Value,
    fold: String,
    method: String,
    method_version: u32,
    setting: Supervision,
    params: Value,
    seed: u64,
    point: TestPoint,
}

#[derive(Deserialize)]
pub(super) struct CellRecord {
    cell_key: String,
    fit_key: String,
    cell: Cell,
    status: Status,
    error: Option<String>,
    domains: Vec<DomainResult>,
    metrics: Vec<String>,
    fit_seconds: Option<f64>,
    score_seconds: Option<f64>,
    notes: Vec<(String, String)>,
    provenance: Provenance,
}

#[derive(Deserialize)]
pub(super) struct FitRecord {
    fit_key: String,
    dataset: String,
    #[serde(default)]
    dataset_params: Value,
    fold: String,
    method: String,
    method_version: u32,
    params: Value,
    seed: u64,
    fit_seconds: f64,
    report: FitReport,
    provenance: Provenance,
}

/// What is known of a fit: not the bytes of its data and weights.
fn fit(data: (String, u32, Value), fold: String, method: (String, u32, Value), seed: u64) -> FitId {
    FitId {
        data: DataId { name: data.0, version: data.1, params: data.2, digest: None },
        fold,
        method: MethodId { name: method.0, version: method.1, params: method.2, artifacts: Default::default() },
        seed,
        device: String::new(),
    }
}

impl From<CellRecord> for super::CellRecord {
    fn from(old: CellRecord) -> Self {
        let cell = old.cell;
        // A revision was the version, and perhaps something after it.
        let version = cell.dataset_revision.split('-').next().and_then(|v| v.parse().ok()).unwrap_or(0);
        let asked = Asked {
            experiment: cell.experiment,
            profile: cell.profile,
            dataset: cell.dataset_label.unwrap_or_else(|| cell.dataset.clone()),
            dataset_params: cell.dataset_params.clone(),
            setting: cell.setting,
            params: cell.params.clone(),
        };
        let data = (cell.dataset, version, cell.dataset_params);
        let fit = fit(data, cell.fold, (cell.method, cell.method_version, cell.params), cell.seed);
        super::CellRecord {
            schema: 1,
            cell_key: old.cell_key,
            fit_key: old.fit_key,
            cell: CellId { fit, test_params: json!({}), test_digest: None, point: cell.point },
            asked,
            status: old.status,
            error: old.error,
            domains: old.domains,
            metrics: old.metrics,
            fit_seconds: old.fit_seconds,
            score_seconds: old.score_seconds,
            notes: old.notes,
            provenance: old.provenance,
        }
    }
}

impl From<FitRecord> for super::FitRecord {
    fn from(old: FitRecord) -> Self {
        let data = (old.dataset, 1, old.dataset_params.clone());
        super::FitRecord {
            schema: 1,
            fit_key: old.fit_key,
            fit: fit(data, old.fold, (old.method, old.method_version, old.params), old.seed),
            dataset_params: old.dataset_params,
            digest: String::new(),
            fit_seconds: old.fit_seconds,
            report: old.report,
            provenance: old.provenance,
        }
    }
}
