//! The training: mini-batches of images, each against references of its own.

use candle_core::{DType, Tensor};
use rand::seq::index;
use rayon::prelude::*;
use zsad_core::rng::stream;
use zsad_core::{FitContext, FitReport, Params};
use zsad_nn::Result;
use zsad_nn::features::FeatureStore;
use zsad_nn::optim::{Adam, AdamConfig, Gradients, Optimizer};

use super::SPEC;
use super::images::Images;
use super::levels::{CHUNK, Level, Levels};
use super::objective::{Boundary, constraint};
use super::residual::Residual;
use crate::trained::LossCurve;

/// Trains on the meta-train domains of `ctx`.
pub(super) fn train(params: &Params, ctx: &FitContext) -> zsad_core::Result<(Levels, FitReport)> {
    let (images, store, notes) = Images::open(SPEC.name, params, ctx)?;
    let channels: Vec<usize> = store.shapes().iter().map(|s| s.channels).collect();
    let levels = Levels::new(params, &channels, ctx.device, ctx.seed)?;
    let run = Run { params, ctx, embeddings: levels.embeddings(store.shapes())?, images, store, levels };
    let curve = run.epochs()?;

    let report = FitReport { loss: curve.into_points(), parameters: run.levels.store.count() as u64, notes };
    Ok((run.levels, report))
}

/// The learning rate after `step` of `steps` updates: divided by ten after 70 and 90 % of them.
pub(crate) fn learning_rate(params: &Params, step: u64, steps: u64) -> f64 {
    let passed = [7, 9].into_iter().filter(|tenths| step * 10 >= tenths * steps).count();
    params.float("lr") * 0.1f64.powi(passed as i32)
}

struct Run<'a> {
    params: &'a Params,
    ctx: &'a FitContext<'a>,
    images: Images<'a>,
    store: FeatureStore,
    levels: Levels,
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
    level: usize,
    part: &'a Part,
    rows: Vec<u32>,
    /// Normals and anomalies among all rows of this step.
    of: (usize, usize),
}

/// A loss, its gradients, and where asked for the greatest log-likelihood of a normal.
type Outcome = (f64, Gradients, f64);

impl Run<'_> {
    fn epochs(&self) -> Result<LossCurve> {
        let (epochs, batch) = (self.params.int("epochs") as u64, self.params.size("batch"));
        let steps = epochs * self.images.all.len().div_ceil(batch) as u64;
        let config = AdamConfig { weight_decay: self.params.float("weight_decay"), ..AdamConfig::default() };
        let mut adam = Adam::new(&self.levels.store, config)?;
        let mut curve = LossCurve::new(steps);
        let mut peaks = vec![f64::NEG_INFINITY; self.levels.levels.len()];
        let mut step = 0;
        for epoch in 0..epochs {
            for images in self.images.order(epoch).chunks(batch) {
                let lr = learning_rate(self.params, step, steps);
                step += 1;
                let (loss, gradients, greatest) = self.step(epoch, step, images)?;
                if !loss.is_finite() {
                    let message = format!("the loss of step {step} is {loss}: try a lower learning rate");
                    return Err(zsad_nn::Error::NonFinite(message));
                }
                if epoch + 1 == epochs {
                    peaks.iter_mut().zip(greatest).for_each(|(peak, value)| *peak = peak.max(value));
                }
                adam.step(&gradients, lr)?;
                curve.push(step, loss);
                self.ctx.progress.tick(step, steps, &format!("loss {loss:.4}"));
            }
        }
        for (level, peak) in self.levels.levels.iter().zip(peaks) {
            let peak = Tensor::new(&[peak], self.levels.store.device())?.to_dtype(self.levels.store.dtype())?;
            level.peak.set(&peak)?;
        }
        Ok(curve)
    }

    /// Loss and gradients of a mini-batch, and each layer's greatest log-likelihood of a normal. The work is cut by
    /// layer and by [`CHUNK`] rows, and summed in that order.
    fn step(&self, epoch: u64, step: u64, images: &[usize]) -> Result<(f64, Gradients, Vec<f64>)> {
        let numbered: Vec<usize> = (0..self.levels.levels.len()).collect();
        let constrained: Vec<Result<_>> =
            numbered.par_iter().map(|&number| self.constrain(number, epoch, images)).collect();
        let mut parts = Vec::new();
        let (mut total, mut sums) = (0.0, vec![None; self.levels.store.trainable().count()]);
        for outcome in constrained {
            let (loss, gradients, part) = outcome?;
            total += loss;
            add(&mut sums, gradients)?;
            parts.push(part);
        }
        let jobs: Vec<Job> =
            parts.iter().enumerate().flat_map(|(level, part)| self.jobs(level, part, step, images.len())).collect();
        let outcomes: Vec<Result<Outcome>> = jobs.par_iter().map(|job| self.flow(job)).collect();
        let mut peaks = vec![f64::NEG_INFINITY; parts.len()];
        for (job, outcome) in jobs.iter().zip(outcomes) {
            let (loss, gradients, greatest) = outcome?;
            total += loss;
            add(&mut sums, gradients)?;
            peaks[job.level] = peaks[job.level].max(greatest);
        }
        Ok((total, sums, peaks))
    }

    /// The constraintor's loss and gradients at one layer, and what it makes of the residuals.
    fn constrain(&self, number: usize, epoch: u64, images: &[usize]) -> Result<(f64, Gradients, Part)> {
        let (shape, residual) = (self.store.shapes()[number], Residual::of(self.params));
        let rows = |&image: &usize| {
            let pool = residual.pool(&self.store, &self.images.references(epoch, image), number)?;
            residual.rows(&self.store, self.images.all[image].sample, number, pool.as_ref())
        };
        let rows = images.par_iter().map(rows).collect::<zsad_core::Result<Vec<Vec<f32>>>>()?.concat();
        let anomalous = self.images.labels(number, shape, images);
        let device = self.levels.store.device();
        let residuals = Tensor::from_vec(rows, (anomalous.len(), shape.channels), device)?;
        let flags: Vec<f32> = anomalous.iter().map(|&a| f32::from(u8::from(a))).collect();
        let features = self.levels.levels[number].constraintor.forward(&residuals, shape, true)?;
        let loss = constraint(&features, &residuals, &Tensor::new(flags, device)?)?;
        let (value, gradients) = self.levels.gradients(&loss)?;
        Ok((value, gradients, Part { features: features.detach(), anomalous }))
    }

    /// The rows of a layer in random order, or some of them, in chunks; a chunk without normals is left out.
    fn jobs<'p>(&self, level: usize, part: &'p Part, step: u64, images: usize) -> Vec<Job<'p>> {
        let rows = part.anomalous.len();
        let wanted = self.params.opt_int("positions").map_or(rows, |n| (n as usize).saturating_mul(images).min(rows));
        let (step, number) = (step.to_string(), level.to_string());
        let mut rng = stream(self.ctx.seed, &[("purpose", "positions"), ("step", &step), ("level", &number)]);
        let drawn: Vec<u32> = index::sample(&mut rng, rows, wanted).into_iter().map(|i| i as u32).collect();
        let anomalies = drawn.iter().filter(|&&r| part.anomalous[r as usize]).count();
        let of = (drawn.len() - anomalies, anomalies);
        let chunks = drawn.chunks(CHUNK).map(|rows| Job { level, part, rows: rows.to_vec(), of });
        chunks.filter(|job| job.rows.iter().any(|&r| !part.anomalous[r as usize])).collect()
    }

    /// The flow's loss and gradients on some rows.
    fn flow(&self, job: &Job) -> Result<Outcome> {
        let level: &Level = &self.levels.levels[job.level];
        let shape = self.store.shapes()[job.level];
        let positions = (shape.height * shape.width) as u32;
        let features =
            job.part.features.index_select(&Tensor::new(job.rows.as_slice(), self.levels.store.device())?, 0)?;
        let places: Vec<u32> = job.rows.iter().map(|row| row % positions).collect();
        let likelihood = level.likelihood(&features, &self.embeddings[job.level], &places)?;
        let here = |anomalous: bool| {
            let rows = job.rows.iter().enumerate().filter(|(_, row)| job.part.anomalous[**row as usize] == anomalous);
            rows.map(|(i, _)| i as u32).collect::<Vec<_>>()
        };
        let (normals, anomalies) = (here(false), here(true));
        let boundary = Boundary {
            tau: self.params.float("tau"),
            lambda: self.params.float("lambda"),
            quantile: self.params.float("quantile"),
        };
        let loss = boundary.loss(&likelihood, &normals, &anomalies, job.of)?;
        let values = likelihood.to_dtype(DType::F64)?.to_vec1::<f64>()?;
        let greatest = normals.iter().map(|&i| values[i as usize]).fold(f64::NEG_INFINITY, f64::max);
        let (value, gradients) = self.levels.gradients(&loss)?;
        Ok((value, gradients, greatest))
    }
}

fn add(sums: &mut Gradients, gradients: Gradients) -> Result<()> {
    for (sum, gradient) in sums.iter_mut().zip(gradients) {
        *sum = match (sum.take(), gradient) {
            (Some(sum), Some(gradient)) => Some((sum + gradient)?),
            (sum, gradient) => sum.or(gradient),
        };
    }
    Ok(())
}
