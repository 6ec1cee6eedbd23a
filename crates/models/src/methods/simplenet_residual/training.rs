//! The training: mini-batches of normals, each against references of its own, beside the same with noise.

use candle_core::Tensor;
use rand::RngExt;
use zsad_backbones::features::FeatureStore;
use zsad_core::rng::{Rng, stream};
use zsad_core::{FitContext, FitReport};
use zsad_nn::optim::AdamConfig;
use zsad_nn::train::{Updater, run};
use zsad_nn::{Init, Result};

use super::network::{Discriminators, Noise};
use super::{Directions, MATCHING, SimpleNetResidual};
use crate::families::features::Selected;
use crate::methods::resad::images::{Images, MiniBatch};
use crate::trained::method::OPERATORS_NOTE;

/// Residuals of which one row of noise is made.
const COMBINED: usize = 8;

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

    /// How large the noise is at each layer: its standard deviation, from that of the residuals of the first mini-batch; as a
    /// combination of residuals it has theirs.
    fn scales(&self, first: Option<&MiniBatch>) -> Result<Vec<f64>> {
        let scale = |layer: usize| {
            if self.params.directions == Directions::Residuals {
                return Ok(self.params.noise);
            }
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
            let normal = |shape: [usize; 2], rng: &mut Rng| Init::Normal(0.0, scales[layer]).draw(&shape, rng);
            let noise = match self.params.directions {
                Directions::Any => {
                    Noise::Behind(Tensor::from_vec(normal([shape.0, shape.1], &mut rng), shape, device)?)
                }
                Directions::Residuals => {
                    let weights = normal([shape.0, COMBINED], &mut rng);
                    Noise::Before(Tensor::from_vec(combined(&rows, channels, &weights, &mut rng), shape, device)?)
                }
            };
            let rows = Tensor::from_vec(rows, shape, device)?;
            total = (total + self.network.loss(layer, &rows, &noise, self.params.margin)?)?;
        }
        Ok(total)
    }
}

/// For every row of `rows` `[n, c]` the sum of [`COMBINED`] rows, drawn at random, by its `weights` `[n, COMBINED]` over √`COMBINED`:
/// with normal weights, noise of the rows' own second moments.
fn combined(rows: &[f32], channels: usize, weights: &[f32], rng: &mut Rng) -> Vec<f32> {
    let n = rows.len() / channels;
    let mut noise = vec![0.0; rows.len()];
    for (out, weights) in noise.chunks_exact_mut(channels).zip(weights.chunks_exact(COMBINED)) {
        for weight in weights {
            let row = rng.random_range(0..n) * channels;
            let weight = weight / (COMBINED as f32).sqrt();
            out.iter_mut().zip(&rows[row..]).for_each(|(out, v)| *out += weight * v);
        }
    }
    noise
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn combinations_have_the_second_moments_of_the_rows() {
        // Rows along (3, 4, 0) alone: their second moments are those of one direction, of length 25.
        let rows: Vec<f32> =
            (0..500).flat_map(|i| if i % 2 == 0 { [3.0, 4.0, 0.0] } else { [-3.0, -4.0, 0.0] }).collect();
        let mut rng = stream(0, &[("purpose", "test")]);
        let n = 20_000;
        let many: Vec<f32> = rows.iter().copied().cycle().take(3 * n).collect();
        let weights = Init::Normal(0.0, 1.0).draw(&[n, COMBINED], &mut rng);
        let noise = combined(&many, 3, &weights, &mut rng);
        let moment = |a: usize, b: usize| {
            noise.chunks_exact(3).map(|r| f64::from(r[a]) * f64::from(r[b])).sum::<f64>() / n as f64
        };
        for (a, b, want) in [(0, 0, 9.0), (1, 1, 16.0), (0, 1, 12.0), (2, 2, 0.0), (0, 2, 0.0)] {
            assert!((moment(a, b) - want).abs() < 0.5, "{a} {b}: {}", moment(a, b));
        }
    }
}
