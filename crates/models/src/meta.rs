//! Meta-training: every step is a set of tasks, each normalised by its own statistics, one Adam update for all.
//!
//! Li et al., Zero-Shot Anomaly Detection via Batch Normalization, NeurIPS 2023: the loss of a task is the mean over
//! its samples of L_n where they are normal and L_a where they are outliers; the loss of a step the mean over tasks.

use std::ffi::OsStr;
use std::path::Path;

use candle_core::Tensor;
use zsad_core::{DatasetInfo, Device, FitContext, FitReport, Fitted, Method, MethodSpec, Params, Result};
use zsad_nn::loss;
use zsad_nn::optim::{Adam, AdamConfig, StepLr};
use zsad_nn::train::{TrainConfig, Trainer};

use crate::network::{NetworkSpec, Norm, Phase};
use crate::official::Official;
use crate::settings::Training;
use crate::tasks::{TaskSettings, TaskSource};
use crate::trained::{Build, LossCurve, Model, Trained, fresh, load};

/// What tells the meta-trained methods apart: their losses.
pub(crate) trait Objective: Send + Sync {
    /// `(L_n, L_a)`, `[n]` each, of a stacked batch `[n, shape…]`.
    fn losses(&self, x: &Tensor, phase: Phase) -> zsad_nn::Result<(Tensor, Tensor)>;

    /// Scores `[n]` of one batch: the loss of a normal, or what grows with it.
    fn scores(&self, x: &Tensor) -> zsad_nn::Result<Tensor> {
        Ok(self.losses(x, Phase::Score)?.0)
    }
}

struct Scorer(Box<dyn Objective>);

impl Model for Scorer {
    fn scores(&self, x: &Tensor) -> zsad_nn::Result<Tensor> {
        self.0.scores(x)
    }
}

/// A meta-trained method: its spec, its parameters, and how its network and its objective are made.
pub(crate) struct MetaMethod {
    pub spec: &'static MethodSpec,
    pub params: Params,
    pub network: fn(&Params, &DatasetInfo) -> Result<NetworkSpec>,
    pub build: Build<dyn Objective>,
}

impl Method for MetaMethod {
    fn trains(&self) -> bool {
        true
    }

    fn fit(&self, ctx: &FitContext) -> Result<Box<dyn Fitted>> {
        let info = ctx.dataset.info();
        let network = (self.network)(&self.params, info)?;
        let training = Training::resolve(&self.params, &network);
        let settings = TaskSettings::resolve(&self.params, &network, info, ctx.fold, false)?;
        let source = TaskSource::new(ctx, &settings)?;
        let (store, objective) = fresh(self.spec, self.build, &self.params, &network, ctx.device, ctx.seed)?;

        let lr = StepLr { base: training.lr, every: training.lr_step, gamma: training.lr_gamma };
        let clip = Some(training.grad_clip).filter(|&c| c > 0.0);
        let adam = Adam::new(&store, AdamConfig { weight_decay: training.weight_decay, ..AdamConfig::default() })?;
        let mut trainer = Trainer::new(&store, adam, TrainConfig { clip, ..TrainConfig::new(lr) });
        let mut curve = LossCurve::new(training.steps);
        for step in 1..=training.steps {
            let tasks = source.step(step, store.device())?;
            let value = trainer.step(&tasks, |part| {
                let (normal, outlier) = objective.losses(part.x(), Phase::Tasks(part.tasks()))?;
                loss::per_task(&normal, &outlier, part)
            })?;
            curve.push(step, value);
            ctx.progress.tick(step, training.steps, &format!("loss {value:.4}"));
        }
        if network.norm == Norm::Running {
            average_statistics(objective.as_ref(), &source, training.steps, store.device())?;
        }
        let mut notes = vec![("network".into(), network.describe())];
        notes.extend(training.notes().into_iter().chain(settings.notes()));
        notes.push(("meta_train_domains".into(), source.domains().to_string()));
        let report = FitReport { loss: curve.into_points(), parameters: store.count() as u64, notes };
        let model = Box::new(Scorer(objective));
        Ok(Box::new(Trained { spec: self.spec, params: self.params.clone(), network, store, model, report }))
    }

    fn load(&self, path: &Path, device: Device) -> Result<Box<dyn Fitted>> {
        if matches!(path.extension().and_then(OsStr::to_str), Some("pt" | "pth")) {
            return Official::open(self.spec, path, device);
        }
        load(self.spec, self.build, path, device, |_, _, _, objective| Box::new(Scorer(objective)))
    }
}

/// Running statistics of the finished network: the moving average (momentum 0.1) over the tasks of the last step, one
/// after the other. One step has some 32 tasks, so what a running average kept from earlier steps would have faded.
fn average_statistics(
    objective: &dyn Objective,
    source: &TaskSource,
    step: u64,
    device: &candle_core::Device,
) -> zsad_nn::Result<()> {
    let tasks = source.step(step, device)?;
    for task in 0..tasks.tasks() {
        objective.losses(&tasks.x().narrow(0, task * tasks.batch(), tasks.batch())?, Phase::Pooled)?;
    }
    Ok(())
}
