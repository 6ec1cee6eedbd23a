//! The data sets of an experiment, and what tells two of one name apart.

use std::sync::Arc;

use serde_json::Value;
use zsad_core::{Given, ParamSpec, suggest};

use super::DatasetChoice;
use super::document::Reader;
use super::fields::{named, param_problems, text};
use super::problem::{Pos, Problems};
use super::tags;
use super::yaml::Node;

/// A data set, what it was called if it was called something, and where it stands.
struct Read {
    choice: DatasetChoice,
    named: bool,
    pos: Pos,
}

/// Reads the data sets of `node`.
pub fn read(node: &Node, reader: Reader, problems: &mut Problems) -> Vec<DatasetChoice> {
    let registry = reader.registry;
    if node.items().is_empty() {
        problems.add(node.pos, "no data sets", "name at least one, such as [digits]");
    }
    let mut all = Vec::new();
    for item in node.items() {
        let Some(choice) = named(item, "a data set", &["name", "params", "as", "tags"], problems) else { continue };
        let Some(def) = registry.dataset(&choice.name) else {
            let hint = suggest::hint(&choice.name, registry.dataset_names());
            problems.add(choice.pos, format!("unknown data set `{}`", choice.name), hint);
            continue;
        };
        let label = choice.label.and_then(|node| text(node, "`as`", problems));
        let given: Given = choice.params.iter().map(|e| (e.key.clone(), e.value.to_json())).collect();
        match def.configure(&given) {
            Ok(source) => {
                let (named, name) = (label.is_some(), choice.name.clone());
                let tags = choice.tags.and_then(|node| tags::read(node, reader.folder, problems)).map(Arc::new);
                let choice_of = DatasetChoice { def, source, label: label.unwrap_or(name), tags };
                all.push(Read { choice: choice_of, named, pos: choice.pos });
            }
            Err(found) => {
                let at = |name: &str| choice.params.iter().find(|e| e.key == name).map_or(choice.pos, |e| e.pos);
                param_problems(&choice.name, found, at, problems);
            }
        }
    }
    disambiguate_labels(&mut all);
    reject_duplicate_labels(&all, problems);
    all.into_iter().map(|r| r.choice).collect()
}

/// Labels the data sets that share a name by the parameters in which they differ: `cifar100c(corruption=fog)`.
fn disambiguate_labels(all: &mut [Read]) {
    let unnamed = all.iter().filter(|r| !r.named);
    let values: Vec<_> = unnamed.map(|r| (r.choice.def.spec().name, r.choice.source.values.clone())).collect();
    for (read, (name, params)) in all.iter_mut().filter(|r| !r.named).zip(&values) {
        let differs = |spec: &&ParamSpec| values.iter().any(|(n, p)| n == name && p[spec.name] != params[spec.name]);
        let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let said = |spec: &ParamSpec| format!("{}={}", spec.name, shown(&params[spec.name]));
        let own: Vec<String> = read.choice.def.params().iter().filter(differs).map(said).collect();
        if !own.is_empty() {
            read.choice.label = format!("{name}({})", own.join(", "));
        }
    }
}

/// Two different data sets under one label could not be told apart in any table.
fn reject_duplicate_labels(all: &[Read], problems: &mut Problems) {
    let what = |r: &Read| (r.choice.def.spec().name, r.choice.source.values.clone());
    for (i, read) in all.iter().enumerate() {
        let label = &read.choice.label;
        if all[..i].iter().any(|r| r.choice.label == *label && what(r) != what(read)) {
            let message = format!("another data set is called `{label}` already");
            problems.add(read.pos, message, "give each its own name in the results, such as `as: fog`");
        }
    }
}
