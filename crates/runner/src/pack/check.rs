//! A pack checked: every file against the crate's own list, every metric against the stored scores, what is made of them
//! against both.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;
use zsad_core::{Error, Level, Result};
use zsad_report::table;
use zsad_store::results::read_results_file;
use zsad_store::{CellRecord, DomainResult, MetricRecord, Row, RunFolder, Status, findings};

use super::{METADATA, sha256};
use crate::evaluate;
use crate::registry::Registry;

/// Values that differ by no more are the same: metrics lie between 0 and 1, and sums are taken in one order.
const SAME: f64 = 1e-12;

/// What a check found.
#[derive(Debug, Default, PartialEq)]
pub struct Report {
    /// SHA-256 of the crate's list.
    pub identity: String,
    /// What is not as it should be, a line each.
    pub differences: Vec<String>,
    /// Files on the list.
    pub files: usize,
    /// Finished cells with scores.
    pub cells: usize,
    /// Values of metrics that were computed again.
    pub recomputed: usize,
    /// Values of metrics that could not be, by metric and reason.
    pub not_recomputed: BTreeMap<String, usize>,
}

/// Checks the unpacked crate in `root`.
///
/// # Errors
/// [`Error::Data`] where it has no list, or a record comes from a newer zsad.
pub fn check(root: &Path, registry: &Registry) -> Result<Report> {
    let mut report = Report::default();
    digests(root, &mut report)?;
    let folder = RunFolder::new(root);
    let records = records(root, &mut report)?;
    let mut computed = BTreeMap::new();
    for record in records.values() {
        for result in recompute(&folder, record, registry, &mut report)? {
            computed.insert((record.cell_key.clone(), result.domain.clone()), result);
        }
    }
    let parquet = results(root, "results.parquet", &records, &computed, &mut report);
    let csv = results(root, "results.csv", &records, &computed, &mut report);
    match parquet.or(csv) {
        Some(rows) => tables(root, &rows, &mut report)?,
        None => report.differences.push("results.parquet, results.csv: neither can be read".into()),
    }
    Ok(report)
}

/// Every file against the list.
fn digests(root: &Path, report: &mut Report) -> Result<()> {
    let path = root.join(METADATA);
    let text = fs::read(&path).map_err(|e| Error::data(&path, e, "this is no pack of zsad"))?;
    report.identity = sha256(&text);
    let list: Value = serde_json::from_slice(&text).map_err(|e| Error::data(&path, e, "this is no pack of zsad"))?;
    let entities = list["@graph"].as_array().into_iter().flatten();
    let listed = entities.filter_map(|e| Some((e["@id"].as_str()?, e["sha256"].as_str()?)));
    let listed: BTreeMap<String, String> = listed.map(|(id, sum)| (id.to_owned(), sum.to_owned())).collect();
    let mut there = BTreeSet::new();
    walk(root, "", &mut there)?;
    there.remove(METADATA);
    for path in &there {
        let Some(wanted) = listed.get(path) else {
            report.differences.push(format!("{path}: not on the list of {METADATA}"));
            continue;
        };
        let found = sha256(&fs::read(root.join(path)).map_err(|e| Error::io(root.join(path), &e))?);
        if found != *wanted {
            let short = |sum: &str| sum.get(..16).unwrap_or(sum).to_owned();
            let (want, found) = (short(wanted), short(&found));
            report.differences.push(format!("{path}: changed: SHA-256: listed {want}…, found {found}…"));
        }
    }
    let missing = listed.keys().filter(|path| !there.contains(*path));
    report.differences.extend(missing.map(|path| format!("{path}: missing")));
    report.files = listed.len();
    Ok(())
}

fn walk(root: &Path, below: &str, found: &mut BTreeSet<String>) -> Result<()> {
    let folder = root.join(below);
    for entry in fs::read_dir(&folder).map_err(|e| Error::io(&folder, &e))? {
        let entry = entry.map_err(|e| Error::io(&folder, &e))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        if entry.path().is_dir() {
            walk(root, &path, found)?;
        } else {
            found.insert(path);
        }
    }
    Ok(())
}

/// The records, by cell key, each under its own name and keys.
fn records(root: &Path, report: &mut Report) -> Result<BTreeMap<String, CellRecord>> {
    let mut names = BTreeSet::new();
    if root.join("records").is_dir() {
        walk(root, "records", &mut names)?;
    }
    let mut records = BTreeMap::new();
    for name in names.iter().filter(|name| name.ends_with(".json")) {
        let Some(record) = CellRecord::read(&root.join(name))? else {
            report.differences.push(format!("{name}: cannot be read"));
            continue;
        };
        let own = [("cell", &record.cell_key, record.cell.key()), ("fit", &record.fit_key, record.cell.fit.key())];
        // Keys of versions that did not hash data are no keys of today's.
        for (what, stored, computed) in own.iter().filter(|_| record.cell.is_identified()) {
            if *stored != computed {
                report.differences.push(format!("{name}: key of the {what}: stored {stored}, computed {computed}"));
            }
        }
        if *name != format!("records/{}.json", record.cell_key) {
            report.differences.push(format!("{name}: holds cell {}", record.cell_key));
        }
        records.insert(record.cell_key.clone(), record);
    }
    Ok(records)
}

/// `knn on omniglot, seed 0, batch size 20, 10 %`.
fn label(record: &CellRecord) -> String {
    let (point, asked) = (&record.cell.point, &record.asked);
    let method = asked.method_or(&record.cell.fit.method.name);
    format!("{method} on {}, seed {}, {}, {}", asked.dataset, record.cell.seed(), point.size, point.contamination)
}

/// The results of a cell, every metric of samples from its scores; compares them with what the record says.
fn recompute(
    folder: &RunFolder,
    record: &CellRecord,
    registry: &Registry,
    report: &mut Report,
) -> Result<Vec<DomainResult>> {
    if record.status != Status::Ok {
        return Ok(vec![DomainResult::default()]);
    }
    report.cells += 1;
    let key = &record.cell_key;
    let scores = format!("records/{key}.scores.parquet");
    let batches = match folder.scores(key) {
        Ok(batches) => batches,
        Err(error) => {
            report.differences.push(format!("{scores}: {}: {error}", label(record)));
            return Ok(record.domains.clone());
        }
    };
    if batches.iter().flat_map(|b| &b.items).any(|score| !score.is_finite()) {
        report.differences.push(format!("{scores}: {}: scores that are no finite numbers", label(record)));
        return Ok(record.domains.clone());
    }
    let of_samples: Vec<_> = registry.metrics.iter().copied().filter(|m| m.spec.level == Level::Sample).collect();
    let computed = evaluate::by_domain(&batches, record.cell.point.pooling, &of_samples);
    let mut computed: BTreeMap<String, DomainResult> = computed.into_iter().map(|r| (r.domain.clone(), r)).collect();
    let mut all = Vec::new();
    for stored in &record.domains {
        let place = format!("records/{key}.json: {}, domain {}", label(record), stored.domain);
        // A domain that was too small for a batch has a result without any.
        let of_domain = computed.remove(&stored.domain).or_else(|| (stored.n_batches == 0).then(|| stored.clone()));
        let Some(mut result) = of_domain else {
            report.differences.push(format!("{place}: no scores"));
            all.push(stored.clone());
            continue;
        };
        counts(&place, stored, &result, report);
        let mut wanted = stored.metrics.clone();
        for metric in registry.metrics {
            let later = folder.metric(key, &metric.spec.id())?.map(|m: MetricRecord| m.domains);
            if let Some(value) = later.and_then(|domains| domains.get(&stored.domain).copied()) {
                wanted.insert(metric.spec.name.to_owned(), value);
            }
        }
        for (name, stored) in wanted {
            let today = registry.metric(&name).filter(|m| m.spec.level == Level::Sample);
            let other = record.metrics.iter().find(|id| id.split('@').next() == Some(name.as_str()));
            let same_version = |m: &&zsad_metrics::Metric| other.is_none_or(|id| *id == m.spec.id());
            match today.filter(same_version) {
                Some(_) => {
                    value(&place, &name, stored, result.metrics.get(&name).copied().flatten(), report);
                    report.recomputed += usize::from(stored.is_some());
                }
                None => {
                    if stored.is_some() {
                        let why = match (registry.metric(&name), other) {
                            (Some(m), _) if m.spec.level == Level::Pixel => format!("{name}: its maps are not stored"),
                            (_, Some(id)) => format!("{id}: of another version of zsad"),
                            (_, None) => format!("{name}: not known to this version of zsad"),
                        };
                        *report.not_recomputed.entry(why).or_default() += 1;
                    }
                    result.metrics.insert(name, stored);
                }
            }
        }
        all.push(result);
    }
    for domain in computed.keys() {
        report.differences.push(format!("{scores}: {}, domain {domain}: not in the record", label(record)));
    }
    Ok(all)
}

/// Numbers of batches and samples.
fn counts(place: &str, stored: &DomainResult, computed: &DomainResult, report: &mut Report) {
    let numbers = |r: &DomainResult| [r.n_batches, r.n_undefined, r.n_normal, r.n_anomalous];
    let names = ["n_batches", "n_undefined", "n_normal", "n_anomalous"];
    for ((name, stored), computed) in names.iter().zip(numbers(stored)).zip(numbers(computed)) {
        if stored != computed {
            report.differences.push(format!("{place}: {name}: stored {stored}, recomputed {computed}"));
        }
    }
}

/// One value.
fn value(place: &str, name: &str, stored: Option<f64>, computed: Option<f64>, report: &mut Report) {
    let same = match (stored, computed) {
        (Some(a), Some(b)) => (a - b).abs() <= SAME,
        (a, b) => a.is_none() && b.is_none(),
    };
    if !same {
        let shown = |v: Option<f64>| v.map_or("none".to_owned(), |v| v.to_string());
        let (stored, computed) = (shown(stored), shown(computed));
        report.differences.push(format!("{place}: {name}: stored {stored}, recomputed {computed}"));
    }
}

/// The rows of a table of results against records and recomputed values; `None` where it is not there or cannot be read.
fn results(
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
        let said = |r: &CellRecord| {
            let (fit, point) = (&r.cell.fit, &r.cell.point);
            let words =
                [r.status.to_string(), r.fit_key.clone(), fit.method.name.clone(), fit.method.params.to_string()];
            let numbers = [r.cell.seed().to_string(), point.size.to_column(), point.contamination.to_string()];
            let times = [r.fit_seconds, r.score_seconds].map(|t| format!("{t:?}"));
            (words, numbers, times, fit.method.version, r.error.clone().unwrap_or_default())
        };
        if said(&row.record) != said(record) {
            let (row, record) = (said(&row.record), said(record));
            report.differences.push(format!("{place}: says {row:?}, its record {record:?}"));
        }
    }
    let missing = computed.keys().filter(|place| !seen.contains(*place));
    report.differences.extend(missing.map(|(key, domain)| format!("{name}: cell {key}, domain {domain}: no row")));
    Some(rows)
}

/// The comparison against the results.
fn tables(root: &Path, rows: &[Row], report: &mut Report) -> Result<()> {
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
