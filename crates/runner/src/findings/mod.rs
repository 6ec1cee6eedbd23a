//! A table does not trust its rows: what is odd about the numbers of a run.

mod scores;

use std::collections::BTreeMap;

use zsad_core::Result;
use zsad_report::findings::of_rows;
use zsad_store::{CellRecord, Finding, ModelStore, Oddity, Row, RunFolder, Status};

use crate::registry::Registry;

/// A training that moved the weights by less than this share of their length left them where they were.
const MOVED: f64 = 1e-6;

/// Everything odd about `rows`, by data set and method.
///
/// # Errors
/// Where stored scores or the record of a training cannot be read.
pub fn find(rows: &[Row], folder: &RunFolder, store: &ModelStore, registry: &Registry) -> Result<Vec<Finding>> {
    // Many rows share a record.
    let records: BTreeMap<&str, &CellRecord> = rows
        .iter()
        .filter(|r| r.record.status == Status::Ok)
        .map(|r| (r.record.cell_key.as_str(), &*r.record))
        .collect();
    let records: Vec<&CellRecord> = records.into_values().collect();
    let mut found = of_rows(rows, |name| registry.method(name)?.control());
    found.extend(scores::odd(&records, folder)?);
    found.extend(unmoved(&records, store)?);
    found.sort();
    Ok(found)
}

/// Trainings that left the weights where they were.
fn unmoved(records: &[&CellRecord], store: &ModelStore) -> Result<Vec<Finding>> {
    let mut cells: BTreeMap<&str, Vec<&CellRecord>> = BTreeMap::new();
    for record in records.iter().filter(|r| r.fit_seconds.is_some()) {
        cells.entry(&record.fit_key).or_default().push(record);
    }
    let mut found = Vec::new();
    for (key, records) in cells {
        let Some(fit) = store.fit(key)? else { continue };
        if fit.report.moved.is_none_or(|moved| moved > MOVED) {
            continue;
        }
        let first = records[0];
        found.push(Finding {
            kind: Oddity::Unmoved,
            dataset: first.asked.dataset.clone(),
            method: first.asked.method_or(&first.cell.fit.method.name).to_owned(),
            message: format!("seed {}: training left its weights where they were", first.cell.fit.seed),
            cells: records.iter().map(|r| r.cell_key.clone()).collect(),
        });
    }
    Ok(found)
}
