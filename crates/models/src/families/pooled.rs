//! Pooled training: the normals of all meta-train domains as one set, in shuffled mini-batches, with no adaptation.

use std::marker::PhantomData;

use candle_core::Tensor;
use zsad_core::rng::{Rng, stream};
use zsad_core::{Arrays, DatasetInfo, FitContext, Fold, ParamSet, Result};
use zsad_nn::ParamStore;
use zsad_nn::carried::{Carried, number_of, numbers};
use zsad_nn::optim::AdamConfig;
use zsad_nn::params::Builder;
use zsad_nn::train::{self, Updater};

use crate::trained::detector::Model;
use crate::trained::hyperparams::PooledParams;
use crate::trained::method::{Outcome, Train, TrainedDef};
use crate::trained::pool::PoolSource;
use crate::trained::spec::NetworkSpec;

/// The registry's entry of a pooled method with parameters `P`.
pub type Pooled<P> = TrainedDef<PooledTrainer<P>>;

/// What tells the pooled methods apart.
pub trait PooledModel: Model {
    /// Sees the whole pool once, before training.
    fn on_train_start(&self, _pool: &PoolSource) -> zsad_nn::Result<()> {
        Ok(())
    }

    /// The loss of a mini-batch `[n, shape…]`: a scalar.
    fn loss(&self, x: &Tensor, step: PooledStep) -> zsad_nn::Result<Tensor>;

    /// Training ends once an epoch's mean loss is below this.
    fn early_stop_loss(&self) -> Option<f64> {
        None
    }

    /// Sees the whole pool once more, after training.
    fn on_train_end(&self, _pool: &PoolSource) -> zsad_nn::Result<()> {
        Ok(())
    }
}

/// A training step.
pub struct PooledStep {
    /// Its own random stream.
    pub rng: Rng,
    /// Its epoch, counted from 0.
    pub epoch: u64,
}

/// The parameters of a pooled method.
pub trait PooledMethod: ParamSet {
    /// What is trained.
    type Model: PooledModel;

    /// Whether Adam is AMSGrad.
    const AMSGRAD: bool = false;

    /// See [`Train::settle`].
    fn settle(&mut self, info: &DatasetInfo) -> Result<NetworkSpec>;

    /// How it trains.
    fn training(&self) -> &PooledParams;

    /// The learning rate in an epoch, counted from 0.
    fn rate(&self, epoch: u64) -> f64 {
        self.training().rate(epoch)
    }

    /// Builds the model, registering what is trained or kept; a trained state keeps it by these names.
    fn build(&self, network: &NetworkSpec, b: &mut Builder) -> zsad_nn::Result<Self::Model>;
}

/// Pooled training of the method with parameters `P`.
pub struct PooledTrainer<P>(PhantomData<P>);

impl<P: PooledMethod> Train for PooledTrainer<P> {
    type Params = P;
    type Model = P::Model;
    type Plan = ();

    fn settle(params: &mut P, info: &DatasetInfo, _: &Fold) -> Result<(NetworkSpec, ())> {
        Ok((params.settle(info)?, ()))
    }

    fn build(params: &P, network: &NetworkSpec, store: &mut ParamStore, rng: &mut Rng) -> zsad_nn::Result<P::Model> {
        params.build(network, &mut store.builder(rng))
    }

    fn train(
        params: &P,
        (): (),
        _: &NetworkSpec,
        store: &ParamStore,
        model: &P::Model,
        ctx: &FitContext,
    ) -> Result<Outcome> {
        let training = params.training();
        let pool = PoolSource::new(ctx, training, store.device())?;
        model.on_train_start(&pool)?;

        let adam = AdamConfig { weight_decay: training.weight_decay, amsgrad: P::AMSGRAD, ..AdamConfig::default() };
        let mut passes = Passes { updater: Updater::new(store, adam, None)?, steps: 0, sum: 0.0 };
        let mut batches = (0, pool.epoch(0));
        let per_epoch = batches.1.len() as u64;
        let total = training.epochs * per_epoch;
        let curve = train::run(total, store, ctx.progress, &mut passes, |passes, step| {
            let (epoch, at) = ((step - 1) / per_epoch, (step - 1) % per_epoch);
            if batches.0 != epoch {
                batches = (epoch, pool.epoch(epoch));
            }
            if at == 0 {
                passes.sum = 0.0;
            }
            let rng = stream(ctx.seed, &[("purpose", "step"), ("step", &step.to_string())]);
            let loss = model.loss(&pool.gather(&batches.1[at as usize])?, PooledStep { rng, epoch })?;
            let (loss, gradients) = store.gradients_of(&loss)?;
            passes.sum += passes.updater.update(loss, gradients, params.rate(epoch))?;
            passes.steps = step;
            let (ends, mean) = (at + 1 == per_epoch, passes.sum / per_epoch as f64);
            let stop = ends && model.early_stop_loss().is_some_and(|limit| mean < limit);
            Ok(train::Step { loss, stop })
        })?;
        model.on_train_end(&pool)?;
        let notes = vec![("steps".into(), passes.steps.to_string()), ("pooled_normals".into(), pool.len().to_string())];
        Ok((curve, notes))
    }
}

/// What passes over the pool carry from step to step.
struct Passes {
    updater: Updater,
    /// Steps done.
    steps: u64,
    /// Of the losses of this pass.
    sum: f64,
}

impl Carried for Passes {
    fn save(&self) -> zsad_nn::Result<Arrays> {
        let mut arrays = self.updater.save()?;
        arrays.insert("passes.steps".into(), numbers([self.steps as f64]));
        arrays.insert("passes.sum".into(), numbers([self.sum]));
        Ok(arrays)
    }

    fn load(&mut self, saved: Arrays) -> zsad_nn::Result<()> {
        (self.steps, self.sum) = (number_of(&saved, "passes.steps")? as u64, number_of(&saved, "passes.sum")?);
        self.updater.load(saved)
    }
}
