//! Tables with numeric and categorical columns, kept compact in memory: `gather` writes the one-hot columns.

use std::collections::BTreeSet;

use zsad_core::{
    AnomalySource, Dataset, DatasetInfo, Domain, Fold, Modality, Result, SampleRef, Samples, Subset, Values,
};

/// The columns of the features: the numeric ones in their order, then for every categorical column one 0/1 column a
/// category. A category that is not listed is all zero, as with scikit-learn's `handle_unknown="ignore"`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layout {
    /// Names of the numeric columns.
    pub numeric: Vec<String>,
    /// Names and categories, sorted, of the categorical columns.
    pub categorical: Vec<(String, Vec<String>)>,
}

impl Layout {
    /// The number of features.
    pub fn dim(&self) -> usize {
        self.numeric.len() + self.categorical.iter().map(|(_, c)| c.len()).sum::<usize>()
    }

    /// The code of `category` in categorical column number `column`: its place, or one past the last if unknown.
    pub fn code(&self, column: usize, category: &str) -> u32 {
        let categories = &self.categorical[column].1;
        categories.binary_search_by(|c| c.as_str().cmp(category)).unwrap_or(categories.len()) as u32
    }
}

/// The sorted categories among `values`.
pub fn categories<'a>(values: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let distinct: BTreeSet<&str> = values.into_iter().collect();
    distinct.into_iter().map(str::to_owned).collect()
}

/// Rows of one pool.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rows {
    /// `[n, numeric columns]`, row-major.
    pub numeric: Vec<f64>,
    /// `[n, categorical columns]`, row-major: see [`Layout::code`].
    pub codes: Vec<u32>,
    /// How many rows.
    pub len: usize,
}

impl Rows {
    /// Adds one row.
    pub fn push(&mut self, numeric: impl IntoIterator<Item = f64>, codes: impl IntoIterator<Item = u32>) {
        self.numeric.extend(numeric);
        self.codes.extend(codes);
        self.len += 1;
    }
}

/// One domain.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TabularDomain {
    /// Its name.
    pub name: String,
    /// Normal rows.
    pub normal: Rows,
    /// Genuine anomalies.
    pub anomalous: Rows,
}

impl TabularDomain {
    /// A domain without rows.
    pub fn new(name: impl Into<String>) -> Self {
        TabularDomain { name: name.into(), ..Default::default() }
    }

    /// The pool of rows with this label.
    pub fn pool_mut(&mut self, anomalous: bool) -> &mut Rows {
        if anomalous { &mut self.anomalous } else { &mut self.normal }
    }
}

/// A data set of such tables.
pub struct Tabular {
    info: DatasetInfo,
    layout: Layout,
    domains: Vec<TabularDomain>,
}

impl Tabular {
    /// The data set of these domains with one fold, and with genuine anomalies or normals of other domains.
    pub fn new(name: &str, layout: Layout, domains: Vec<TabularDomain>, fold: Fold, genuine: bool) -> Self {
        let sizes = |d: &TabularDomain| Domain { anomalous: d.anomalous.len, ..Domain::normals(&d.name, d.normal.len) };
        let info = DatasetInfo {
            name: name.into(),
            modality: Modality::rows(layout.dim()),
            domains: domains.iter().map(sizes).collect(),
            folds: vec![fold],
            anomalies: if genuine { AnomalySource::Genuine } else { AnomalySource::OtherDomains },
            notes: vec![],
        };
        Tabular { info, layout, domains }
    }

    /// With facts that belong beside its numbers.
    pub fn with_notes(mut self, notes: Vec<(String, String)>) -> Self {
        self.info.notes = notes;
        self
    }
}

impl Dataset for Tabular {
    fn info(&self) -> &DatasetInfo {
        &self.info
    }

    fn gather(&self, refs: &[SampleRef]) -> Result<Samples> {
        let (n, c, d) = (self.layout.numeric.len(), self.layout.categorical.len(), self.layout.dim());
        let mut values = vec![0.0; refs.len() * d];
        for (r, out) in refs.iter().zip(values.chunks_exact_mut(d)) {
            let rows = self.domains.get(r.domain as usize).and_then(|domain| match r.subset {
                Subset::Normal => Some(&domain.normal),
                Subset::Anomalous => Some(&domain.anomalous),
                Subset::Reference => None,
            });
            let i = r.index as usize;
            let rows = rows.filter(|rows| i < rows.len);
            let rows = rows.ok_or_else(|| self.no_sample(r))?;
            out[..n].copy_from_slice(&rows.numeric[i * n..(i + 1) * n]);
            let mut start = n;
            for ((_, categories), &code) in self.layout.categorical.iter().zip(&rows.codes[i * c..(i + 1) * c]) {
                if (code as usize) < categories.len() {
                    out[start + code as usize] = 1.0;
                }
                start += categories.len();
            }
        }
        Ok(Samples::new(vec![d], Values::F64(values)))
    }
}
