//! Samples and what says which one is meant; scores, maps and masks as plain arrays: the currency between data sets,
//! methods and metrics.

use std::borrow::Cow;
use std::sync::Arc;

/// Which part of a domain a sample lies in: its role, and with that its label. Known to data sets, the sampler and
/// training; what scores a batch sees [`crate::SampleId`]s alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subset {
    /// The domain's normal samples: tasks and test batches are made of these.
    Normal,
    /// Genuine anomalies.
    Anomalous,
    /// Normal samples set apart for reference (an official training split of the target); may be empty.
    Reference,
}

impl Subset {
    /// All of them, in the order in which domains list their sizes.
    pub const ALL: [Subset; 3] = [Subset::Normal, Subset::Anomalous, Subset::Reference];
}

/// One sample of a data set, with its label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SampleRef {
    /// Index into [`crate::DatasetInfo::domains`].
    pub domain: u32,
    /// Which subset of the domain.
    pub subset: Subset,
    /// Index inside the subset.
    pub index: u32,
}

impl SampleRef {
    /// Samples number 0 … `n` − 1 of a subset.
    pub fn all(domain: usize, subset: Subset, n: usize) -> impl Iterator<Item = SampleRef> + Clone {
        (0..n as u32).map(move |index| SampleRef { domain: domain as u32, subset, index })
    }
}

/// Values in the precision in which the data set stores them.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Single precision: images and features.
    F32(Vec<f32>),
    /// Double precision: tables.
    F64(Vec<f64>),
}

impl Values {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Values::F32(v) => v.len(),
            Values::F64(v) => v.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The place of the first one that is not finite.
    pub fn first_not_finite(&self) -> Option<usize> {
        match self {
            Values::F32(v) => v.iter().position(|x| !x.is_finite()),
            Values::F64(v) => v.iter().position(|x| !x.is_finite()),
        }
    }
}

/// `n` samples of one shape, row-major: `[n, shape…]`; images are `[channels, height, width]`, rows are `[d]`. A clone shares
/// the values: a table of a million rows is held once.
#[derive(Debug, Clone, PartialEq)]
pub struct Samples {
    shape: Vec<usize>,
    values: Arc<Values>,
}

impl Samples {
    /// Samples of `shape` each.
    ///
    /// # Panics
    /// Where the number of values is not a multiple of the product of `shape` (a mistake of the caller).
    pub fn new(shape: Vec<usize>, values: Values) -> Self {
        let (len, d) = (values.len(), shape.iter().product::<usize>());
        assert!(d > 0 && len.is_multiple_of(d), "{len} values do not make samples of shape {shape:?}");
        Samples { shape, values: Arc::new(values) }
    }

    /// The number of samples.
    pub fn len(&self) -> usize {
        self.values.len() / self.dim()
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The shape of one sample.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The number of values of one sample: the product of its shape.
    pub fn dim(&self) -> usize {
        self.shape.iter().product()
    }

    /// The samples of these numbers, in their order.
    ///
    /// # Panics
    /// Where there are not so many (a mistake of the caller).
    pub fn rows(&self, rows: &[usize]) -> Samples {
        fn pick<T: Copy>(values: &[T], dim: usize, rows: &[usize]) -> Vec<T> {
            rows.iter().flat_map(|&row| &values[row * dim..(row + 1) * dim]).copied().collect()
        }
        let values = match self.values() {
            Values::F32(x) => Values::F32(pick(x, self.dim(), rows)),
            Values::F64(x) => Values::F64(pick(x, self.dim(), rows)),
        };
        Samples::new(self.shape.clone(), values)
    }

    /// The values as stored.
    pub fn values(&self) -> &Values {
        &self.values
    }

    /// All values in single precision, borrowed where they are stored so.
    pub fn to_f32(&self) -> Cow<'_, [f32]> {
        match self.values() {
            Values::F32(v) => Cow::Borrowed(v),
            Values::F64(v) => Cow::Owned(v.iter().map(|&x| x as f32).collect()),
        }
    }

    /// All values in double precision, borrowed where they are stored so.
    pub fn to_f64(&self) -> Cow<'_, [f64]> {
        match self.values() {
            Values::F32(v) => Cow::Owned(v.iter().map(|&x| f64::from(x)).collect()),
            Values::F64(v) => Cow::Borrowed(v),
        }
    }

    /// All values in double precision, without a copy where they are stored so and nobody shares them.
    pub fn into_f64(self) -> Vec<f64> {
        match Arc::try_unwrap(self.values) {
            Ok(Values::F64(own)) => own,
            Ok(Values::F32(own)) => own.into_iter().map(f64::from).collect(),
            Err(values) => Samples { shape: self.shape, values }.to_f64().into_owned(),
        }
    }
}

/// Anomaly maps of some samples: a score for each of their places, `[n, shape…]` row-major; higher is more anomalous.
/// The places are pixels, `[height, width]`; for a series they would be time points, `[length]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Maps {
    /// Shape of one map.
    pub shape: Vec<usize>,
    /// `n · product of shape` values.
    pub values: Vec<f32>,
}

impl Maps {
    /// Places of one map.
    pub fn positions(&self) -> usize {
        self.shape.iter().product()
    }

    /// The greatest value of every map.
    pub fn max(&self) -> Vec<f64> {
        let max = |map: &[f32]| f64::from(map.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        self.values.chunks_exact(self.positions()).map(max).collect()
    }
}

/// What a detector says of a batch: one score a sample (higher is more anomalous), and maps where it makes them.
#[derive(Debug, Clone, PartialEq)]
pub struct Scores {
    /// One score a sample, in the batch's order.
    pub samples: Vec<f64>,
    /// Maps, in the same order.
    pub maps: Option<Maps>,
}

impl From<Vec<f64>> for Scores {
    fn from(samples: Vec<f64>) -> Self {
        Scores { samples, maps: None }
    }
}

impl From<Maps> for Scores {
    /// A sample's score is the greatest of its map.
    fn from(maps: Maps) -> Self {
        Scores { samples: maps.max(), maps: Some(maps) }
    }
}

/// Ground truth of [`Maps`], `[n, shape…]` row-major: 1 where the place is anomalous, else 0.
#[derive(Debug, Clone, PartialEq)]
pub struct Masks {
    /// Shape of one mask.
    pub shape: Vec<usize>,
    /// `n · product of shape` values of 0 or 1.
    pub values: Vec<u8>,
}
