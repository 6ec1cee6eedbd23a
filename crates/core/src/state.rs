//! Trained state in plain memory: what is saved and loaded, once for all methods.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::sample::Values;

/// A dense array, row-major; a scalar has the shape `[]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    shape: Vec<usize>,
    values: Values,
}

/// Arrays by name.
pub type Arrays = BTreeMap<String, Array>;

impl Array {
    /// `values` in row-major order of `shape`.
    ///
    /// # Panics
    /// Where the number of values is not the product of `shape` (a mistake of the caller).
    pub fn new(shape: Vec<usize>, values: Values) -> Self {
        assert_eq!(shape.iter().product::<usize>(), values.len(), "values of an array of shape {shape:?}");
        Array { shape, values }
    }

    /// An array in single precision.
    ///
    /// # Panics
    /// As [`Array::new`].
    pub fn single(shape: Vec<usize>, values: Vec<f32>) -> Self {
        Array::new(shape, Values::F32(values))
    }

    /// The shape.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The values.
    pub fn values(&self) -> &Values {
        &self.values
    }

    /// The values, if they are in single precision.
    pub fn as_f32(&self) -> Option<&[f32]> {
        match &self.values {
            Values::F32(values) => Some(values),
            Values::F64(_) => None,
        }
    }

    /// Little-endian bytes of the values.
    pub fn to_le_bytes(&self) -> Vec<u8> {
        match &self.values {
            Values::F32(values) => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            Values::F64(values) => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        }
    }
}

/// A hash of names, shapes and values: 32 hexadecimal digits.
pub fn digest(arrays: &Arrays) -> String {
    let mut hasher = blake3::Hasher::new();
    for (name, array) in arrays {
        hasher.update(&(name.len() as u64).to_le_bytes());
        hasher.update(name.as_bytes());
        hasher.update(&(array.shape.len() as u64).to_le_bytes());
        for &d in &array.shape {
            hasher.update(&(d as u64).to_le_bytes());
        }
        hasher.update(&array.to_le_bytes());
    }
    hasher.finalize().to_hex()[..32].to_owned()
}

/// What a training leaves of a detector.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// A JSON object with what is needed beside the parameters to build the network again (its layers' sizes).
    pub network: Value,
    /// The trained values.
    pub arrays: Arrays,
}

impl State {
    /// Entry `name` of the network's description.
    ///
    /// # Errors
    /// [`Error::Failed`] where it is missing or of another type.
    pub fn entry<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        let value = self.network.get(name).cloned().unwrap_or_default();
        serde_json::from_value(value).map_err(|e| Error::failed(format!("network, {name}: {e}")))
    }

    /// Checks that the arrays are exactly `wanted` (name, shape).
    ///
    /// # Errors
    /// [`Error::Failed`] with all missing and unexpected names and wrong shapes.
    pub fn expect<'a>(&self, wanted: impl IntoIterator<Item = (&'a str, &'a [usize])>) -> Result<()> {
        let wanted: BTreeMap<&str, &[usize]> = wanted.into_iter().collect();
        let mut problems = Vec::new();
        for (name, shape) in &wanted {
            match self.arrays.get(*name) {
                None => problems.push(format!("missing `{name}`")),
                Some(a) if a.shape() != *shape => {
                    problems.push(format!("`{name}` has shape {:?}, wanted {shape:?}", a.shape()));
                }
                Some(_) => {}
            }
        }
        let unexpected = self.arrays.keys().filter(|k| !wanted.contains_key(k.as_str()));
        problems.extend(unexpected.map(|k| format!("unexpected `{k}`")));
        if problems.is_empty() {
            return Ok(());
        }
        Err(Error::failed(format!("other tensors than wanted: {}", problems.join(", "))))
    }

    /// The array `name`.
    ///
    /// # Errors
    /// [`Error::Failed`] where there is none.
    pub fn array(&self, name: &str) -> Result<&Array> {
        self.arrays.get(name).ok_or_else(|| Error::failed(format!("there is no tensor `{name}`")))
    }
}
