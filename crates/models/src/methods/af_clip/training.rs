//! The training: a few sets of tokens at a time, twice.

use candle_core::{Tensor, Var};
use rayon::prelude::*;
use zsad_backbones::BackboneKind;
use zsad_backbones::features::{FeatureSpec, FeatureStore, Reduction};
use zsad_core::{Choice, Environment, FitContext, FitReport, Modality, SampleId, Shots, Silent};
use zsad_nn::Result;
use zsad_nn::optim::{AdamConfig, Gradients, add_gradients};
use zsad_nn::train::{Updater, run};

use super::AfClip;
use super::detector::Trained;
use super::model::{Model, Shape};
use super::neighbours::{SIDES, tokens};
use super::objective::{Labels, alike, patches};
use super::prompt::Texts;
use crate::families::features::Selected;
use crate::families::prompts::{Images, Tower};
use crate::trained::method::OPERATORS_NOTE;

/// Similarities that attention holds at once, about (64 MB); a fixed number, so that sets share the work in one way.
const SIMILARITIES: usize = 16_000_000;
/// Heads that hold them.
const HEADS: usize = 8;
/// Parts of a step whose gradients are held at once.
const PARTS: usize = 8;

/// Trains on the meta-train domains of `ctx`.
pub(super) fn train(params: &AfClip, selected: &Selected, ctx: &FitContext) -> zsad_core::Result<Trained> {
    let tower = Tower::open(selected.backbone, ctx.env)?;
    let texts = Texts::new(selected.backbone, &tower, ctx.env)?;
    let images = Images::new(ctx)?;
    let shape = Shape { backbone: selected.backbone.word().into(), text_width: tower.width(), words: params.words };
    let model = Model::new(shape, ctx.env, ctx.seed)?;
    let before = model.store.snapshot()?;
    let batches = images.batches(params.epochs, params.batch);
    let training = Training { params, images: &images, selected, ctx, tower: &tower, texts: &texts, model: &model };
    let adam = AdamConfig { beta1: 0.5, ..AdamConfig::default() };
    let mut updater = Updater::new(&model.store, adam, None)?;
    let loss = run(batches.len() as u64, &model.store, ctx.progress, &mut updater, |updater, step| {
        let step = training.step(&batches[step as usize - 1])?;
        Ok(updater.update(step.loss(params), step.gradients, params.lr)?.into())
    })?;
    model.settle(&texts, &tower)?;
    let notes = vec![images.note(), (OPERATORS_NOTE.into(), model.store.describe_operators())];
    let moved = Some(model.store.moved_from(&before)?);
    let report = FitReport { loss, parameters: model.store.count() as u64, notes, moved };
    Ok(Trained { params: params.clone(), model, report })
}

pub(super) struct Training<'a> {
    pub params: &'a AfClip,
    pub images: &'a Images<'a>,
    pub selected: &'a Selected,
    pub ctx: &'a FitContext<'a>,
    pub tower: &'a Tower,
    pub texts: &'a Texts,
    pub model: &'a Model,
}

/// The terms of a mini-batch's loss, unweighted: of images, focal and L1 of patches, alignment; and the gradients of their sum.
pub(super) struct Step {
    pub terms: [f64; 4],
    pub gradients: Gradients,
}

impl Step {
    pub fn loss(&self, params: &AfClip) -> f64 {
        let [images, focal, l1, alignment] = self.terms;
        images + params.lambda_patches * (focal + l1) + params.lambda_alignment * alignment
    }
}

/// A set of tokens: an image by its place in the mini-batch, a layer, the side of neighbourhoods.
pub(super) type Set = (usize, usize, usize);

/// All sets of some images, and how many go through at once.
pub(super) fn sets(images: usize, store: &FeatureStore) -> (Vec<Set>, usize) {
    let layers = store.shapes().len();
    let of = |image| (0..layers).flat_map(move |layer| SIDES.map(|side| (image, layer, side)));
    let count = store.shapes().first().map_or(1, |shape| shape.positions());
    ((0..images).flat_map(of).collect(), (SIMILARITIES / (HEADS * count * count)).max(1))
}

/// The tokens of some sets, `[sets, tokens, width]`.
pub(super) fn gathered(
    sets: &[Set],
    ids: &[SampleId],
    store: &FeatureStore,
    grid: (usize, usize),
    model: &Model,
) -> Result<Tensor> {
    let shape = store.shapes()[0];
    let rows = |&(image, layer, side): &Set| Ok(tokens(store.get(ids[image])?.layer(layer).1, grid, side));
    let rows = sets.iter().map(rows).collect::<zsad_core::Result<Vec<_>>>()?.concat();
    Ok(Tensor::from_vec(rows, (sets.len(), shape.positions(), shape.channels), model.store.device())?)
}

/// Rows and columns of patches.
pub(super) fn grid(kind: BackboneKind, env: &Environment, modality: &Modality) -> zsad_core::Result<(usize, usize)> {
    let patches = FeatureSpec { layers: vec![1], reduction: Reduction::Map };
    let selected = Selected { backbone: kind, spec: patches, shots: Shots::Number(0) };
    let shapes = selected.spec.shapes(&*selected.network(env)?, modality)?;
    Ok((shapes[0].height, shapes[0].width))
}

impl Training<'_> {
    /// The loss depends on the sets through the sum of their logits and through how alike patches are: a first pass without gradients
    /// finds both, a second one sends back what they want. So no more than a few sets are held at once.
    pub fn step(&self, batch: &[usize]) -> Result<Step> {
        let device = self.model.store.device();
        let ids: Vec<SampleId> = batch.iter().map(|&i| self.images.all[i].id).collect();
        let store = self.selected.open(self.ctx.data.source(), &ids, self.ctx.env, &Silent)?;
        let grid = grid(self.selected.backbone, self.ctx.env, &self.ctx.data.info().modality)?;
        let label = |&i: &usize| -> Result<Option<Vec<bool>>> {
            Ok(self.images.mask(i)?.map(|mask| patches(&mask, self.images.size(), grid)))
        };
        let labels = Labels {
            images: batch.iter().map(|&i| self.images.all[i].anomalous).collect(),
            patches: batch.iter().map(label).collect::<Result<_>>()?,
        };
        let texts = self.model.texts(self.texts, self.tower)?;
        let (all, at_once) = sets(batch.len(), &store);
        let parts: Vec<&[Set]> = all.chunks(at_once).collect();
        let count = grid.0 * grid.1;
        let look = |part: &[Set], directions: &Tensor| -> Result<(Tensor, Tensor, Tensor)> {
            let embedded = self.model.embed(&gathered(part, &ids, &store, grid, self.model)?)?;
            let logits = logits(&embedded, directions, self.params.temperature)?;
            let sides = part.iter().map(|set| labels.sides(set.0, count, device)).collect::<Result<Vec<_>>>()?;
            let (unlike, like) = alike(&embedded.narrow(1, 1, count)?.contiguous()?, &Tensor::stack(&sides, 0)?)?;
            Ok((logits, unlike, like))
        };

        let constant = texts.detach();
        let first = |part: &&[Set]| zsad_nn::no_grad(|| look(part, &constant));
        let found: Vec<Result<(Tensor, Tensor, Tensor)>> = parts.par_iter().map(first).collect();
        let mut sums: Vec<Option<Tensor>> = vec![None; batch.len()];
        let kinds = all.len() / batch.len();
        let (pairs, mut over) = (labels.pairs(), vec![0f64; kinds]);
        let mut number = 0;
        for (part, found) in parts.iter().zip(found) {
            let (logits, unlike, like) = found?;
            let (unlike, like) = (unlike.to_vec1::<f32>()?, like.to_vec1::<f32>()?);
            for (i, set) in part.iter().enumerate() {
                let own = logits.get(i)?;
                sums[set.0] = Some(match sums[set.0].take() {
                    Some(sum) => (sum + own)?,
                    None => own,
                });
                if pairs.0 > 0.0 {
                    over[number % kinds] += f64::from(unlike[i]) / pairs.0 - f64::from(like[i]) / pairs.1;
                }
                number += 1;
            }
        }
        let logits = Tensor::stack(&sums.into_iter().flatten().collect::<Vec<_>>(), 0)?;
        let leaf = Var::from_tensor(&logits.detach())?;
        let losses = labels.losses(&leaf)?;
        let weight = self.params.lambda_patches;
        let loss = (&losses.images + ((&losses.focal + &losses.l1)? * weight)?)?;
        let wanted = loss.backward()?.remove(&leaf).unwrap_or(leaf.zeros_like()?);
        let value = |t: &Tensor| t.to_scalar::<f32>().map(f64::from);
        let alignment = over.iter().map(|v| v.max(0.0)).sum::<f64>() / kinds as f64;
        let terms = [value(&losses.images)?, value(&losses.focal)?, value(&losses.l1)?, alignment];

        let share = self.params.lambda_alignment / kinds as f64;
        let second = |(number, part): (usize, &&[Set])| -> Result<(Gradients, Tensor)> {
            let directions = Var::from_tensor(&constant)?;
            let (logits, unlike, like) = look(part, &directions)?;
            let by = part.iter().map(|set| wanted.get(set.0)).collect::<candle_core::Result<Vec<_>>>()?;
            let mut sum = (logits * Tensor::stack(&by, 0)?)?.sum_all()?;
            if pairs.0 > 0.0 {
                // Where a kind of sets has its patches apart already, it wants nothing.
                let active = (0..part.len()).map(|i| f32::from(u8::from(over[(number * at_once + i) % kinds] > 0.0)));
                let active = Tensor::from_vec(active.collect::<Vec<_>>(), part.len(), device)?;
                let apart = ((unlike / pairs.0)? - (like / pairs.1)?)?;
                sum = (sum + ((apart * active)?.sum_all()? * share)?)?;
            }
            let mut gradients = sum.backward()?;
            let by_texts = gradients.remove(&directions).unwrap_or(directions.zeros_like()?);
            Ok((self.model.store.trainable().map(|p| gradients.remove(&p.var)).collect(), by_texts))
        };
        let numbered: Vec<(usize, &&[Set])> = parts.iter().enumerate().collect();
        let (mut sum, mut by_texts) = (Gradients::new(), texts.zeros_like()?.detach());
        for some in numbered.chunks(PARTS) {
            let found: Vec<Result<(Gradients, Tensor)>> = some.par_iter().map(|&part| second(part)).collect();
            for found in found {
                let (gradients, texts) = found?;
                add_gradients(&mut sum, gradients)?;
                by_texts = (by_texts + texts)?;
            }
        }
        let (_, words) = self.model.store.gradients_of(&(texts * by_texts)?.sum_all()?)?;
        add_gradients(&mut sum, words)?;
        Ok(Step { terms, gradients: sum })
    }
}

/// Cosines divided by the temperature, `[sets, tokens, 2]`.
pub(super) fn logits(embedded: &Tensor, directions: &Tensor, temperature: f64) -> Result<Tensor> {
    let (sets, tokens, embedding) = embedded.dims3()?;
    let cosines = embedded.reshape((sets * tokens, embedding))?.matmul(&directions.t()?)?;
    Ok((cosines / temperature)?.reshape((sets, tokens, 2))?)
}
