//! What a method is: a definition in the registry, a configured method, a fitted detector.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::dataset::{Dataset, Fold, SampleRef};
use crate::error::{Error, Result};
use crate::params::{ParamSpec, Params};
use crate::samples::{Samples, Scores};

/// What a method may see of the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Setting {
    /// Nothing but the test batch, whose majority is normal.
    ZeroShot,
    /// No training at all: fits on the unlabelled batch.
    InBatch,
    /// `k` normal references of the target.
    FewShot,
    /// The target's own normal training data: the upper bound.
    OneClass,
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Setting::ZeroShot => "zero_shot",
            Setting::InBatch => "in_batch",
            Setting::FewShot => "few_shot",
            Setting::OneClass => "one_class",
        })
    }
}

/// Where tensors live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Device {
    /// The processor.
    #[default]
    Cpu,
    /// A CUDA device by number.
    Cuda(usize),
}

impl FromStr for Device {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self> {
        match s.split_once(':') {
            None if s == "cpu" => Ok(Device::Cpu),
            Some(("cuda", n)) => n.parse().map(Device::Cuda).map_err(|_| Error::Config(format!("`{s}`: want cuda:0"))),
            _ => Err(Error::Config(format!("unknown device `{s}`: cpu or cuda:0"))),
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Device::Cpu => f.write_str("cpu"),
            Device::Cuda(n) => write!(f, "cuda:{n}"),
        }
    }
}

/// What data a method accepts and what else it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// Accepts images.
    pub image: bool,
    /// Accepts rows and feature vectors.
    pub tabular: bool,
    /// Needs pixel masks in training.
    pub masks: bool,
    /// Needs normal references of the target at test time.
    pub references: bool,
}

impl Needs {
    /// Any samples, nothing else.
    pub const ANY: Needs = Needs { image: true, tabular: true, masks: false, references: false };
}

/// What the registry says of a method.
#[derive(Debug)]
pub struct MethodSpec {
    /// Name in YAML and results.
    pub name: &'static str,
    /// Bumped when numbers may change.
    pub version: u32,
    /// One line.
    pub summary: &'static str,
    /// Paper.
    pub citation: &'static str,
    /// What it sees of the target with default parameters.
    pub setting: Setting,
    /// What data it accepts.
    pub needs: Needs,
    /// Its parameters.
    pub params: &'static [ParamSpec],
}

/// A registered method.
pub trait MethodDef: Sync {
    /// Its description.
    fn spec(&self) -> &'static MethodSpec;

    /// What it sees of the target with these parameters.
    fn setting(&self, _params: &Params) -> Setting {
        self.spec().setting
    }

    /// How many normal references of the target it wants at test time with these parameters.
    fn shots(&self, _params: &Params) -> usize {
        0
    }

    /// Configures it. `params` are validated and complete.
    ///
    /// # Errors
    /// [`Error::Config`] for combinations of parameters that make no sense.
    fn build(&self, params: &Params) -> Result<Box<dyn Method>>;
}

/// Told how far long work has come.
pub trait Progress: Sync {
    /// `done` of `total` steps, with a short message such as the current loss.
    fn tick(&self, done: u64, total: u64, message: &str);
}

/// A [`Progress`] that says nothing.
#[derive(Debug)]
pub struct Silent;

impl Progress for Silent {
    fn tick(&self, _done: u64, _total: u64, _message: &str) {}
}

/// All that a fit may depend on. Work runs on the rayon pool that is current when `fit` is called.
pub struct FitContext<'a> {
    /// The opened data set.
    pub dataset: &'a dyn Dataset,
    /// Which domains may be trained on: only `fold.meta_train`.
    pub fold: &'a Fold,
    /// The base seed of every random stream of this fit.
    pub seed: u64,
    /// Where tensors live.
    pub device: Device,
    /// A folder for caches that any run may share (backbone features); `None`: keep nothing.
    pub cache: Option<&'a Path>,
    /// Progress of the training.
    pub progress: &'a dyn Progress,
}

/// A configured method, not yet fitted.
pub trait Method: Send + Sync {
    /// Whether [`Method::fit`] learns from meta-train data; if not, it returns at once and nothing is saved.
    fn trains(&self) -> bool;

    /// Trains on the meta-train domains of `ctx.fold`.
    ///
    /// # Errors
    /// [`Error::Refused`] where the method does not apply to this data; [`Error::Failed`] where training diverges.
    fn fit(&self, ctx: &FitContext) -> Result<Box<dyn Fitted>>;

    /// Reads a detector that [`Fitted::save`] wrote.
    ///
    /// # Errors
    /// [`Error::Data`] where the file is missing, damaged or of another method.
    fn load(&self, path: &Path, _device: Device) -> Result<Box<dyn Fitted>> {
        Err(Error::data(path, "this method has no trained state to load", ""))
    }
}

/// What a training leaves beside its weights.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FitReport {
    /// (step, training loss), thinned to at most a few hundred points.
    pub loss: Vec<(u64, f64)>,
    /// Number of trained parameters.
    pub parameters: u64,
    /// Facts worth keeping, such as the resolved network and learning rate.
    pub notes: Vec<(String, String)>,
}

/// A detector that scores batches. Scoring never changes it, so cells may share it between threads.
pub trait Fitted: Send + Sync {
    /// One score a sample of the batch; higher is more anomalous. Permuting the batch permutes the scores.
    ///
    /// # Errors
    /// [`Error::Refused`] where the batch is too small for the method.
    fn score(&self, batch: &TestBatch) -> Result<Scores>;

    /// Writes the trained state as safetensors, whole or not at all ([`crate::file`]); folders are made.
    ///
    /// # Errors
    /// Where the file cannot be written.
    fn save(&self, path: &Path) -> Result<()>;

    /// The shape of one sample, where it accepts no other.
    fn input(&self) -> Option<Vec<usize>> {
        None
    }

    /// Training loss and facts; empty for methods that do not train.
    fn report(&self) -> FitReport {
        FitReport::default()
    }
}

/// A batch to score: samples without their labels.
pub struct TestBatch<'a> {
    dataset: &'a dyn Dataset,
    refs: &'a [SampleRef],
    references: &'a [SampleRef],
    cache: Option<&'a Path>,
}

impl<'a> TestBatch<'a> {
    /// A batch of `refs`, with `references` where the setting allows them.
    pub fn new(
        dataset: &'a dyn Dataset,
        refs: &'a [SampleRef],
        references: &'a [SampleRef],
        cache: Option<&'a Path>,
    ) -> Self {
        TestBatch { dataset, refs, references, cache }
    }

    /// The number of samples.
    pub fn len(&self) -> usize {
        self.refs.len()
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.refs.is_empty()
    }

    /// The samples to score.
    ///
    /// # Errors
    /// Where a file that is read on demand is damaged.
    pub fn samples(&self) -> Result<Samples> {
        self.dataset.gather(self.refs)
    }

    /// The normal references of the target; refused where there are none.
    ///
    /// # Errors
    /// [`Error::Refused`] without references; see also [`TestBatch::samples`].
    pub fn references(&self) -> Result<Samples> {
        if self.references.is_empty() {
            return Err(Error::refused("this method needs normal references of the target, and there are none"));
        }
        self.dataset.gather(self.references)
    }

    /// For feature caches alone: the data set, the samples, the references and the cache folder. A method must take
    /// nothing else from them: a [`SampleRef`] tells which pool a sample lies in, and that is the label.
    pub fn for_feature_cache(&self) -> (&'a dyn Dataset, &'a [SampleRef], &'a [SampleRef], Option<&'a Path>) {
        (self.dataset, self.refs, self.references, self.cache)
    }
}
