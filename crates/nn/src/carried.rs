//! What a training carries from step to step, as named arrays: what it takes to go on after an interruption.

use std::fmt::Display;

use zsad_core::{Array, Arrays, Values};

use crate::Result;
use crate::params::ParamStore;

/// A value that changes while a training runs. Loading what was saved gives it back to the bit.
pub trait Carried {
    /// A copy, by names of its own.
    ///
    /// # Errors
    /// Where the device cannot be read.
    fn save(&self) -> Result<Arrays>;

    /// Takes the place of what was saved.
    ///
    /// # Errors
    /// Where `saved` is not of such a value.
    fn load(&mut self, saved: Arrays) -> Result<()>;
}

/// `arrays` with `part.` before their names.
pub fn named(part: impl Display, arrays: Arrays) -> impl Iterator<Item = (String, Array)> {
    arrays.into_iter().map(move |(name, array)| (format!("{part}.{name}"), array))
}

/// Takes the arrays that [`named`] named out of `saved`, by their own names.
pub fn take(part: impl Display, saved: &mut Arrays) -> Arrays {
    let prefix = format!("{part}.");
    let (own, others): (Arrays, Arrays) =
        std::mem::take(saved).into_iter().partition(|(name, _)| name.starts_with(&prefix));
    *saved = others;
    own.into_iter().map(|(name, array)| (name[prefix.len()..].to_owned(), array)).collect()
}

impl Carried for ParamStore {
    fn save(&self) -> Result<Arrays> {
        Ok(self.state(serde_json::Value::Null)?.arrays)
    }

    fn load(&mut self, arrays: Arrays) -> Result<()> {
        self.restore(&zsad_core::State { network: serde_json::Value::Null, arrays })
    }
}

impl<A: Carried, B: Carried> Carried for (A, B) {
    fn save(&self) -> Result<Arrays> {
        Ok(named(0, self.0.save()?).chain(named(1, self.1.save()?)).collect())
    }

    fn load(&mut self, mut saved: Arrays) -> Result<()> {
        self.0.load(take(0, &mut saved))?;
        self.1.load(take(1, &mut saved))
    }
}

impl<T: Carried> Carried for Vec<T> {
    fn save(&self) -> Result<Arrays> {
        let parts = self.iter().enumerate().map(|(part, value)| Ok(named(part, value.save()?)));
        Ok(parts.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
    }

    fn load(&mut self, mut saved: Arrays) -> Result<()> {
        self.iter_mut().enumerate().try_for_each(|(part, value)| value.load(take(part, &mut saved)))
    }
}

/// Whether there is one does not change while a training runs.
impl<T: Carried> Carried for Option<T> {
    fn save(&self) -> Result<Arrays> {
        self.as_ref().map_or_else(|| Ok(Arrays::new()), T::save)
    }

    fn load(&mut self, saved: Arrays) -> Result<()> {
        self.as_mut().map_or(Ok(()), |value| value.load(saved))
    }
}

/// Numbers as an array, to the bit.
pub fn numbers(values: impl IntoIterator<Item = f64>) -> Array {
    let values: Vec<f64> = values.into_iter().collect();
    Array::new(vec![values.len()], Values::F64(values))
}

/// The numbers that [`numbers`] kept under `name`; none where nothing is.
pub fn numbers_of(saved: &Arrays, name: &str) -> Vec<f64> {
    match saved.get(name).map(Array::values) {
        Some(Values::F64(values)) => values.clone(),
        Some(Values::F32(values)) => values.iter().map(|&v| v.into()).collect(),
        None => Vec::new(),
    }
}

/// The one number that [`numbers`] kept under `name`.
///
/// # Errors
/// Where there is not exactly one.
pub fn number_of(saved: &Arrays, name: &str) -> Result<f64> {
    match numbers_of(saved, name)[..] {
        [value] => Ok(value),
        _ => Err(zsad_core::Error::failed(format!("an interrupted training has no number `{name}`")).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Number(f64);

    impl Carried for Number {
        fn save(&self) -> Result<Arrays> {
            Ok(Arrays::from([("n".into(), numbers([self.0]))]))
        }

        fn load(&mut self, saved: Arrays) -> Result<()> {
            self.0 = number_of(&saved, "n")?;
            Ok(())
        }
    }

    #[test]
    fn nested_values_find_their_own_and_every_bit() {
        let many = |values: &[f64]| values.iter().map(|&v| Number(v)).collect::<Vec<_>>();
        // Twelve, so that part 1 is told from part 10.
        let parts: Vec<f64> = (0..12).map(|i| f64::from(i) * 0.1).collect();
        let before = (many(&parts), (Some(Number(f64::NEG_INFINITY)), None::<Number>));
        let mut after = (many(&[9.0; 12]), (Some(Number(9.0)), None));
        after.load(before.save().unwrap()).unwrap();
        assert_eq!(after, before);
        assert!(after.load(Arrays::new()).unwrap_err().to_string().contains("no number `n`"));
    }
}
