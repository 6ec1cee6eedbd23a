//! The training images: normals and masked anomalies of the meta-train domains, and what may be their references.

use std::collections::BTreeMap;

use rand::seq::{SliceRandom, index};
use rayon::prelude::*;
use zsad_backbones::LayerShape;
use zsad_backbones::features::FeatureStore;
use zsad_core::rng::stream;
use zsad_core::{Error, FitContext, Result, SampleId, SampleRef, Shots, Subset, TrainingData};
use zsad_data::synthetic::SyntheticDefects;

use super::params::{FlowParams, TrainAnomalies};
use super::residual::Matching;
use crate::families::features::Selected;

/// Masks that are held at once.
const MASKS: usize = 16;

/// One image.
pub(crate) struct Image {
    pub id: SampleId,
    /// The indices of anomalous positions, for each layer; `None`: a normal.
    pub anomalous: Option<Vec<Vec<u32>>>,
}

/// What a fit notes in its report.
pub(crate) type Notes = Vec<(String, String)>;

/// A mini-batch: the numbers of some images, and the epoch that it belongs to.
pub(crate) struct MiniBatch {
    pub epoch: u64,
    pub images: Vec<usize>,
}

/// All of them.
pub(crate) struct Images<'a> {
    ctx: &'a FitContext<'a>,
    pub all: Vec<Image>,
    /// By domain, what references are drawn from.
    candidates: BTreeMap<u32, Vec<SampleId>>,
    shots: Shots,
    exclude_query: bool,
}

impl<'a> Images<'a> {
    /// The images that are trained on, their features, and what to note of both in the record.
    ///
    /// # Errors
    /// [`Error::Refused`] where the data set has no images, or no meta-train domain two normals.
    pub fn open(
        params: &FlowParams,
        selected: &Selected,
        ctx: &'a FitContext<'a>,
    ) -> Result<(Self, FeatureStore, Notes)> {
        let modality = &ctx.data.info().modality;
        let shapes = selected.spec.shapes(&*selected.network(ctx.env)?, modality)?;
        let made = params.synthetic().map(|kind| SyntheticDefects::new(ctx.data, kind)).transpose()?;
        let made = made.as_ref().map(|made| TrainingData::new(made, ctx.data.fold()));
        let data = made.as_ref().unwrap_or(ctx.data);
        let images = Images::new(params, selected.shots, ctx, data, &shapes)?;
        let ids: Vec<SampleId> = images.all.iter().map(|image| image.id).collect();
        let store = selected.open(data.source(), &ids, ctx.env, ctx.progress)?;
        let anomalous = images.all.iter().filter(|image| image.anomalous.is_some()).count();
        let normal = images.all.len() - anomalous;
        let channels: Vec<usize> = shapes.iter().map(|s| s.channels).collect();
        let (height, width) = modality.image_size().unwrap_or_default();
        let (backbone, layers) = (selected.backbone, &selected.spec.layers);
        let notes = vec![
            ("backbone".into(), format!("{backbone} layers {layers:?} of {height}×{width} images")),
            ("training_images".into(), format!("{normal} normal, {anomalous} anomalous ({})", params.anomalies)),
            ("channels".into(), format!("{channels:?}")),
        ];
        Ok((images, store, notes))
    }

    /// Lists them; masks are brought to the layers' sizes by the nearest pixel.
    ///
    /// # Errors
    /// [`Error::Refused`] where no meta-train domain has two normals.
    fn new(
        params: &FlowParams,
        shots: Shots,
        ctx: &'a FitContext,
        data: &TrainingData,
        shapes: &[LayerShape],
    ) -> Result<Self> {
        let exclude_query = params.exclude_query;
        let mut images = Images { ctx, all: vec![], candidates: BTreeMap::new(), shots, exclude_query };
        for &domain in &data.fold().meta_train {
            let about = &data.info().domains[domain];
            let all = |subset| SampleRef::all(domain, subset, about.size(subset)).collect::<Vec<_>>();
            let own = if about.reference > 0 { Subset::Reference } else { Subset::Normal };
            let candidates = data.ids(&all(own))?;
            if candidates.len() < 2 {
                tracing::warn!("domain `{}` is left out of training: it has fewer than two references", about.name);
                continue;
            }
            let others = if own == Subset::Reference && params.all_normals { all(Subset::Normal) } else { vec![] };
            let normals = candidates.iter().copied().chain(data.ids(&others)?);
            images.all.extend(normals.map(|id| Image { id, anomalous: None }));
            images.candidates.insert(domain as u32, candidates);
            let anomalies = if params.anomalies == TrainAnomalies::None { vec![] } else { all(Subset::Anomalous) };
            for part in anomalies.chunks(MASKS) {
                let Some(masks) = data.masks(part)? else { break };
                let &[height, width] = masks.shape.as_slice() else { break };
                let positions = |mask: &[u8]| shapes.iter().map(|s| anomalous((height, width), mask, *s)).collect();
                let found = data.ids(part)?.into_iter().zip(masks.values.chunks_exact(height * width));
                images.all.extend(found.map(|(id, mask)| Image { id, anomalous: Some(positions(mask)) }));
            }
        }
        if images.all.is_empty() {
            return Err(Error::refused("training wants a meta-train domain of two normals at least"));
        }
        Ok(images)
    }

    /// Which positions of layer number `number`, of `shape`, are anomalous: of image after image.
    pub fn labels(&self, number: usize, shape: LayerShape, images: &[usize]) -> Vec<bool> {
        let positions = shape.positions();
        let mut labels = vec![false; images.len() * positions];
        for (i, &image) in images.iter().enumerate() {
            for &p in self.all[image].anomalous.iter().flat_map(|layers| &layers[number]) {
                labels[i * positions + p as usize] = true;
            }
        }
        labels
    }

    /// The mini-batches of all epochs, each epoch in an order of its own; the first `normal_epochs` see normals alone.
    pub fn batches(&self, params: &FlowParams, normal_epochs: u64) -> Vec<MiniBatch> {
        let of_epoch = |epoch: u64| {
            let mut order: Vec<usize> = (0..self.all.len()).collect();
            order.shuffle(&mut stream(self.ctx.seed, &[("purpose", "epoch"), ("epoch", &epoch.to_string())]));
            order.retain(|&image| epoch >= normal_epochs || self.all[image].anomalous.is_none());
            let batches = order.chunks(params.batch).map(|images| MiniBatch { epoch, images: images.to_vec() });
            batches.collect::<Vec<_>>()
        };
        (0..params.epochs).flat_map(of_epoch).collect()
    }

    /// The residuals of a mini-batch at layer number `layer`, image after image, each against references of its own.
    pub fn residuals(
        &self,
        store: &FeatureStore,
        matching: Matching,
        layer: usize,
        batch: &MiniBatch,
    ) -> Result<Vec<f32>> {
        let rows = |&image: &usize| {
            let pool = matching.pool(store, &self.references(batch.epoch, image), layer)?;
            matching.rows(store, self.all[image].id, layer, pool.as_ref())
        };
        Ok(batch.images.par_iter().map(rows).collect::<Result<Vec<Vec<f32>>>>()?.concat())
    }

    /// The references of image number `image` in an epoch, drawn anew for every image and epoch; fewer than `shots`
    /// where the domain has no more.
    fn references(&self, epoch: u64, image: usize) -> Vec<SampleId> {
        let query = self.all[image].id;
        let (epoch, number) = (epoch.to_string(), image.to_string());
        let axes = [("purpose", "training_references"), ("epoch", epoch.as_str()), ("image", number.as_str())];
        let mut rng = stream(self.ctx.seed, &axes);
        let excluded = |id: &&SampleId| !(self.exclude_query && **id == query);
        let domain = self.candidates.get(&query.domain).map_or(&[][..], Vec::as_slice);
        let candidates: Vec<SampleId> = domain.iter().filter(excluded).copied().collect();
        let drawn = index::sample(&mut rng, candidates.len(), self.shots.of(candidates.len()).min(candidates.len()));
        drawn.into_iter().map(|i| candidates[i]).collect()
    }
}

/// The positions of a layer that are anomalous: each looks at one pixel of a mask of `height` × `width`, as PyTorch's
/// `interpolate(mode="nearest")`.
pub(crate) fn anomalous((height, width): (usize, usize), mask: &[u8], shape: LayerShape) -> Vec<u32> {
    let pixel = |p: usize| {
        let (y, x) = (p / shape.width * height / shape.height, p % shape.width * width / shape.width);
        mask[y * width + x]
    };
    (0..shape.positions()).filter(|&p| pixel(p) > 0).map(|p| p as u32).collect()
}

#[cfg(test)]
mod tests {
    use zsad_core::{AnomalySource, DataDir, Dataset, Environment, Fold, Modality, Samples, Silent, Values};
    use zsad_data::memory::{InMemory, MemoryDomain};

    use super::*;

    // import torch, torch.nn.functional as F; m = torch.zeros(1, 1, 5, 7); m[0, 0, 1:4, 2:6] = 1
    // F.interpolate(m, size=(3, 4), mode="nearest").flatten().nonzero().flatten()
    #[test]
    fn masks_are_brought_to_a_layers_size_as_pytorch_does() {
        let mask: Vec<u8> = (0..35).map(|i| u8::from((1..4).contains(&(i / 7)) && (2..6).contains(&(i % 7)))).collect();
        assert_eq!(anomalous((5, 7), &mask, LayerShape { channels: 9, height: 3, width: 4 }), NEAREST);
    }

    const NEAREST: [u32; 4] = [6, 7, 10, 11];

    /// ResAD and ResAD++ read their images here: what is said is true of both.
    #[test]
    fn a_refusal_names_neither_of_the_methods() {
        let modality = Modality::Image { channels: 1, height: 2, width: 2 };
        let one = || Samples::new(modality.shape(), Values::F32(vec![0.5; 4]));
        let domains = ["trained", "tested"].map(|name| MemoryDomain {
            name: name.into(),
            normal: one(),
            anomalous: Some(one()),
            reference: None,
        });
        let fold = Fold { name: String::new(), meta_train: vec![0], meta_test: vec![1] };
        let data =
            InMemory::new("one each", modality.clone(), domains.into(), vec![fold], AnomalySource::Genuine).unwrap();
        let training = TrainingData::new(&data, &data.info().folds[0]);
        let env = Environment::new(DataDir::resolve(None));
        let ctx = FitContext { data: &training, seed: 0, env: &env, progress: &Silent };
        let refused = Images::new(&FlowParams::default(), Shots::Number(4), &ctx, ctx.data, &[]).map(drop).unwrap_err();
        assert!(matches!(refused, Error::Refused { .. }), "{refused:?}");
        let said = refused.to_string();
        assert!(said.contains("two normals") && !said.to_lowercase().contains("resad"), "{said}");
    }
}
