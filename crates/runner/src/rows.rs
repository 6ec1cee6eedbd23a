//! From records to the rows of the result tables.

use zsad_core::key::canonical_json;
use zsad_core::record::{CellRecord, DomainResult, Row, Status};
use zsad_core::{BatchSize, Contamination, MetricDef, Result};

use crate::plan::{CellPlan, Plan};
use crate::registry::Registry;
use crate::store::{Store, metric_id};

/// One row a cell and domain; a cell that failed or was refused has one row without a domain.
///
/// # Errors
/// Where a metric that was computed later cannot be read.
pub fn build(plan: &Plan, registry: &Registry, store: &Store) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for cell in plan.cells() {
        // A run that was broken off has no record for some cells: they have no rows yet.
        let Some(record) = plan.records.get(&cell.key) else { continue };
        if record.status != Status::Ok {
            rows.push(row(cell, record, None));
            continue;
        }
        for domain in &record.domains {
            let mut row = row(cell, record, Some(domain));
            for &metric in registry.metrics {
                set(&mut row, metric.spec().name, value(metric, record, domain, store)?);
            }
            rows.push(row);
        }
    }
    Ok(rows)
}

/// A metric's value: of the record where it is of the same version, else what was computed later.
fn value(metric: &dyn MetricDef, record: &CellRecord, domain: &DomainResult, store: &Store) -> Result<Option<f64>> {
    let id = metric_id(metric.spec());
    if record.metrics.contains(&id) {
        return Ok(domain.metrics.get(metric.spec().name).copied().flatten());
    }
    let later = store.metric(&record.cell_key, &id)?;
    Ok(later.and_then(|m| m.domains.get(&domain.domain).copied().flatten()))
}

/// Puts a metric into its column; metrics without one live in the records alone.
fn set(row: &mut Row, metric: &str, value: Option<f64>) {
    let column = match metric {
        "auroc" => &mut row.auroc,
        "aupr" => &mut row.aupr,
        "f1_max" => &mut row.f1_max,
        "fpr95" => &mut row.fpr95,
        "pixel_auroc" => &mut row.pixel_auroc,
        "pixel_aupr" => &mut row.pixel_aupr,
        "aupro" => &mut row.aupro,
        _ => return,
    };
    *column = value;
}

/// A row without metrics. Experiment and profile are those of the run, whoever finished the record.
fn row(cell: &CellPlan, record: &CellRecord, domain: Option<&DomainResult>) -> Row {
    let id = &cell.id;
    let (n_normal, n_anomalous) = domain.map_or((0, 0), |d| (d.n_normal as u64, d.n_anomalous as u64));
    let n = n_normal + n_anomalous;
    // All batches of one domain at one point are of one size.
    let batch_size = match (domain, id.point.size) {
        (Some(d), _) => Some(n / d.n_batches.max(1) as u64),
        (None, BatchSize::Total(n)) => Some(n as u64),
        (None, BatchSize::Normals(_) | BatchSize::All) => None,
    };
    Row {
        experiment: id.experiment.clone(),
        profile: id.profile.clone(),
        dataset: id.dataset_shown().to_owned(),
        domain: domain.map(|d| d.domain.clone()).unwrap_or_default(),
        method: id.method.clone(),
        method_version: id.method_version,
        setting: id.setting.to_string(),
        params: canonical_json(&id.params),
        seed: id.seed,
        contamination: match id.point.contamination {
            Contamination::Ratio(r) => Some(r),
            Contamination::Natural => None,
        },
        contamination_realised: (n > 0).then(|| n_anomalous as f64 / n as f64),
        batch_size,
        pooling: id.point.pooling.as_str().into(),
        n_batches: domain.map_or(0, |d| d.n_batches as u64),
        n_undefined: domain.map_or(0, |d| d.n_undefined as u64),
        n_normal,
        n_anomalous,
        auroc: None,
        aupr: None,
        f1_max: None,
        fpr95: None,
        pixel_auroc: None,
        pixel_aupr: None,
        aupro: None,
        fit_seconds: record.fit_seconds,
        score_seconds: record.score_seconds,
        status: record.status.as_str().into(),
        error: record.error.clone().unwrap_or_default(),
        fit_key: record.fit_key.clone(),
        cell_key: record.cell_key.clone(),
        git_sha: record.provenance.git_sha.clone(),
        device: record.provenance.device.clone(),
        threads: record.provenance.threads as u64,
    }
}
