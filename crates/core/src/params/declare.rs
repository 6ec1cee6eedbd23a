//! How a struct of parameters is declared: [`params!`](crate::params!), and what a field says of itself.

use super::ParamKind;

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
    /// As whole numbers from 0.
    pub(super) fn whole(self) -> (i64, i64) {
        // Conversion saturates at the ends.
        ((self.min as i64).max(0), self.max as i64)
    }

    /// A whole number in them.
    pub(super) fn integer(self) -> ParamKind {
        let (min, max) = self.whole();
        ParamKind::Int { min, max }
    }

    /// A list of whole numbers in them.
    pub(super) fn integers(self) -> ParamKind {
        let (min, max) = self.whole();
        ParamKind::IntList { min, max }
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
