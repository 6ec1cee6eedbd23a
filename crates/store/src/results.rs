//! `results.csv` and `results.parquet`: one row a cell and domain.

mod columns;
mod given;

use std::path::Path;
use std::sync::Arc;

use polars_core::prelude::*;
use zsad_core::{Choice, Error, Result, file};
use zsad_metrics::METRICS;

use crate::frame::{self, Field};
use crate::record::{DomainResult, Row};
use columns::{Computed, Fixed, Of, Stored};

/// The place of a column in a row.
macro_rules! at {
    (record $(.$part:ident)+) => {
        &Of { get: |r| &r.record$(.$part)+, field: |r| &mut Arc::make_mut(&mut r.record)$(.$part)+ }
    };
    (result.$part:ident) => {
        &Of { get: |r| &r.result.$part, field: |r| &mut r.result.$part }
    };
}

/// What results call a row's method.
fn method(row: &Row) -> &String {
    if row.asked().method.is_empty() { &row.fit().method.name } else { &row.asked().method }
}

/// The seed that draws a row's tests.
fn seed(row: &Row) -> &u64 {
    row.point().draw_seed.as_ref().unwrap_or(&row.fit().seed)
}

/// The columns before the metrics.
const BEFORE: &[(&str, &dyn Fixed)] = &[
    ("experiment", at!(record.asked.experiment)),
    ("profile", at!(record.asked.profile)),
    ("dataset", at!(record.asked.dataset)),
    ("domain", at!(result.domain)),
    ("method", &Of { get: method, field: |r| &mut Arc::make_mut(&mut r.record).asked.method }),
    ("method_version", at!(record.cell.fit.method.version)),
    ("setting", at!(record.asked.setting)),
    ("params", at!(record.asked.params)),
    ("seed", &Of { get: seed, field: |r| &mut Arc::make_mut(&mut r.record).cell.fit.seed }),
    ("contamination", at!(record.cell.point.contamination)),
    ("contamination_realised", &Computed(Row::contamination_realised)),
    ("batch_size", at!(record.cell.point.size)),
    ("pooling", at!(record.cell.point.pooling)),
    ("n_batches", at!(result.n_batches)),
    ("n_undefined", at!(result.n_undefined)),
    ("n_normal", at!(result.n_normal)),
    ("n_anomalous", at!(result.n_anomalous)),
];

/// The columns after them.
const AFTER: &[(&str, &dyn Fixed)] = &[
    ("fit_seconds", at!(record.fit_seconds)),
    ("score_seconds", at!(record.score_seconds)),
    ("status", at!(record.status)),
    ("error", at!(record.error)),
    ("fit_key", at!(record.fit_key)),
    ("cell_key", at!(record.cell_key)),
    ("git_sha", at!(record.provenance.git_sha)),
    ("device", at!(record.provenance.device)),
    ("threads", at!(record.provenance.threads)),
    ("batch_total", &Computed(Row::batch_total)),
    (PARAMS_USED, at!(record.cell.fit.method.params)),
];

/// The columns after the metrics that came later.
const LAST: &[(&str, &dyn Fixed)] = &[(METHOD_NAME, at!(record.cell.fit.method.name))];

/// The columns after the metrics that came after these.
const NEWEST: &[(&str, &dyn Fixed)] =
    &[(SHIFT, at!(record.cell.point.shift)), (LABELS, &given::HowMany), (QUERY, &given::OfWhich)];

/// The columns that files of earlier versions may lack.
const PARAMS_USED: &str = "params_used";
const METHOD_NAME: &str = "method_name";
const SHIFT: &str = "shift";
const LABELS: &str = "labels";
const QUERY: &str = "query";

/// Metrics whose columns stand in the middle; those that came later stand at the end, in the order in which columns came.
const IN_THE_MIDDLE: usize = 7;
/// Metrics that came before the columns [`LAST`], and …
const BEFORE_LAST: usize = 8;
/// … before the columns [`NEWEST`].
const BEFORE_NEWEST: usize = 9;

/// Writes `results.csv` and `results.parquet` into `dir`, each atomically, rows in the order of their key columns.
///
/// Floats read back exactly; what does not apply is null (an empty field in CSV).
///
/// # Errors
/// [`Error::Failed`] for a value that is not finite (it should have been null), [`Error::Data`] where a file cannot be
/// written.
pub fn write_results(dir: &Path, rows: &[Row]) -> Result<()> {
    let mut sorted: Vec<&Row> = rows.iter().collect();
    sorted.sort_by_cached_key(|row| sort_key(row));
    if let Some((row, name, value)) = sorted.iter().find_map(|row| not_finite(row)) {
        let (dataset, domain) = (&row.asked().dataset, &row.result.domain);
        let at = format!("{} on {dataset}, domain `{domain}`, seed {}", row.method(), seed(row));
        return Err(Error::failed(format!("{at}: `{name}` is {value}; undefined values must be empty")));
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
    let files = ["results.parquet", "results.csv"].map(|name| dir.join(name));
    match files.iter().find(|path| path.exists()) {
        Some(path) => read_results_file(path),
        None => Err(Error::data(dir, "no results.parquet and no results.csv here", "`zsad run` writes them")),
    }
}

/// The rows of one file, by its ending Parquet or CSV; see [`read_results`].
///
/// # Errors
/// [`Error::Data`] where it is missing or damaged, or lacks a column.
pub fn read_results_file(path: &Path) -> Result<Vec<Row>> {
    let is_csv = path.extension().is_some_and(|ending| ending == "csv");
    let frame = if is_csv { frame::read_csv(path, schema())? } else { frame::read_parquet(path)? };
    from_frame(&frame).map_err(|e| frame::damaged(path, e))
}

fn to_frame(rows: &[&Row]) -> PolarsResult<DataFrame> {
    let fixed =
        |columns: &[(&str, &dyn Fixed)]| columns.iter().map(|(name, c)| c.write(name, rows)).collect::<Vec<_>>();
    let (before, last) = METRICS.split_at(BEFORE_NEWEST.min(METRICS.len()));
    let (first, newest) = before.split_at(BEFORE_LAST.min(before.len()));
    let (middle, later) = first.split_at(IN_THE_MIDDLE.min(first.len()));
    let metrics = |metrics: &[&zsad_metrics::Metric]| {
        let column = |name: &str| {
            let values: Vec<Option<f64>> = rows.iter().map(|r| r.metric(name)).collect();
            <Option<f64> as Field>::column(name, values.iter())
        };
        metrics.iter().map(|m| column(m.spec.name)).collect::<Vec<_>>()
    };
    // What is measured on request has a column where it was asked for.
    let asked = |m: &&zsad_metrics::Metric| !m.spec.on_request || rows.iter().any(|r| r.metric(m.spec.name).is_some());
    let [newest, last] = [newest, last].map(|of| of.iter().copied().filter(asked).collect::<Vec<_>>());
    let [first, after, then, end] = [BEFORE, AFTER, LAST, NEWEST].map(fixed);
    let columns = [first, metrics(middle), after, metrics(later), then, metrics(&newest), end, metrics(&last)].concat();
    DataFrame::new(rows.len(), columns)
}

fn all_fixed() -> impl Iterator<Item = &'static (&'static str, &'static dyn Fixed)> {
    BEFORE.iter().chain(AFTER).chain(LAST).chain(NEWEST)
}

fn schema() -> Schema {
    let fixed = all_fixed().map(|(name, c)| (*name, c.dtype()));
    let metrics = METRICS.iter().map(|m| (m.spec.name, DataType::Float64));
    Schema::from_iter(fixed.chain(metrics).map(|(name, dtype)| polars_core::prelude::Field::new(name.into(), dtype)))
}

fn from_frame(frame: &DataFrame) -> PolarsResult<Vec<Row>> {
    let mut rows: Vec<Row> =
        (0..frame.height()).map(|_| Row { record: Arc::default(), result: DomainResult::default() }).collect();
    let has = |name: &str| frame.column(name).is_ok();
    let may_lack = |name: &str| [PARAMS_USED, METHOD_NAME, SHIFT, LABELS, QUERY].contains(&name);
    for (name, column) in all_fixed().filter(|(name, _)| !may_lack(name) || has(name)) {
        column.read(frame, name, &mut rows)?;
    }
    if !has(METHOD_NAME) {
        // Methods had one name.
        for record in rows.iter_mut().map(|r| Arc::make_mut(&mut r.record)) {
            record.cell.fit.method.name = record.asked.method.clone();
        }
    }
    let (middle, later) = METRICS.split_at(IN_THE_MIDDLE.min(METRICS.len()));
    for metric in middle.iter().chain(later.iter().filter(|m| has(m.spec.name))) {
        let name = metric.spec.name;
        for (row, value) in rows.iter_mut().zip(frame::values::<Option<f64>>(frame, name)?) {
            row.result.metrics.extend(value.map(|v| (name.to_owned(), Some(v))));
        }
    }
    Ok(rows)
}

/// Where a row stands among the others.
fn sort_key(row: &Row) -> impl Ord + use<> {
    let (asked, fit, point) = (row.asked(), row.fit(), row.point());
    let names = [&asked.experiment, &asked.profile, &asked.dataset, method(row)].map(String::clone);
    let method = (fit.method.name.clone(), fit.method.version, asked.params.written(), point.pooling.word());
    (
        names,
        method,
        (point.size, point.contamination, point.shift, *seed(row)),
        row.result.domain.clone(),
        row.record.cell_key.clone(),
    )
}

/// The first value of a row that is no finite number, with its column.
fn not_finite<'a>(row: &&'a Row) -> Option<(&'a Row, &'a str, f64)> {
    let r = *row;
    let fixed = [
        ("contamination", r.point().contamination.ratio()),
        ("fit_seconds", r.record.fit_seconds),
        ("score_seconds", r.record.score_seconds),
    ];
    let metrics = r.result.metrics.iter().map(|(name, v)| (name.as_str(), *v));
    fixed.into_iter().chain(metrics).find_map(|(name, v)| v.filter(|v| !v.is_finite()).map(|v| (r, name, v)))
}

#[cfg(test)]
#[path = "results_tests.rs"]
mod tests;
