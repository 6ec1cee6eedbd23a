//! What a page shows of a run: everything that its folder holds.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use zsad_core::Result;
use zsad_store::{CellRecord, Finding, ModelStore, Row, RunFolder, findings, provenance};

use crate::plots::{Training, trainings};
use crate::published::OfRun;

/// A run, read from its folder. Published folders hold results and provenance alone.
pub struct Run {
    /// What the page calls it.
    pub name: String,
    /// Its folder.
    pub folder: RunFolder,
    /// Its results.
    pub rows: Vec<Row>,
    /// Its records by key; none where they were not kept.
    pub records: BTreeMap<String, CellRecord>,
    /// The text of the experiment.
    pub experiment: Option<String>,
    /// Calls of the program, the oldest first.
    pub calls: Vec<Value>,
    /// What was found odd about its numbers.
    pub findings: Vec<Finding>,
    /// Trainings whose loss is known.
    pub trainings: Vec<Training>,
    /// Its numbers beside published ones.
    pub beside: OfRun,
}

impl Run {
    /// The run in a folder, with the trainings that the store has of it.
    ///
    /// # Errors
    /// [`zsad_core::Error::Data`] where there are no results, or they are damaged or of a newer zsad.
    pub fn read(dir: &Path, store: &ModelStore) -> Result<Run> {
        let folder = RunFolder::new(dir);
        let rows = zsad_store::read_results(dir)?;
        let name = dir.canonicalize().ok().and_then(|d| Some(d.file_name()?.to_string_lossy().into_owned()));
        Ok(Run {
            name: name.unwrap_or_else(|| dir.display().to_string()),
            records: folder.records()?,
            experiment: std::fs::read_to_string(folder.experiment()).ok(),
            calls: provenance::runs(dir),
            findings: findings::read(dir)?,
            trainings: trainings(&rows, store)?,
            beside: OfRun::default(),
            rows,
            folder,
        })
    }
}
