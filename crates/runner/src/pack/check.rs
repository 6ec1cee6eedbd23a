//! A pack checked: every file against the crate's own list, every metric against the stored scores, what is made of them
//! against both.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;
use zsad_core::{Error, Result};
use zsad_store::{CellRecord, Finding, ModelStore, Oddity, Row, RunFolder, findings};

use super::again::recompute;
use super::rows::{results, tables};
use super::{METADATA, sha256};
use crate::findings::find;
use crate::registry::Registry;

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
        Some(rows) => {
            tables(root, &rows, &mut report)?;
            oddities(&folder, &rows, registry, &mut report);
        }
        None => report.differences.push("results.parquet, results.csv: neither can be read".into()),
    }
    Ok(report)
}

/// What was found odd about the numbers, again from rows and scores. Whether a training moved its weights is not among it: the
/// records of trainings are not in every pack.
fn oddities(folder: &RunFolder, rows: &[Row], registry: &Registry, report: &mut Report) {
    let root = folder.root();
    // Runs of versions that did not look have none.
    if !root.join("anomalies.json").exists() {
        return;
    }
    let sentences = |found: Vec<Finding>| -> BTreeSet<String> {
        found.iter().filter(|f| f.kind != Oddity::Unmoved).map(Finding::sentence).collect()
    };
    let store = ModelStore::new(root.join("models"));
    let both = findings::read(root).and_then(|stored| Ok((stored, find(rows, folder, &store, registry)?)));
    let (stored, computed) = match both {
        Ok((stored, computed)) => (sentences(stored), sentences(computed)),
        Err(error) => {
            report.differences.push(format!("anomalies.json: cannot be computed again: {error}"));
            return;
        }
    };
    let lines = [
        ("stored and not found", stored.difference(&computed)),
        ("found and not stored", computed.difference(&stored)),
    ];
    for (what, sentences) in lines {
        report.differences.extend(sentences.map(|sentence| format!("anomalies.json: {what}: {sentence}")));
    }
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
pub fn label(record: &CellRecord) -> String {
    let (point, asked) = (&record.cell.point, &record.asked);
    let method = asked.method_or(&record.cell.fit.method.name);
    format!("{method} on {}, seed {}, {}, {}", asked.dataset, record.cell.seed(), point.size, point.contamination)
}
