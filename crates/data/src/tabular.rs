//! Tables with numeric and categorical columns, kept compact in memory: `gather` writes the one-hot columns.

use std::collections::BTreeSet;

use zsad_core::{
    AnomalySource, Dataset, DatasetInfo, Domain, Fold, Modality, Result, SampleRef, Samples, Subset, Tags, Values,
};

pub use zsad_core::Layout;

use crate::memory::tags_of;

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
    /// Rows of the file, counted from 0.
    pub source: Vec<u32>,
    /// How many rows.
    pub len: usize,
}

impl Rows {
    /// Adds row number `source` of the file, counted from 0.
    pub fn push(
        &mut self,
        source: usize,
        numeric: impl IntoIterator<Item = f64>,
        codes: impl IntoIterator<Item = u32>,
    ) {
        self.numeric.extend(numeric);
        self.codes.extend(codes);
        self.source.push(source as u32);
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
    /// By domain, those of its normal and of its anomalous rows; empty where there are none.
    tags: Vec<[Tags; 2]>,
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
        Tabular { info, layout, domains, tags: vec![] }
    }

    /// The same with tags: those that `tags` makes of some rows of the file, by the domain that they are of.
    pub fn with_tags(mut self, tags: impl Fn(&TabularDomain, &[u32]) -> Tags) -> Self {
        let of = |d: &TabularDomain| [tags(d, &d.normal.source), tags(d, &d.anomalous.source)];
        self.tags = self.domains.iter().map(of).collect();
        self
    }

    /// The rows that a sample lies in, and its place among them.
    fn rows(&self, sample: &SampleRef) -> Option<(&Rows, usize)> {
        let domain = self.domains.get(sample.domain as usize)?;
        let rows = match sample.subset {
            Subset::Normal => &domain.normal,
            Subset::Anomalous => &domain.anomalous,
            Subset::Reference => return None,
        };
        let i = sample.index as usize;
        (i < rows.len).then_some((rows, i))
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
            let (rows, i) = self.rows(r).ok_or_else(|| self.no_sample(r))?;
            self.layout.write(&rows.numeric[i * n..(i + 1) * n], &rows.codes[i * c..(i + 1) * c], out);
        }
        Ok(Samples::new(vec![d], Values::F64(values)))
    }

    fn layout(&self) -> Option<&Layout> {
        Some(&self.layout)
    }

    fn tags(&self, refs: &[SampleRef]) -> Result<Tags> {
        tags_of(&self.tags, refs)
    }

    fn source_row(&self, sample: &SampleRef) -> Option<u32> {
        self.rows(sample).map(|(rows, i)| rows.source[i])
    }
}
