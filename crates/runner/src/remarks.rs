//! What is said beside the table of a run: facts of the data, and methods that rank anomalies below normals.

use std::collections::{BTreeMap, BTreeSet};

use zsad_core::Result;
use zsad_store::{CellRecord, ModelStore, Row};

use crate::plan::Plan;

/// A mean AUROC below this is further from chance than a method without any use would often be.
const BELOW_CHANCE: f64 = 0.45;

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

/// Methods whose mean AUROC over a data set is below chance, a sentence each.
pub fn below_chance(rows: &[Row]) -> Vec<String> {
    let mut means: BTreeMap<(&str, &str), (f64, usize)> = BTreeMap::new();
    let mut scaled: BTreeMap<&str, Option<&str>> = BTreeMap::new();
    for row in rows {
        let Some(auroc) = row.metric("auroc") else { continue };
        let sum = means.entry((&row.asked().dataset, row.method())).or_default();
        *sum = (sum.0 + auroc, sum.1 + 1);
        let how = row.fit().data.params.get("standardise").and_then(|how| how.as_str());
        scaled.insert(&row.asked().dataset, how);
    }
    let low =
        means.into_iter().map(|(names, (sum, n))| (names, sum / n as f64)).filter(|(_, mean)| *mean < BELOW_CHANCE);
    low.map(|((dataset, method), mean)| {
        let hint = match scaled.get(dataset) {
            Some(Some("none")) => "`standardise: pool` brings the features to one scale",
            _ => "see whether labels and domains are what they should be",
        };
        let mean = 100.0 * mean;
        format!("{method} on {dataset}: mean AUROC {mean:.1}, it ranks anomalies below normals; hint: {hint}")
    })
    .collect()
}
