//! Samples, scores and masks as plain arrays: the currency between data sets, methods and metrics.

use std::borrow::Cow;

/// Values in the precision in which the data set stores them.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Single precision: images and features.
    F32(Vec<f32>),
    /// Double precision: tables.
    F64(Vec<f64>),
}

/// `n` samples of one shape, row-major: `[n, shape…]`; images are `[channels, height, width]`, rows are `[d]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Samples {
    shape: Vec<usize>,
    values: Values,
}

impl Samples {
    /// Samples of `shape` each.
    ///
    /// # Panics
    /// Where the number of values is not a multiple of the product of `shape` (a mistake of the caller).
    pub fn new(shape: Vec<usize>, values: Values) -> Self {
        let len = match &values {
            Values::F32(v) => v.len(),
            Values::F64(v) => v.len(),
        };
        let d: usize = shape.iter().product();
        assert!(d > 0 && len.is_multiple_of(d), "{len} values do not make samples of shape {shape:?}");
        Samples { shape, values }
    }

    /// The number of samples.
    pub fn len(&self) -> usize {
        let total = match &self.values {
            Values::F32(v) => v.len(),
            Values::F64(v) => v.len(),
        };
        total / self.dim()
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The shape of one sample.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The number of values of one sample: the product of its shape.
    pub fn dim(&self) -> usize {
        self.shape.iter().product()
    }

    /// The values as stored.
    pub fn values(&self) -> &Values {
        &self.values
    }

    /// All values in single precision, borrowed where they are stored so.
    pub fn to_f32(&self) -> Cow<'_, [f32]> {
        match &self.values {
            Values::F32(v) => Cow::Borrowed(v),
            Values::F64(v) => Cow::Owned(v.iter().map(|&x| x as f32).collect()),
        }
    }

    /// All values in double precision, borrowed where they are stored so.
    pub fn to_f64(&self) -> Cow<'_, [f64]> {
        match &self.values {
            Values::F32(v) => Cow::Owned(v.iter().map(|&x| f64::from(x)).collect()),
            Values::F64(v) => Cow::Borrowed(v),
        }
    }
}

/// Pixel-level anomaly maps, `[n, height, width]` row-major; higher is more anomalous.
#[derive(Debug, Clone, PartialEq)]
pub struct Maps {
    /// Height in pixels.
    pub height: usize,
    /// Width in pixels.
    pub width: usize,
    /// `n · height · width` values.
    pub values: Vec<f32>,
}

/// What a method says of a batch: one score a sample (higher is more anomalous), and maps where it makes them.
#[derive(Debug, Clone, PartialEq)]
pub struct Scores {
    /// One score a sample, in the batch's order.
    pub samples: Vec<f64>,
    /// Pixel-level maps, in the same order.
    pub maps: Option<Maps>,
}

impl From<Vec<f64>> for Scores {
    fn from(samples: Vec<f64>) -> Self {
        Scores { samples, maps: None }
    }
}

/// Ground-truth masks, `[n, height, width]` row-major: 1 where the pixel is anomalous, else 0.
#[derive(Debug, Clone, PartialEq)]
pub struct Masks {
    /// Height in pixels.
    pub height: usize,
    /// Width in pixels.
    pub width: usize,
    /// `n · height · width` values of 0 or 1.
    pub values: Vec<u8>,
}
