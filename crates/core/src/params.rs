//! Parameters of methods and data sets. A struct declared with [`params!`](crate::params!) *is* the declaration: its
//! fields are the parameters, with their documentation, defaults and ranges. It is read once, when an experiment is
//! checked; afterwards everybody reads its fields.

mod check;
mod declare;
mod value;

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

use check::validate;
pub use declare::{Bounds, Declaration};
pub use value::{All, Both, Choice, Leaf, OrWord, Param, Required, Word};
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
    /// A list of numbers in `min..=max`.
    FloatList {
        /// Least value.
        min: f64,
        /// Greatest value.
        max: f64,
    },
    /// A mapping of texts to 0 or 1.
    Marks,
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
            ParamKind::Marks => f.write_str("mapping of texts to 0 or 1"),
            ParamKind::IntList { min, max } => write!(f, "list of integers {}", range(min, max, *max == i64::MAX)),
            ParamKind::FloatList { min, max } => {
                write!(f, "list of numbers {}", range(min, max, *max == f64::INFINITY))
            }
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
            /// from and to
            interval: Vec<f64> = vec![0.0, 0.3], in 0.0..=1.0;
            /// shared ones
            shared: Shared = Shared { tasks: 8, ..Shared::default() };
        }
    }

    fn parse(given: Value) -> Result<Own, Vec<ParamProblem>> {
        Own::parse(&serde_json::from_value(given).unwrap())
    }

    #[test]
    fn numbers_take_their_declared_form_and_defaults_fill_in() {
        let own = parse(json!({"steps": 7.0, "lr": 1, "file": "x.csv", "hidden": 3, "interval": [0, 0.5]})).unwrap();
        let all = json!({"file": "x.csv", "hidden": [3], "interval": [0.0, 0.5], "lr": 1.0, "steps": 7, "tasks": 8});
        assert_eq!(own.values(), all);
        assert_eq!(parse(all.clone()).unwrap().values(), all, "what is written can be read");
        let own = parse(json!({"file": "x.csv", "steps": null})).unwrap();
        assert_eq!((own.shared.steps, own.lr, own.hidden, own.file.as_str()), (None, 0.5, vec![4, 2], "x.csv"));
    }

    #[test]
    fn a_group_stands_among_the_others_with_the_defaults_given() {
        let names: Vec<_> = Own::specs().iter().map(|s| (s.name, s.default.to_json())).collect();
        let (hidden, interval) = (json!([4, 2]), json!([0.0, 0.3]));
        let none = Value::Null;
        assert_eq!(
            names,
            [
                ("file", none.clone()),
                ("lr", json!(0.5)),
                ("hidden", hidden),
                ("interval", interval),
                ("steps", none),
                ("tasks", json!(8))
            ]
        );
        assert_eq!(Own::specs()[4].default, ParamDefault::Auto);
        assert_eq!(Own::specs()[5].kind, ParamKind::Int { min: 1, max: 64 });
        assert_eq!(Own::specs()[4].kind.to_string(), "integer ≥ 1");
        assert_eq!(Own::specs()[3].kind.to_string(), "list of numbers 0 … 1");
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
