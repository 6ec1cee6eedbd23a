//! What a data set is: domains with subsets of samples, folds that say which domains train and which test.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::data_file::DataFile;
use crate::env::DataDir;
use crate::error::{Error, Result};
use crate::modality::Modality;
use crate::params::{Both, Given, ParamProblem, ParamSet, ParamSpec};
use crate::picture::PictureGeometry;
use crate::preprocessing::Layout;
use crate::sample::{Masks, SampleRef, Samples, Subset};
use crate::shift::Shift;
use crate::standardise::{AsTheyAre, Scale, Standardise};
use crate::tags::Tags;

/// Where the anomalies of a test batch come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnomalySource {
    /// Normal samples of the fold's other meta-test domains.
    OtherDomains,
    /// The domain's own genuine anomalies.
    Genuine,
}

/// One distribution P_j and the sizes of its subsets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Domain {
    /// Its name, unique in the data set: a class, a year, a product category.
    pub name: String,
    /// Number of normal samples.
    pub normal: usize,
    /// Number of genuine anomalies.
    pub anomalous: usize,
    /// Number of reference normals.
    pub reference: usize,
}

impl Domain {
    /// A domain of normals alone.
    pub fn normals(name: impl Into<String>, normal: usize) -> Self {
        Domain { name: name.into(), normal, anomalous: 0, reference: 0 }
    }

    /// The size of one of its subsets.
    pub fn size(&self, subset: Subset) -> usize {
        match subset {
            Subset::Normal => self.normal,
            Subset::Anomalous => self.anomalous,
            Subset::Reference => self.reference,
        }
    }
}

/// One split into disjoint meta-train and meta-test domains: part of the data set's protocol.
///
/// Most data sets have one fold; leave-one-category-out has one per category. A fit belongs to one fold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fold {
    /// Its name; `""` where there is only one.
    pub name: String,
    /// Indices of the domains to train on.
    pub meta_train: Vec<usize>,
    /// Indices of the domains to test on.
    pub meta_test: Vec<usize>,
}

impl Fold {
    /// The only fold of a data set.
    pub fn single(meta_train: impl IntoIterator<Item = usize>, meta_test: impl IntoIterator<Item = usize>) -> Self {
        let (meta_train, meta_test) = (meta_train.into_iter().collect(), meta_test.into_iter().collect());
        Fold { name: String::new(), meta_train, meta_test }
    }
}

/// What is known of a data set beside its samples: enough to plan with, and to settle what a method leaves to the data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetInfo {
    /// The registry's name.
    pub name: String,
    /// Kind and shape of its samples.
    pub modality: Modality,
    /// All domains, of both roles.
    pub domains: Vec<Domain>,
    /// The splits; never empty.
    pub folds: Vec<Fold>,
    /// Where test anomalies come from.
    pub anomalies: AnomalySource,
    /// Facts that belong into the record, such as `corruptions: generated`; in order.
    pub notes: Vec<(String, String)>,
}

/// An opened data set. Opening checks sizes, magic numbers, label ranges and NaN; `gather` then only reads.
pub trait Dataset: Send + Sync {
    /// Domains, folds and shapes.
    fn info(&self) -> &DatasetInfo;

    /// What decides the samples of domain number `domain` (its files, how they are read), for keys of caches: domains of
    /// equal identity hold equal samples, whatever other domains lie beside them. `None`: whoever caches must hash the
    /// samples themselves.
    fn identity(&self, _domain: usize) -> Option<String> {
        None
    }

    /// The samples of `refs`, in their order.
    ///
    /// # Errors
    /// Where a file that is read on demand is damaged.
    fn gather(&self, refs: &[SampleRef]) -> Result<Samples>;

    /// The masks of `refs`, in their order and at the samples' size (all zero for normals);
    /// `None` where the data set, or one of these domains, has no masks.
    ///
    /// # Errors
    /// Where a mask file is damaged or of another size than its image.
    fn masks(&self, _refs: &[SampleRef]) -> Result<Option<Masks>> {
        Ok(None)
    }

    /// The normal references of a domain that a person has listed, in their order; `None` where references are drawn.
    fn listed_references(&self, _domain: usize) -> Option<&[SampleRef]> {
        None
    }

    /// What a person calls a sample, such as `crack/012`; `None` where samples have no names.
    fn sample_name(&self, _sample: &SampleRef) -> Option<String> {
        None
    }

    /// The tags of `refs`, in their order: named values that no method sees. None where the data set says nothing of its
    /// samples; which it has, [`Load::tags`] says.
    ///
    /// # Errors
    /// Where a sample is not there.
    fn tags(&self, refs: &[SampleRef]) -> Result<Tags> {
        Ok(Tags::none(refs.len()))
    }

    /// The samples of `refs` with `shift` done to their pictures before these are resized; `None` where the data set keeps
    /// no larger pictures than its samples.
    ///
    /// # Errors
    /// As [`Dataset::gather`].
    fn gather_shifted(&self, _refs: &[SampleRef], _shift: &Shift) -> Result<Option<Samples>> {
        Ok(None)
    }

    /// What was subtracted from each channel's values 0 … 1 of its pictures, and what they were then divided by; empty where
    /// that is nothing.
    fn pixel_scale(&self) -> Vec<(f32, f32)> {
        Vec::new()
    }

    /// The columns of its tables; `None` where they have no names, or its samples are no rows.
    fn layout(&self) -> Option<&Layout> {
        None
    }

    /// The row of its file that a sample comes from, counted from 0; `None` where that is not kept.
    fn source_row(&self, _sample: &SampleRef) -> Option<u32> {
        None
    }

    /// The error of a sample that is not there: a mistake of the caller.
    fn no_sample(&self, sample: &SampleRef) -> Error {
        Error::failed(format!("{}: there is no sample {sample:?}", self.info().name))
    }
}

/// What the registry says of a data set.
#[derive(Debug, Serialize)]
pub struct DatasetSpec {
    /// Name in YAML and results.
    pub name: &'static str,
    /// Bumped when the loader's numbers may change.
    pub version: u32,
    /// One line.
    pub summary: &'static str,
    /// Paper and licence.
    pub citation: &'static str,
    /// Which files it reads, relative to the data folder; `""` where it needs none.
    pub files: &'static str,
    /// Those of its parameters that training never sees: they belong to the test side of keys.
    pub test_params: &'static [&'static str],
}

/// A registered data set.
pub struct DatasetDef {
    spec: &'static DatasetSpec,
    params: fn() -> Vec<ParamSpec>,
    configure: fn(&Given) -> Result<Arc<Source>, Vec<ParamProblem>>,
}

impl DatasetDef {
    /// The entry in the registry of a data set whose parameters are `P`.
    pub const fn new<P: Load + ParamSet>(spec: &'static DatasetSpec) -> Self {
        let configure = |given: &Given| {
            let own = P::parse(given)?;
            Source::new(own.values(), own, Standardise::None)
        };
        DatasetDef { spec, params: P::specs, configure }
    }

    /// The entry of a tabular data set, whose parameters are `P` and how the frame brings its values to one scale.
    pub const fn tabular<P: Load + ParamSet>(spec: &'static DatasetSpec) -> Self {
        let configure = |given: &Given| {
            let all = Both::<P, Scale>::parse(given)?;
            Source::new(all.values(), all.0, all.1.standardise)
        };
        DatasetDef { spec, params: Both::<P, Scale>::specs, configure }
    }

    /// The entry of a data set of features that one network made: their values are taken as they are by default.
    pub const fn features<P: Load + ParamSet>(spec: &'static DatasetSpec) -> Self {
        let configure = |given: &Given| {
            let all = Both::<P, AsTheyAre>::parse(given)?;
            Source::new(all.values(), all.0, all.1.scale.standardise)
        };
        DatasetDef { spec, params: Both::<P, AsTheyAre>::specs, configure }
    }

    /// Its description.
    pub fn spec(&self) -> &'static DatasetSpec {
        self.spec
    }

    /// Its parameters.
    pub fn params(&self) -> Vec<ParamSpec> {
        (self.params)()
    }

    /// Configures it.
    ///
    /// # Errors
    /// All mistakes in `given` at once.
    pub fn configure(&self, given: &Given) -> Result<Arc<Source>, Vec<ParamProblem>> {
        (self.configure)(given)
    }
}

/// A data set with its parameters, not yet opened.
pub struct Source {
    /// Every parameter with its value.
    pub values: Value,
    /// How the frame brings its values to one scale.
    pub standardise: Standardise,
    load: Box<dyn Load>,
}

impl Source {
    fn new(values: Value, load: impl Load + 'static, standardise: Standardise) -> Result<Arc<Self>, Vec<ParamProblem>> {
        load.check().map_err(|e| vec![ParamProblem::combination(e)])?;
        Ok(Arc::new(Source { values, standardise, load: Box::new(load) }))
    }
}

impl std::ops::Deref for Source {
    type Target = dyn Load;

    fn deref(&self) -> &Self::Target {
        self.load.as_ref()
    }
}

/// What a data set's file implements for its struct of parameters.
pub trait Load: Send + Sync {
    /// The files that it reads; none where it needs none.
    ///
    /// # Errors
    /// [`Error::Data`] where one is missing, naming it, the folder and the remedy.
    fn files(&self, data: &DataDir) -> Result<Vec<DataFile>>;

    /// Opens it.
    ///
    /// # Errors
    /// [`Error::Data`] where a file is missing or damaged, naming the file, the folder and the remedy.
    fn open(&self, data: &DataDir) -> Result<Arc<dyn Dataset>>;

    /// Refuses combinations of parameters that make no sense.
    ///
    /// # Errors
    /// [`Error::Config`] that says which.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// How a picture of a person's own becomes a sample of it; `None` where it does not hold pictures.
    fn image(&self) -> Option<PictureGeometry> {
        None
    }

    /// The names of its tags; see [`Dataset::tags`].
    fn tags(&self) -> &'static [&'static str] {
        &[]
    }
}
