//! What methods see of a data set: training sees the meta-train domains with their labels, scoring sees samples alone.

use std::sync::OnceLock;

use rand::seq::SliceRandom;

use crate::dataset::{Dataset, DatasetInfo, Fold};
use crate::env::Environment;
use crate::error::{Error, Result};
use crate::modality::Modality;
use crate::rng::stream;
use crate::sample::{Masks, SampleRef, Samples, Subset};

/// One sample without its label: a row of its domain. The rows of a domain hold all its subsets, mixed in an order that
/// tells nothing.
///
/// ```compile_fail
/// fn peek(batch: &zsad_core::Batch) -> bool {
///     batch.ids()[0].subset == zsad_core::Subset::Anomalous
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SampleId {
    /// Index of the domain.
    pub domain: u32,
    /// Row of the domain.
    pub row: u32,
}

/// Samples by their [`SampleId`]s: what caches of features read from.
pub trait SampleSource: Sync {
    /// Kind and shape of the samples.
    fn modality(&self) -> &Modality;

    /// The name of a domain, such as a product category.
    fn domain_name(&self, domain: u32) -> &str;

    /// How many rows a domain has.
    fn rows(&self, domain: u32) -> usize;

    /// See [`Dataset::identity`].
    fn identity(&self, domain: u32) -> Option<String>;

    /// The samples of `ids`, in their order.
    ///
    /// # Errors
    /// Where a file that is read on demand is damaged, or there is no such row.
    fn gather(&self, ids: &[SampleId]) -> Result<Samples>;
}

/// The rows of a domain, and where its samples are among them.
struct Rows {
    samples: Vec<SampleRef>,
    /// Row of every sample, subset after subset.
    row_of: Vec<u32>,
}

/// A data set without labels.
pub struct Unlabelled<'a> {
    dataset: &'a dyn Dataset,
    rows: Vec<OnceLock<Rows>>,
}

impl<'a> Unlabelled<'a> {
    /// The samples of `dataset`.
    pub fn new(dataset: &'a dyn Dataset) -> Self {
        Unlabelled { dataset, rows: dataset.info().domains.iter().map(|_| OnceLock::new()).collect() }
    }

    fn rows_of(&self, domain: u32) -> Option<&Rows> {
        let about = self.dataset.info().domains.get(domain as usize)?;
        Some(self.rows[domain as usize].get_or_init(|| {
            let all = Subset::ALL.into_iter();
            let mut samples: Vec<SampleRef> =
                all.flat_map(|s| SampleRef::all(domain as usize, s, about.size(s))).collect();
            let mut order: Vec<u32> = (0..samples.len() as u32).collect();
            order.shuffle(&mut stream(0, &[("purpose", "rows"), ("domain", &about.name)]));
            let mut row_of = vec![0; order.len()];
            order.iter().zip(0..).for_each(|(&sample, row)| row_of[sample as usize] = row);
            samples = order.into_iter().map(|i| samples[i as usize]).collect();
            Rows { samples, row_of }
        }))
    }

    /// The rows of some samples. Not for methods: whoever can ask knows the labels.
    fn ids(&self, refs: &[SampleRef]) -> Result<Vec<SampleId>> {
        let id = |r: &SampleRef| {
            let missing = || self.dataset.no_sample(r);
            let about = self.dataset.info().domains.get(r.domain as usize).ok_or_else(missing)?;
            let before: usize = Subset::ALL.into_iter().take_while(|s| *s != r.subset).map(|s| about.size(s)).sum();
            if r.index as usize >= about.size(r.subset) {
                return Err(missing());
            }
            let rows = self.rows_of(r.domain).ok_or_else(missing)?;
            Ok(SampleId { domain: r.domain, row: rows.row_of[before + r.index as usize] })
        };
        refs.iter().map(id).collect()
    }
}

impl SampleSource for Unlabelled<'_> {
    fn modality(&self) -> &Modality {
        &self.dataset.info().modality
    }

    fn domain_name(&self, domain: u32) -> &str {
        self.dataset.info().domains.get(domain as usize).map_or("", |d| &d.name)
    }

    fn rows(&self, domain: u32) -> usize {
        self.dataset.info().domains.get(domain as usize).map_or(0, |d| d.normal + d.anomalous + d.reference)
    }

    fn identity(&self, domain: u32) -> Option<String> {
        self.dataset.identity(domain as usize)
    }

    fn gather(&self, ids: &[SampleId]) -> Result<Samples> {
        let sample = |id: &SampleId| {
            let found = self.rows_of(id.domain).and_then(|rows| rows.samples.get(id.row as usize));
            found.copied().ok_or_else(|| Error::failed(format!("{}: no row {id:?}", self.dataset.info().name)))
        };
        self.dataset.gather(&ids.iter().map(sample).collect::<Result<Vec<_>>>()?)
    }
}

/// A test batch with its labels, which no method sees: its samples as they were drawn, or what they were scored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelledBatch<T> {
    /// Name of the domain.
    pub domain: String,
    /// Number of the batch in its domain.
    pub number: u32,
    /// The samples, or their scores.
    pub items: Vec<T>,
    /// `true` where the sample is an anomaly, in the same order.
    pub labels: Vec<bool>,
}

impl<T> LabelledBatch<T> {
    /// The same batch of other items, one for each.
    pub fn with<U>(&self, items: Vec<U>) -> LabelledBatch<U> {
        LabelledBatch { domain: self.domain.clone(), number: self.number, items, labels: self.labels.clone() }
    }
}

/// A batch to score, or the support set of one: samples without their labels.
pub struct Batch<'a> {
    source: &'a Unlabelled<'a>,
    refs: &'a [SampleRef],
    env: &'a Environment,
}

impl<'a> Batch<'a> {
    /// The batch of `refs`.
    pub fn new(source: &'a Unlabelled<'a>, refs: &'a [SampleRef], env: &'a Environment) -> Self {
        Batch { source, refs, env }
    }

    /// The number of samples.
    pub fn len(&self) -> usize {
        self.refs.len()
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.refs.is_empty()
    }

    /// The samples.
    ///
    /// # Errors
    /// Where a file that is read on demand is damaged.
    pub fn samples(&self) -> Result<Samples> {
        self.source.dataset.gather(self.refs)
    }

    /// Which samples these are, for caches; none where one is not there.
    pub fn ids(&self) -> Vec<SampleId> {
        self.source.ids(self.refs).unwrap_or_default()
    }

    /// Where samples are read by their ids.
    pub fn source(&self) -> &'a dyn SampleSource {
        self.source
    }

    /// Kind and shape of the samples.
    pub fn modality(&self) -> &'a Modality {
        &self.source.dataset.info().modality
    }

    /// Where caches, weights and the device are.
    pub fn env(&self) -> &'a Environment {
        self.env
    }
}

/// Labelled anomalies of the target: what a person shows a method beside normal references.
pub struct AbnormalReferences<'a> {
    /// The samples.
    pub batch: Batch<'a>,
    /// Where each of them is anomalous, at the samples' size.
    pub masks: Masks,
}

/// What training may see: the samples of a fold's meta-train domains, with their labels and masks.
pub struct TrainingData<'a> {
    dataset: &'a dyn Dataset,
    fold: &'a Fold,
    source: Unlabelled<'a>,
}

impl<'a> TrainingData<'a> {
    /// The training side of `fold`.
    pub fn new(dataset: &'a dyn Dataset, fold: &'a Fold) -> Self {
        TrainingData { dataset, fold, source: Unlabelled::new(dataset) }
    }

    /// Domains and shapes.
    pub fn info(&self) -> &'a DatasetInfo {
        self.dataset.info()
    }

    /// Which domains may be read: only its `meta_train`.
    pub fn fold(&self) -> &'a Fold {
        self.fold
    }

    /// The samples of `refs`, in their order.
    ///
    /// # Errors
    /// As [`Dataset::gather`]; [`Error::Failed`] for a sample of a domain that is tested.
    pub fn gather(&self, refs: &[SampleRef]) -> Result<Samples> {
        self.guard(refs)?;
        self.dataset.gather(refs)
    }

    /// The masks of `refs`; see [`Dataset::masks`].
    ///
    /// # Errors
    /// As [`TrainingData::gather`].
    pub fn masks(&self, refs: &[SampleRef]) -> Result<Option<Masks>> {
        self.guard(refs)?;
        self.dataset.masks(refs)
    }

    /// Which rows these samples are, for caches.
    ///
    /// # Errors
    /// As [`TrainingData::gather`].
    pub fn ids(&self, refs: &[SampleRef]) -> Result<Vec<SampleId>> {
        self.guard(refs)?;
        self.source.ids(refs)
    }

    /// Where samples are read by their ids.
    pub fn source(&self) -> &dyn SampleSource {
        &self.source
    }

    fn guard(&self, refs: &[SampleRef]) -> Result<()> {
        match refs.iter().find(|r| !self.fold.meta_train.contains(&(r.domain as usize))) {
            Some(r) => Err(Error::failed(format!("training asked for {r:?}, whose domain is not trained on"))),
            None => Ok(()),
        }
    }
}
