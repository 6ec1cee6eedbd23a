//! The training: every layer by itself, first its codebook and constraintor, then its flow, mini-batch by mini-batch.

use candle_core::{DType, Tensor};
use rand::seq::SliceRandom;
use rayon::prelude::*;
use zsad_backbones::features::FeatureStore;
use zsad_core::rng::stream;
use zsad_core::{Arrays, FitContext, FitReport};
use zsad_nn::Result;
use zsad_nn::carried::{Carried, named, number_of, numbers, numbers_of, take};
use zsad_nn::train::{Updater, run};

use super::codebook::attraction;
use super::network::Network;
use super::objective::{Likelihoods, Sides, shell, two_centres};
use super::params::ResAdPp;
use crate::families::features::Selected;
use crate::methods::resad::images::{Images, MiniBatch};
use crate::trained::method::OPERATORS_NOTE;

/// Trains on the meta-train domains of `ctx`.
pub(super) fn train(
    params: &ResAdPp,
    selected: &Selected,
    ctx: &FitContext,
) -> zsad_core::Result<(Network, FitReport)> {
    let (images, store, mut notes) = Images::open(&params.flow, selected, ctx)?;
    let channels: Vec<usize> = store.shapes().iter().map(|s| s.channels).collect();
    let network = Network::new(params, &channels, ctx.env.device, ctx.seed)?;
    let embeddings = network.layers.embeddings(store.shapes())?;
    let training = Training { params, ctx, images, store, network, embeddings };
    let before = training.network.layers.store.snapshot()?;
    let loss = training.epochs()?;

    let store = &training.network.layers.store;
    notes.push((OPERATORS_NOTE.into(), store.describe_operators()));
    let (parameters, moved) = (store.count() as u64, Some(store.moved_from(&before)?));
    Ok((training.network, FitReport { loss, parameters, notes, moved }))
}

struct Training<'a> {
    params: &'a ResAdPp,
    ctx: &'a FitContext<'a>,
    images: Images<'a>,
    store: FeatureStore,
    network: Network,
    embeddings: Vec<Tensor>,
}

/// What a layer carries from one mini-batch to the next.
struct LayerState {
    /// Of codebook and constraintor.
    first: Updater,
    /// Of the flow.
    flow: Updater,
    boundary: Option<f64>,
    /// The greatest log-likelihood of a normal in the last epoch.
    max: f64,
}

impl Carried for LayerState {
    fn save(&self) -> Result<Arrays> {
        let mut arrays = Arrays::from([("max".to_owned(), numbers([self.max]))]);
        arrays.insert("boundary".into(), numbers(self.boundary));
        arrays.extend(named("first", self.first.save()?));
        arrays.extend(named("flow", self.flow.save()?));
        Ok(arrays)
    }

    fn load(&mut self, mut saved: Arrays) -> Result<()> {
        self.max = number_of(&saved, "max")?;
        self.boundary = numbers_of(&saved, "boundary").first().copied();
        self.first.load(take("first", &mut saved))?;
        self.flow.load(take("flow", &mut saved))
    }
}

/// A mini-batch and where it stands.
struct Step<'a> {
    batch: &'a MiniBatch,
    number: u64,
    lr: f64,
    last_epoch: bool,
}

impl Training<'_> {
    fn epochs(&self) -> Result<Vec<(u64, f64)>> {
        let flow = &self.params.flow;
        let batches = self.images.batches(flow, self.params.normal_epochs);
        let steps = batches.len() as u64;
        let updater = || Updater::new(&self.network.layers.store, flow.adam(), None);
        let fresh = |_| Ok(LayerState { first: updater()?, flow: updater()?, boundary: None, max: f64::NEG_INFINITY });
        let mut layers: Vec<LayerState> = (0..self.embeddings.len()).map(fresh).collect::<Result<_>>()?;
        let store = &self.network.layers.store;
        let curve = run(steps, store, self.ctx.progress, &mut layers, |layers, number| {
            let batch = &batches[number as usize - 1];
            let (lr, last_epoch) = (flow.learning_rate(number - 1, steps, batch.epoch), batch.epoch + 1 == flow.epochs);
            let step = Step { batch, number, lr, last_epoch };
            let layers = layers.par_iter_mut().enumerate();
            let losses: Vec<Result<f64>> = layers.map(|(layer, carried)| self.layer(layer, carried, &step)).collect();
            Ok(losses.into_iter().sum::<Result<f64>>()?.into())
        })?;
        // Where no flow was trained there is no greatest one, and any is as good.
        let max = layers.into_iter().map(|c| if c.max.is_finite() { c.max } else { 0.0 });
        self.network.layers.set_max_log_likelihoods(max)?;
        Ok(curve)
    }

    /// All updates of layer `number` on a mini-batch; the sum of its losses.
    fn layer(&self, number: usize, carried: &mut LayerState, step: &Step) -> Result<f64> {
        let (params, shape) = (self.params, self.store.shapes()[number]);
        let rows = self.images.residuals(&self.store, params.matching(), number, step.batch)?;
        let labels = self.images.labels(number, shape, &step.batch.images);

        let store = &self.network.layers.store;
        let layer = &self.network.layers.layers[number];
        let residuals = Tensor::from_vec(rows.clone(), (labels.len(), shape.channels), store.device())?;
        let constrained = layer.constraintor.forward(&residuals, shape, true)?;
        let sides = Sides::new(labels.iter().copied());
        let (mut total, mut gradients) =
            store.gradients_of(&shell(&constrained, &residuals, &sides, params.radius)?)?;
        if let Some(codes) = self.network.codebooks.get(number) {
            let normal = rows.chunks_exact(shape.channels).zip(&labels).filter(|(_, anomalous)| !**anomalous);
            let normal: Vec<f32> = normal.flat_map(|(row, _)| row).copied().collect();
            if !normal.is_empty() {
                let (value, gradient) = attraction(codes, &normal, params.commitment)?;
                total += value;
                let at = store.trainable().position(|p| p.var.id() == codes.id());
                at.into_iter().for_each(|at| gradients[at] = Some(gradient.clone()));
            }
        }
        carried.first.update(total, gradients, step.lr)?;

        let constrained = constrained.detach();
        let (seed, at, name) = (self.ctx.seed, step.number.to_string(), number.to_string());
        let mut order: Vec<u32> = (0..labels.len() as u32).collect();
        order.shuffle(&mut stream(seed, &[("purpose", "flow_batches"), ("step", &at), ("level", &name)]));
        let size = params.flow_batch;
        for rows in order.chunks(size).filter(|rows| rows.len() == size || !params.flow_drop_last) {
            let sides = Sides::new(rows.iter().map(|&r| labels[r as usize]));
            total += self.flow(number, carried, step, &constrained, rows, &sides)?;
        }
        Ok(total)
    }

    /// One update of the flow of layer `number` on some rows.
    fn flow(
        &self,
        number: usize,
        carried: &mut LayerState,
        step: &Step,
        constrained: &Tensor,
        rows: &[u32],
        sides: &Sides,
    ) -> Result<f64> {
        let flow = &self.params.flow;
        let positions = self.store.shapes()[number].positions() as u32;
        let features = constrained.index_select(&Tensor::new(rows, constrained.device())?, 0)?;
        let positions: Vec<u32> = rows.iter().map(|row| row % positions).collect();
        let layers = &self.network.layers;
        let (z, log_det) = layers.layers[number].transform(&features, &self.embeddings[number], &positions)?;
        let likelihoods = Likelihoods::new(&z, &log_det)?;
        if let Some(new) = likelihoods.quantile(sides, flow.quantile)? {
            let kept = self.params.boundary_momentum;
            carried.boundary = Some(carried.boundary.map_or(new, |old| kept * old + (1.0 - kept) * new));
        }
        // Without any normal so far there is no boundary, and nothing to hold against one.
        let (boundary, lambda) = carried.boundary.map_or((0.0, 0.0), |b| (b, flow.lambda));
        let loss = two_centres(&likelihoods, sides, boundary, flow.tau, lambda)?;
        if step.last_epoch {
            let values = likelihoods.normal.to_dtype(DType::F64)?.to_vec1::<f64>()?;
            carried.max = sides.normal.iter().map(|&i| values[i as usize]).fold(carried.max, f64::max);
        }
        let (value, gradients) = layers.store.gradients_of(&loss)?;
        carried.flow.update(value, gradients, step.lr)
    }
}
