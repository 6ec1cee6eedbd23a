//! Analyses run once: what was made of the same cells, tags and parameters before is kept.
//!
//! ```text
//! analyses/<label>.csv|md            the table, and the page
//! analyses/<label>.metrics.parquet   its numbers of cells
//! analyses/<label>.batches.parquet   its numbers of batches
//! analyses/<label>.json              what they were made of; written last, so it vouches for the others
//! ```

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use zsad_core::key::key;
use zsad_core::panics::guarded;
use zsad_core::{Result, file};
use zsad_report::plots::Style;
use zsad_store::{SCHEMA, json as files, numbers};

use super::{AnalysisDef, Cells};
use crate::config::AnalysisChoice;

/// What `analyses/<label>.json` says.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    schema: u32,
    /// Of everything that the files were made of.
    key: String,
    analysis: String,
    version: u32,
    params: Value,
}

/// How an analysis ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It was made before.
    Cached,
    /// It was made now.
    Made,
}

/// Makes `choice` of `cells`, unless that was done before.
///
/// # Errors
/// Those of the analysis; where a file cannot be written.
pub fn run(choice: &AnalysisChoice, cells: &Cells, experiment: &str) -> Result<State> {
    let spec = choice.def.spec();
    let folder = cells.folder().root().join("analyses");
    let path = |ending: &str| folder.join(format!("{}.{ending}", choice.label));
    let key = identity(choice.def, &choice.analysis.values, cells);
    let kept: Option<Kept> = files::read(&path("json"))?;
    let whole = ["csv", "md", "metrics.parquet", "batches.parquet"].iter().all(|ending| path(ending).exists());
    if whole && kept.is_some_and(|kept| kept.key == key) {
        return Ok(State::Cached);
    }
    let output = guarded(|| choice.analysis.run(cells))?;
    let title = format!("{experiment}: {} ({})", choice.label, spec.summary);
    file::write(&path("csv"), output.table.csv().as_bytes())?;
    file::write(&path("md"), output.markdown(&title).as_bytes())?;
    numbers::write_cells(&path("metrics.parquet"), &output.numbers)?;
    output.batches.write(&path("batches.parquet"))?;
    if let Some(figure) = &output.figure {
        figure.write(cells.folder().root(), &format!("analysis_{}", choice.label), &Style::default())?;
    }
    let (analysis, version, params) = (spec.name.to_owned(), spec.version, choice.analysis.values.clone());
    files::write(&path("json"), &Kept { schema: SCHEMA, key, analysis, version, params })?;
    Ok(State::Made)
}

/// The key of everything that an analysis depends on: itself, the cells with what results call them, a person's own tags.
fn identity(def: &dyn AnalysisDef, params: &Value, cells: &Cells) -> String {
    let cell = |c: &super::Cell| json!([c.record.cell_key, c.dataset(), c.method]);
    let of: Vec<Value> = cells.all().map(cell).collect();
    let spec = def.spec();
    key(&json!({
        "analysis": format!("{}@{}", spec.name, spec.version), "params": params, "cells": of, "tags": cells.tag_digests(),
    }))
}
