//! From records to the rows of the result tables, with the metrics that came after them.

use std::collections::BTreeMap;

use zsad_core::Result;
use zsad_core::job::CellJob;
use zsad_core::key::canonical_json;
use zsad_core::{BatchSize, Level};
use zsad_metrics::Metric;
use zsad_store::{CellRecord, DomainResult, MetricRecord, Row, RunFolder, SCHEMA, Status};

use crate::evaluate;
use crate::plan::Plan;
use crate::registry::Registry;

/// The sample-level metrics that neither a finished record nor the folder has yet. Metrics of maps need the maps, which
/// are not stored: they belong to the record alone.
///
/// # Errors
/// Where a metric that was computed later comes from a newer zsad.
pub fn later_metrics(record: &CellRecord, registry: &Registry, folder: &RunFolder) -> Result<Vec<&'static Metric>> {
    let mut later = Vec::new();
    for &metric in registry.metrics.iter().filter(|m| m.spec.level == Level::Sample) {
        let id = metric.spec.id();
        if record.status == Status::Ok
            && !record.metrics.contains(&id)
            && folder.metric(&record.cell_key, &id)?.is_none()
        {
            later.push(metric);
        }
    }
    Ok(later)
}

/// Computes the metrics that are newer than the finished records, from the stored scores alone.
///
/// # Errors
/// Where scores cannot be read or the folder cannot be written.
pub fn compute_later(
    plan: &Plan,
    records: &BTreeMap<String, CellRecord>,
    registry: &Registry,
    folder: &RunFolder,
) -> Result<()> {
    for cell in plan.cells() {
        let Some(record) = records.get(&cell.key) else { continue };
        let metrics = later_metrics(record, registry, folder)?;
        if metrics.is_empty() {
            continue;
        }
        let results = evaluate::by_domain(&folder.scores(&cell.key)?, cell.id.point.pooling, &metrics);
        for metric in metrics {
            let value = |d: &DomainResult| (d.domain.clone(), d.metrics.get(metric.spec.name).copied().flatten());
            folder.put_metric(&MetricRecord {
                schema: SCHEMA,
                cell_key: cell.key.clone(),
                metric: metric.spec.id(),
                domains: results.iter().map(value).collect(),
            })?;
        }
    }
    Ok(())
}

/// One row a cell and domain; a cell that failed or was refused has one row without a domain.
///
/// # Errors
/// Where a metric that was computed later cannot be read.
pub fn rows(
    plan: &Plan,
    records: &BTreeMap<String, CellRecord>,
    registry: &Registry,
    folder: &RunFolder,
) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for cell in plan.cells() {
        // A run that was broken off has no record for some cells: they have no rows yet.
        let Some(record) = records.get(&cell.key) else { continue };
        if record.status != Status::Ok {
            rows.push(row(cell, record, None));
            continue;
        }
        let first = rows.len();
        rows.extend(record.domains.iter().map(|domain| row(cell, record, Some(domain))));
        for &metric in registry.metrics {
            let (name, id) = (metric.spec.name, metric.spec.id());
            let is_in_record = record.metrics.contains(&id);
            // Else what was computed later.
            let later = if is_in_record { None } else { folder.metric(&record.cell_key, &id)? };
            for (row, domain) in rows[first..].iter_mut().zip(&record.domains) {
                let value = match &later {
                    _ if is_in_record => domain.metrics.get(name),
                    Some(later) => later.domains.get(&domain.domain),
                    None => None,
                };
                row.metrics.extend(value.copied().flatten().map(|v| (name.to_owned(), v)));
            }
        }
    }
    Ok(rows)
}

/// A row without metrics. Names are those of the run, whoever finished the record.
fn row(cell: &CellJob, record: &CellRecord, domain: Option<&DomainResult>) -> Row {
    let (fit, asked) = (&cell.id.fit, &cell.asked);
    let (n_normal, n_anomalous) = domain.map_or((0, 0), |d| (d.n_normal as u64, d.n_anomalous as u64));
    let n = n_normal + n_anomalous;
    // All batches of one domain at one point are of one size.
    let batch_total = match (domain, cell.id.point.size) {
        (Some(d), _) => Some(n / d.n_batches.max(1) as u64),
        (None, BatchSize::Total(n)) => Some(n as u64),
        (None, BatchSize::Normals(_) | BatchSize::All) => None,
    };
    Row {
        experiment: asked.experiment.clone(),
        profile: asked.profile.clone(),
        dataset: asked.dataset.clone(),
        domain: domain.map(|d| d.domain.clone()).unwrap_or_default(),
        method: fit.method.name.clone(),
        method_version: fit.method.version,
        setting: asked.setting,
        params: canonical_json(&asked.params),
        seed: fit.seed,
        contamination: cell.id.point.contamination,
        contamination_realised: (n > 0).then(|| n_anomalous as f64 / n as f64),
        batch_size: cell.id.point.size,
        pooling: cell.id.point.pooling,
        n_batches: domain.map_or(0, |d| d.n_batches as u64),
        n_undefined: domain.map_or(0, |d| d.n_undefined as u64),
        n_normal,
        n_anomalous,
        metrics: BTreeMap::new(),
        fit_seconds: record.fit_seconds,
        score_seconds: record.score_seconds,
        status: record.status,
        error: record.error.clone().unwrap_or_default(),
        fit_key: record.fit_key.clone(),
        cell_key: record.cell_key.clone(),
        git_sha: record.provenance.git_sha.clone(),
        device: record.provenance.device.clone(),
        threads: record.provenance.threads as u64,
        batch_total,
        params_used: canonical_json(&fit.method.params),
    }
}
