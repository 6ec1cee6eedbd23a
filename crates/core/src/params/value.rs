//! The types that a parameter can have.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Bounds, Declaration, Given, Object, ParamDefault, ParamKind, ParamSet, ParamSpec};

/// A field of a struct of parameters: a value, or another such struct.
pub trait Param: Clone {
    /// Adds its declaration, with its own value as the default.
    fn declare(&self, at: Declaration, out: &mut Vec<ParamSpec>);

    /// Takes its value from `given`, where it is there; the values are of the declared kinds.
    fn read(&mut self, name: &str, given: &Given);

    /// Writes its value.
    fn write(&self, name: &str, out: &mut Object);
}

/// A type that is one value in YAML.
pub trait Leaf: Sized + Clone {
    /// Type and range as declared.
    fn kind(at: &Declaration) -> ParamKind;

    /// What is printed as default.
    fn default_of(&self) -> ParamDefault {
        ParamDefault::Value(self.to_json())
    }

    /// As JSON.
    fn to_json(&self) -> Value;

    /// From JSON of the declared kind.
    fn from_json(value: &Value) -> Option<Self>;
}

impl<T: Leaf> Param for T {
    fn declare(&self, at: Declaration, out: &mut Vec<ParamSpec>) {
        out.push(ParamSpec { name: at.name, doc: at.doc, kind: T::kind(&at), default: self.default_of() });
    }

    fn read(&mut self, name: &str, given: &Given) {
        if let Some(value) = given.get(name).and_then(T::from_json) {
            *self = value;
        }
    }

    fn write(&self, name: &str, out: &mut Object) {
        out.insert(name.to_owned(), self.to_json());
    }
}

/// The parameters of `A`, and then those of `B`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Both<A, B>(pub A, pub B);

impl<A: Param, B: Param> Param for Both<A, B> {
    fn declare(&self, _: Declaration, out: &mut Vec<ParamSpec>) {
        self.0.declare(Declaration::default(), out);
        self.1.declare(Declaration::default(), out);
    }

    fn read(&mut self, _: &str, given: &Given) {
        self.0.read("", given);
        self.1.read("", given);
    }

    fn write(&self, _: &str, out: &mut Object) {
        self.0.write("", out);
        self.1.write("", out);
    }
}

impl<A: ParamSet, B: ParamSet> ParamSet for Both<A, B> {}

/// Values that JSON knows as they are.
macro_rules! leaves {
    ($($type:ty: $kind:expr;)*) => {$(
        impl Leaf for $type {
            fn kind(at: &Declaration) -> ParamKind {
                let kind: fn(Bounds) -> ParamKind = $kind;
                kind(at.bounds)
            }

            fn to_json(&self) -> Value {
                json!(self)
            }

            fn from_json(value: &Value) -> Option<Self> {
                Self::deserialize(value).ok()
            }
        }
    )*};
}

leaves! {
    u8: Bounds::integer;
    u64: Bounds::integer;
    usize: Bounds::integer;
    Vec<u8>: Bounds::integers;
    Vec<u64>: Bounds::integers;
    Vec<usize>: Bounds::integers;
    f64: |bounds| ParamKind::Float { min: bounds.min, max: bounds.max };
    Vec<f64>: |bounds| ParamKind::FloatList { min: bounds.min, max: bounds.max };
    bool: |_| ParamKind::Bool;
    String: |_| ParamKind::Text;
    Vec<String>: |_| ParamKind::TextList;
    BTreeMap<String, bool>: |_| ParamKind::Marks;
}

/// `None`: left to the data.
impl<T: Leaf> Leaf for Option<T> {
    fn kind(at: &Declaration) -> ParamKind {
        T::kind(at)
    }

    fn default_of(&self) -> ParamDefault {
        self.as_ref().map_or(ParamDefault::Auto, T::default_of)
    }

    fn to_json(&self) -> Value {
        self.as_ref().map_or(Value::Null, T::to_json)
    }

    fn from_json(value: &Value) -> Option<Self> {
        T::from_json(value).map(Some)
    }
}

/// A parameter that must be given. Its default is there for declarations alone and is empty.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Required<T>(T);

impl<T> Required<T> {
    /// A value that was given.
    pub fn given(value: T) -> Self {
        Required(value)
    }
}

impl<T> Deref for Required<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Leaf> Leaf for Required<T> {
    fn kind(at: &Declaration) -> ParamKind {
        T::kind(at)
    }

    fn default_of(&self) -> ParamDefault {
        ParamDefault::Required
    }

    fn to_json(&self) -> Value {
        self.0.to_json()
    }

    fn from_json(value: &Value) -> Option<Self> {
        T::from_json(value).map(Required)
    }
}

/// The word of an [`OrWord`].
pub trait Word: Clone + Copy + fmt::Debug + Default + PartialEq + Send + Sync + 'static {
    /// As written in YAML.
    const WORD: &'static str;
}

/// A whole number, or a word that stands for a rule, such as `all`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum OrWord<W> {
    /// The rule.
    Word(W),
    /// So many.
    Number(usize),
}

impl<W> OrWord<W> {
    /// The number, if it is one.
    pub fn number(self) -> Option<usize> {
        match self {
            OrWord::Word(_) => None,
            OrWord::Number(n) => Some(n),
        }
    }
}

impl<W: Word> Default for OrWord<W> {
    fn default() -> Self {
        OrWord::Word(W::default())
    }
}

impl<W: Word> Leaf for OrWord<W> {
    fn kind(at: &Declaration) -> ParamKind {
        let (min, max) = at.bounds.whole();
        ParamKind::IntOr { min, max, word: W::WORD }
    }

    fn to_json(&self) -> Value {
        self.number().map_or_else(|| W::WORD.into(), Value::from)
    }

    fn from_json(value: &Value) -> Option<Self> {
        if value == W::WORD { Some(OrWord::default()) } else { usize::from_json(value).map(OrWord::Number) }
    }
}

/// The word for everything that there is.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct All;

impl Word for All {
    const WORD: &'static str = "all";
}

impl OrWord<All> {
    /// How many are meant where there are `have`: the number itself, be there fewer, or all.
    pub fn of(self, have: usize) -> usize {
        self.number().unwrap_or(have)
    }
}

/// One of some words; see [`choices!`](crate::choices!).
pub trait Choice: Copy + PartialEq + 'static {
    /// Every value, in the order in which they are printed.
    const ALL: &'static [Self];
    /// Their words.
    const WORDS: &'static [&'static str];

    /// The word in YAML and results.
    fn word(self) -> &'static str {
        let at = Self::ALL.iter().position(|c| *c == self);
        // `ALL` and `WORDS` are made from one list.
        at.map_or("", |i| Self::WORDS[i])
    }

    /// The value of a word.
    fn from_word(word: &str) -> Option<Self> {
        Self::WORDS.iter().position(|w| *w == word).map(|i| Self::ALL[i])
    }
}

/// Declares an enum whose values are words in YAML and JSON.
///
/// ```
/// zsad_core::choices! {
///     /// Where to look.
///     pub enum Side {
///         /// To the left.
///         Left = "left",
///         /// To the right.
///         Right = "right",
///     }
/// }
///
/// use zsad_core::Choice;
/// assert_eq!(Side::from_word("right").map(Side::word), Some("right"));
/// ```
#[macro_export]
macro_rules! choices {
    (
        $(#[$meta:meta])*
        $vis:vis enum $name:ident {
            $($(#[$vmeta:meta])* $variant:ident = $word:literal,)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $vis enum $name {
            $($(#[$vmeta])* $variant,)+
        }

        impl $crate::Choice for $name {
            const ALL: &'static [Self] = &[$($name::$variant),+];
            const WORDS: &'static [&'static str] = &[$($word),+];
        }

        impl Default for $name {
            fn default() -> Self {
                <$name as $crate::Choice>::ALL[0]
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str($crate::Choice::word(*self))
            }
        }

        impl $crate::params::Leaf for $name {
            fn kind(_: &$crate::params::Declaration) -> $crate::ParamKind {
                $crate::ParamKind::Choice(<$name as $crate::Choice>::WORDS)
            }

            fn to_json(&self) -> $crate::params::Json {
                $crate::Choice::word(*self).into()
            }

            fn from_json(value: &$crate::params::Json) -> Option<Self> {
                $crate::Choice::from_word(value.as_str()?)
            }
        }

        impl $crate::params::Serialize for $name {
            fn serialize<S: $crate::params::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str($crate::Choice::word(*self))
            }
        }

        impl<'de> $crate::params::Deserialize<'de> for $name {
            fn deserialize<D: $crate::params::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = <String as $crate::params::Deserialize>::deserialize(deserializer)?;
                $crate::Choice::from_word(&word).ok_or_else(|| {
                    let known = <$name as $crate::Choice>::WORDS.join(", ");
                    $crate::params::custom(format!("`{word}` is none of {known}"))
                })
            }
        }
    };
}
