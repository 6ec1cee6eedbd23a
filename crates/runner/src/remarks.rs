//! What is said beside the table of a run: facts of the data and of trainings.

use std::collections::{BTreeMap, BTreeSet};

use zsad_core::Result;
use zsad_store::{CellRecord, ModelStore};

use crate::plan::Plan;

/// The facts of the data sets that stand in the records, a line each: `log: anomalies: rows of other domains`.
pub fn of_data(plan: &Plan, records: &BTreeMap<String, CellRecord>) -> Vec<String> {
    let mut said = BTreeSet::new();
    for cell in plan.cells() {
        let notes = records.get(&cell.key).map(|record| record.notes.as_slice()).unwrap_or_default();
        said.extend(notes.iter().map(|(name, fact)| format!("{}: {name}: {fact}", cell.asked.dataset)));
    }
    said.into_iter().collect()
}

/// Trainings on other tasks than the published ones, a line each: `acr_dsvdd on nsl_kdd: tasks: 32 of 38 + 2 (published: of
/// 60)`. A small data set makes small tasks.
///
/// # Errors
/// Where a record of a training cannot be read.
pub fn of_training(plan: &Plan, store: &ModelStore) -> Result<Vec<String>> {
    let mut said = BTreeSet::new();
    for job in plan.fits.iter().map(|fit| &fit.job).filter(|job| job.learns) {
        let (Some(fit), Some(cell)) = (store.fit(&job.key)?, job.cells.first()) else { continue };
        let method = cell.asked.method_or(&job.id.method.name);
        let unlike = fit.report.notes.iter().filter(|(_, note)| note.contains("(published: "));
        said.extend(unlike.map(|(name, note)| format!("{method} on {}: {name}: {note}", cell.asked.dataset)));
    }
    Ok(said.into_iter().collect())
}
