//! Parameters of methods and data sets: declared once, validated everywhere, printed by `describe`.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use crate::suggest;

/// One declared parameter.
#[derive(Debug, Clone, Copy)]
pub struct ParamSpec {
    /// Name in YAML.
    pub name: &'static str,
    /// One line: what it does, its unit.
    pub doc: &'static str,
    /// Type and range.
    pub kind: ParamKind,
    /// Value where none is given.
    pub default: ParamDefault,
}

/// Type and range of a parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ParamKind {
    /// An integer in `min..=max`.
    Int {
        /// Least value.
        min: i64,
        /// Greatest value.
        max: i64,
    },
    /// A number in `min..=max`.
    Float {
        /// Least value.
        min: f64,
        /// Greatest value.
        max: f64,
    },
    /// `true` or `false`.
    Bool,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Any text.
    Text,
    /// A list of texts.
    TextList,
    /// A list of integers in `min..=max`.
    IntList {
        /// Least value.
        min: i64,
        /// Greatest value.
        max: i64,
    },
}

/// The value where none is given.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ParamDefault {
    /// Must be given.
    Required,
    /// `null`: decided from the data or the other parameters, as the parameter's doc says.
    Auto,
    /// An integer.
    Int(i64),
    /// A number.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// A text or choice.
    Text(&'static str),
    /// A list of texts.
    TextList(&'static [&'static str]),
    /// A list of integers.
    IntList(&'static [i64]),
}

impl ParamDefault {
    /// As JSON; `Required` and `Auto` are `null`.
    pub fn to_json(self) -> Value {
        match self {
            ParamDefault::Required | ParamDefault::Auto => Value::Null,
            ParamDefault::Int(v) => v.into(),
            ParamDefault::Float(v) => v.into(),
            ParamDefault::Bool(v) => v.into(),
            ParamDefault::Text(v) => v.into(),
            ParamDefault::TextList(v) => v.into(),
            ParamDefault::IntList(v) => v.into(),
        }
    }
}

impl fmt::Display for ParamKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ParamKind::Int { min, max } => write!(f, "integer {}", range(min, max, *max == i64::MAX)),
            ParamKind::Float { min, max } => write!(f, "number {}", range(min, max, *max == f64::INFINITY)),
            ParamKind::Bool => f.write_str("true or false"),
            ParamKind::Choice(words) => write!(f, "one of {}", words.join(", ")),
            ParamKind::Text => f.write_str("text"),
            ParamKind::TextList => f.write_str("list of texts"),
            ParamKind::IntList { min, max } => write!(f, "list of integers {}", range(min, max, *max == i64::MAX)),
        }
    }
}

fn range(min: impl fmt::Display, max: impl fmt::Display, open: bool) -> String {
    if open { format!("≥ {min}") } else { format!("{min} … {max}") }
}

/// One mistake in a set of parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParamProblem {
    /// The parameter it is about.
    pub name: String,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub hint: String,
}

/// Validated, complete parameters: every declared name has a value (`null` = auto).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Params(BTreeMap<String, Value>);

impl Params {
    /// Checks `given` against `specs` and fills in the defaults.
    ///
    /// # Errors
    /// All mistakes at once: unknown names, wrong types, values out of range, missing required parameters.
    pub fn validate(specs: &[ParamSpec], given: &BTreeMap<String, Value>) -> Result<Params, Vec<ParamProblem>> {
        let mut problems = Vec::new();
        let names = || specs.iter().map(|s| s.name);
        for name in given.keys().filter(|k| names().all(|n| n != *k)) {
            let hint = if specs.is_empty() {
                "it takes no parameters".into()
            } else {
                suggest::hint(name, names().collect::<Vec<_>>())
            };
            problems.push(ParamProblem { name: name.clone(), message: format!("unknown parameter `{name}`"), hint });
        }
        let mut values = BTreeMap::new();
        for spec in specs {
            let value = match given.get(spec.name) {
                Some(Value::Null) | None if spec.default == ParamDefault::Required => {
                    problems.push(ParamProblem {
                        name: spec.name.into(),
                        message: format!("parameter `{}` is missing", spec.name),
                        hint: format!("{}: {}", spec.kind, spec.doc),
                    });
                    continue;
                }
                Some(Value::Null) | None => spec.default.to_json(),
                Some(value) => match conform(spec.kind, value) {
                    Some(value) => value,
                    None => {
                        problems.push(ParamProblem {
                            name: spec.name.into(),
                            message: format!("parameter `{}` cannot be {value}", spec.name),
                            hint: format!("{}: {}", spec.kind, spec.doc),
                        });
                        continue;
                    }
                },
            };
            values.insert(spec.name.to_owned(), value);
        }
        if problems.is_empty() { Ok(Params(values)) } else { Err(problems) }
    }

    /// The defaults of `specs`; a required parameter is left out, so reading it panics.
    pub fn defaults(specs: &[ParamSpec]) -> Params {
        let kept = specs.iter().filter(|s| s.default != ParamDefault::Required);
        Params(kept.map(|s| (s.name.to_owned(), s.default.to_json())).collect())
    }

    /// As a JSON object with sorted keys.
    pub fn to_json(&self) -> Value {
        Value::Object(self.0.clone().into_iter().collect())
    }

    /// The raw value of a declared parameter.
    ///
    /// # Panics
    /// Where `name` was not declared: a mistake of the method or data set that asks.
    pub fn get(&self, name: &str) -> &Value {
        self.0.get(name).unwrap_or_else(|| panic!("parameter `{name}` was never declared"))
    }

    /// An integer parameter; `None` = auto.
    pub fn opt_int(&self, name: &str) -> Option<i64> {
        self.get(name).as_i64()
    }

    /// A number parameter; `None` = auto.
    pub fn opt_float(&self, name: &str) -> Option<f64> {
        self.get(name).as_f64()
    }

    /// A text or choice parameter; `None` = auto.
    pub fn opt_text(&self, name: &str) -> Option<&str> {
        self.get(name).as_str()
    }

    /// An integer parameter that has a default or is required.
    ///
    /// # Panics
    /// Where the parameter was declared otherwise; likewise for the getters below.
    pub fn int(&self, name: &str) -> i64 {
        self.opt_int(name).unwrap_or_else(|| panic!("parameter `{name}` is not an integer"))
    }

    /// A non-negative integer parameter.
    pub fn size(&self, name: &str) -> usize {
        usize::try_from(self.int(name)).unwrap_or_else(|_| panic!("parameter `{name}` is negative"))
    }

    /// A number parameter.
    pub fn float(&self, name: &str) -> f64 {
        self.opt_float(name).unwrap_or_else(|| panic!("parameter `{name}` is not a number"))
    }

    /// A truth-value parameter.
    pub fn bool(&self, name: &str) -> bool {
        self.get(name).as_bool().unwrap_or_else(|| panic!("parameter `{name}` is not true or false"))
    }

    /// A text or choice parameter.
    pub fn text(&self, name: &str) -> &str {
        self.opt_text(name).unwrap_or_else(|| panic!("parameter `{name}` is not a text"))
    }

    /// A list of texts; auto is empty.
    pub fn texts(&self, name: &str) -> Vec<String> {
        list(self.get(name)).iter().filter_map(|v| v.as_str().map(str::to_owned)).collect()
    }

    /// A list of integers; auto is empty.
    pub fn ints(&self, name: &str) -> Vec<i64> {
        list(self.get(name)).iter().filter_map(Value::as_i64).collect()
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
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
        ParamKind::Bool => value.is_boolean().then(|| value.clone()),
        ParamKind::Choice(words) => words.contains(&value.as_str()?).then(|| value.clone()),
        ParamKind::Text => match value {
            Value::String(_) => Some(value.clone()),
            Value::Number(n) => Some(n.to_string().into()),
            _ => None,
        },
        ParamKind::TextList => conform_list(ParamKind::Text, value),
        ParamKind::IntList { min, max } => conform_list(ParamKind::Int { min, max }, value),
    }
}

/// Items of `kind`; a single item counts as a list of one.
fn conform_list(kind: ParamKind, value: &Value) -> Option<Value> {
    match value {
        Value::Array(items) => items.iter().map(|v| conform(kind, v)).collect(),
        item => Some(Value::Array(vec![conform(kind, item)?])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const SPECS: &[ParamSpec] = &[
        ParamSpec {
            name: "k",
            doc: "neighbours",
            kind: ParamKind::Int { min: 1, max: 99 },
            default: ParamDefault::Int(5),
        },
        ParamSpec {
            name: "lr",
            doc: "rate",
            kind: ParamKind::Float { min: 0.0, max: f64::INFINITY },
            default: ParamDefault::Auto,
        },
        ParamSpec { name: "file", doc: "a file", kind: ParamKind::Text, default: ParamDefault::Required },
    ];

    fn validate(given: Value) -> Result<Params, Vec<ParamProblem>> {
        Params::validate(SPECS, &serde_json::from_value(given).unwrap())
    }

    #[test]
    fn numbers_take_their_declared_form_and_defaults_fill_in() {
        let p = validate(json!({"k": 7.0, "lr": 1, "file": "x.csv"})).unwrap();
        assert_eq!(p.to_json(), json!({"k": 7, "lr": 1.0, "file": "x.csv"}));
        let p = validate(json!({"file": "x.csv"})).unwrap();
        assert_eq!((p.size("k"), p.opt_float("lr")), (5, None));
    }

    #[test]
    fn all_mistakes_come_at_once() {
        let problems = validate(json!({"k": 0, "lr": "fast", "fil": "x"})).unwrap_err();
        let messages: Vec<_> = problems.iter().map(|p| p.message.as_str()).collect();
        assert_eq!(
            messages,
            [
                "unknown parameter `fil`",
                "parameter `k` cannot be 0",
                "parameter `lr` cannot be \"fast\"",
                "parameter `file` is missing"
            ]
        );
        assert_eq!(problems[0].hint, "did you mean `file`?");
    }
}
