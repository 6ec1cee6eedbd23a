//! Meta-training: every step is a set of tasks, each normalised by its own statistics, one Adam update for all.
//!
//! Li et al., Zero-Shot Anomaly Detection via Batch Normalization, NeurIPS 2023: the loss of a task is the mean over
//! its samples of L_n where they are normal and L_a where they are outliers; the loss of a step the mean over tasks.

use std::marker::PhantomData;

use candle_core::Tensor;
use zsad_core::rng::Rng;
use zsad_core::{DatasetInfo, FitContext, Fold, ParamProblem, ParamSet, Result};
use zsad_nn::params::Builder;
use zsad_nn::train::{self, Step, Trainer};
use zsad_nn::{ParamStore, loss};

use crate::trained::detector::Model;
use crate::trained::hyperparams::MetaTraining;
use crate::trained::method::{Outcome, Train, TrainedDef};
use crate::trained::network::Phase;
use crate::trained::spec::{NetworkSpec, Norm};
use crate::trained::tasks::{TaskSettings, TaskSource};
use crate::trained::validation::Validation;
use zsad_core::params::Both;

/// The registry's entry of a meta-trained method with parameters `P`, beside those of its training.
pub type Episodic<P> = TrainedDef<EpisodicTrainer<P>>;

/// What tells the meta-trained methods apart: their losses.
pub trait Objective: Model {
    /// `(L_n, L_a)`, `[n]` each, of a stacked batch `[n, shape…]`.
    fn losses(&self, x: &Tensor, phase: Phase) -> zsad_nn::Result<(Tensor, Tensor)>;
}

/// The parameters of a meta-trained method beside those of its training.
pub trait EpisodicMethod: ParamSet {
    /// What is trained.
    type Model: Objective;

    /// The network for samples of `info`, its parameters settled; see [`Train::settle`].
    ///
    /// # Errors
    /// See [`Train::settle`].
    fn settle(&mut self, info: &DatasetInfo) -> Result<NetworkSpec>;

    /// Builds the model, registering what is trained; a trained state keeps it by these names.
    fn build(&self, network: &NetworkSpec, b: &mut Builder) -> zsad_nn::Result<Self::Model>;
}

/// Meta-training of the method with parameters `P`.
pub struct EpisodicTrainer<P>(PhantomData<P>);

impl<P: EpisodicMethod> Train for EpisodicTrainer<P> {
    type Params = Both<P, MetaTraining>;
    type Model = P::Model;
    type Plan = TaskSettings;

    /// What a batch's own statistics find without any network.
    const CONTROL: Option<&'static str> = Some("bn_distance");
    /// The batch's own statistics are what it is normalised by.
    const TAKES_LABELS: bool = true;

    fn check(Both(_, training): &Self::Params) -> Result<(), ParamProblem> {
        training.tasks.check()
    }

    fn settle(
        Both(method, training): &mut Self::Params,
        info: &DatasetInfo,
        fold: &Fold,
    ) -> Result<(NetworkSpec, TaskSettings)> {
        let network = method.settle(info)?;
        let tasks = training.settle(&network, info, fold)?;
        Ok((network, tasks))
    }

    fn build(
        Both(method, _): &Self::Params,
        network: &NetworkSpec,
        store: &mut ParamStore,
        rng: &mut Rng,
    ) -> zsad_nn::Result<P::Model> {
        method.build(network, &mut store.builder(rng))
    }

    fn train(
        Both(_, MetaTraining { schedule, validation, .. }): &Self::Params,
        settings: TaskSettings,
        network: &NetworkSpec,
        store: &ParamStore,
        model: &P::Model,
        ctx: &FitContext,
    ) -> Result<Outcome> {
        let source = TaskSource::new(ctx, &settings)?;
        let trainer = Trainer::new(store);
        let updater = schedule.updater(store)?;
        let finish = |step| match network.norm {
            Norm::Running => average_statistics(model, &source, step, store.device()),
            _ => Ok(()),
        };
        let (steps, rate) = (schedule.steps(network), schedule.rate(network));
        let validation = Validation::new(validation, steps, &source, store.device())?;
        let mut carried = (updater, validation);
        let curve = train::run(steps, store, ctx.progress, &mut carried, |(updater, validation), step| {
            let tasks = source.step(step, store.device())?;
            let (mean, gradients) = trainer.gradients(&tasks, |part| {
                let (normal, outlier) = model.losses(part.x(), Phase::Tasks(part.tasks()))?;
                loss::per_task(&normal, &outlier, part)
            })?;
            let loss = updater.update(mean, gradients, rate.at(step - 1))?;
            let stop = match validation.as_mut().filter(|v| v.due(step)) {
                Some(validation) => {
                    finish(step)?;
                    validation.look(step, model, store)?
                }
                None => false,
            };
            Ok(Step { loss, stop })
        })?;
        let mut notes = [schedule.notes(network), settings.notes()].concat();
        match carried.1 {
            Some(validation) => notes.extend(validation.finish(store)?),
            None => finish(steps)?,
        }
        notes.push(("meta_train_domains".into(), source.domains().to_string()));
        Ok((curve, notes))
    }
}

/// Running statistics of a network after `step`: the moving average (momentum 0.1) over the tasks of that step, one
/// after the other. One step has some 32 tasks, so what a running average kept from earlier steps would have faded.
fn average_statistics(
    model: &impl Objective,
    source: &TaskSource,
    step: u64,
    device: &candle_core::Device,
) -> zsad_nn::Result<()> {
    let tasks = source.step(step, device)?;
    for task in 0..tasks.tasks() {
        model.losses(&tasks.x().narrow(0, task * tasks.batch(), tasks.batch())?, Phase::Pooled)?;
    }
    Ok(())
}
