//! What a data set is: domains with pools of samples, folds that say which domains train and which test.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::params::{ParamSpec, Params};
use crate::samples::{Masks, Samples};

/// The kind and shape of a data set's samples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Images of `[channels, height, width]`.
    Image {
        /// Channels: 1 or 3.
        channels: usize,
        /// Height in pixels.
        height: usize,
        /// Width in pixels.
        width: usize,
    },
    /// Rows or feature vectors of `dim` values.
    Tabular {
        /// Number of features.
        dim: usize,
    },
}

impl Kind {
    /// The shape of one sample.
    pub fn shape(&self) -> Vec<usize> {
        match *self {
            Kind::Image { channels, height, width } => vec![channels, height, width],
            Kind::Tabular { dim } => vec![dim],
        }
    }
}

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

    /// The kind of the samples.
    pub fn kind(&self) -> Kind {
        Kind::Image { channels: self.channels, height: self.height, width: self.width }
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

/// Which pool of a domain a sample lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pool {
    /// The domain's normal samples: tasks and test batches are made of these.
    Normal,
    /// Genuine anomalies.
    Anomalous,
    /// Normal samples set apart for reference (an official training split of the target); may be empty.
    Reference,
}

/// One sample of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SampleRef {
    /// Index into [`DatasetInfo::domains`].
    pub domain: u32,
    /// Which pool of the domain.
    pub pool: Pool,
    /// Index inside the pool.
    pub index: u32,
}

/// One distribution P_j and the sizes of its pools.
#[derive(Debug, Clone, PartialEq, Eq)]
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

    /// The size of one of its pools.
    pub fn size(&self, pool: Pool) -> usize {
        match pool {
            Pool::Normal => self.normal,
            Pool::Anomalous => self.anomalous,
            Pool::Reference => self.reference,
        }
    }
}

/// One split into disjoint meta-train and meta-test domains: part of the data set's protocol.
///
/// Most data sets have one fold; leave-one-category-out has one per category. A fit belongs to one fold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fold {
    /// Its name; `""` where there is only one.
    pub name: String,
    /// Indices of the domains to train on.
    pub meta_train: Vec<usize>,
    /// Indices of the domains to test on.
    pub meta_test: Vec<usize>,
}

/// What is known of an opened data set before any sample is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetInfo {
    /// The registry's name.
    pub name: String,
    /// Kind and shape of its samples.
    pub kind: Kind,
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

    /// The data set as training and testing in `fold` read it, where its samples depend on the fold (standardised by
    /// the fold's meta-train normals); `None`: as it is. Its [`DatasetInfo`] is the same.
    ///
    /// # Errors
    /// Where samples that this needs cannot be read.
    fn in_fold(&self, _fold: &Fold) -> Result<Option<Arc<dyn Dataset>>> {
        Ok(None)
    }
}

/// Where the data lie: `--data DIR`, else `$ZSAD_DATA`, else `data/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataDir {
    /// The folder.
    pub path: PathBuf,
    /// How it was chosen, for error messages: `--data`, `$ZSAD_DATA` or `the default`.
    pub chosen_by: &'static str,
}

impl DataDir {
    /// The folder that `flag` (the value of `--data`), the environment or the default names.
    pub fn resolve(flag: Option<PathBuf>) -> Self {
        if let Some(path) = flag {
            return DataDir { path, chosen_by: "--data" };
        }
        match std::env::var_os("ZSAD_DATA") {
            Some(path) if !path.is_empty() => DataDir { path: path.into(), chosen_by: "$ZSAD_DATA" },
            _ => DataDir { path: "data".into(), chosen_by: "the default" },
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
    /// Its parameters.
    pub params: &'static [ParamSpec],
}

/// A registered data set.
pub trait DatasetDef: Sync {
    /// Its description.
    fn spec(&self) -> &'static DatasetSpec;

    /// What stands behind the `@` in keys: the version, and where the user's own files decide, a hash of them.
    fn revision(&self, _params: &Params, _dir: &DataDir) -> String {
        self.spec().version.to_string()
    }

    /// How a picture of a person's own becomes a sample of it; `None` where it does not hold pictures.
    fn picture(&self, _params: &Params) -> Option<PictureSpec> {
        None
    }

    /// Opens it. `params` are validated and complete.
    ///
    /// # Errors
    /// [`crate::Error::Data`] where a file is missing or damaged, naming the file, the folder and the remedy.
    fn open(&self, params: &Params, dir: &DataDir) -> Result<Arc<dyn Dataset>>;
}
