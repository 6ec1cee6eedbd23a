//! Tasks of one position each.

use rand::RngExt;
use rand::seq::index;
use rayon::prelude::*;
use zsad_core::rng::stream;
use zsad_core::{Error, FitContext, FitReport, Params, Pool, Result, SampleRef};
use zsad_nn::Init;
use zsad_nn::backbones::BackboneKind;
use zsad_nn::features::{FeatureSpec, FeatureStore, Reduction};
use zsad_nn::layers::Pass;
use zsad_nn::loss::per_task;
use zsad_nn::optim::{Adam, AdamConfig, StepLr};
use zsad_nn::train::{Tasks, TrainConfig, Trainer};

use super::{Detector, FeatureSvdd};
use crate::trained::LossCurve;

/// The one layer whose maps are looked at.
pub(super) fn features(params: &Params) -> Result<FeatureSpec> {
    let backbone: BackboneKind = params.text("backbone").parse()?;
    let default = backbone.default_layers();
    let layer = params.opt_int("layer").map_or(default[default.len() - 1], |l| l as usize);
    Ok(FeatureSpec { backbone, layers: vec![layer], reduction: Reduction::Map })
}

/// The features at one position, all channels.
pub(super) fn patch(store: &FeatureStore, sample: SampleRef, position: usize) -> Result<impl Iterator<Item = f32>> {
    let (shape, map) = store.get(sample)?.layer(0);
    Ok(map[position..].iter().step_by(shape.height * shape.width).copied())
}

/// Trains on the normals of the meta-train domains of `ctx`: their reference pools, where they have any.
pub(super) fn train(params: &Params, ctx: &FitContext) -> Result<Detector> {
    let spec = features(params)?;
    let mut domains = Vec::new();
    for &domain in &ctx.fold.meta_train {
        let about = &ctx.dataset.info().domains[domain];
        let pool = if about.reference > 0 { Pool::Reference } else { Pool::Normal };
        if about.size(pool) < params.size("task_normals") {
            let (name, n, wanted) = (&about.name, about.size(pool), params.size("task_normals"));
            tracing::warn!("domain `{name}` is left out of training: a task wants {wanted} normals, and it has {n}");
            continue;
        }
        let sample = |index| SampleRef { domain: domain as u32, pool, index };
        domains.push((0..about.size(pool) as u32).map(sample).collect::<Vec<_>>());
    }
    if domains.is_empty() {
        let wanted = params.size("task_normals");
        return Err(Error::refused(format!("no meta-train domain holds the {wanted} normals of a training task")));
    }
    let store = FeatureStore::open(ctx.dataset, &domains.concat(), &spec, ctx.cache, ctx.progress)?;
    let shape = store.shapes()[0];
    let network = FeatureSvdd::new(params, shape.channels, ctx.device, ctx.seed)?;
    let source = Source { params, seed: ctx.seed, domains, store };

    let adam = Adam::new(&network.store, AdamConfig::default())?;
    let mut trainer = Trainer::new(&network.store, adam, TrainConfig::new(StepLr::constant(params.float("lr"))));
    let steps = params.int("steps") as u64;
    let mut curve = LossCurve::new(steps);
    for step in 1..=steps {
        let tasks = source.step(step, network.store.device())?;
        let value = trainer.step(&tasks, |part| {
            let (normal, outlier) = network.losses(part.x(), Pass::train(part.tasks()))?;
            per_task(&normal, &outlier, part)
        })?;
        curve.push(step, value);
        ctx.progress.tick(step, steps, &format!("loss {value:.4}"));
    }
    let notes = vec![
        ("backbone".into(), format!("{} layer {:?}: {} channels", spec.backbone, spec.layers, shape.channels)),
        ("positions".into(), format!("{} × {}", shape.height, shape.width)),
        ("meta_train_domains".into(), source.domains.len().to_string()),
    ];
    let report = FitReport { loss: curve.into_points(), parameters: network.store.count() as u64, notes };
    Ok(Detector { params: params.clone(), network, report })
}

struct Source<'a> {
    params: &'a Params,
    seed: u64,
    domains: Vec<Vec<SampleRef>>,
    store: FeatureStore,
}

impl Source<'_> {
    fn step(&self, step: u64, device: &candle_core::Device) -> zsad_nn::Result<Tasks> {
        let n = self.params.size("task_normals");
        let tasks: Vec<Vec<f32>> =
            (0..self.params.size("tasks")).into_par_iter().map(|i| self.task(step, i, n)).collect::<Result<_>>()?;
        let labels: Vec<bool> = (0..2 * n).map(|i| i >= n).collect();
        let parts: Vec<_> = tasks.iter().map(|x| (x.as_slice(), labels.as_slice())).collect();
        Tasks::stack(&[self.store.shapes()[0].channels], &parts, device)
    }

    /// `n` normals at one position of one domain, then noisy copies of them.
    fn task(&self, step: u64, number: usize, n: usize) -> Result<Vec<f32>> {
        let (step, number) = (step.to_string(), number.to_string());
        let mut rng = stream(self.seed, &[("purpose", "patch_task"), ("step", &step), ("index", &number)]);
        let domain = &self.domains[rng.random_range(0..self.domains.len())];
        let shape = self.store.shapes()[0];
        let position = rng.random_range(0..shape.height * shape.width);
        let mut values = Vec::with_capacity(2 * n * shape.channels);
        for i in index::sample(&mut rng, domain.len(), n) {
            values.extend(patch(&self.store, domain[i], position)?);
        }
        let noise = Init::Normal(0.0, self.params.float("noise_sigma")).draw(&[values.len()], &mut rng);
        let copies: Vec<f32> = values.iter().zip(noise).map(|(x, e)| x + e).collect();
        values.extend(copies);
        Ok(values)
    }
}
