//! Pooled training: the normals of all meta-train domains as one set, in shuffled mini-batches, with no adaptation.

use std::path::Path;

use candle_core::{DType, Tensor};
use rand::seq::SliceRandom;
use zsad_core::rng::{Rng, stream};
use zsad_core::{
    Device, Error, FitContext, FitReport, Fitted, Method, MethodSpec, ParamDefault, ParamKind, ParamSpec, Params, Pool,
    Result, SampleRef,
};
use zsad_data::sampler::{OutlierSource, TaskProtocol, TaskSampler};
use zsad_nn::ParamStore;
use zsad_nn::optim::{Adam, AdamConfig, Optimizer, clip_global_norm};

use crate::network::NetworkSpec;
use crate::settings::{float, int};
use crate::trained::{Build, LossCurve, Model, Trained, fresh, load};

/// What tells the pooled methods apart.
pub(crate) trait Pooled: Model {
    /// Sees the whole pool once, before training.
    fn before(&self, _pool: &PoolSource) -> zsad_nn::Result<()> {
        Ok(())
    }

    /// The loss of a mini-batch `[n, shape…]`: a scalar.
    fn loss(&self, x: &Tensor, step: Step) -> zsad_nn::Result<Tensor>;

    /// Training ends once an epoch's mean loss is below this.
    fn stop_below(&self) -> Option<f64> {
        None
    }

    /// Sees the whole pool once more, after training.
    fn after(&self, _pool: &PoolSource) -> zsad_nn::Result<()> {
        Ok(())
    }
}

/// A training step.
pub(crate) struct Step {
    /// Its own random stream.
    pub rng: Rng,
    /// Its epoch, counted from 0.
    pub epoch: u64,
}

/// How a pooled method trains; the published numbers of each method are its defaults.
pub(crate) const fn epochs(default: i64) -> ParamSpec {
    int("epochs", 1, ParamDefault::Int(default), "passes over the pooled normals of the meta-train domains")
}

pub(crate) const fn batch(default: i64) -> ParamSpec {
    int("batch", 2, ParamDefault::Int(default), "samples in a mini-batch")
}

pub(crate) const fn lr(default: f64) -> ParamSpec {
    float("lr", f64::INFINITY, ParamDefault::Float(default), "Adam's learning rate")
}

pub(crate) const fn milestones(default: &'static [i64]) -> ParamSpec {
    let kind = ParamKind::IntList { min: 1, max: i64::MAX };
    let doc = "epochs after which the learning rate is divided by ten";
    ParamSpec { name: "lr_milestones", doc, kind, default: ParamDefault::IntList(default) }
}

pub(crate) const fn decay(default: f64) -> ParamSpec {
    float("weight_decay", f64::INFINITY, ParamDefault::Float(default), "L2 penalty, added to the gradient")
}

/// A method that trains on the pool.
pub(crate) struct PooledMethod {
    pub spec: &'static MethodSpec,
    pub params: Params,
    pub network: fn(&Params, &zsad_core::DatasetInfo) -> Result<NetworkSpec>,
    pub build: Build<dyn Pooled>,
    pub amsgrad: bool,
}

/// The normals of the meta-train domains in use, in the order of the data set.
pub(crate) struct PoolSource<'a> {
    ctx: &'a FitContext<'a>,
    refs: Vec<SampleRef>,
    batch: usize,
    device: candle_core::Device,
}

impl<'a> PoolSource<'a> {
    fn new(ctx: &'a FitContext<'a>, params: &Params, device: &candle_core::Device) -> Result<Self> {
        let domains = params.opt_int("domains").map(|n| n as usize);
        let protocol = TaskProtocol { normals: 1, outliers: 0, source: OutlierSource::None, domains };
        let sampler = TaskSampler::new(ctx.dataset, ctx.fold, protocol, ctx.seed)?;
        let size = |d: usize| ctx.dataset.info().domains[d].normal as u32;
        let used = sampler.train_domains().iter().flat_map(|&d| (0..size(d)).map(move |i| (d as u32, i)));
        let refs: Vec<_> = used.map(|(domain, index)| SampleRef { domain, pool: Pool::Normal, index }).collect();
        if refs.len() < 2 {
            return Err(Error::refused("pooled training needs two normals in the meta-train domains at least"));
        }
        Ok(PoolSource { ctx, refs, batch: params.size("batch"), device: device.clone() })
    }

    /// Number of normals.
    pub fn len(&self) -> usize {
        self.refs.len()
    }

    /// A random stream of the fit.
    pub fn stream(&self, purpose: &str) -> Rng {
        stream(self.ctx.seed, &[("purpose", purpose)])
    }

    /// The pool in its own order, in mini-batches `[n, shape…]`.
    pub fn batches(&self) -> impl Iterator<Item = Result<Tensor>> {
        self.refs.chunks(self.batch).map(|refs| self.gather(refs))
    }

    /// Mean and standard deviation of every feature, `[d]` each, in f64 sums; the deviation of a constant one is 1.
    pub fn moments(&self) -> Result<(Tensor, Tensor)> {
        let mut sums: Vec<(f64, f64)> = Vec::new();
        for refs in self.refs.chunks(self.batch) {
            let samples = self.ctx.dataset.gather(refs)?;
            sums.resize(samples.dim(), (0.0, 0.0));
            for row in samples.to_f64().chunks(samples.dim()) {
                for ((sum, squares), x) in sums.iter_mut().zip(row) {
                    *sum += x;
                    *squares += x * x;
                }
            }
        }
        let n = self.refs.len() as f64;
        let mean: Vec<f32> = sums.iter().map(|(sum, _)| (sum / n) as f32).collect();
        let deviation = |(sum, squares): &(f64, f64)| {
            let variance = squares / n - (sum / n).powi(2);
            if variance > 1e-12 * (squares / n) { variance.sqrt() as f32 } else { 1.0 }
        };
        let scale: Vec<f32> = sums.iter().map(deviation).collect();
        let tensor = |v: Vec<f32>| Tensor::new(v, &self.device).map_err(Error::failed);
        Ok((tensor(mean)?, tensor(scale)?))
    }

    /// The mini-batches of an epoch; a last one that is too small for batch statistics is left out.
    fn epoch(&self, epoch: u64) -> Vec<Vec<SampleRef>> {
        let mut refs = self.refs.clone();
        refs.shuffle(&mut stream(self.ctx.seed, &[("purpose", "epoch"), ("epoch", &epoch.to_string())]));
        refs.chunks(self.batch).filter(|c| c.len() > 1).map(<[_]>::to_vec).collect()
    }

    fn gather(&self, refs: &[SampleRef]) -> Result<Tensor> {
        let samples = self.ctx.dataset.gather(refs)?;
        let shape = [&[refs.len()], samples.shape()].concat();
        Tensor::from_vec(samples.to_f32().into_owned(), shape, &self.device).map_err(Error::failed)
    }
}

impl Method for PooledMethod {
    fn trains(&self) -> bool {
        true
    }

    fn fit(&self, ctx: &FitContext) -> Result<Box<dyn Fitted>> {
        let params = &self.params;
        let network = (self.network)(params, ctx.dataset.info())?;
        let (store, model) = fresh(self.spec, self.build, params, &network, ctx.device, ctx.seed)?;
        let pool = PoolSource::new(ctx, params, store.device())?;
        model.before(&pool)?;

        let config =
            AdamConfig { weight_decay: params.float("weight_decay"), amsgrad: self.amsgrad, ..AdamConfig::default() };
        let mut adam = Adam::new(&store, config)?;
        let (epochs, milestones) = (params.int("epochs") as u64, params.ints("lr_milestones"));
        let per_epoch = pool.epoch(0).len() as u64;
        let total = epochs * per_epoch;
        let mut curve = LossCurve::new(total);
        let mut step = 0;
        for epoch in 0..epochs {
            let passed = milestones.iter().filter(|&&m| m as u64 <= epoch).count();
            let lr = params.float("lr") * 0.1f64.powi(passed as i32);
            let mut sum = 0.0;
            for refs in pool.epoch(epoch) {
                step += 1;
                let rng = stream(ctx.seed, &[("purpose", "step"), ("step", &step.to_string())]);
                let loss = model.loss(&pool.gather(&refs)?, Step { epoch, rng })?;
                let value = update(&store, &mut adam, lr, 0.0, &loss)?;
                sum += value;
                curve.push(step, value);
                ctx.progress.tick(step, total, &format!("loss {value:.4}"));
            }
            if model.stop_below().is_some_and(|stop| sum / (per_epoch as f64) < stop) {
                break;
            }
        }
        model.after(&pool)?;
        let notes = vec![
            ("network".into(), network.describe()),
            ("steps".into(), step.to_string()),
            ("pooled_normals".into(), pool.len().to_string()),
        ];
        let report = FitReport { loss: curve.into_points(), parameters: store.count() as u64, notes };
        Ok(Box::new(Trained { spec: self.spec, params: params.clone(), network, store, model, report }))
    }

    fn load(&self, path: &Path, device: Device) -> Result<Box<dyn Fitted>> {
        load(self.spec, self.build, path, device, |_, _, _, model| model)
    }
}

/// One update on `loss`, whose value it returns; the gradient's norm is at most `clip`, if that is not 0.
pub(crate) fn update(store: &ParamStore, adam: &mut Adam, lr: f64, clip: f64, loss: &Tensor) -> zsad_nn::Result<f64> {
    let value = loss.to_dtype(DType::F64)?.to_scalar::<f64>()?;
    if !value.is_finite() {
        return Err(zsad_nn::Error::NonFinite(format!("the loss is {value}: try a lower learning rate")));
    }
    let mut gradients = loss.backward()?;
    let mut gradients = store.trainable().map(|p| gradients.remove(&p.var)).collect();
    if clip > 0.0 {
        clip_global_norm(&mut gradients, clip)?;
    }
    adam.step(&gradients, lr)?;
    Ok(value)
}
