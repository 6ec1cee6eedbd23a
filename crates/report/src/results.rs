//! `results.csv` and `results.parquet`: one row a cell and domain.

use std::cmp::Ordering;
use std::path::Path;

use polars::prelude::*;
use zsad_core::record::Row;
use zsad_core::{Error, Result, file};

use crate::frame::{self, Field};

/// All columns in their order, each with its type: the one list behind writing and reading.
macro_rules! columns {
    ($($name:ident: $type:ty),* $(,)?) => {
        fn to_frame(rows: &[&Row]) -> PolarsResult<DataFrame> {
            let columns = vec![$(<$type as Field>::column(stringify!($name), rows.iter().map(|r| &r.$name))),*];
            DataFrame::new(rows.len(), columns)
        }

        fn schema() -> Schema {
            Schema::from_iter([$(polars::prelude::Field::new(stringify!($name).into(), <$type as Field>::DTYPE)),*])
        }

        fn from_frame(frame: &DataFrame) -> PolarsResult<Vec<Row>> {
            $(let mut $name = frame::values::<$type>(frame, stringify!($name))?.into_iter();)*
            let row = |_| Some(Row { $($name: $name.next()?),* });
            Ok((0..frame.height()).map_while(row).collect())
        }

        #[cfg(test)]
        const COLUMNS: &[&str] = &[$(stringify!($name)),*];
    };
}

columns! {
    experiment: String, profile: String, dataset: String, domain: String, method: String, method_version: u32,
    setting: String, params: String, seed: u64, contamination: Option<f64>, contamination_realised: Option<f64>,
    batch_size: Option<u64>, pooling: String, n_batches: u64, n_undefined: u64, n_normal: u64, n_anomalous: u64,
    auroc: Option<f64>, aupr: Option<f64>, f1_max: Option<f64>, fpr95: Option<f64>, pixel_auroc: Option<f64>,
    pixel_aupr: Option<f64>, aupro: Option<f64>, fit_seconds: Option<f64>, score_seconds: Option<f64>, status: String,
    error: String, fit_key: String, cell_key: String, git_sha: String, device: String, threads: u64,
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

/// The rows of `results.parquet` in `dir`, or of `results.csv` where there is no Parquet file.
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

/// The canonical order of rows: by what names a cell, then by seed and domain.
pub(crate) fn order(a: &Row, b: &Row) -> Ordering {
    fn names(r: &Row) -> ([&str; 4], u32, [&str; 2], Option<u64>) {
        let first = [&r.experiment, &r.profile, &r.dataset, &r.method].map(String::as_str);
        (first, r.method_version, [&r.params, &r.pooling], r.batch_size)
    }
    let float = |x: Option<f64>, y: Option<f64>| match (x, y) {
        (Some(x), Some(y)) => x.total_cmp(&y),
        _ => x.is_some().cmp(&y.is_some()),
    };
    names(a)
        .cmp(&names(b))
        .then_with(|| float(a.contamination, b.contamination))
        .then_with(|| a.seed.cmp(&b.seed))
        .then_with(|| a.domain.cmp(&b.domain))
        .then_with(|| a.cell_key.cmp(&b.cell_key))
}

fn not_finite<'a>(row: &&'a Row) -> Option<(&'a Row, &'static str, f64)> {
    let r = *row;
    let floats = [
        ("contamination", r.contamination),
        ("contamination_realised", r.contamination_realised),
        ("auroc", r.auroc),
        ("aupr", r.aupr),
        ("f1_max", r.f1_max),
        ("fpr95", r.fpr95),
        ("pixel_auroc", r.pixel_auroc),
        ("pixel_aupr", r.pixel_aupr),
        ("aupro", r.aupro),
        ("fit_seconds", r.fit_seconds),
        ("score_seconds", r.score_seconds),
    ];
    floats.into_iter().find_map(|(name, v)| v.filter(|v| !v.is_finite()).map(|v| (r, name, v)))
}

#[cfg(test)]
#[path = "results_tests.rs"]
mod tests;
