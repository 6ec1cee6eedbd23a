//! The training: every layer by itself, first its codebook and constraintor, then its flow, mini-batch by mini-batch.

use candle_core::{DType, Tensor, Var};
use rand::seq::SliceRandom;
use rayon::prelude::*;
use zsad_core::rng::stream;
use zsad_core::{Device, FitContext, FitReport, Params};
use zsad_nn::features::FeatureStore;
use zsad_nn::optim::{Adam, AdamConfig, Optimizer};
use zsad_nn::{Init, Result};

use super::SPEC;
use super::codebook::attraction;
use super::objective::{Likelihoods, Sides, shell, two_centres};
use crate::resad::images::Images;
use crate::resad::levels::{Level, Levels};
use crate::resad::residual::Residual;
use crate::resad::training::learning_rate;
use crate::trained::LossCurve;

/// The trained part: constraintors and flows, and beside them the codebooks `[codes, channels]`, if there are any.
pub(super) struct Network {
    pub levels: Levels,
    pub codebooks: Vec<Var>,
}

impl Network {
    /// Fresh layers of so many `channels`, drawn from `seed`.
    pub fn new(params: &Params, channels: &[usize], device: Device, seed: u64) -> Result<Self> {
        let mut levels = Levels::new(params, channels, device, seed)?;
        let codes = params.size("codes");
        let bound = 1.0 / codes.max(1) as f64;
        let mut rng = stream(seed, &[("purpose", "init"), ("method", "resad_pp")]);
        let mut b = levels.store.builder(&mut rng);
        let book = |(i, &channels): (usize, &usize)| {
            b.scope("codebook").add(&i.to_string(), &[codes, channels], Init::Uniform(-bound, bound))
        };
        let codebooks = if codes > 0 { channels.iter().enumerate().map(book).collect::<Result<_>>()? } else { vec![] };
        Ok(Network { levels, codebooks })
    }
}

/// How residuals are taken.
pub(super) fn residual(params: &Params) -> Residual {
    Residual::of(params).by_cosine(params.text("matching") == "cosine")
}

/// Trains on the meta-train domains of `ctx`.
pub(super) fn train(params: &Params, ctx: &FitContext) -> zsad_core::Result<(Network, FitReport)> {
    let (images, store, notes) = Images::open(SPEC.name, params, ctx)?;
    let channels: Vec<usize> = store.shapes().iter().map(|s| s.channels).collect();
    let network = Network::new(params, &channels, ctx.device, ctx.seed)?;
    let embeddings = network.levels.embeddings(store.shapes())?;
    let run = Run { params, ctx, images, store, network, embeddings };
    let curve = run.epochs()?;

    let parameters = run.network.levels.store.count() as u64;
    Ok((run.network, FitReport { loss: curve.into_points(), parameters, notes }))
}

struct Run<'a> {
    params: &'a Params,
    ctx: &'a FitContext<'a>,
    images: Images<'a>,
    store: FeatureStore,
    network: Network,
    embeddings: Vec<Tensor>,
}

/// What a layer carries from one mini-batch to the next.
struct Progress {
    /// Of codebook and constraintor.
    first: Adam,
    /// Of the flow.
    flow: Adam,
    boundary: Option<f64>,
    /// The greatest log-likelihood of a normal in the last epoch.
    peak: f64,
}

/// A mini-batch.
struct Batch<'a> {
    images: &'a [usize],
    epoch: u64,
    step: u64,
    lr: f64,
    last_epoch: bool,
}

impl Run<'_> {
    fn epochs(&self) -> Result<LossCurve> {
        let (epochs, size) = (self.params.int("epochs") as u64, self.params.size("batch"));
        let orders: Vec<Vec<usize>> = (0..epochs).map(|epoch| self.order(epoch)).collect();
        let steps = orders.iter().map(|order| order.len().div_ceil(size) as u64).sum();
        let config = AdamConfig { weight_decay: self.params.float("weight_decay"), ..AdamConfig::default() };
        let adam = || Adam::new(&self.network.levels.store, config);
        let fresh = |_| Ok(Progress { first: adam()?, flow: adam()?, boundary: None, peak: f64::NEG_INFINITY });
        let mut progress: Vec<Progress> = (0..self.embeddings.len()).map(fresh).collect::<Result<_>>()?;
        let mut curve = LossCurve::new(steps);
        let mut step = 0;
        for (epoch, order) in (0..epochs).zip(&orders) {
            for images in order.chunks(size) {
                let lr = learning_rate(self.params, step, steps);
                step += 1;
                let batch = Batch { images, epoch, step, lr, last_epoch: epoch + 1 == epochs };
                let losses: Vec<Result<f64>> =
                    progress.par_iter_mut().enumerate().map(|(number, p)| self.layer(number, p, &batch)).collect();
                let loss = losses.into_iter().sum::<Result<f64>>()?;
                if !loss.is_finite() {
                    let message = format!("the loss of step {step} is {loss}: try a lower learning rate");
                    return Err(zsad_nn::Error::NonFinite(message));
                }
                curve.push(step, loss);
                self.ctx.progress.tick(step, steps, &format!("loss {loss:.4}"));
            }
        }
        for (level, Progress { peak, .. }) in self.network.levels.levels.iter().zip(progress) {
            // Where no flow was trained there is no peak, and any is as good.
            let peak = if peak.is_finite() { peak } else { 0.0 };
            level.peak.set(&Tensor::new(&[peak as f32], level.peak.device())?)?;
        }
        Ok(curve)
    }

    /// The images of an epoch: the first epochs see normals alone.
    fn order(&self, epoch: u64) -> Vec<usize> {
        let mut order = self.images.order(epoch);
        if epoch < self.params.int("normal_epochs") as u64 {
            order.retain(|&i| self.images.all[i].anomalous.is_none());
        }
        order
    }

    /// All updates of layer `number` on a mini-batch; the sum of its losses.
    fn layer(&self, number: usize, progress: &mut Progress, batch: &Batch) -> Result<f64> {
        let (shape, residual) = (self.store.shapes()[number], residual(self.params));
        let rows = |&image: &usize| {
            let pool = residual.pool(&self.store, &self.images.references(batch.epoch, image), number)?;
            residual.rows(&self.store, self.images.all[image].sample, number, pool.as_ref())
        };
        let rows = batch.images.par_iter().map(rows).collect::<zsad_core::Result<Vec<Vec<f32>>>>()?.concat();
        let labels = self.images.labels(number, shape, batch.images);
        let mut total = 0.0;

        let level = &self.network.levels.levels[number];
        let residuals = Tensor::from_vec(rows.clone(), (labels.len(), shape.channels), level.peak.device())?;
        let constrained = level.constraintor.forward(&residuals, shape, true)?;
        let sides = Sides::new(labels.iter().copied());
        let loss = shell(&constrained, &residuals, &sides, self.params.float("radius"))?;
        let (value, mut gradients) = self.network.levels.gradients(&loss)?;
        total += value;
        if let Some(codes) = self.network.codebooks.get(number) {
            let normal = rows.chunks_exact(shape.channels).zip(&labels).filter(|(_, anomalous)| !**anomalous);
            let normal: Vec<f32> = normal.flat_map(|(row, _)| row).copied().collect();
            if !normal.is_empty() {
                let (value, gradient) = attraction(codes, &normal, self.params.float("commitment"))?;
                total += value;
                let at = self.network.levels.store.trainable().position(|p| p.var.id() == codes.id());
                at.into_iter().for_each(|at| gradients[at] = Some(gradient.clone()));
            }
        }
        progress.first.step(&gradients, batch.lr)?;

        let constrained = constrained.detach();
        let (seed, step, name) = (self.ctx.seed, batch.step.to_string(), number.to_string());
        let mut order: Vec<u32> = (0..labels.len() as u32).collect();
        order.shuffle(&mut stream(seed, &[("purpose", "flow_batches"), ("step", &step), ("level", &name)]));
        let size = self.params.size("flow_batch");
        for rows in order.chunks(size).filter(|rows| rows.len() == size || !self.params.bool("flow_drop_last")) {
            let sides = Sides::new(rows.iter().map(|&r| labels[r as usize]));
            total += self.flow(number, progress, batch, &constrained, rows, &sides)?;
        }
        Ok(total)
    }

    /// One update of the flow of layer `number` on some rows.
    fn flow(
        &self,
        number: usize,
        progress: &mut Progress,
        batch: &Batch,
        constrained: &Tensor,
        rows: &[u32],
        sides: &Sides,
    ) -> Result<f64> {
        let level: &Level = &self.network.levels.levels[number];
        let shape = self.store.shapes()[number];
        let positions = (shape.height * shape.width) as u32;
        let features = constrained.index_select(&Tensor::new(rows, constrained.device())?, 0)?;
        let places: Vec<u32> = rows.iter().map(|row| row % positions).collect();
        let (z, log_det) = level.transform(&features, &self.embeddings[number], &places)?;
        let likelihoods = Likelihoods::new(&z, &log_det)?;
        if let Some(new) = likelihoods.quantile(sides, self.params.float("quantile"))? {
            let kept = self.params.float("boundary_momentum");
            progress.boundary = Some(progress.boundary.map_or(new, |old| kept * old + (1.0 - kept) * new));
        }
        // Without any normal so far there is no boundary, and nothing to hold against one.
        let (boundary, lambda) = progress.boundary.map_or((0.0, 0.0), |b| (b, self.params.float("lambda")));
        let loss = two_centres(&likelihoods, sides, boundary, self.params.float("tau"), lambda)?;
        if batch.last_epoch {
            let values = likelihoods.normal.to_dtype(DType::F64)?.to_vec1::<f64>()?;
            progress.peak = sides.normal.iter().map(|&i| values[i as usize]).fold(progress.peak, f64::max);
        }
        let (value, gradients) = self.network.levels.gradients(&loss)?;
        progress.flow.step(&gradients, batch.lr)?;
        Ok(value)
    }
}
