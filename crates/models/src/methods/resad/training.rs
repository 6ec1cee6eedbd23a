//! The training: mini-batches of images, each against references of its own.

use candle_core::{DType, Tensor};
use rand::seq::index;
use rayon::prelude::*;
use zsad_backbones::features::FeatureStore;
use zsad_core::rng::stream;
use zsad_core::{Array, Arrays, FitContext, FitReport};
use zsad_nn::Result;
use zsad_nn::carried::{Carried, numbers, numbers_of};
use zsad_nn::optim::{Gradients, add_gradients};
use zsad_nn::train::{Updater, run};

use super::constraintor::Convolution;
use super::images::{Images, MiniBatch};
use super::layers::{CHUNK, FeatureLayers};
use super::likelihood::{note, peak};
use super::objective::Boundary;
use super::params::{FlowParams, ResAd};
use super::residual::Matching;
use crate::families::features::Selected;

/// Trains on the meta-train domains of `ctx`.
pub(super) fn train(
    params: &ResAd,
    selected: &Selected,
    ctx: &FitContext,
) -> zsad_core::Result<(FeatureLayers, FitReport)> {
    let (images, store, mut notes) = Images::open(&params.flow, selected, ctx)?;
    let channels: Vec<usize> = store.shapes().iter().map(|s| s.channels).collect();
    let layers = FeatureLayers::new(&params.flow, &channels, ctx.env.device, ctx.seed)?;
    let training = Training { params, ctx, embeddings: layers.embeddings(store.shapes())?, images, store, layers };
    let before = training.layers.store.snapshot()?;
    let (loss, seen) = training.epochs()?;
    let moved = Some(training.layers.store.moved_from(&before)?);
    let mut peaks = Vec::new();
    for (mut seen, number) in seen.into_iter().zip(&selected.spec.layers) {
        let peak = peak(&mut seen.normals, params.peak);
        notes.push((format!("flow_loss_layer_{number}"), seen.losses.tenths()));
        notes.push((format!("saturation_layer_{number}"), note(&seen.normals, peak)));
        peaks.push(peak);
    }
    training.layers.set_max_log_likelihoods(peaks)?;
    let report = FitReport { loss, parameters: training.layers.store.count() as u64, notes, moved };
    Ok((training.layers, report))
}

struct Training<'a> {
    params: &'a ResAd,
    ctx: &'a FitContext<'a>,
    images: Images<'a>,
    store: FeatureStore,
    layers: FeatureLayers,
    embeddings: Vec<Tensor>,
}

/// One layer's part of a mini-batch.
struct Part {
    /// Constrained features, detached, `[images · positions, channels]`.
    features: Tensor,
    /// Which of its rows are anomalous.
    anomalous: Vec<bool>,
}

/// Some rows of a [`Part`] that go through the flow together.
struct Job<'a> {
    layer: usize,
    part: &'a Part,
    rows: Vec<u32>,
    /// Normals and anomalies among all rows of this step.
    of: (usize, usize),
}

/// Steps with their loss.
type Curve = Vec<(u64, f64)>;

/// A loss, its gradients, and the log-likelihoods of normals.
type Outcome = (f64, Gradients, Vec<f32>);

/// What a layer's flow leaves beside its parameters.
#[derive(Default)]
struct Seen {
    /// Its loss in every mini-batch.
    losses: Losses,
    /// The log-likelihoods of normals in the last epoch.
    normals: Vec<f32>,
}

impl Carried for Seen {
    fn save(&self) -> Result<Arrays> {
        let normals = Array::single(vec![self.normals.len()], self.normals.clone());
        let losses = numbers(self.losses.0.iter().copied());
        Ok([("losses", losses), ("normals", normals)].map(|(name, array)| (name.to_owned(), array)).into())
    }

    fn load(&mut self, saved: Arrays) -> Result<()> {
        self.losses.0 = numbers_of(&saved, "losses");
        self.normals = saved.get("normals").and_then(Array::as_f32).unwrap_or_default().to_vec();
        Ok(())
    }
}

/// Losses of mini-batch after mini-batch.
#[derive(Default)]
struct Losses(Vec<f64>);

impl Losses {
    /// Their mean in each tenth of the training, or all if there are fewer.
    fn tenths(&self) -> String {
        let mean = |part: &[f64]| format!("{:.3}", part.iter().sum::<f64>() / part.len() as f64);
        self.0.chunks(self.0.len().div_ceil(10).max(1)).map(mean).collect::<Vec<_>>().join(" ")
    }
}

impl Training<'_> {
    /// The curve of the whole loss, and what every layer's flow saw.
    fn epochs(&self) -> Result<(Curve, Vec<Seen>)> {
        let flow = &self.params.flow;
        let batches = self.images.batches(flow, 0);
        let steps = batches.len() as u64;
        let seen: Vec<Seen> = self.layers.layers.iter().map(|_| Seen::default()).collect();
        let mut carried = (Updater::new(&self.layers.store, flow.adam(), None)?, seen);
        let curve = run(steps, &self.layers.store, self.ctx.progress, &mut carried, |(updater, seen), step| {
            let batch = &batches[step as usize - 1];
            let (loss, gradients) = self.step(step, batch, seen)?;
            let lr = flow.learning_rate(step - 1, steps, batch.epoch);
            Ok(updater.update(loss, gradients, lr)?.into())
        })?;
        Ok((curve, carried.1))
    }

    /// Loss and gradients of a mini-batch; notes what each layer's flow saw. The work is cut by layer and by [`CHUNK`]
    /// rows, and summed in that order.
    fn step(&self, step: u64, batch: &MiniBatch, seen: &mut [Seen]) -> Result<(f64, Gradients)> {
        let numbered: Vec<usize> = (0..self.layers.layers.len()).collect();
        let constrained: Vec<Result<_>> = numbered.par_iter().map(|&number| self.constrain(number, batch)).collect();
        let mut parts = Vec::new();
        let (mut total, mut sums) = (0.0, Gradients::new());
        for outcome in constrained {
            let (loss, gradients, part) = outcome?;
            total += loss;
            add_gradients(&mut sums, gradients)?;
            parts.push(part);
        }
        let images = batch.images.len();
        let jobs: Vec<Job> =
            parts.iter().enumerate().flat_map(|(layer, part)| self.jobs(layer, part, step, images)).collect();
        let outcomes: Vec<Result<Outcome>> = jobs.par_iter().map(|job| self.flow(job)).collect();
        let mut losses = vec![0.0; parts.len()];
        for (job, outcome) in jobs.iter().zip(outcomes) {
            let (loss, gradients, normals) = outcome?;
            losses[job.layer] += loss;
            add_gradients(&mut sums, gradients)?;
            if batch.epoch + 1 == self.params.flow.epochs {
                seen[job.layer].normals.extend(normals);
            }
        }
        total += losses.iter().sum::<f64>();
        seen.iter_mut().zip(losses).for_each(|(seen, loss)| seen.losses.0.push(loss));
        Ok((total, sums))
    }

    /// The constraintor's loss and gradients at one layer, and what it makes of the residuals.
    fn constrain(&self, number: usize, batch: &MiniBatch) -> Result<(f64, Gradients, Part)> {
        let shape = self.store.shapes()[number];
        let matching = Matching::by_distance(self.params.residual);
        let rows = self.images.residuals(&self.store, matching, number, batch)?;
        let anomalous = self.images.labels(number, shape, &batch.images);
        let device = self.layers.store.device();
        let residuals = Tensor::from_vec(rows, (anomalous.len(), shape.channels), device)?;
        let features = self.layers.layers[number].constraintor.forward(&residuals, shape, true)?;
        let (value, gradients) = match self.params.flow.constraintor {
            Convolution::None => (0.0, Gradients::new()),
            _ => {
                let loss = self.params.constraint.loss(&features, &residuals, &anomalous)?;
                self.layers.store.gradients_of(&loss)?
            }
        };
        Ok((value, gradients, Part { features: features.detach(), anomalous }))
    }

    /// The rows of a layer in random order, or some of them, in chunks; a chunk without normals is left out.
    fn jobs<'p>(&self, layer: usize, part: &'p Part, step: u64, images: usize) -> Vec<Job<'p>> {
        let rows = part.anomalous.len();
        let wanted = self.params.positions.number().map_or(rows, |n| n.saturating_mul(images).min(rows));
        let (step, number) = (step.to_string(), layer.to_string());
        let mut rng = stream(self.ctx.seed, &[("purpose", "positions"), ("step", &step), ("level", &number)]);
        let drawn: Vec<u32> = index::sample(&mut rng, rows, wanted).into_iter().map(|i| i as u32).collect();
        let anomalies = drawn.iter().filter(|&&r| part.anomalous[r as usize]).count();
        let of = (drawn.len() - anomalies, anomalies);
        let chunks = drawn.chunks(CHUNK).map(|rows| Job { layer, part, rows: rows.to_vec(), of });
        chunks.filter(|job| job.rows.iter().any(|&r| !part.anomalous[r as usize])).collect()
    }

    /// The flow's loss and gradients on some rows.
    fn flow(&self, job: &Job) -> Result<Outcome> {
        let layer = &self.layers.layers[job.layer];
        let positions = self.store.shapes()[job.layer].positions() as u32;
        let rows = Tensor::new(job.rows.as_slice(), self.layers.store.device())?;
        let features = job.part.features.index_select(&rows, 0)?;
        let positions: Vec<u32> = job.rows.iter().map(|row| row % positions).collect();
        let likelihood = layer.log_likelihood(&features, &self.embeddings[job.layer], &positions)?;
        let here = |anomalous: bool| {
            let rows = job.rows.iter().enumerate().filter(|(_, row)| job.part.anomalous[**row as usize] == anomalous);
            rows.map(|(i, _)| i as u32).collect::<Vec<_>>()
        };
        let (normals, anomalies) = (here(false), here(true));
        let FlowParams { tau, lambda, quantile, .. } = self.params.flow;
        let loss = Boundary { tau, lambda, quantile }.loss(&likelihood, &normals, &anomalies, job.of)?;
        let values = likelihood.to_dtype(DType::F32)?.to_vec1::<f32>()?;
        let normals = normals.iter().map(|&i| values[i as usize]).collect();
        let (value, gradients) = self.layers.store.gradients_of(&loss)?;
        Ok((value, gradients, normals))
    }
}
