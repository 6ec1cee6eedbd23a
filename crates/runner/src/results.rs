//! From records to the rows of the result tables, with the metrics that came after them.

pub mod outside;

use std::collections::BTreeMap;
use std::sync::Arc;

use zsad_core::job::{Asked, CellId};
use zsad_core::{Level, Result};
use zsad_metrics::Metric;
use zsad_store::{CellRecord, DomainResult, MetricRecord, Row, RunFolder, SCHEMA, Status};

use crate::evaluate;
use crate::plan::Plan;
use crate::registry::Registry;

/// The sample-level ones of `metrics` that neither a finished record nor the folder has yet. Metrics of maps need the maps,
/// which are not stored: they belong to the record alone.
///
/// # Errors
/// Where a metric that was computed later comes from a newer zsad.
pub fn later_metrics(
    record: &CellRecord,
    metrics: &[&'static Metric],
    folder: &RunFolder,
) -> Result<Vec<&'static Metric>> {
    let mut later = Vec::new();
    for &metric in metrics.iter().filter(|m| m.spec.level == Level::Sample) {
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

/// Computes those of `metrics` that finished records do not have, from the stored scores alone, and says for how many
/// cells.
///
/// # Errors
/// Where scores cannot be read or the folder cannot be written.
pub fn compute_later<'a>(
    records: impl Iterator<Item = &'a CellRecord>,
    metrics: &[&'static Metric],
    folder: &RunFolder,
) -> Result<usize> {
    let mut computed = 0;
    for record in records {
        let metrics = later_metrics(record, metrics, folder)?;
        if metrics.is_empty() {
            continue;
        }
        computed += 1;
        let results = evaluate::by_domain(&folder.scores(&record.cell_key)?, record.cell.point.pooling, &metrics);
        for metric in metrics {
            let value = |d: &DomainResult| (d.domain.clone(), d.metrics.get(metric.spec.name).copied().flatten());
            folder.put_metric(&MetricRecord {
                schema: SCHEMA,
                cell_key: record.cell_key.clone(),
                metric: metric.spec.id(),
                domains: results.iter().map(value).collect(),
            })?;
        }
    }
    Ok(computed)
}

/// One row a cell and domain, of the cells of `plan` and of those that stay beside them ([`outside::beside`]); a cell that
/// failed or was refused has one row without a domain.
///
/// # Errors
/// Where a metric that was computed later cannot be read.
pub fn rows(
    plan: &Plan,
    records: &BTreeMap<String, CellRecord>,
    registry: &Registry,
    folder: &RunFolder,
) -> Result<Vec<Row>> {
    // A run that was broken off has no record for some cells: they have no rows yet. A cell is called as it is asked for
    // today.
    let planned = plan.cells().filter_map(|c| Some((records.get(&c.key)?, &c.id, &c.asked)));
    let others = outside::beside(plan, records).kept;
    as_rows(planned.chain(others.into_iter().map(|r| (r, &r.cell, &r.asked))), registry, folder)
}

/// One row a cell and domain of records as they were asked for; see [`rows`].
///
/// # Errors
/// Where a metric that was computed later cannot be read.
pub fn rows_of<'a>(
    records: impl Iterator<Item = &'a CellRecord>,
    registry: &Registry,
    folder: &RunFolder,
) -> Result<Vec<Row>> {
    as_rows(records.map(|r| (r, &r.cell, &r.asked)), registry, folder)
}

fn as_rows<'a>(
    cells: impl Iterator<Item = (&'a CellRecord, &'a CellId, &'a Asked)>,
    registry: &Registry,
    folder: &RunFolder,
) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (record, id, asked) in cells {
        let mut results = record.domains.clone();
        for metric in registry.metrics.iter().filter(|m| !record.metrics.contains(&m.spec.id())) {
            // What the record does not have was perhaps computed later.
            let later = folder.metric(&record.cell_key, &metric.spec.id())?.map(|l| l.domains).unwrap_or_default();
            for result in &mut results {
                let value = later.get(&result.domain).copied().flatten();
                result.metrics.insert(metric.spec.name.to_owned(), value);
            }
        }
        if record.status != Status::Ok {
            results = vec![DomainResult::default()];
        }
        let (asked, cell) = (asked.clone(), id.clone());
        let record = Arc::new(CellRecord { domains: vec![], asked, cell, ..record.clone() });
        rows.extend(results.into_iter().map(|result| Row { record: record.clone(), result }));
    }
    Ok(rows)
}
