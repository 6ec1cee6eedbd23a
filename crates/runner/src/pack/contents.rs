//! Which files of a run's folder are handed on, and in which form.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;
use zsad_core::{Error, Result};
use zsad_fetch::archive::Content;
use zsad_store::{MetricRecord, ModelStore, Row, RunFolder, json};

/// Where and how the run was computed.
const PROVENANCE: &str = "provenance.json";
/// What lies in the folder itself; what else is there is the user's.
const FILES: [&str; 11] = [
    "anomalies.json",
    "batches.parquet",
    "experiment.yaml",
    "metrics.parquet",
    "plan.json",
    PROVENANCE,
    "results.csv",
    "results.parquet",
    "table.csv",
    "table.md",
    "table.tex",
];

/// The files to be packed, by their path in the pack: records and scores of the cells in `rows`, what is made of them, and the
/// trained models of their fits, where a store is given.
///
/// # Errors
/// Where a record is missing, or a folder cannot be read.
pub fn of(folder: &RunFolder, rows: &[Row], models: Option<&ModelStore>) -> Result<BTreeMap<String, Content>> {
    let root = folder.root();
    let mut members = BTreeMap::new();
    let mut take = |path: String| {
        let file = root.join(&path);
        if file.is_file() {
            members.insert(path, Content::File(file));
        }
    };
    FILES.into_iter().for_each(|name| take(name.to_owned()));
    let cells: BTreeSet<&str> = rows.iter().map(|r| r.record.cell_key.as_str()).collect();
    let (mut digests, mut fits) = (BTreeSet::new(), BTreeSet::new());
    for key in &cells {
        let record = folder.record(key)?.ok_or_else(|| {
            let hint = "a pack is made of the folder that `zsad run` wrote, with its records";
            Error::data(root.join("records").join(format!("{key}.json")), "missing or damaged", hint)
        })?;
        ["json", "scores.parquet"].into_iter().for_each(|ending| take(format!("records/{key}.{ending}")));
        digests.extend([record.cell.fit.data.digest, record.cell.test_digest].into_iter().flatten());
        fits.insert(record.fit_key);
    }
    // What reads no file has an empty digest.
    digests.iter().filter(|d| !d.is_empty()).for_each(|digest| take(format!("files/{digest}.json")));
    for name in names(&root.join("metrics")) {
        let later: Option<MetricRecord> = json::read(&root.join("metrics").join(&name))?;
        if later.is_some_and(|later| cells.contains(later.cell_key.as_str())) {
            take(format!("metrics/{name}"));
        }
    }
    names(&root.join("analyses")).into_iter().for_each(|name| take(format!("analyses/{name}")));
    plots(root, "plots", &mut take);
    if let Some(store) = models {
        for key in fits {
            for name in ["fit.json", "model.safetensors"] {
                let file = store.model_path(&key).with_file_name(name);
                if file.is_file() {
                    members.insert(format!("models/{key}/{name}"), Content::File(file));
                }
            }
        }
    }
    if let Some(provenance) = members.get_mut(PROVENANCE) {
        *provenance = Content::Bytes(portable(&provenance.bytes()?)?);
    }
    Ok(members)
}

/// The pictures in a folder and in those below it.
fn plots(root: &Path, below: &str, take: &mut impl FnMut(String)) {
    for name in names(&root.join(below)) {
        let path = format!("{below}/{name}");
        if root.join(&path).is_dir() {
            plots(root, &path, take);
        } else if [".svg", ".png", ".pdf"].iter().any(|ending| name.ends_with(ending)) {
            take(path);
        }
    }
}

/// The names in a folder, sorted, without hidden ones; none where there is no folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| !name.starts_with('.'));
    names.sort();
    names
}

/// A provenance without the folders of the machine: of an absolute path its last part stays.
fn portable(text: &[u8]) -> Result<Vec<u8>> {
    let mut value: Value = serde_json::from_slice(text).map_err(|e| Error::failed(format!("{PROVENANCE}: {e}")))?;
    let short = |text: &mut String| {
        let path = Path::new(text.as_str());
        if let Some(name) = path.file_name().filter(|_| path.is_absolute()) {
            *text = name.to_string_lossy().into_owned();
        }
    };
    for run in value["runs"].as_array_mut().into_iter().flatten() {
        if let Value::String(data) = &mut run["data"] {
            short(data);
        }
        for word in run["command_line"].as_array_mut().into_iter().flatten() {
            if let Value::String(word) = word {
                short(word);
            }
        }
    }
    let mut text = serde_json::to_vec_pretty(&value).map_err(Error::failed)?;
    text.push(b'\n');
    Ok(text)
}

/// The entries of the packed provenance: the calls that computed something, the oldest first.
///
/// # Errors
/// Where it is no JSON.
pub fn runs(members: &BTreeMap<String, Content>) -> Result<Vec<Value>> {
    let Some(provenance) = members.get(PROVENANCE) else { return Ok(Vec::new()) };
    let value: Value = serde_json::from_slice(&provenance.bytes()?).map_err(Error::failed)?;
    Ok(value["runs"].as_array().cloned().unwrap_or_default())
}

/// The description in the experiment's file; empty where there is none.
pub fn description(folder: &RunFolder) -> String {
    let text = fs::read_to_string(folder.experiment()).unwrap_or_default();
    let value: serde_yaml::Value = serde_yaml::from_str(&text).unwrap_or_default();
    value.get("description").and_then(|d| d.as_str()).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_packed_provenance_does_not_name_the_machines_folders() {
        let given = json!({"runs": [{"data": "/home/me/data", "command_line": ["zsad", "run", "/home/me/x.yaml", "--data", "d"]}]});
        let text = portable(given.to_string().as_bytes()).unwrap();
        let value: Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(value["runs"][0]["data"], "data");
        assert_eq!(value["runs"][0]["command_line"], json!(["zsad", "run", "x.yaml", "--data", "d"]));
        assert!(portable(b"no json").is_err());
    }
}
