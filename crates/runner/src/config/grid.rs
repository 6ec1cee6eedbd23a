//! The methods of an experiment: parameters, grids and a profile's overrides, spread out into choices.

use std::collections::{BTreeMap, BTreeSet};

use zsad_core::{Given, MethodDef, suggest};

use super::fields::{Named, any_mapping, named, param_problems};
use super::problem::{Pos, Problems};
use super::yaml::{Entry, Node};
use super::{MethodChoice, labels};
use crate::registry::Registry;

/// One value of one parameter, and its place.
type Setting<'n> = (Pos, &'n Node);

/// Reads the methods of `node`; `overrides` is a profile's `params` (method → parameter → value).
pub fn methods(
    node: &Node,
    overrides: Option<&Node>,
    registry: &Registry,
    problems: &mut Problems,
) -> Vec<MethodChoice> {
    if node.items().is_empty() {
        problems.add(node.pos, "no methods", "name at least one, such as [knn]");
    }
    let overrides = overrides.and_then(|o| any_mapping(o, "`params`", problems)).unwrap_or(&[]);
    let mut choices = Vec::new();
    let mut used = BTreeSet::new();
    for item in node.items() {
        let Some(choice) = named(item, "a method", &["name", "as", "params", "grid"], problems) else { continue };
        used.insert(choice.name.clone());
        let Some(def) = registry.method(&choice.name) else {
            let hint = suggest::hint(&choice.name, registry.method_names());
            problems.add(choice.pos, format!("unknown method `{}`", choice.name), hint);
            continue;
        };
        let label = labels::read(choice.label, &choice.name, registry, problems);
        used.insert(label.clone());
        // What is said of the label comes after what is said of all methods of the name.
        let of = |key: &String| overrides.iter().find(|e| e.key == *key);
        let named = of(&choice.name).into_iter().chain(of(&label).filter(|_| label != choice.name));
        let over = named.flat_map(|e| any_mapping(&e.value, &format!("`{}`", e.key), problems).unwrap_or(&[]));
        let over: Vec<&Entry> = over.collect();
        let first = choices.len();
        spread(def, &choice, &label, &over, &mut choices, problems);
        let (before, new) = choices.split_at(first);
        labels::check(before, new, choice.label.map_or(choice.pos, |node| node.pos), problems);
    }
    for entry in overrides.iter().filter(|e| !used.contains(&e.key)) {
        let hint = suggest::hint(&entry.key, &used);
        problems.add(entry.pos, format!("`params` for `{}`, which the experiment does not run", entry.key), hint);
    }
    choices
}

/// All combinations of the grid's values, each checked.
fn spread<'n>(
    def: &'static dyn MethodDef,
    choice: &'n Named,
    label: &str,
    overrides: &[&'n Entry],
    choices: &mut Vec<MethodChoice>,
    problems: &mut Problems,
) {
    let mut axes: BTreeMap<&'n str, Vec<Setting<'n>>> =
        choice.params.iter().map(|e| (e.key.as_str(), vec![(e.pos, &e.value)])).collect();
    for entry in choice.grid {
        let values: Vec<Setting> = entry.value.items().iter().map(|node| (node.pos, node)).collect();
        if values.is_empty() {
            let hint = "write every value to try, such as [0.1, 0.5]";
            problems.add(entry.pos, format!("the grid of `{}` is empty", entry.key), hint);
        } else if axes.contains_key(entry.key.as_str()) {
            let message = format!("`{}` is in `params` and in `grid`", entry.key);
            problems.add(entry.pos, message, "keep one of them");
        } else {
            axes.insert(&entry.key, values);
        }
    }
    // A profile's value stands for the whole grid of its parameter.
    axes.extend(overrides.iter().map(|e| (e.key.as_str(), vec![(e.pos, &e.value)])));

    for combination in cartesian_product(axes) {
        let given: Given = combination.iter().map(|(k, (_, node))| (k.to_string(), node.to_json())).collect();
        match def.configure(&given) {
            Ok(method) => choices.push(MethodChoice { def, method, label: label.to_owned() }),
            Err(found) => {
                let at = |name: &str| combination.get(name).map_or(choice.pos, |(pos, _)| *pos);
                param_problems(&choice.name, found, at, problems);
            }
        }
    }
}

/// Every combination of one value an axis.
fn cartesian_product<'n>(axes: BTreeMap<&'n str, Vec<Setting<'n>>>) -> Vec<BTreeMap<&'n str, Setting<'n>>> {
    let mut combinations = vec![BTreeMap::new()];
    for (name, values) in axes {
        let with = |combination: &BTreeMap<&'n str, Setting<'n>>, value: Setting<'n>| {
            let mut combination = combination.clone();
            combination.insert(name, value);
            combination
        };
        combinations =
            combinations.iter().flat_map(|c| values.iter().map(|&v| with(c, v)).collect::<Vec<_>>()).collect();
    }
    combinations
}
