//! The experiments that claim published settings have them: `results/reference/settings/published.csv`, line by line.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;
use zsad_core::{DataDir, Environment};

use super::{Experiment, load};
use crate::library::Library;
use crate::registry::Registry;

/// The place of the settings of an experiment's data sets, in the column `method`.
const DATA: &str = "data";

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// The experiments' lines: experiments, method, parameter, value; the source alone may hold commas.
fn lines() -> Vec<[String; 4]> {
    let text = std::fs::read_to_string(repository("results/reference/settings/published.csv")).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("experiment,method,parameter,value,source"));
    let fields = |line: &str| {
        let fields: Vec<String> = line.splitn(5, ',').map(str::to_owned).collect();
        let [experiment, method, parameter, value, source] = <[String; 5]>::try_from(fields).expect(line);
        assert!(!source.is_empty(), "{line}: no source");
        [experiment, method, parameter, value]
    };
    lines.map(fields).collect()
}

/// Whether a parameter has the value of the table: numbers by value, lists without brackets and commas.
fn is(value: &Value, wanted: &str) -> bool {
    match value {
        Value::Number(number) => number.as_f64() == wanted.parse().ok(),
        Value::Array(items) => items.iter().map(Value::to_string).collect::<Vec<_>>().join(" ") == wanted,
        Value::String(word) => word == wanted,
        Value::Bool(yes) => wanted.parse() == Ok(*yes),
        Value::Null | Value::Object(_) => false,
    }
}

/// The parameters of every row of `method`, or of every data set.
fn rows(experiment: &Experiment, method: &str) -> Vec<Value> {
    match method {
        DATA => experiment.datasets.iter().map(|d| d.source.values.clone()).collect(),
        _ => {
            let rows = experiment.methods.iter().filter(|m| m.def.spec().name == method);
            rows.map(|m| m.method.values()).collect()
        }
    }
}

#[test]
fn experiments_that_claim_published_settings_have_them() {
    let mut experiments: BTreeMap<String, (Experiment, BTreeSet<String>)> = BTreeMap::new();
    let mut wrong = Vec::new();
    let lines = lines();
    let each = lines.iter().flat_map(|[names, rest @ ..]| names.split(' ').map(move |name| (name, rest)));
    for (name, [method, parameter, wanted]) in each {
        let (experiment, seen) = experiments.entry(name.to_owned()).or_insert_with(|| {
            let path = repository("experiments").join(name).with_extension("yaml");
            (load(&path, &Registry::built_in(), None).unwrap_or_else(|e| panic!("{e}")), BTreeSet::new())
        });
        seen.insert(method.clone());
        let rows = rows(experiment, method);
        if rows.is_empty() {
            wrong.push(format!("{name}: no row of `{method}`"));
        }
        let differing = rows.iter().map(|row| &row[parameter]).filter(|value| !is(value, wanted));
        wrong.extend(differing.map(|value| format!("{name}: {method}: {parameter} is {value}, published {wanted}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for (name, (experiment, seen)) in &experiments {
        if seen.iter().all(|method| method == DATA) {
            continue;
        }
        for row in &experiment.methods {
            assert!(seen.contains(row.def.spec().name), "{name}: no settings of `{}`", row.def.spec().name);
        }
    }
}

/// The lengths of trainings in their full form, by which tables say that one was shortened. What is left to data that are
/// not here is taken as the table has it.
#[test]
fn the_table_of_lengths_is_that_of_the_experiments() {
    let mut lines = vec!["experiment,method,parameter,value".to_owned()];
    let path = repository("results/reference/settings/lengths.csv");
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    let library = Library::new(Registry::built_in());
    let env = Environment::new(DataDir::resolve(None));
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(repository("experiments")).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    for path in paths.iter().filter(|p| p.extension().is_some_and(|e| e == "yaml")) {
        let experiment = load(path, &Registry::built_in(), None).unwrap_or_else(|e| panic!("{e}"));
        let mut lengths: BTreeMap<(String, &str), BTreeSet<u64>> = BTreeMap::new();
        for method in experiment.methods.iter().filter(|m| m.method.learns()) {
            let label = if method.label.is_empty() { method.def.spec().name } else { &method.label };
            for parameter in ["steps", "epochs"] {
                let asked = method.method.values()[parameter].as_u64();
                let known = lengths.entry((label.to_owned(), parameter)).or_default();
                known.extend(asked);
                for choice in experiment.datasets.iter().filter(|_| asked.is_none()) {
                    let dataset = library.of(choice.def.spec(), &choice.source);
                    match dataset.describe(&env) {
                        Ok(described) => {
                            let info = &described.info;
                            let settled = info.folds.first().and_then(|fold| method.method.resolve(info, fold).ok());
                            known.extend(settled.and_then(|m| m.values()[parameter].as_u64()));
                        }
                        Err(_) => {
                            let start = format!("{},{label},{parameter},", experiment.name);
                            let line = stored.lines().find_map(|line| line.strip_prefix(&start)?.parse::<u64>().ok());
                            known.extend(line);
                        }
                    }
                }
            }
        }
        for ((method, parameter), values) in lengths {
            // Where it is varied there is no full form.
            if let (1, Some(value)) = (values.len(), values.first()) {
                lines.push(format!("{},{method},{parameter},{value}", experiment.name));
            }
        }
    }
    let wanted = lines.join("\n") + "\n";
    assert!(stored == wanted, "{} should be\n{wanted}", path.display());
}

#[test]
fn values_are_compared_by_what_they_are() {
    assert!(is(&serde_json::json!(1e-5), "0.00001") && !is(&serde_json::json!(1e-3), "0.00001"));
    assert!(is(&serde_json::json!([1, 2]), "1 2") && !is(&serde_json::json!([1]), "1 2"));
    assert!(is(&serde_json::json!("l2"), "l2") && is(&serde_json::json!(true), "true") && !is(&Value::Null, "1"));
}
