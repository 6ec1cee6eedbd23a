//! The training: the texts once a mini-batch, the images beside them.

use candle_core::{DType, Tensor};
use rayon::prelude::*;
use zsad_backbones::features::FeatureStore;
use zsad_core::{FitContext, FitReport};
use zsad_nn::Result;
use zsad_nn::optim::{AdamConfig, Gradients};
use zsad_nn::train::{Updater, run};

use super::AnomalyClip;
use super::detector::Trained;
use super::objective::{Example, Objective};
use super::prompts::{Prompts, Sizes, Texts};
use crate::families::features::Selected;
use crate::families::prompts::{Images, Tower, unit_points};
use crate::trained::method::OPERATORS_NOTE;

/// Trains on the meta-train domains of `ctx`.
pub(super) fn train(params: &AnomalyClip, selected: &Selected, ctx: &FitContext) -> zsad_core::Result<Trained> {
    let tower = Tower::open(selected.backbone, ctx.env)?;
    let texts = Texts::new(selected.backbone, &tower, ctx.env)?;
    let images = Images::new(ctx)?;
    let store = selected.open(ctx.data.source(), &images.ids(), ctx.env, ctx.progress)?;
    let prompts = Prompts::new(sizes(params, &tower), ctx.env.device, ctx.seed)?;
    let before = prompts.store.snapshot()?;
    let batches = images.batches(params.epochs, params.batch);
    let training = Training { params, images: &images, store: &store, tower: &tower, texts: &texts, prompts: &prompts };
    let adam = AdamConfig { beta1: 0.5, ..AdamConfig::default() };
    let mut updater = Updater::new(&prompts.store, adam, None)?;
    let loss = run(batches.len() as u64, &prompts.store, ctx.progress, &mut updater, |updater, step| {
        let (loss, gradients) = training.step(&batches[step as usize - 1])?;
        Ok(updater.update(loss, gradients, params.lr)?.into())
    })?;
    prompts.settle(&tower, &texts)?;
    let notes = vec![images.note(), (OPERATORS_NOTE.into(), prompts.store.describe_operators())];
    let moved = Some(prompts.store.moved_from(&before)?);
    let report = FitReport { loss, parameters: prompts.store.count() as u64, notes, moved };
    Ok(Trained::new(params, prompts, report)?)
}

/// As many deep prompts as there are blocks to have them.
fn sizes(params: &AnomalyClip, tower: &Tower) -> Sizes {
    Sizes {
        width: tower.width(),
        embedding: tower.embedding(),
        words: params.words,
        deep: params.deep.min(tower.depth() - 1),
        deep_words: params.deep_words,
    }
}

pub(super) struct Training<'a> {
    pub params: &'a AnomalyClip,
    pub images: &'a Images<'a>,
    pub store: &'a FeatureStore,
    pub tower: &'a Tower,
    pub texts: &'a Texts,
    pub prompts: &'a Prompts,
}

impl Training<'_> {
    /// Loss and gradients of a mini-batch. The loss depends on the words through two directions alone: every image gives its gradient by
    /// these, and their sum goes back through the text tower once.
    pub fn step(&self, batch: &[usize]) -> Result<(f64, Gradients)> {
        let masks = batch.iter().map(|&i| self.images.mask(i)).collect::<zsad_core::Result<Vec<_>>>()?;
        let objective = Objective {
            temperature: self.params.temperature,
            lambda: self.params.lambda,
            size: self.images.size(),
            images: batch.len(),
            masked: masks.iter().flatten().count(),
        };
        let directions = self.prompts.forward(self.tower, self.texts)?;
        let share = |(&image, mask): (&usize, &Option<Vec<f32>>)| {
            objective.share(&self.example(image, mask.as_deref())?, &directions)
        };
        let shares: Vec<Result<(f64, Vec<f32>)>> = batch.par_iter().zip(&masks).map(share).collect();
        let (mut loss, mut gradient) = (0.0, vec![0f32; directions.elem_count()]);
        for share in shares {
            let (value, by) = share?;
            loss += value;
            gradient.iter_mut().zip(by).for_each(|(sum, v)| *sum += v);
        }
        let gradient = Tensor::from_vec(gradient, directions.shape(), directions.device())?;
        let (_, gradients) = self.prompts.store.gradients_of(&(directions * gradient)?.sum_all()?)?;
        Ok((loss, gradients))
    }

    /// What the objective sees of an image.
    pub fn example<'m>(&self, image: usize, mask: Option<&'m [f32]>) -> Result<Example<'m>> {
        let (device, layers) = (self.prompts.store.device(), self.store.get(self.images.all[image].id)?);
        let rows = |layer: usize| -> Result<Tensor> {
            let points = unit_points(layers, layer);
            let shape = (points.values().len() / points.dim(), points.dim());
            Ok(Tensor::from_slice(points.values(), shape, device)?.to_dtype(DType::F32)?)
        };
        let shapes = self.store.shapes();
        Ok(Example {
            class: rows(0)?,
            patches: (1..shapes.len()).map(rows).collect::<Result<_>>()?,
            grid: shapes.last().map_or((1, 1), |shape| (shape.height, shape.width)),
            anomalous: self.images.all[image].anomalous,
            mask,
        })
    }
}
