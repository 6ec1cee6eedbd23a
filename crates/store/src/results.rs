//! `results.csv` and `results.parquet`: one row a cell and domain.

use std::cmp::Ordering;
use std::path::Path;

use polars_core::prelude::*;
use zsad_core::{BatchSize, Choice, Error, Result, file};
use zsad_metrics::METRICS;

use crate::frame::{self, Field};
use crate::record::Row;

/// A column that is not a metric: its name, its type, and how a row holds it.
struct Fixed {
    name: &'static str,
    dtype: DataType,
    write: fn(&str, &[&Row]) -> Column,
    read: fn(&DataFrame, &str, &mut [Row]) -> PolarsResult<()>,
}

/// Columns of the first part, around the metrics, and those that came later.
macro_rules! fixed {
    ($($name:ident: $type:ty, $get:expr, $set:expr;)*) => {
        &[$(Fixed {
            name: stringify!($name),
            dtype: <$type as Field>::DTYPE,
            write: |name, rows| {
                let get: fn(&Row) -> $type = $get;
                let values: Vec<$type> = rows.iter().map(|r| get(r)).collect();
                <$type as Field>::column(name, values.iter())
            },
            read: |frame, name, rows| {
                let set: fn(&mut Row, $type) -> Option<()> = $set;
                for (row, value) in rows.iter_mut().zip(frame::values::<$type>(frame, name)?) {
                    let shown = format!("{value:?}");
                    set(row, value)
                        .ok_or_else(|| polars_err!(ComputeError: "column `{}` cannot be {shown}", name))?;
                }
                Ok(())
            },
        }),*]
    };
}

/// Sets a field from a value that may not be one of its words.
fn put<T>(field: &mut T, value: Option<T>) -> Option<()> {
    value.map(|v| *field = v)
}

const BEFORE: &[Fixed] = fixed! {
    experiment: String, |r| r.experiment.clone(), |r, v| put(&mut r.experiment, Some(v));
    profile: String, |r| r.profile.clone(), |r, v| put(&mut r.profile, Some(v));
    dataset: String, |r| r.dataset.clone(), |r, v| put(&mut r.dataset, Some(v));
    domain: String, |r| r.domain.clone(), |r, v| put(&mut r.domain, Some(v));
    method: String, |r| r.method.clone(), |r, v| put(&mut r.method, Some(v));
    method_version: u32, |r| r.method_version, |r, v| put(&mut r.method_version, Some(v));
    setting: String, |r| r.setting.to_string(), |r, v| put(&mut r.setting, Choice::from_word(&v));
    params: String, |r| r.params.clone(), |r, v| put(&mut r.params, Some(v));
    seed: u64, |r| r.seed, |r, v| put(&mut r.seed, Some(v));
    contamination: Option<f64>, |r| r.contamination.ratio(), |r, v| put(&mut r.contamination, Some(v.into()));
    contamination_realised: Option<f64>, |r| r.contamination_realised,
        |r, v| put(&mut r.contamination_realised, Some(v));
    batch_size: String, |r| r.batch_size.to_column(), |r, v| put(&mut r.batch_size, asked_size(&v));
    pooling: String, |r| r.pooling.to_string(), |r, v| put(&mut r.pooling, Choice::from_word(&v));
    n_batches: u64, |r| r.n_batches, |r, v| put(&mut r.n_batches, Some(v));
    n_undefined: u64, |r| r.n_undefined, |r, v| put(&mut r.n_undefined, Some(v));
    n_normal: u64, |r| r.n_normal, |r, v| put(&mut r.n_normal, Some(v));
    n_anomalous: u64, |r| r.n_anomalous, |r, v| put(&mut r.n_anomalous, Some(v));
};

const AFTER: &[Fixed] = fixed! {
    fit_seconds: Option<f64>, |r| r.fit_seconds, |r, v| put(&mut r.fit_seconds, Some(v));
    score_seconds: Option<f64>, |r| r.score_seconds, |r, v| put(&mut r.score_seconds, Some(v));
    status: String, |r| r.status.to_string(), |r, v| put(&mut r.status, Choice::from_word(&v));
    error: String, |r| r.error.clone(), |r, v| put(&mut r.error, Some(v));
    fit_key: String, |r| r.fit_key.clone(), |r, v| put(&mut r.fit_key, Some(v));
    cell_key: String, |r| r.cell_key.clone(), |r, v| put(&mut r.cell_key, Some(v));
    git_sha: String, |r| r.git_sha.clone(), |r, v| put(&mut r.git_sha, Some(v));
    device: String, |r| r.device.clone(), |r, v| put(&mut r.device, Some(v));
    threads: u64, |r| r.threads, |r, v| put(&mut r.threads, Some(v));
    batch_total: Option<u64>, |r| r.batch_total, |r, v| put(&mut r.batch_total, Some(v));
    params_used: String, |r| r.params_used.clone(), |r, v| put(&mut r.params_used, Some(v));
};

/// Columns that files of earlier versions may lack.
const LATER: &[&str] = &["batch_total", "params_used"];

/// Metrics whose columns stand in the middle; those that came later stand at the end.
const IN_THE_MIDDLE: usize = 7;

/// The size that was asked for. Results of versions that kept totals alone have an empty field for cells that never came
/// as far as a batch.
fn asked_size(text: &str) -> Option<BatchSize> {
    if text.is_empty() { Some(BatchSize::All) } else { BatchSize::from_column(text) }
}

/// Writes `results.csv` and `results.parquet` into `dir`, each atomically, rows in the order of their key columns.
///
/// Floats read back exactly; what does not apply is null (an empty field in CSV).
///
/// # Errors
/// [`Error::Failed`] for a value that is not finite (it should have been null), [`Error::Data`] where a file cannot be
/// written.
pub fn write_results(dir: &Path, rows: &[Row]) -> Result<()> {
    let mut sorted: Vec<&Row> = rows.iter().collect();
    sorted.sort_by(|a, b| order(a, b));
    if let Some((row, name, value)) = sorted.iter().find_map(|row| not_finite(row)) {
        let place = format!("{} on {}, domain `{}`, seed {}", row.method, row.dataset, row.domain, row.seed);
        return Err(Error::failed(format!("{place}: `{name}` is {value}; undefined values must be empty")));
    }
    let failed = |e: PolarsError| Error::failed(format!("the results do not make a table: {e}"));
    let mut frame = to_frame(&sorted).map_err(failed)?;
    file::write(&dir.join("results.csv"), &frame::to_csv(&mut frame).map_err(failed)?)?;
    file::write(&dir.join("results.parquet"), &frame::to_parquet(&mut frame).map_err(failed)?)
}

/// The rows of `results.parquet` in `dir`, or of `results.csv` where there is no Parquet file. Columns that came later
/// may be missing.
///
/// # Errors
/// [`Error::Data`] where neither exists, or a file is damaged or lacks a column.
pub fn read_results(dir: &Path) -> Result<Vec<Row>> {
    let (parquet, csv) = (dir.join("results.parquet"), dir.join("results.csv"));
    let (path, frame) = if parquet.exists() {
        let frame = frame::read_parquet(&parquet)?;
        (parquet, frame)
    } else if csv.exists() {
        let frame = frame::read_csv(&csv, schema())?;
        (csv, frame)
    } else {
        return Err(Error::data(dir, "no results.parquet and no results.csv here", "`zsad run` writes them"));
    };
    from_frame(&frame).map_err(|e| frame::damaged(&path, e))
}

fn to_frame(rows: &[&Row]) -> PolarsResult<DataFrame> {
    let fixed = |columns: &[Fixed]| columns.iter().map(|c| (c.write)(c.name, rows)).collect::<Vec<_>>();
    let (middle, later) = METRICS.split_at(IN_THE_MIDDLE.min(METRICS.len()));
    let metrics = |metrics: &[&zsad_metrics::Metric]| {
        let column = |name: &str| {
            let values: Vec<Option<f64>> = rows.iter().map(|r| r.metric(name)).collect();
            <Option<f64> as Field>::column(name, values.iter())
        };
        metrics.iter().map(|m| column(m.spec.name)).collect::<Vec<_>>()
    };
    let columns = [fixed(BEFORE), metrics(middle), fixed(AFTER), metrics(later)].concat();
    DataFrame::new(rows.len(), columns)
}

fn schema() -> Schema {
    let fixed = BEFORE.iter().chain(AFTER).map(|c| (c.name, c.dtype.clone()));
    let metrics = METRICS.iter().map(|m| (m.spec.name, DataType::Float64));
    Schema::from_iter(fixed.chain(metrics).map(|(name, dtype)| polars_core::prelude::Field::new(name.into(), dtype)))
}

fn from_frame(frame: &DataFrame) -> PolarsResult<Vec<Row>> {
    let mut rows = vec![empty(); frame.height()];
    let has = |name: &str| frame.column(name).is_ok();
    for column in BEFORE.iter().chain(AFTER).filter(|c| !LATER.contains(&c.name) || has(c.name)) {
        (column.read)(frame, column.name, &mut rows)?;
    }
    let (middle, later) = METRICS.split_at(IN_THE_MIDDLE.min(METRICS.len()));
    for metric in middle.iter().chain(later.iter().filter(|m| has(m.spec.name))) {
        let name = metric.spec.name;
        for (row, value) in rows.iter_mut().zip(frame::values::<Option<f64>>(frame, name)?) {
            row.metrics.extend(value.map(|v| (name.to_owned(), v)));
        }
    }
    Ok(rows)
}

/// A row before its columns are read.
fn empty() -> Row {
    Row {
        experiment: String::new(),
        profile: String::new(),
        dataset: String::new(),
        domain: String::new(),
        method: String::new(),
        method_version: 0,
        setting: zsad_core::Supervision::InBatch,
        params: String::new(),
        seed: 0,
        contamination: None.into(),
        contamination_realised: None,
        batch_size: BatchSize::All,
        pooling: zsad_core::Pooling::Batch,
        n_batches: 0,
        n_undefined: 0,
        n_normal: 0,
        n_anomalous: 0,
        metrics: Default::default(),
        fit_seconds: None,
        score_seconds: None,
        status: crate::record::Status::Ok,
        error: String::new(),
        fit_key: String::new(),
        cell_key: String::new(),
        git_sha: String::new(),
        device: String::new(),
        threads: 0,
        batch_total: None,
        params_used: String::new(),
    }
}

/// The canonical order of rows: by what names a cell, then by seed and domain.
fn order(a: &Row, b: &Row) -> Ordering {
    fn names(r: &Row) -> ([&str; 4], u32, [&str; 2]) {
        let first = [&r.experiment, &r.profile, &r.dataset, &r.method].map(String::as_str);
        (first, r.method_version, [&r.params, r.pooling.word()])
    }
    let sizes = |r: &Row| (r.batch_size, r.contamination, r.seed);
    names(a)
        .cmp(&names(b))
        .then_with(|| sizes(a).cmp(&sizes(b)))
        .then_with(|| a.domain.cmp(&b.domain))
        .then_with(|| a.cell_key.cmp(&b.cell_key))
}

fn not_finite<'a>(row: &&'a Row) -> Option<(&'a Row, &'a str, f64)> {
    let r = *row;
    let fixed = [
        ("contamination", r.contamination.ratio()),
        ("contamination_realised", r.contamination_realised),
        ("fit_seconds", r.fit_seconds),
        ("score_seconds", r.score_seconds),
    ];
    let metrics = r.metrics.iter().map(|(name, v)| (name.as_str(), Some(*v)));
    fixed.into_iter().chain(metrics).find_map(|(name, v)| v.filter(|v| !v.is_finite()).map(|v| (r, name, v)))
}

#[cfg(test)]
#[path = "results_tests.rs"]
mod tests;
