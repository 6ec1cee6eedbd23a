//! Tasks of one position each.

use rand::RngExt;
use rand::seq::index;
use rayon::prelude::*;
use zsad_backbones::features::FeatureStore;
use zsad_core::rng::stream;
use zsad_core::{Error, FitContext, FitReport, Progress, Result, SampleId, SampleRef, Subset, TrainingData};
use zsad_data::synthetic::SyntheticDefects;
use zsad_nn::loss::per_task;
use zsad_nn::optim::AdamConfig;
use zsad_nn::train::{Tasks, Trainer, Updater, run};
use zsad_nn::{Init, Pass};

use super::network::{FeatureSvdd, Trained};
use super::noise;
use super::outliers::Defects;
use super::params::{AcrPatch, Outliers};
use crate::families::features::Selected;
use crate::trained::method::OPERATORS_NOTE;

/// The features at one position, all channels.
pub(super) fn patch(store: &FeatureStore, id: SampleId, position: usize) -> Result<impl Iterator<Item = f32>> {
    let (shape, map) = store.get(id)?.layer(0);
    Ok(map[position..].iter().step_by(shape.positions()).copied())
}

/// Trains on the normals of the meta-train domains of `ctx`: their reference subsets, where they have any.
pub(super) fn train(params: &AcrPatch, selected: &Selected, ctx: &FitContext) -> Result<Trained> {
    let made = params.synthetic().map(|kind| SyntheticDefects::new(ctx.data, kind)).transpose()?;
    let made = made.as_ref().map(|made| TrainingData::new(made, ctx.data.fold()));
    let (data, wanted) = (made.as_ref().unwrap_or(ctx.data), params.task_normals);
    let shape = selected.spec.shapes(&*selected.network(ctx.env)?, &data.info().modality)?[0];
    let (mut domains, mut defects, mut shown) = (Vec::new(), Vec::new(), Vec::new());
    for &domain in &data.fold().meta_train {
        let about = &data.info().domains[domain];
        let subset = if about.reference > 0 { Subset::Reference } else { Subset::Normal };
        if about.size(subset) < wanted {
            let (name, n) = (&about.name, about.size(subset));
            tracing::warn!("domain `{name}` is left out of training: a task wants {wanted} normals, and it has {n}");
            continue;
        }
        if params.outliers != Outliers::Noise {
            let (of_domain, ids) = Defects::of(data, domain, shape)?;
            if of_domain.is_empty() {
                tracing::warn!("domain `{}` is left out of training: it has no anomalies with masks", about.name);
                continue;
            }
            defects.push(of_domain);
            shown.extend(ids);
        }
        let normals: Vec<SampleRef> = SampleRef::all(domain, subset, about.size(subset)).collect();
        domains.push(data.ids(&normals)?);
    }
    if domains.is_empty() {
        let and = if params.outliers == Outliers::Real { ", and anomalies with masks" } else { "" };
        return Err(Error::refused(format!("no meta-train domain holds the {wanted} normals of a training task{and}")));
    }
    let ids = [domains.concat(), shown].concat();
    let store = selected.open(data.source(), &ids, ctx.env, ctx.progress)?;
    let network = FeatureSvdd::new(params, shape.channels, ctx.env.device, ctx.seed)?;
    let noise = noise::sigma(params, &store, &domains)?;
    let source = Source { params, seed: ctx.seed, domains, defects, store, noise };
    let before = network.store.snapshot()?;
    let loss = source.train(&network, ctx.progress)?;
    let moved = Some(network.store.moved_from(&before)?);
    let layers = format!("{} layer {:?}: {} channels", selected.backbone, selected.spec.layers, shape.channels);
    let notes = vec![
        ("backbone".into(), layers),
        ("positions".into(), format!("{} × {}", shape.height, shape.width)),
        ("noise".into(), format!("standard deviation {noise:.4}")),
        ("outliers".into(), params.outliers.to_string()),
        ("meta_train_domains".into(), source.domains.len().to_string()),
        (OPERATORS_NOTE.into(), network.store.describe_operators()),
    ];
    let report = FitReport { loss, parameters: network.store.count() as u64, notes, moved };
    Ok(Trained { params: params.clone(), network, noise, report })
}

/// Normals of the domains in training, and what their tasks are made of.
pub(super) struct Source<'a> {
    pub params: &'a AcrPatch,
    pub seed: u64,
    pub domains: Vec<Vec<SampleId>>,
    /// Those of each domain, where they are the outliers; else none.
    pub defects: Vec<Defects>,
    pub store: FeatureStore,
    /// Standard deviation of the outliers' noise.
    pub noise: f64,
}

impl Source<'_> {
    /// Trains `network`; the loss curve.
    pub fn train(&self, network: &FeatureSvdd, progress: &dyn Progress) -> zsad_nn::Result<Vec<(u64, f64)>> {
        let trainer = Trainer::new(&network.store);
        let mut updater = Updater::new(&network.store, AdamConfig::default(), None)?;
        run(self.params.steps, &network.store, progress, &mut updater, |updater, step| {
            let tasks = self.step(step, network.store.device())?;
            let (value, gradients) = trainer.gradients(&tasks, |part| {
                let (normal, outlier) = network.losses(part.x(), Pass::train(part.tasks()))?;
                per_task(&normal, &outlier, part)
            })?;
            Ok(updater.update(value, gradients, self.params.lr)?.into())
        })
    }

    /// The tasks of a step.
    pub fn step(&self, step: u64, device: &candle_core::Device) -> zsad_nn::Result<Tasks> {
        let n = self.params.task_normals;
        let tasks: Vec<Vec<f32>> =
            (0..self.params.tasks).into_par_iter().map(|i| self.task(step, i, n)).collect::<Result<_>>()?;
        let labels: Vec<bool> = (0..2 * n).map(|i| i >= n).collect();
        let parts: Vec<_> = tasks.iter().map(|x| (x.as_slice(), labels.as_slice())).collect();
        Tasks::stack(&[self.store.shapes()[0].channels], &parts, device)
    }

    /// `n` normals at one position of one domain, then noisy copies of them, or as many patches of defects there.
    fn task(&self, step: u64, number: usize, n: usize) -> Result<Vec<f32>> {
        let (step, number) = (step.to_string(), number.to_string());
        let mut rng = stream(self.seed, &[("purpose", "patch_task"), ("step", &step), ("index", &number)]);
        let number = rng.random_range(0..self.domains.len());
        let (domain, shape) = (&self.domains[number], self.store.shapes()[0]);
        let (position, defects) = match self.defects.get(number) {
            Some(defects) => defects.draw(&mut rng, n),
            None => (rng.random_range(0..shape.positions()), vec![]),
        };
        let mut values = Vec::with_capacity(2 * n * shape.channels);
        for i in index::sample(&mut rng, domain.len(), n) {
            values.extend(patch(&self.store, domain[i], position)?);
        }
        for &id in &defects {
            values.extend(patch(&self.store, id, position)?);
        }
        if !defects.is_empty() {
            return Ok(values);
        }
        let noise = Init::Normal(0.0, self.noise).draw(&[values.len()], &mut rng);
        let copies: Vec<f32> = values.iter().zip(noise).map(|(x, e)| x + e).collect();
        values.extend(copies);
        Ok(values)
    }
}
