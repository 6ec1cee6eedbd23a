//! The comparison of methods: one block a data set and batch size, methods as lines, contamination as columns.

mod entry;
mod layout;
mod ties;

use std::path::Path;

use polars_core::prelude::{DataFrame, PolarsResult};
use zsad_core::job::Asked;
use zsad_core::{MetricSpec, Result, Shift, file};
use zsad_metrics::METRICS;
use zsad_store::{Finding, Row};

pub(crate) use entry::column;
pub use entry::{Entry, Outcome};
pub use layout::Style;
pub(crate) use layout::{level_head, number};
pub(crate) use ties::ranks;

use crate::export::{Latex, Markdown, Printed};
use crate::grid::Grid;
use crate::sheet::Sheet;
use zsad_store::Field;

/// All numbers of a comparison, ready to be printed.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Title.
    pub title: String,
    /// The places, by metric, point and method.
    pub entries: Vec<Entry>,
    sheet: Sheet,
}

/// The comparison of all methods in `rows` under `metrics` (see [`default_metrics`]), everything shown.
pub fn comparison(rows: &[Row], metrics: &[&'static MetricSpec]) -> Table {
    styled(rows, metrics, &[], &Style::default())
}

/// The comparison of all methods in `rows` under `metrics`, laid out as `style` says, with what was found odd about them.
///
/// A number is the mean over seeds of the mean over domains, ± the standard deviation over seeds, with its 95 % interval
/// over seeds and domains ([`crossed`](zsad_metrics::stats::crossed)). Everything is a function of the rows alone.
pub fn styled(rows: &[Row], metrics: &[&'static MetricSpec], findings: &[Finding], style: &Style) -> Table {
    let grid = Grid::new(rows);
    let all = metrics.iter().flat_map(|m| grid.points.iter().map(|p| entry::column(&grid, p, m)));
    // A point without any number says nothing of a metric that was not measured there.
    let measured = |c: &Vec<Entry>| c[0].metric == headline() || c.iter().any(|e| e.outcome.number().is_some());
    let mut entries: Vec<Entry> = all.filter(measured).flatten().collect();
    for entry in entries.iter_mut().filter(|e| e.metric == headline()) {
        entry.remarks = remarks(&grid, entry, findings);
    }
    let title = title(rows);
    let sheet = layout::sheet(&title, &grid, &entries, style);
    Table { title, entries, sheet }
}

/// What was found odd about the cells of an entry.
fn remarks(grid: &Grid, entry: &Entry, findings: &[Finding]) -> Vec<String> {
    let rows = grid.cell(&entry.point, &entry.method).map(|cell| cell.ok.as_slice()).unwrap_or_default();
    let about = |f: &&Finding| rows.iter().any(|row| f.cells.contains(&row.record.cell_key));
    findings.iter().filter(about).map(|f| f.message.clone()).collect()
}

/// The first metric, which every table shows.
pub(crate) fn headline() -> &'static MetricSpec {
    &METRICS[0].spec
}

/// The first metric, and of the other headline metrics those that the rows hold.
pub fn default_metrics(rows: &[Row]) -> Vec<&'static MetricSpec> {
    shown(rows, |m| m.headline)
}

/// The first metric, and of the others those that are wanted and that the rows hold.
pub(crate) fn shown(rows: &[Row], wanted: impl Fn(&MetricSpec) -> bool) -> Vec<&'static MetricSpec> {
    let present = |m: &MetricSpec| rows.iter().any(|r| r.metric(m.name).is_some());
    let specs = METRICS.iter().map(|m| &m.spec);
    specs.filter(|m| *m == headline() || wanted(m) && present(m)).collect()
}

/// Writes `table.md`, `table.tex` (both with [`default_metrics`]) and `table.csv` (every metric that the rows hold), and
/// returns the first table.
///
/// # Errors
/// [`Error::Data`](zsad_core::Error::Data) where a file cannot be written.
pub fn write_all(dir: &Path, rows: &[Row], findings: &[Finding]) -> Result<Table> {
    let table = styled(rows, &default_metrics(rows), findings, &Style::default());
    file::write(&dir.join("table.md"), table.print(&Markdown).as_bytes())?;
    file::write(&dir.join("table.tex"), table.print(&Latex).as_bytes())?;
    file::write(&dir.join("table.csv"), comparison(rows, &shown(rows, |_| true)).to_csv()?.as_bytes())?;
    Ok(table)
}

pub(crate) fn title(rows: &[Row]) -> String {
    let name = |Asked { experiment, profile, .. }: &Asked| {
        if profile.is_empty() { experiment.clone() } else { format!("{experiment} (profile {profile})") }
    };
    let names: std::collections::BTreeSet<String> = rows.iter().map(|r| name(r.asked())).collect();
    if names.is_empty() { "no results".into() } else { names.into_iter().collect::<Vec<_>>().join(", ") }
}

impl Printed for Table {
    fn sheet(&self) -> &Sheet {
        &self.sheet
    }

    /// One line a metric, point and method, as shares between 0 and 1.
    fn frame(&self) -> PolarsResult<DataFrame> {
        let mut columns = Vec::new();
        macro_rules! column {
            ($name:literal, $type:ty, $value:expr) => {{
                let values: Vec<$type> = self.entries.iter().map($value).collect();
                columns.push(<$type as Field>::column($name, values.iter()));
            }};
        }
        let number = |e: &Entry| e.outcome.number().copied();
        column!("metric", String, |e| e.metric.name.into());
        column!("dataset", String, |e| e.point.dataset.clone());
        column!("batch", String, |e| e.point.size.to_string());
        column!("pooling", String, |e| e.point.pooling.to_string());
        column!("contamination", Option<f64>, |e| e.point.contamination.ratio());
        column!("contamination_realised", Option<f64>, |e| e.realised);
        column!("method", String, |e| e.method.method.clone());
        column!("method_version", u32, |e| e.method.version);
        column!("params", String, |e| e.method.params.clone());
        column!("label", String, |e| e.label.clone());
        column!("setting", String, |e| e.method.setting.to_string());
        column!("outcome", String, |e| e.outcome.word().into());
        column!("mean", Option<f64>, |e| number(e).map(|s| s.mean));
        column!("std", Option<f64>, |e| number(e).and_then(|s| s.std));
        column!("ci95_low", Option<f64>, |e| number(e).and_then(|s| Some(s.interval?.0)));
        column!("ci95_high", Option<f64>, |e| number(e).and_then(|s| Some(s.interval?.1)));
        column!("n_seeds", Option<u64>, |e| number(e).map(|s| s.seeds as u64));
        column!("n_domains", Option<u64>, |e| number(e).map(|s| s.domains as u64));
        column!("best", bool, |e| e.best);
        column!("tied_with_best", bool, |e| e.tied);
        column!("n_batches", u64, |e| e.batches);
        column!("n_undefined", u64, |e| e.undefined);
        column!("n_cells", u64, |e| e.cells as u64);
        column!("n_failed", u64, |e| e.failed as u64);
        column!("n_refused", u64, |e| e.refused as u64);
        column!("reasons", String, |e| e.reasons.join("; "));
        column!("rank", Option<u64>, |e| e.rank.map(|r| r as u64));
        column!("ranks_not_told_apart", String, |e| ties::ranks(&e.not_parted));
        column!("resolution", Option<f64>, |e| e.resolution);
        // Tables of earlier versions, which knew no shift, stay what they are.
        if self.entries.iter().any(|e| e.point.shift.is_some()) {
            column!("shift", String, |e| Shift::to_column(e.point.shift));
        }
        DataFrame::new(self.entries.len(), columns)
    }
}

#[cfg(test)]
mod tests;
