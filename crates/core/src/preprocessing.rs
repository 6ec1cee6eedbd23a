//! What a training learnt of a table's columns: how a raw row becomes the features that a method sees. It is kept with
//! the trained model, so that whoever scores rows with it later sees them as the training did.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::sample::Values;
use crate::standardise::Standardise;
use crate::state::{Array, Arrays};

/// The columns of the features: the numeric ones in their order, then a 0/1 column for each of `indicated`, then for every
/// categorical column one 0/1 column a category. A category that is not listed is all zero, as with scikit-learn's
/// `handle_unknown="ignore"`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Layout {
    /// Names of the numeric columns.
    pub numeric: Vec<String>,
    /// Names and categories, sorted, of the categorical columns.
    pub categorical: Vec<(String, Vec<String>)>,
    /// What a missing value becomes.
    #[serde(default)]
    pub missing: Missing,
    /// Places in `numeric` of the columns beside which a 0/1 column says where the value was missing.
    #[serde(default)]
    pub indicated: Vec<usize>,
    /// Medians of the numeric columns over the training rows, which stand for missing numbers; empty where unknown.
    #[serde(skip)]
    pub medians: Vec<f64>,
}

crate::choices! {
    /// What a missing value of a table becomes.
    pub enum Missing {
        /// An error.
        Fail = "fail",
        /// The column's median over the training rows; in a column of text, a category of its own.
        Median = "median",
        /// As `median`, with a 0/1 column beside every numeric column that has missing values in training.
        Indicator = "indicator",
    }
}

impl Layout {
    /// The number of features.
    pub fn dim(&self) -> usize {
        let categories: usize = self.categorical.iter().map(|(_, c)| c.len()).sum();
        self.numeric.len() + self.indicated.len() + categories
    }

    /// The code of `category` in categorical column number `column`: its place, or one past the last if unknown.
    pub fn code(&self, column: usize, category: &str) -> u32 {
        let categories = &self.categorical[column].1;
        categories.binary_search_by(|c| c.as_str().cmp(category)).unwrap_or(categories.len()) as u32
    }

    /// Writes one row as features into `out` (`dim` values, all 0). A missing number is NaN.
    pub fn write(&self, numeric: &[f64], codes: &[u32], out: &mut [f64]) {
        let n = numeric.len();
        out[..n].copy_from_slice(numeric);
        for (k, value) in numeric.iter().enumerate().filter(|(_, v)| v.is_nan()) {
            out[k] = self.medians.get(k).copied().unwrap_or(*value);
        }
        for (place, &k) in self.indicated.iter().enumerate() {
            out[n + place] = f64::from(u8::from(numeric[k].is_nan()));
        }
        let mut start = n + self.indicated.len();
        for ((_, categories), &code) in self.categorical.iter().zip(codes) {
            if (code as usize) < categories.len() {
                out[start + code as usize] = 1.0;
            }
            start += categories.len();
        }
    }

    /// The names of the columns that a row has, numeric ones first.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.numeric.iter().map(String::as_str).chain(self.categorical.iter().map(|(name, _)| name.as_str()))
    }

    /// The names of the features.
    pub fn features(&self) -> Vec<String> {
        let indicated = self.indicated.iter().map(|&k| format!("{} is missing", self.numeric[k]));
        let one_hot = self.categorical.iter().flat_map(|(name, categories)| {
            categories
                .iter()
                .map(move |c| if c.is_empty() { format!("{name} is missing") } else { format!("{name}={c}") })
        });
        self.numeric.iter().cloned().chain(indicated).chain(one_hot).collect()
    }
}

/// Mean and standard deviation (biased, 1 where it is 0) of every feature.
#[derive(Debug, Clone, PartialEq)]
pub struct Moments {
    /// Means.
    pub mean: Vec<f64>,
    /// Standard deviations.
    pub sd: Vec<f64>,
}

/// How values are brought to one scale, with what was learnt for it.
#[derive(Debug, Clone, PartialEq)]
pub enum Scaling {
    /// Values as they are.
    None,
    /// By the statistics of the meta-train normals.
    Pool(Moments),
    /// By the statistics of the samples gathered.
    Batch,
    /// By the statistics of the meta-train normals, and then the signed logarithm.
    SignedLog(Moments),
    /// By places among the meta-train normals: their values, sorted, of every feature.
    Rank(Vec<Vec<f64>>),
}

impl Scaling {
    /// Its word in YAML.
    pub fn how(&self) -> Standardise {
        match self {
            Scaling::None => Standardise::None,
            Scaling::Pool(_) => Standardise::Pool,
            Scaling::Batch => Standardise::Batch,
            Scaling::SignedLog(_) => Standardise::SignedLog,
            Scaling::Rank(_) => Standardise::Rank,
        }
    }
}

/// What a training learnt of the columns of its data.
#[derive(Debug, Clone, PartialEq)]
pub struct Preprocessing {
    /// The columns; `None` where they have no names and go by their place.
    pub layout: Option<Layout>,
    /// How values are brought to one scale.
    pub scaling: Scaling,
    /// The statistics of the training pool's features before they are scaled, to see how far a batch strays; `None`
    /// where nothing trains.
    pub pool: Option<Moments>,
}

/// Names of the arrays.
const MEAN: &str = "mean";
const SD: &str = "sd";
const MEDIANS: &str = "medians";
const SORTED: &str = "sorted";

impl Preprocessing {
    /// Its words as JSON and its numbers as arrays, in double precision.
    pub fn to_parts(&self) -> (Value, Arrays) {
        let vector = |v: &[f64]| Array::new(vec![v.len()], Values::F64(v.to_vec()));
        let mut arrays = Arrays::new();
        if let Some(medians) = self.layout.as_ref().map(|l| &l.medians).filter(|m| !m.is_empty()) {
            arrays.insert(MEDIANS.into(), vector(medians));
        }
        if let Some(moments) = &self.pool {
            arrays.insert(MEAN.into(), vector(&moments.mean));
            arrays.insert(SD.into(), vector(&moments.sd));
        }
        if let Scaling::Rank(columns) = &self.scaling {
            let shape = vec![columns.len(), columns.first().map_or(0, Vec::len)];
            arrays.insert(SORTED.into(), Array::new(shape, Values::F64(columns.concat())));
        }
        (json!({ "layout": self.layout, "standardise": self.scaling.how() }), arrays)
    }

    /// What [`Preprocessing::to_parts`] made.
    ///
    /// # Errors
    /// [`Error::Failed`] where something is missing or of another type.
    pub fn from_parts(words: &Value, arrays: &Arrays) -> Result<Self> {
        let part = |name: &str| words.get(name).cloned().unwrap_or_default();
        let wrong = |e: serde_json::Error| Error::failed(format!("preprocessing: {e}"));
        let mut layout: Option<Layout> = serde_json::from_value(part("layout")).map_err(wrong)?;
        let how: Standardise = serde_json::from_value(part("standardise")).map_err(wrong)?;
        let doubles = |name: &str| match arrays.get(name).map(|a| (a.shape(), a.values())) {
            Some((shape, Values::F64(values))) => Ok((shape.to_vec(), values.clone())),
            _ => Err(Error::failed(format!("preprocessing: there is no `{name}` in double precision"))),
        };
        let vector = |name: &str| doubles(name).map(|(_, values)| values);
        if let Some(layout) = layout.as_mut().filter(|_| arrays.contains_key(MEDIANS)) {
            layout.medians = vector(MEDIANS)?;
        }
        let moments = || Ok::<_, Error>(Moments { mean: vector(MEAN)?, sd: vector(SD)? });
        let pool = if arrays.contains_key(MEAN) { Some(moments()?) } else { None };
        let scaling = match how {
            Standardise::None => Scaling::None,
            Standardise::Batch => Scaling::Batch,
            Standardise::Pool => Scaling::Pool(moments()?),
            Standardise::SignedLog => Scaling::SignedLog(moments()?),
            Standardise::Rank => match doubles(SORTED)? {
                (shape, values) if shape.len() == 2 && shape[1] > 0 => {
                    Scaling::Rank(values.chunks_exact(shape[1]).map(<[f64]>::to_vec).collect())
                }
                (shape, _) => return Err(Error::failed(format!("preprocessing: `{SORTED}` is {shape:?}"))),
            },
        };
        let read = Preprocessing { layout, scaling, pool };
        read.check()?;
        Ok(read)
    }

    /// The number of features; `None` where nothing says it.
    pub fn dim(&self) -> Option<usize> {
        let scaled = match &self.scaling {
            Scaling::Rank(columns) => Some(columns.len()),
            _ => self.pool.as_ref().map(|m| m.mean.len()),
        };
        self.layout.as_ref().map(Layout::dim).or(scaled)
    }

    fn check(&self) -> Result<()> {
        let dim = self.dim();
        let agree = |n: usize| dim == Some(n);
        let moments = self.pool.as_ref().is_none_or(|m| agree(m.mean.len()) && agree(m.sd.len()));
        let ranks = match &self.scaling {
            Scaling::Rank(columns) => agree(columns.len()),
            _ => true,
        };
        let filled = |l: &Layout| l.medians.is_empty() || l.medians.len() == l.numeric.len();
        let indicated = |l: &Layout| l.indicated.iter().all(|&k| k < l.numeric.len());
        if moments && ranks && self.layout.as_ref().is_none_or(|l| filled(l) && indicated(l)) {
            return Ok(());
        }
        Err(Error::failed("preprocessing: its parts do not agree on the number of columns"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout() -> Layout {
        Layout {
            numeric: vec!["x".into(), "y".into()],
            categorical: vec![("k".into(), vec![String::new(), "a".into()])],
            missing: Missing::Indicator,
            indicated: vec![1],
            medians: vec![0.1, 7.0],
        }
    }

    #[test]
    fn every_way_of_scaling_reads_back_with_the_same_bits() {
        let layout = layout();
        let moments = Moments { mean: vec![0.1; 5], sd: vec![1.0 / 3.0; 5] };
        let ranks = Scaling::Rank(vec![vec![-1.0, 0.1, 0.1]; 5]);
        let ways =
            [Scaling::None, Scaling::Batch, Scaling::Pool(moments.clone()), Scaling::SignedLog(moments.clone()), ranks];
        for scaling in ways {
            for layout in [Some(layout.clone()), None] {
                let whole = Preprocessing { layout, scaling: scaling.clone(), pool: Some(moments.clone()) };
                let (words, arrays) = whole.to_parts();
                let words: Value = serde_json::from_str(&words.to_string()).unwrap();
                assert_eq!(Preprocessing::from_parts(&words, &arrays).unwrap(), whole);
            }
        }
        let torn = Preprocessing { layout: Some(layout), scaling: Scaling::Pool(moments.clone()), pool: Some(moments) };
        let (words, mut arrays) = torn.to_parts();
        arrays.insert(SD.into(), Array::new(vec![1], Values::F64(vec![1.0])));
        assert!(Preprocessing::from_parts(&words, &arrays).unwrap_err().to_string().contains("do not agree"));
        arrays.remove(SD);
        assert!(Preprocessing::from_parts(&words, &arrays).unwrap_err().to_string().contains("no `sd`"));
    }

    #[test]
    fn a_row_is_written_as_numbers_indicators_and_categories() {
        let layout = layout();
        let written = |numeric: [f64; 2], code| {
            let mut out = vec![0.0; layout.dim()];
            layout.write(&numeric, &[code], &mut out);
            out
        };
        assert_eq!(written([1.5, 2.0], layout.code(0, "a")), [1.5, 2.0, 0.0, 0.0, 1.0]);
        assert_eq!(written([f64::NAN, f64::NAN], layout.code(0, "")), [0.1, 7.0, 1.0, 1.0, 0.0]);
        assert_eq!(written([0.0, 0.0], layout.code(0, "new")), [0.0; 5]);
        assert_eq!(layout.features(), ["x", "y", "y is missing", "k is missing", "k=a"]);
    }
}
