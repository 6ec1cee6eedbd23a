//! What a data set is: domains with subsets of samples, folds that say which domains train and which test.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::env::DataDir;
use crate::error::{Error, Result};
use crate::modality::Modality;
use crate::params::{Given, ParamProblem, ParamSet, ParamSpec};
use crate::sample::{Masks, SampleRef, Samples, Subset};

/// How a picture becomes a sample of a data set of images: what its loader does to its own files, for a person's own.
#[derive(Debug, Clone, PartialEq)]
pub struct PictureSpec {
    /// Channels: 1 (grey) or 3.
    pub channels: usize,
    /// Height of the sample in pixels.
    pub height: usize,
    /// Width of the sample in pixels.
    pub width: usize,
    /// Resampling filter, by Pillow's name.
    pub filter: &'static str,
    /// The middle `height` × `width` is cut out of a larger image: its shorter side, and whether the other side is
    /// stretched to it too. `None`: both sides are stretched to `height` and `width`.
    pub cut_from: Option<(usize, bool)>,
    /// What is subtracted from each channel's values 0 … 1, and what they are then divided by.
    pub scale: Vec<(f32, f32)>,
}

impl PictureSpec {
    /// Values 0 … 1, stretched to `[channels, height, width]` by Pillow's bicubic filter.
    pub fn stretched(channels: usize, height: usize, width: usize) -> Self {
        let scale = vec![(0.0, 1.0); channels];
        PictureSpec { channels, height, width, filter: "bicubic", cut_from: None, scale }
    }

    /// The modality of the samples.
    pub fn modality(&self) -> Modality {
        Modality::Image { channels: self.channels, height: self.height, width: self.width }
    }
}

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

    /// What a person calls a sample, such as `crack/012`; `None` where samples have no names.
    fn sample_name(&self, _sample: &SampleRef) -> Option<String> {
        None
    }

    /// The error of a sample that is not there: a mistake of the caller.
    fn no_sample(&self, sample: &SampleRef) -> Error {
        Error::failed(format!("{}: there is no sample {sample:?}", self.info().name))
    }
}

/// Who reads a file: what only tests read is in the keys of cells and not in those of fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadBy {
    /// Training and tests.
    Both,
    /// Training alone, or in tests what training has read as well.
    Training,
    /// Tests alone.
    Tests,
    /// Whoever works on the domain of this name, in the fold at hand.
    Domain(String),
}

/// A file that a data set reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFile {
    /// Where it is.
    pub path: PathBuf,
    /// Who reads it.
    pub read_by: ReadBy,
}

impl DataFile {
    /// Files that are all read by the same.
    pub fn list(paths: impl IntoIterator<Item = PathBuf>, read_by: ReadBy) -> Vec<DataFile> {
        paths.into_iter().map(|path| DataFile { path, read_by: read_by.clone() }).collect()
    }
}

/// How the values of tables are brought to one scale; the frame does it for every data set of rows.
pub use standardise::Standardise;

mod standardise {
    crate::choices! {
        /// How the values of tables are brought to one scale.
        pub enum Standardise {
            /// Values as they are.
            None = "none",
            /// Mean 0 and standard deviation 1 over the normals of the fold's meta-train domains.
            Pool = "pool",
            /// Over the samples read at once: a test batch by itself, without labels.
            Batch = "batch",
            /// As `pool`, and then sign(z) log(1 + |z|).
            SignedLog = "signed_log",
            /// The place among the normals of the fold's meta-train domains, from −1 to 1.
            Rank = "rank",
        }
    }
}

/// What the registry says of a data set.
#[derive(Debug)]
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
pub trait DatasetDef: Sync {
    /// Its description.
    fn spec(&self) -> &'static DatasetSpec;

    /// Its parameters.
    fn params(&self) -> Vec<ParamSpec>;

    /// Configures it.
    ///
    /// # Errors
    /// All mistakes in `given` at once.
    fn configure(&self, given: &Given) -> Result<Arc<dyn Source>, Vec<ParamProblem>>;
}

/// A data set with its parameters, not yet opened.
pub trait Source: Send + Sync {
    /// Every parameter with its value.
    fn values(&self) -> Value;

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

    /// How the frame brings its values to one scale.
    fn standardise(&self) -> Standardise {
        Standardise::None
    }

    /// How a picture of a person's own becomes a sample of it; `None` where it does not hold pictures.
    fn picture(&self) -> Option<PictureSpec> {
        None
    }
}

/// What a data set's file implements for its struct of parameters; [`Loader`] does the rest.
pub trait Load: ParamSet {
    /// See [`Source::files`].
    ///
    /// # Errors
    /// As there.
    fn files(&self, data: &DataDir) -> Result<Vec<DataFile>>;

    /// See [`Source::open`].
    ///
    /// # Errors
    /// As there.
    fn open(&self, data: &DataDir) -> Result<Arc<dyn Dataset>>;

    /// Refuses combinations of parameters that make no sense.
    ///
    /// # Errors
    /// [`Error::Config`] that says which.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// See [`Source::standardise`].
    fn standardise(&self) -> Standardise {
        Standardise::None
    }

    /// See [`Source::picture`].
    fn picture(&self) -> Option<PictureSpec> {
        None
    }
}

/// The entry in the registry of a data set whose parameters are `P`.
pub struct Loader<P> {
    spec: &'static DatasetSpec,
    params: std::marker::PhantomData<fn() -> P>,
}

impl<P: Load> Loader<P> {
    /// The entry with this description.
    pub const fn new(spec: &'static DatasetSpec) -> Self {
        Loader { spec, params: std::marker::PhantomData }
    }
}

struct Configured<P>(P);

impl<P: Load> DatasetDef for Loader<P> {
    fn spec(&self) -> &'static DatasetSpec {
        self.spec
    }

    fn params(&self) -> Vec<ParamSpec> {
        P::specs()
    }

    fn configure(&self, given: &Given) -> Result<Arc<dyn Source>, Vec<ParamProblem>> {
        let params = P::parse(given)?;
        params.check().map_err(|e| vec![ParamProblem::combination(e)])?;
        Ok(Arc::new(Configured(params)))
    }
}

impl<P: Load> Source for Configured<P> {
    fn values(&self) -> Value {
        self.0.values()
    }

    fn files(&self, data: &DataDir) -> Result<Vec<DataFile>> {
        self.0.files(data)
    }

    fn open(&self, data: &DataDir) -> Result<Arc<dyn Dataset>> {
        self.0.open(data)
    }

    fn standardise(&self) -> Standardise {
        self.0.standardise()
    }

    fn picture(&self) -> Option<PictureSpec> {
        self.0.picture()
    }
}
