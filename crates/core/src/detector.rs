//! What a method is: a definition in the registry, a configured method, a detector that scores batches.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::batch::{AbnormalReferences, Batch, TrainingData};
use crate::dataset::{DatasetInfo, Fold};
use crate::env::Environment;
use crate::error::{Error, Result};
use crate::modality::Accepts;
use crate::operator::Placement;
use crate::params::{All, Given, OrWord, ParamProblem, ParamSpec};
use crate::sample::Scores;
use crate::state::State;

crate::choices! {
    /// What a method may see of the target; in results the column `setting`.
    pub enum Supervision {
        /// Nothing but the test batch, whose majority is normal.
        ZeroShot = "zero_shot",
        /// No training at all: fits on the unlabelled batch.
        InBatch = "in_batch",
        /// `k` normal references of the target.
        FewShot = "few_shot",
        /// The test batch, and the labels of a few of its samples.
        FewLabel = "few_label",
        /// The target's own normal training data: the upper bound.
        OneClass = "one_class",
    }
}

/// What the registry says of a method.
#[derive(Debug, Serialize)]
pub struct MethodSpec {
    /// Name in YAML and results.
    pub name: &'static str,
    /// Bumped when numbers may change.
    pub version: u32,
    /// One line.
    pub summary: &'static str,
    /// Paper.
    pub citation: &'static str,
    /// What data it takes.
    pub accepts: Accepts,
}

/// A registered method.
pub trait MethodDef: Sync {
    /// Its description.
    fn spec(&self) -> &'static MethodSpec;

    /// Its parameters.
    fn params(&self) -> Vec<ParamSpec>;

    /// What it sees of the target with default parameters.
    fn supervision(&self) -> Supervision;

    /// The registered method that it has to beat for its training to be worth anything: what it is with nothing trained.
    fn control(&self) -> Option<&'static str> {
        None
    }

    /// Where it computes; unless it says more, on the processor alone.
    fn placement(&self) -> Placement {
        Placement::default()
    }

    /// What `zsad describe` prints beside its parameters: how a method is used that is more than its parameters.
    fn guide(&self) -> &'static str {
        ""
    }

    /// Configures it.
    ///
    /// # Errors
    /// All mistakes in `given` at once, combinations that make no sense among them.
    fn configure(&self, given: &Given) -> Result<Arc<dyn Method>, Vec<ParamProblem>>;
}

/// Normal references of the target: so many, or all that there are.
pub type Shots = OrWord<All>;

/// Told how far long work has come.
pub trait Progress: Sync {
    /// `done` of `total` steps, with a short message such as the current loss.
    ///
    /// # Errors
    /// [`Error::Stopped`](crate::Error::Stopped) where the work should end here.
    fn tick(&self, done: u64, total: u64, message: &str) -> Result<()>;

    /// What the same work kept before it was interrupted, if it was.
    ///
    /// # Errors
    /// Where it cannot be read.
    fn interrupted(&self) -> Result<Option<State>> {
        Ok(None)
    }

    /// Whether it is time to [`Progress::keep`] something.
    fn is_due(&self) -> bool {
        false
    }

    /// Keeps what it takes to go on from here, instead of what was kept before.
    ///
    /// # Errors
    /// Where it cannot be written.
    fn keep(&self, _state: State) -> Result<()> {
        Ok(())
    }
}

/// A [`Progress`] that says nothing.
#[derive(Debug)]
pub struct Silent;

impl Progress for Silent {
    fn tick(&self, _done: u64, _total: u64, _message: &str) -> Result<()> {
        Ok(())
    }
}

/// All that a fit may depend on. Work runs on the rayon pool that is current when `fit` is called.
pub struct FitContext<'a> {
    /// What may be trained on.
    pub data: &'a TrainingData<'a>,
    /// The base seed of every random stream of this fit.
    pub seed: u64,
    /// Device, caches, weights.
    pub env: &'a Environment,
    /// Progress of the training.
    pub progress: &'a dyn Progress,
}

/// A method with its parameters.
pub trait Method: Send + Sync {
    /// Every parameter with its value; `null` where it is left to the data.
    fn values(&self) -> Value;

    /// The same method with every parameter at the value that it will truly have on the data of `info` and `fold`:
    /// [`Method::values`] then holds no `null`. Resolving again changes nothing.
    ///
    /// # Errors
    /// [`Error::Refused`] where the method does not apply to such data; [`Error::Config`] where parameters make no sense
    /// on it.
    fn resolve(&self, info: &DatasetInfo, fold: &Fold) -> Result<Arc<dyn Method>>;

    /// Whether [`Method::fit`] reads meta-train data.
    fn learns(&self) -> bool;

    /// How many normal references of the target it wants at test time.
    fn shots(&self) -> Shots {
        Shots::Number(0)
    }

    /// What it sees of the target.
    fn supervision(&self) -> Supervision {
        match (self.shots(), self.learns()) {
            (Shots::Word(All), _) => Supervision::OneClass,
            (Shots::Number(0), true) => Supervision::ZeroShot,
            (Shots::Number(0), false) => Supervision::InBatch,
            (Shots::Number(_), _) => Supervision::FewShot,
        }
    }

    /// Whether a batch without its known anomalies is another batch to it: it scores samples beside each other.
    fn takes_labels(&self) -> bool {
        self.supervision() == Supervision::InBatch
    }

    /// Whether labelled anomalies of the target tell it something; see [`Detector::adapt_beside`].
    fn takes_abnormal_shots(&self) -> bool {
        false
    }

    /// The files beside the data that its numbers depend on: weights of frozen networks, an external program.
    ///
    /// # Errors
    /// [`Error::Data`] where one is missing, with the way to get it.
    fn artifacts(&self, _env: &Environment) -> Result<Vec<PathBuf>> {
        Ok(Vec::new())
    }

    /// A detector: trained on the meta-train domains of `ctx`, if the method learns.
    ///
    /// # Errors
    /// [`Error::Refused`] where the method does not apply to this data; [`Error::Failed`] where training diverges.
    fn fit(&self, ctx: &FitContext) -> Result<Box<dyn Detector>>;

    /// The detector that left `state`; the parameters are those that it was trained with.
    ///
    /// # Errors
    /// [`Error::Failed`] where the state is not one of this method.
    fn restore(&self, _state: &State, _env: &Environment) -> Result<Box<dyn Detector>> {
        Err(Error::failed("this method has no trained state"))
    }

    /// A detector from a file of its authors' own code.
    ///
    /// # Errors
    /// [`Error::Data`] where there is no such format, or the file is missing or damaged.
    fn import(&self, path: &Path, _env: &Environment) -> Result<Box<dyn Detector>> {
        Err(Error::data(path, "this method reads no models of other programs", "give a model that zsad has trained"))
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
    /// How far training moved the weights, as a share of their length before; `None` where nothing was trained, or by a
    /// version that did not look.
    #[serde(default)]
    pub moved: Option<f64>,
}

/// Where samples lie in a space in which their scores are their squared distances to a learned centre.
#[derive(Debug, Clone, PartialEq)]
pub struct Codes {
    /// `[n, d]`, row-major.
    pub values: Vec<f64>,
    /// `[d]`.
    pub centre: Vec<f64>,
}

/// Something that scores batches. Scoring never changes it, so cells may share it between threads.
pub trait Detector: Send + Sync {
    /// The detector that it becomes beside a support set of normal references of the target; `None` where it takes none.
    /// The frame asks once for each distinct support set, and never scores a method with `shots` without it.
    ///
    /// # Errors
    /// [`Error::Refused`] where the support set is too small for the method.
    fn adapt(&self, _support: &Batch) -> Result<Option<Box<dyn Detector>>> {
        Ok(None)
    }

    /// The same beside labelled anomalies of the target as well, for methods that
    /// [take them](Method::takes_abnormal_shots).
    ///
    /// # Errors
    /// As [`Detector::adapt`].
    fn adapt_beside(&self, support: &Batch, _anomalies: &AbnormalReferences) -> Result<Option<Box<dyn Detector>>> {
        self.adapt(support)
    }

    /// One score a sample of the batch; higher is more anomalous. Permuting the batch permutes the scores. The frame
    /// checks that there is one for each and that all are finite.
    ///
    /// # Errors
    /// [`Error::Refused`] where the batch is too small for the method.
    fn score(&self, batch: &Batch) -> Result<Scores>;

    /// One score each of the samples that are not known to be `anomalous` (one is at least), in their order; the batch is whole, for
    /// a data set may scale samples by their batch. `None`: to score a batch of the others is all that the method knows.
    ///
    /// # Errors
    /// As [`Detector::score`].
    fn score_beside(&self, _batch: &Batch, _anomalous: &[bool]) -> Result<Option<Scores>> {
        Ok(None)
    }

    /// Where the samples of the batch lie around the learned centre; `None` where scores are no distances to one.
    ///
    /// # Errors
    /// As [`Detector::score`].
    fn codes(&self, _batch: &Batch) -> Result<Option<Codes>> {
        Ok(None)
    }

    /// The trained state; `None` where nothing was trained.
    ///
    /// # Errors
    /// Where it cannot be read from the device.
    fn state(&self) -> Result<Option<State>> {
        Ok(None)
    }

    /// The shape of one sample, where it accepts no other.
    fn input(&self) -> Option<Vec<usize>> {
        None
    }

    /// Training loss and facts; empty for methods that do not train.
    fn report(&self) -> FitReport {
        FitReport::default()
    }
}

impl fmt::Debug for dyn Detector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Detector")
    }
}

/// `detector` adapted to its support set; `None` where it takes none and scores as it is.
///
/// # Errors
/// Those of [`Detector::adapt`]; [`Error::Refused`] where `shots` are wanted and there is no support.
pub fn adapted(detector: &dyn Detector, shots: Shots, support: &Batch) -> Result<Option<Box<dyn Detector>>> {
    adapted_beside(detector, shots, support, None)
}

/// The same, with labelled anomalies of the target where there are some.
///
/// # Errors
/// As [`adapted`].
pub fn adapted_beside(
    detector: &dyn Detector,
    shots: Shots,
    support: &Batch,
    anomalies: Option<&AbnormalReferences>,
) -> Result<Option<Box<dyn Detector>>> {
    match shots {
        Shots::Number(0) => Ok(None),
        _ if support.is_empty() => {
            Err(Error::refused("this method needs normal references of the target, and there are none"))
        }
        _ => match anomalies {
            Some(anomalies) => detector.adapt_beside(support, anomalies),
            None => detector.adapt(support),
        },
    }
}
