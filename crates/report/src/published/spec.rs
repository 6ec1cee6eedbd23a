//! What a table of `experiments/tables/*.yaml` says.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};
use zsad_core::{BatchSize, Contamination, Error, Result, suggest};
use zsad_metrics::METRICS;
use zsad_store::{Row, Status};

use super::reference::{Reference, Selector};
use crate::grid::Point;

/// A table: our cells and the published numbers that belong beside them.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Its name: that of the file.
    pub table: String,
    /// Title.
    pub title: String,
    /// Experiments whose results it is made of.
    pub experiments: Vec<String>,
    /// What the reader has to know.
    #[serde(default)]
    pub note: String,
    /// Whose form our methods have; of a method that several name, the first that fits it says it.
    #[serde(default)]
    pub divisions: Vec<Form>,
    /// Its lines.
    pub rows: Vec<Entry>,
}

zsad_core::choices! {
    /// Whose form a method has in a table.
    pub enum Division {
        /// The paper's equations and settings.
        AsPublished = "as_published",
        /// What the authors' code computes, its slips among it.
        AsReleased = "as_released",
        /// With a slip of the authors removed.
        Fixed = "fixed",
        /// Settings of our own.
        Tuned = "tuned",
    }
}

/// Whose form a method with some parameters has.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Form {
    /// The method.
    pub method: String,
    /// Parameters that must have these values.
    #[serde(default)]
    pub params: Map<String, Value>,
    /// Whose form it is.
    pub division: Division,
}

/// A line of a table, or several: what `ours` leaves open is spread out.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// What it compares.
    pub name: String,
    /// Our cells.
    pub ours: Ours,
    /// The published number; if there is none, `none_because` says why.
    pub published: Option<Selector>,
    /// Why there is no published number.
    pub none_because: Option<String>,
    /// By how many per cent points ours may differ.
    pub tolerance: Option<f64>,
    /// Number of domains behind the published number; ours is not compared where it rests on another number.
    pub domains: Option<usize>,
    /// In what the published protocol differs, where the two must not be compared.
    pub differs: Option<String>,
}

/// Which of our cells: what is given must be equal.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ours {
    /// Data set.
    pub dataset: Option<String>,
    /// Method.
    pub method: Option<String>,
    /// Parameters of the method that must have these values.
    #[serde(default)]
    pub params: Map<String, Value>,
    /// Contamination: a share, or `natural`.
    pub contamination: Option<Value>,
    /// Total size of a batch, or `all`.
    pub batch_size: Option<Value>,
    /// Normals of a batch.
    pub normals: Option<usize>,
    /// The mean runs over these domains alone.
    pub domains: Option<Vec<String>>,
    /// Metric column; `auroc` where none is given.
    pub metric: Option<String>,
}

impl Spec {
    /// Reads a table and checks it against the published numbers.
    ///
    /// # Errors
    /// [`Error::Data`] for a file that cannot be read, [`Error::Config`] with every mistake, a line each.
    pub fn read(path: &Path, reference: &Reference) -> Result<Spec> {
        let text = std::fs::read_to_string(path).map_err(|e| Error::io(path, &e))?;
        let spec: Spec = serde_yaml::from_str(&text).map_err(|e| Error::Config(format!("{}: {e}", path.display())))?;
        let mut mistakes = spec.mistakes(reference);
        if path.file_stem().is_none_or(|stem| stem != spec.table.as_str()) {
            mistakes.insert(0, format!("table: `{}` must be the name of the file", spec.table));
        }
        if mistakes.is_empty() {
            return Ok(spec);
        }
        let lines: Vec<String> = mistakes.iter().map(|m| format!("{}: {m}", path.display())).collect();
        Err(Error::Config(lines.join("\n")))
    }

    /// Whose form a method with these parameters has, where the table says it.
    pub(super) fn division(&self, method: &str, params: &str) -> Option<Division> {
        let form = self.divisions.iter().find(|form| form.method == method && has(params, &form.params))?;
        Some(form.division)
    }

    /// Everything that is wrong, each with its place.
    fn mistakes(&self, reference: &Reference) -> Vec<String> {
        let mut found = Vec::new();
        if self.experiments.is_empty() {
            found.push("experiments: the list is empty".to_owned());
        }
        if self.rows.is_empty() {
            found.push("rows: the list is empty".to_owned());
        }
        for (i, row) in self.rows.iter().enumerate() {
            found.extend(row.mistakes(reference).into_iter().map(|m| format!("rows[{i}] (`{}`): {m}", row.name)));
        }
        found
    }
}

impl Entry {
    fn mistakes(&self, reference: &Reference) -> Vec<String> {
        let mut found = Vec::new();
        let metric = self.ours.metric();
        if zsad_metrics::find(metric).is_none() {
            let hint = suggest::hint(metric, METRICS.iter().map(|m| m.spec.name).collect::<Vec<_>>());
            found.push(format!("ours.metric: no metric `{metric}` ({hint})"));
        }
        match (&self.published, &self.none_because) {
            (Some(selector), None) => {
                found.extend(reference.find(selector).err().map(|m| format!("published: {m}")));
            }
            (None, Some(_)) => {
                if self.tolerance.is_some() || self.differs.is_some() || self.domains.is_some() {
                    found.push("tolerance, differs and domains say nothing without a published number".into());
                }
            }
            _ => found.push("give either `published` or `none_because`".into()),
        }
        if self.tolerance.is_some() && self.differs.is_some() {
            found.push("a protocol that differs has no tolerance: drop one of the two".into());
        }
        if self.tolerance.is_some_and(|t| !(t > 0.0 && t.is_finite())) {
            found.push("tolerance: must be above 0 (per cent points)".into());
        }
        found.extend(self.ours.level().err());
        found.extend(self.ours.size().err());
        found
    }
}

impl Ours {
    /// The metric column.
    pub(super) fn metric(&self) -> &str {
        self.metric.as_deref().unwrap_or("auroc")
    }

    fn level(&self) -> Result<Option<Contamination>, String> {
        match &self.contamination {
            None => Ok(None),
            Some(Value::String(word)) if word == "natural" => Ok(Some(Contamination::Natural)),
            Some(value) => match value.as_f64().filter(|r| (0.0..=0.5).contains(r)) {
                Some(ratio) => Ok(Some(Contamination::Ratio(ratio))),
                None => Err(format!("ours.contamination: {value} is neither a share of 0 … 0.5 nor `natural`")),
            },
        }
    }

    fn size(&self) -> Result<Option<BatchSize>, String> {
        match (&self.batch_size, self.normals) {
            (None, None) => Ok(None),
            (None, Some(n)) => Ok(Some(BatchSize::Normals(n))),
            (Some(_), Some(_)) => Err("ours: give either `batch_size` or `normals`".into()),
            (Some(Value::String(word)), None) if word == "all" => Ok(Some(BatchSize::All)),
            (Some(value), None) => match value.as_u64().filter(|n| *n > 0) {
                Some(n) => Ok(Some(BatchSize::Total(n as usize))),
                None => Err(format!("ours.batch_size: {value} is neither a whole number nor `all`")),
            },
        }
    }

    /// Whether a protocol point is meant.
    pub(super) fn fits_point(&self, point: &Point) -> bool {
        let level = self.level().ok().flatten();
        let size = self.size().ok().flatten();
        point.shift.is_none()
            && self.dataset.as_ref().is_none_or(|d| *d == point.dataset)
            && level.is_none_or(|l| l == point.contamination)
            && size.is_none_or(|s| s == point.size)
    }

    /// Whether a method with these parameters is meant.
    pub(super) fn fits_method(&self, method: &str, params: &str) -> bool {
        self.method.as_ref().is_none_or(|m| m == method) && has(params, &self.params)
    }

    /// Whether a row is meant by its domain, which a cell without results does not have.
    pub(super) fn fits_row(&self, row: &Row) -> bool {
        row.record.status != Status::Ok || self.domains.as_ref().is_none_or(|d| d.contains(&row.result.domain))
    }
}

/// Whether `params`, as results write them, have these values.
fn has(params: &str, wanted: &Map<String, Value>) -> bool {
    let has: Map<String, Value> = serde_json::from_str(params).unwrap_or_default();
    wanted.iter().all(|(name, value)| has.get(name).is_some_and(|v| equal(v, value)))
}

/// `5` and `5.0` are the same parameter.
fn equal(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}
