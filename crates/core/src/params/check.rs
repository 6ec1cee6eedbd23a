//! Parameters as a person gave them, checked against what is declared.

use serde_json::Value;

use super::{Given, ParamDefault, ParamKind, ParamProblem, ParamSpec};
use crate::suggest;

/// `given`, checked against `specs`: the values that are given and not null, each in the canonical form of its kind.
pub(super) fn validate(specs: &[ParamSpec], given: &Given) -> Result<Given, Vec<ParamProblem>> {
    let mut problems = Vec::new();
    let names = || specs.iter().map(|s| s.name);
    for name in given.keys().filter(|k| names().all(|n| n != *k)) {
        let hint = if specs.is_empty() { "it takes no parameters".into() } else { suggest::hint(name, names()) };
        problems.push(ParamProblem { name: name.clone(), message: format!("unknown parameter `{name}`"), hint });
    }
    let mut values = Given::new();
    for spec in specs {
        let problem =
            |message| ParamProblem { name: spec.name.into(), message, hint: format!("{}: {}", spec.kind, spec.doc) };
        match given.get(spec.name).filter(|v| !v.is_null()) {
            None if spec.default == ParamDefault::Required => {
                problems.push(problem(format!("parameter `{}` is missing", spec.name)));
            }
            None => {}
            Some(value) => match conform(spec.kind, value) {
                Some(value) => drop(values.insert(spec.name.to_owned(), value)),
                None => problems.push(problem(format!("parameter `{}` cannot be {value}", spec.name))),
            },
        }
    }
    if problems.is_empty() { Ok(values) } else { Err(problems) }
}

/// `value` in the canonical form of `kind` (a whole float where an integer is meant, an integer where a float is
/// meant), so that `5` and `5.0` give the same key; `None` where it does not fit.
fn conform(kind: ParamKind, value: &Value) -> Option<Value> {
    match kind {
        ParamKind::Int { min, max } => {
            let whole = |f: f64| (f.fract() == 0.0 && f.abs() < 9e15).then_some(f as i64);
            let v = value.as_i64().or_else(|| value.as_f64().and_then(whole))?;
            (min..=max).contains(&v).then(|| v.into())
        }
        ParamKind::Float { min, max } => {
            let v = value.as_f64()?;
            (min..=max).contains(&v).then(|| v.into())
        }
        ParamKind::IntOr { word, .. } if value == word => Some(value.clone()),
        ParamKind::IntOr { min, max, .. } => conform(ParamKind::Int { min, max }, value),
        ParamKind::Bool => value.is_boolean().then(|| value.clone()),
        ParamKind::Choice(words) => words.contains(&value.as_str()?).then(|| value.clone()),
        ParamKind::Text => match value {
            Value::String(_) => Some(value.clone()),
            Value::Number(n) => Some(n.to_string().into()),
            _ => None,
        },
        ParamKind::TextList => conform_list(ParamKind::Text, value),
        ParamKind::IntList { min, max } => conform_list(ParamKind::Int { min, max }, value),
        ParamKind::FloatList { min, max } => conform_list(ParamKind::Float { min, max }, value),
        ParamKind::Marks => value.as_object()?.iter().map(|(k, v)| Some((k.clone(), mark(v)?))).collect(),
    }
}

/// 0 and `false` are `false`, 1 and `true` are `true`.
fn mark(value: &Value) -> Option<Value> {
    match value.as_f64() {
        Some(0.0) => Some(false.into()),
        Some(1.0) => Some(true.into()),
        _ => value.is_boolean().then(|| value.clone()),
    }
}

/// Items of `kind`; a single item counts as a list of one.
fn conform_list(kind: ParamKind, value: &Value) -> Option<Value> {
    match value {
        Value::Array(items) => items.iter().map(|v| conform(kind, v)).collect(),
        item => Some(Value::Array(vec![conform(kind, item)?])),
    }
}
