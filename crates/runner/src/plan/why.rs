//! Why a cell is not cached: which part of its key differs from the nearest finished record.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use zsad_core::record::{CellId, CellRecord, Status};
use zsad_core::{BatchSize, Contamination};

/// The difference between `id` and the nearest finished record of the same method and data set. Among equally near
/// ones, a record that the plan no longer wants says more than one of its neighbours in the grid.
pub fn not_cached(id: &CellId, records: &BTreeMap<String, CellRecord>, planned: &BTreeSet<String>) -> String {
    let wanted = parts(id);
    let nearest = records
        .values()
        .filter(|r| r.status != Status::Failed && r.cell.method == id.method && r.cell.dataset == id.dataset)
        .map(|r| (differences(&parts(&r.cell), &wanted), planned.contains(&r.cell_key)))
        .min_by_key(|(differences, planned)| (differences.len(), *planned));
    match nearest {
        Some((differences, _)) => differences.join(", "),
        None => "new".into(),
    }
}

fn differences(old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) -> Vec<String> {
    let names: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let value = |of: &BTreeMap<String, String>, name: &str| of.get(name).map_or("nothing".into(), String::clone);
    let differs = names.into_iter().filter(|n| old.get(*n) != new.get(*n));
    differs.map(|n| format!("{n} {} -> {}", value(old, n), value(new, n))).collect()
}

/// The parts of a cell's key, named as in the experiment file.
fn parts(id: &CellId) -> BTreeMap<String, String> {
    let mut parts = BTreeMap::new();
    let mut put = |name: &str, value: String| parts.insert(name.to_owned(), value);
    put("data set revision", id.dataset_revision.clone());
    put("method version", id.method_version.to_string());
    put("seed", id.seed.to_string());
    match id.point.size {
        BatchSize::Total(n) => put("batch_size", n.to_string()),
        BatchSize::Normals(n) => put("normals", n.to_string()),
        BatchSize::All => put("batch_size", "all".into()),
    };
    match id.point.contamination {
        Contamination::Ratio(r) => put("contamination", r.to_string()),
        Contamination::Natural => put("contamination", "natural".into()),
    };
    put("min_anomalies", id.point.min_anomalies.to_string());
    put("n_batches", id.point.n_batches.to_string());
    put("pooling", id.point.pooling.as_str().into());
    if !id.fold.is_empty() {
        put("fold", id.fold.clone());
    }
    for (prefix, params) in [("params", &id.params), ("data set params", &id.dataset_params)] {
        for (name, value) in params.as_object().into_iter().flatten() {
            put(&format!("{prefix}.{name}"), if *value == Value::Null { "auto".into() } else { value.to_string() });
        }
    }
    parts
}
