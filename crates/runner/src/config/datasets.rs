//! The data sets of an experiment, and what tells two of one name apart.

use std::collections::BTreeMap;

use serde_json::Value;
use zsad_core::{ParamSpec, Params, suggest};

use super::DatasetChoice;
use super::document::{field, named, text};
use super::problem::{Pos, Problems};
use super::yaml::{Kind, Node};
use crate::registry::Registry;

/// Reads the data sets of `node`.
pub fn read(node: &Node, registry: &Registry, problems: &mut Problems) -> Vec<DatasetChoice> {
    if node.items().is_empty() {
        problems.add(node.pos, "no data sets", "name at least one, such as [digits]");
    }
    let mut choices = Vec::new();
    let mut places = Vec::new();
    for item in node.items() {
        let Some(choice) = named(item, "a data set", &["name", "params", "as"], problems) else { continue };
        let Some(def) = registry.dataset(&choice.name) else {
            let hint = suggest::hint(&choice.name, registry.dataset_names());
            problems.add(choice.pos, format!("unknown data set `{}`", choice.name), hint);
            continue;
        };
        let label = match &item.kind {
            Kind::Map(entries) => field(entries, "as").and_then(|node| text(node, "`as`", problems)),
            _ => None,
        };
        let given: BTreeMap<_, _> = choice.params.iter().map(|e| (e.key.clone(), e.value.to_json())).collect();
        match Params::validate(def.spec().params, &given) {
            Ok(params) => {
                choices.push(DatasetChoice { def, params, label });
                places.push(choice.pos);
            }
            Err(found) => {
                for p in found {
                    let at = choice.params.iter().find(|e| e.key == p.name).map_or(choice.pos, |e| e.pos);
                    problems.add(at, format!("{}: {}", choice.name, p.message), p.hint);
                }
            }
        }
    }
    tell_apart(&mut choices);
    refuse_namesakes(&choices, &places, problems);
    choices
}

/// Labels the data sets that share a name by the parameters in which they differ: `cifar100c(corruption=fog)`.
fn tell_apart(choices: &mut [DatasetChoice]) {
    let nameless = choices.iter().filter(|c| c.label.is_none());
    let all: Vec<_> = nameless.map(|c| (c.def.spec().name, c.params.to_json())).collect();
    for (choice, (name, params)) in choices.iter_mut().filter(|c| c.label.is_none()).zip(&all) {
        let differs = |spec: &&ParamSpec| all.iter().any(|(n, p)| n == name && p[spec.name] != params[spec.name]);
        let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let said = |spec: &ParamSpec| format!("{}={}", spec.name, shown(&params[spec.name]));
        let own: Vec<String> = choice.def.spec().params.iter().filter(differs).map(said).collect();
        choice.label = (!own.is_empty()).then(|| format!("{name}({})", own.join(", ")));
    }
}

/// Two different data sets under one label could not be told apart in any table.
fn refuse_namesakes(choices: &[DatasetChoice], places: &[Pos], problems: &mut Problems) {
    let shown = |c: &DatasetChoice| c.label.clone().unwrap_or_else(|| c.def.spec().name.to_owned());
    for (i, (choice, pos)) in choices.iter().zip(places).enumerate() {
        let differs = |c: &DatasetChoice| c.def.spec().name != choice.def.spec().name || c.params != choice.params;
        if choices[..i].iter().any(|c| shown(c) == shown(choice) && differs(c)) {
            let message = format!("another data set is called `{}` already", shown(choice));
            problems.add(*pos, message, "give each its own name in the results, such as `as: fog`");
        }
    }
}
