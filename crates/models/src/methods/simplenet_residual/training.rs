//! The training: mini-batches of normals, each against references of its own, beside the same with noise.

use candle_core::Tensor;
use zsad_backbones::features::FeatureStore;
use zsad_core::rng::stream;
use zsad_core::{FitContext, FitReport};
use zsad_nn::optim::AdamConfig;
use zsad_nn::train::{Updater, run};
use zsad_nn::{Init, Result};

use super::network::Discriminators;
use super::{MATCHING, SimpleNetResidual};
use crate::families::features::Selected;
use crate::methods::resad::images::{Images, MiniBatch};
use crate::trained::method::OPERATORS_NOTE;

/// Trains on the normals of the meta-train domains of `ctx`.
pub(super) fn train(
    params: &SimpleNetResidual,
    selected: &Selected,
    ctx: &FitContext,
) -> zsad_core::Result<(Discriminators, FitReport)> {
    let (images, store, mut notes) = Images::open(&params.images(), selected, ctx)?;
    let channels: Vec<usize> = store.shapes().iter().map(|s| s.channels).collect();
    let network = Discriminators::new(params, &channels, ctx.env.device, ctx.seed)?;
    let training = Training { params, ctx, images, store, network };
    let before = training.network.store.snapshot()?;
    let loss = training.epochs()?;
    let store = &training.network.store;
    notes.push((OPERATORS_NOTE.into(), store.describe_operators()));
    let (parameters, moved) = (store.count() as u64, Some(store.moved_from(&before)?));
    Ok((training.network, FitReport { loss, parameters, notes, moved }))
}

struct Training<'a> {
    params: &'a SimpleNetResidual,
    ctx: &'a FitContext<'a>,
    images: Images<'a>,
    store: FeatureStore,
    network: Discriminators,
}

impl Training<'_> {
    fn epochs(&self) -> Result<Vec<(u64, f64)>> {
        // All of its epochs see normals alone.
        let batches = self.images.batches(&self.params.images(), self.params.epochs);
        let scales = self.scales(batches.first())?;
        let adam = AdamConfig { weight_decay: self.params.weight_decay, ..AdamConfig::default() };
        let store = &self.network.store;
        let mut updater = Updater::new(store, adam, None)?;
        run(batches.len() as u64, store, self.ctx.progress, &mut updater, |updater, step| {
            let (loss, gradients) = store.gradients_of(&self.loss(step, &batches[step as usize - 1], &scales)?)?;
            Ok(updater.update(loss, gradients, self.params.lr)?.into())
        })
    }

    /// The standard deviation of the noise at each layer: from that of the residuals of the first mini-batch.
    fn scales(&self, first: Option<&MiniBatch>) -> Result<Vec<f64>> {
        let scale = |layer: usize| {
            let rows = first.map(|batch| self.images.residuals(&self.store, MATCHING, layer, batch)).transpose()?;
            let rows = rows.unwrap_or_default();
            let n = rows.len().max(1) as f64;
            let mean = rows.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
            let variance = rows.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n;
            Ok(self.params.noise * variance.sqrt())
        };
        (0..self.network.channels.len()).map(scale).collect()
    }

    /// The sum over layers.
    fn loss(&self, step: u64, batch: &MiniBatch, scales: &[f64]) -> Result<Tensor> {
        let device = self.network.store.device();
        let mut total = Tensor::zeros((), self.network.store.dtype(), device)?;
        for (layer, &channels) in self.network.channels.iter().enumerate() {
            let rows = self.images.residuals(&self.store, MATCHING, layer, batch)?;
            let shape = (rows.len() / channels, channels);
            let (at, number) = (step.to_string(), layer.to_string());
            let mut rng = stream(self.ctx.seed, &[("purpose", "noise"), ("step", &at), ("level", &number)]);
            let noise = Init::Normal(0.0, scales[layer]).draw(&[shape.0, shape.1], &mut rng);
            let (rows, noise) = (Tensor::from_vec(rows, shape, device)?, Tensor::from_vec(noise, shape, device)?);
            total = (total + self.network.loss(layer, &rows, &noise, self.params.margin)?)?;
        }
        Ok(total)
    }
}
