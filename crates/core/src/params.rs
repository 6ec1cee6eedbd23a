//! Parameters of methods and data sets. A struct declared with [`params!`](crate::params!) *is* the declaration: its
//! fields are the parameters, with their documentation, defaults and ranges. It is read once, when an experiment is
//! checked; afterwards everybody reads its fields.

mod value;

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

use crate::suggest;

pub use value::{All, Choice, Leaf, OrWord, Param, Required, Word};
// For the expansion of the macros, wherever they are used.
#[doc(hidden)]
pub use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as DeserializeError};
#[doc(hidden)]
pub use serde_json::Value as Json;

/// An error of deserialisation, for the expansion of [`choices!`](crate::choices!).
#[doc(hidden)]
pub fn custom<E: DeserializeError>(message: String) -> E {
    E::custom(message)
}

/// Parameters as a person gave them.
pub type Given = BTreeMap<String, Value>;

/// One declared parameter.
#[derive(Debug, Clone, PartialEq)]
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
    /// An integer in `min..=max`, or this word.
    IntOr {
        /// Least value.
        min: i64,
        /// Greatest value.
        max: i64,
        /// The word.
        word: &'static str,
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
#[derive(Debug, Clone, PartialEq)]
pub enum ParamDefault {
    /// Must be given.
    Required,
    /// Decided from the data's shape, as the parameter's doc says; plans and records show what was decided.
    Auto,
    /// This one.
    Value(Value),
}

impl ParamDefault {
    /// As JSON; `Required` and `Auto` are `null`.
    pub fn to_json(&self) -> Value {
        match self {
            ParamDefault::Required | ParamDefault::Auto => Value::Null,
            ParamDefault::Value(value) => value.clone(),
        }
    }
}

impl fmt::Display for ParamKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ParamKind::Int { min, max } => write!(f, "integer {}", range(min, max, *max == i64::MAX)),
            ParamKind::Float { min, max } => write!(f, "number {}", range(min, max, *max == f64::INFINITY)),
            ParamKind::IntOr { min, max, word } => {
                write!(f, "integer {}, or {word}", range(min, max, *max == i64::MAX))
            }
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
    /// The parameter it is about; empty where it is about several.
    pub name: String,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub hint: String,
}

impl ParamProblem {
    /// A combination of parameters that makes no sense.
    pub fn combination(message: impl fmt::Display) -> Self {
        ParamProblem { name: String::new(), message: message.to_string(), hint: String::new() }
    }

    /// All of `problems` in one line each, as an error of the configuration.
    pub fn error(of: &str, problems: Vec<ParamProblem>) -> crate::Error {
        let hint = |p: &ParamProblem| if p.hint.is_empty() { String::new() } else { format!("; hint: {}", p.hint) };
        let lines: Vec<String> = problems.iter().map(|p| format!("{of}: {}{}", p.message, hint(p))).collect();
        crate::Error::Config(lines.join("\n"))
    }
}

/// A struct of parameters, declared with [`params!`](crate::params!). Its default value holds the defaults.
pub trait ParamSet: Param + Default + Send + Sync + 'static {
    /// The declared parameters, in order.
    fn specs() -> Vec<ParamSpec> {
        let mut specs = Vec::new();
        Self::default().declare(Declaration::default(), &mut specs);
        specs
    }

    /// Reads `given`; what is not given keeps its default.
    ///
    /// # Errors
    /// All mistakes at once: unknown names, wrong types, values out of range, missing required parameters.
    fn parse(given: &Given) -> Result<Self, Vec<ParamProblem>> {
        let values = validate(&Self::specs(), given)?;
        let mut set = Self::default();
        set.read("", &values);
        Ok(set)
    }

    /// Every parameter with its value, `null` where it is left to the data.
    fn values(&self) -> Value {
        let mut values = Map::new();
        self.write("", &mut values);
        Value::Object(values)
    }
}

/// What a field of a struct of parameters says of itself beside its type and default.
#[derive(Debug, Clone, Copy, Default)]
pub struct Declaration {
    /// Name in YAML.
    pub name: &'static str,
    /// One line.
    pub doc: &'static str,
    /// Range of numbers.
    pub bounds: Bounds,
}

/// The range of a number, both ends included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// Least value.
    pub min: f64,
    /// Greatest value.
    pub max: f64,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds { min: f64::NEG_INFINITY, max: f64::INFINITY }
    }
}

impl Bounds {
    /// As integers; an open end is the last integer.
    pub fn integers(self) -> (i64, i64) {
        // Conversion saturates at the ends.
        (self.min as i64, self.max as i64)
    }
}

macro_rules! bounds {
    ($($number:ty),*) => {$(
        impl From<std::ops::RangeInclusive<$number>> for Bounds {
            fn from(range: std::ops::RangeInclusive<$number>) -> Self {
                Bounds { min: *range.start() as f64, max: *range.end() as f64 }
            }
        }

        impl From<std::ops::RangeFrom<$number>> for Bounds {
            fn from(range: std::ops::RangeFrom<$number>) -> Self {
                Bounds { min: range.start as f64, max: f64::INFINITY }
            }
        }
    )*};
}

bounds!(i64, f64);

/// `given`, checked against `specs`: the values that are given and not null, each in the canonical form of its kind.
fn validate(specs: &[ParamSpec], given: &Given) -> Result<Given, Vec<ParamProblem>> {
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
    }
}

/// Items of `kind`; a single item counts as a list of one.
fn conform_list(kind: ParamKind, value: &Value) -> Option<Value> {
    match value {
        Value::Array(items) => items.iter().map(|v| conform(kind, v)).collect(),
        item => Some(Value::Array(vec![conform(kind, item)?])),
    }
}

/// Declares a struct of parameters: `name: type = default;`, or `name: type = default, in range;` for numbers. The doc
/// comment of a field is what `zsad describe` prints. A field may be another such struct: its parameters then stand
/// among the others, with the defaults of the value given.
///
/// ```
/// zsad_core::params! {
///     /// Parameters of a method.
///     pub struct Neighbours {
///         /// number of neighbours
///         pub k: usize = 5, in 1..=99;
///         /// learning rate; auto: from the number of columns
///         pub lr: Option<f64> = None, in 0.0..;
///     }
/// }
///
/// use zsad_core::ParamSet;
/// let given = [("k".to_owned(), 7.0.into())].into();
/// let read = Neighbours::parse(&given).unwrap();
/// assert_eq!((read.k, read.lr), (7, None));
/// assert_eq!(Neighbours::specs()[0].doc, "number of neighbours");
/// ```
#[macro_export]
macro_rules! params {
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident {
            $(
                $(#[doc = $doc:literal])+
                $fvis:vis $field:ident : $type:ty = $default:expr $(, in $range:expr)?;
            )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq)]
        $vis struct $name {
            $($(#[doc = $doc])+ $fvis $field: $type,)*
        }

        impl Default for $name {
            fn default() -> Self {
                $name { $($field: $default,)* }
            }
        }

        impl $crate::params::Param for $name {
            #[allow(unused_variables, reason = "a struct without fields has nothing to say")]
            fn declare(&self, _: $crate::params::Declaration, out: &mut Vec<$crate::ParamSpec>) {
                $(
                    #[allow(unused_mut, unused_assignments, reason = "not every parameter has a range")]
                    let mut bounds = $crate::params::Bounds::default();
                    $(bounds = $crate::params::Bounds::from($range);)?
                    let doc = concat!($($doc),+).trim_ascii();
                    let at = $crate::params::Declaration { name: stringify!($field), doc, bounds };
                    $crate::params::Param::declare(&self.$field, at, out);
                )*
            }

            #[allow(unused_variables, reason = "a struct without fields has nothing to read")]
            fn read(&mut self, _: &str, given: &$crate::params::Given) {
                $($crate::params::Param::read(&mut self.$field, stringify!($field), given);)*
            }

            #[allow(unused_variables, reason = "a struct without fields has nothing to write")]
            fn write(&self, _: &str, out: &mut $crate::params::Object) {
                $($crate::params::Param::write(&self.$field, stringify!($field), out);)*
            }
        }

        impl $crate::ParamSet for $name {}
    };
}

/// A JSON object under construction.
pub type Object = Map<String, Value>;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    crate::params! {
        /// A group.
        struct Shared {
            /// steps of a training
            steps: Option<u64> = None, in 1..;
            /// tasks in a step
            tasks: usize = 32, in 1..=64;
        }
    }

    crate::params! {
        /// A method's.
        struct Own {
            /// a file
            file: Required<String> = Required::default();
            /// rate
            lr: f64 = 0.5, in 0.0..;
            /// widths
            hidden: Vec<usize> = vec![4, 2], in 1..;
            /// shared ones
            shared: Shared = Shared { tasks: 8, ..Shared::default() };
        }
    }

    fn parse(given: Value) -> Result<Own, Vec<ParamProblem>> {
        Own::parse(&serde_json::from_value(given).unwrap())
    }

    #[test]
    fn numbers_take_their_declared_form_and_defaults_fill_in() {
        let own = parse(json!({"steps": 7.0, "lr": 1, "file": "x.csv", "hidden": 3})).unwrap();
        let all = json!({"file": "x.csv", "hidden": [3], "lr": 1.0, "steps": 7, "tasks": 8});
        assert_eq!(own.values(), all);
        assert_eq!(parse(all.clone()).unwrap().values(), all, "what is written can be read");
        let own = parse(json!({"file": "x.csv", "steps": null})).unwrap();
        assert_eq!((own.shared.steps, own.lr, own.hidden, own.file.as_str()), (None, 0.5, vec![4, 2], "x.csv"));
    }

    #[test]
    fn a_group_stands_among_the_others_with_the_defaults_given() {
        let names: Vec<_> = Own::specs().iter().map(|s| (s.name, s.default.to_json())).collect();
        let hidden = json!([4, 2]);
        let none = Value::Null;
        assert_eq!(
            names,
            [("file", none.clone()), ("lr", json!(0.5)), ("hidden", hidden), ("steps", none), ("tasks", json!(8))]
        );
        assert_eq!(Own::specs()[3].default, ParamDefault::Auto);
        assert_eq!(Own::specs()[4].kind, ParamKind::Int { min: 1, max: 64 });
        assert_eq!(Own::specs()[3].kind.to_string(), "integer ≥ 1");
    }

    #[test]
    fn all_mistakes_come_at_once() {
        let problems = parse(json!({"tasks": 0, "lr": "fast", "fil": "x"})).unwrap_err();
        let messages: Vec<_> = problems.iter().map(|p| p.message.as_str()).collect();
        assert_eq!(
            messages,
            [
                "unknown parameter `fil`",
                "parameter `file` is missing",
                "parameter `lr` cannot be \"fast\"",
                "parameter `tasks` cannot be 0",
            ]
        );
        assert_eq!(problems[0].hint, "did you mean `file`?");
    }
}
