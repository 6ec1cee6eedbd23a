//! Reading the fields of a document, with every mistake noted.

use serde_json::Value;
use zsad_core::suggest;

use super::problem::{Pos, Problems};
use super::yaml::{Entry, Kind, Node};

/// A name, or a name with parameters.
pub struct Named<'n> {
    /// The name.
    pub name: String,
    /// Where it stands.
    pub pos: Pos,
    /// What results are to call it: its `as`.
    pub label: Option<&'n Node>,
    /// Its `params`.
    pub params: &'n [Entry],
    /// Its `grid`.
    pub grid: &'n [Entry],
    /// Its `tags`.
    pub tags: Option<&'n Node>,
}

/// Reads `NAME` or `{name: NAME, params: {…}, …}`.
pub fn named<'n>(item: &'n Node, what: &str, keys: &[&str], problems: &mut Problems) -> Option<Named<'n>> {
    if let Kind::Scalar(Value::String(name)) = &item.kind {
        return Some(Named { name: name.clone(), pos: item.pos, label: None, params: &[], grid: &[], tags: None });
    }
    if !matches!(item.kind, Kind::Map(_)) {
        let hint = "write a name, or {name: NAME, params: {KEY: VALUE}}";
        problems.add(item.pos, format!("{what} cannot be {}", item.describe()), hint);
        return None;
    }
    let entries = mapping(item, what, keys, problems)?;
    let Some(name_node) = field(entries, "name") else {
        problems.add(item.pos, format!("{what} without `name`"), "write {name: NAME, params: {KEY: VALUE}}");
        return None;
    };
    let mut part = |key| field(entries, key).and_then(|node| any_mapping(node, &format!("`{key}`"), problems));
    let (params, grid) = (part("params").unwrap_or(&[]), part("grid").unwrap_or(&[]));
    let (name, label) = (text(name_node, "`name`", problems)?, field(entries, "as"));
    Some(Named { name, pos: name_node.pos, label, params, grid, tags: field(entries, "tags") })
}

/// The value of `key`.
pub fn field<'n>(entries: &'n [Entry], key: &str) -> Option<&'n Node> {
    entries.iter().find(|e| e.key == key).map(|e| &e.value)
}

/// The entries of a mapping that may have only `keys`.
pub fn mapping<'n>(node: &'n Node, what: &str, keys: &[&str], problems: &mut Problems) -> Option<&'n [Entry]> {
    let entries = any_mapping(node, what, problems)?;
    for entry in entries.iter().filter(|e| !keys.contains(&e.key.as_str())) {
        let hint = suggest::hint(&entry.key, keys);
        problems.add(entry.pos, format!("unknown key `{}` in {what}", entry.key), hint);
    }
    Some(entries)
}

/// The entries of a mapping; `null` is an empty one.
pub fn any_mapping<'n>(node: &'n Node, what: &str, problems: &mut Problems) -> Option<&'n [Entry]> {
    match &node.kind {
        Kind::Map(entries) => Some(entries),
        Kind::Scalar(Value::Null) => Some(&[]),
        _ => {
            problems.add(node.pos, format!("{what} cannot be {}", node.describe()), "write `key: value` lines");
            None
        }
    }
}

/// The text that `node` is.
pub fn text(node: &Node, what: &str, problems: &mut Problems) -> Option<String> {
    match &node.kind {
        Kind::Scalar(Value::String(s)) => Some(s.clone()),
        _ => {
            problems.add(node.pos, format!("{what} cannot be {}", node.describe()), "write a text");
            None
        }
    }
}

/// The items of a list that must not be empty, each read by `read`.
pub fn list<T>(
    node: &Node,
    key: &str,
    want: &str,
    read: impl Fn(&Value) -> Option<T>,
    problems: &mut Problems,
) -> Vec<T> {
    if node.items().is_empty() {
        problems.add(node.pos, format!("`{key}` is empty"), format!("write {want}"));
    }
    let mut values = Vec::new();
    for item in node.items() {
        match scalar(item, &read) {
            Some(value) => values.push(value),
            None => problems.add(item.pos, format!("`{key}` cannot be {}", item.describe()), format!("write {want}")),
        }
    }
    values
}

/// A scalar that `read` understands.
pub fn scalar<T>(node: &Node, read: impl Fn(&Value) -> Option<T>) -> Option<T> {
    match &node.kind {
        Kind::Scalar(value) => read(value),
        _ => None,
    }
}

/// Notes what is wrong with the parameters of `what`, each at the place of the parameter that it is about.
pub fn param_problems(
    what: &str,
    found: Vec<zsad_core::ParamProblem>,
    at: impl Fn(&str) -> Pos,
    problems: &mut Problems,
) {
    for p in found {
        let hint = if p.hint.is_empty() { format!("`zsad describe {what}` lists its parameters") } else { p.hint };
        problems.add(at(&p.name), format!("{what}: {}", p.message), hint);
    }
}
