//! What a pack makes of its cells, the rows of results and the tables, against records and recomputed values.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use zsad_core::{Error, Result};
use zsad_report::table;
use zsad_store::results::read_results_file;
use zsad_store::{CellRecord, DomainResult, Row, findings};

use super::again::{counts, value};
use super::check::{Report, label};

/// The rows of a table of results against records and recomputed values; `None` where it is not there or cannot be read.
pub fn results(
    root: &Path,
    name: &str,
    records: &BTreeMap<String, CellRecord>,
    computed: &BTreeMap<(String, String), DomainResult>,
    report: &mut Report,
) -> Option<Vec<Row>> {
    let path = root.join(name);
    if !path.exists() {
        return None;
    }
    let rows = match read_results_file(&path) {
        Ok(rows) => rows,
        Err(error) => {
            report.differences.push(format!("{name}: {error}"));
            return None;
        }
    };
    let mut seen = BTreeSet::new();
    for row in &rows {
        let (key, domain) = (&row.record.cell_key, &row.result.domain);
        let place = format!("{name}: cell {key}, domain {domain}");
        let Some(record) = records.get(key) else {
            report.differences.push(format!("{place}: no such record"));
            continue;
        };
        let Some(wanted) = computed.get(&(key.clone(), domain.clone())) else {
            report.differences.push(format!("{place}: not in the record"));
            continue;
        };
        seen.insert((key.clone(), domain.clone()));
        let place = format!("{name}: {}, domain {domain}", label(record));
        counts(&place, &row.result, wanted, report);
        let names: BTreeSet<&String> = row.result.metrics.keys().chain(wanted.metrics.keys()).collect();
        for metric in names {
            value(&place, metric, row.metric(metric), wanted.metrics.get(metric).copied().flatten(), report);
        }
        for ((column, stored), (_, recorded)) in said(&row.record).into_iter().zip(said(record)) {
            // Files of earlier versions lack some columns.
            if stored != recorded && stored != "null" {
                report.differences.push(format!("{place}: {column}: {stored}, its record says {recorded}"));
            }
        }
    }
    let missing = computed.keys().filter(|place| !seen.contains(*place));
    report.differences.extend(missing.map(|(key, domain)| format!("{name}: cell {key}, domain {domain}: no row")));
    Some(rows)
}

/// What a row says of its record, by column.
fn said(record: &CellRecord) -> [(&'static str, String); 10] {
    let (fit, point) = (&record.cell.fit, &record.cell.point);
    let seconds = |t: Option<f64>| t.map_or("none".to_owned(), |t| t.to_string());
    [
        ("method_name", fit.method.name.clone()),
        ("method_version", fit.method.version.to_string()),
        ("params_used", fit.method.params.to_string()),
        ("seed", record.cell.seed().to_string()),
        ("batch_size", point.size.to_column()),
        ("contamination", point.contamination.to_string()),
        ("status", record.status.to_string()),
        ("error", record.error.clone().unwrap_or_default()),
        ("fit_key", record.fit_key.clone()),
        ("fit_seconds, score_seconds", format!("{}, {}", seconds(record.fit_seconds), seconds(record.score_seconds))),
    ]
}

/// The comparison against the results.
///
/// # Errors
/// Where no temporary folder can be written.
pub fn tables(root: &Path, rows: &[Row], report: &mut Report) -> Result<()> {
    let again = tempfile::tempdir().map_err(|e| Error::failed(format!("a temporary folder: {e}")))?;
    table::write_all(again.path(), rows, &findings::read(root)?)?;
    for name in ["table.md", "table.tex", "table.csv"] {
        let [stored, computed] = [root, again.path()].map(|folder| fs::read(folder.join(name)).unwrap_or_default());
        if root.join(name).exists() && stored != computed {
            report.differences.push(format!("{name}: not the table of the results"));
        }
    }
    Ok(())
}
