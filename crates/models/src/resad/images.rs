//! The training images: normals and masked anomalies of the meta-train domains, and what may be their references.

use std::collections::BTreeMap;

use rand::seq::{SliceRandom, index};
use zsad_core::rng::stream;
use zsad_core::{Error, FitContext, Kind, Masks, Params, Pool, Result, SampleRef};
use zsad_nn::backbones::LayerShape;
use zsad_nn::features::{FeatureStore, Reduction};

use crate::vision::features;

/// Masks that are held at once.
const MASKS: usize = 16;

/// One image.
pub(crate) struct Image {
    pub sample: SampleRef,
    /// The indices of anomalous positions, for each layer; `None`: a normal.
    pub anomalous: Option<Vec<Vec<u32>>>,
}

/// What a fit notes in its report.
pub(crate) type Notes = Vec<(String, String)>;

/// All of them.
pub(crate) struct Images<'a> {
    ctx: &'a FitContext<'a>,
    pub all: Vec<Image>,
    /// By domain, what references are drawn from.
    candidates: BTreeMap<u32, Vec<SampleRef>>,
    shots: usize,
    exclude_query: bool,
}

impl<'a> Images<'a> {
    /// The images that `method` trains on, their features, and what to note of both in the record.
    ///
    /// # Errors
    /// [`Error::Refused`] where the data set has no images, or no meta-train domain two normals.
    pub fn open(method: &str, params: &Params, ctx: &'a FitContext<'a>) -> Result<(Self, FeatureStore, Notes)> {
        let Kind::Image { height, width, .. } = ctx.dataset.info().kind else {
            return Err(Error::refused(format!("{method} wants images")));
        };
        let spec = features(params, Reduction::Map)?;
        // One sample tells the layers' shapes; features are computed for all of them below.
        let probe = FeatureStore::open(ctx.dataset, &[], &spec, None, ctx.progress)?;
        let images = Images::new(params, ctx, probe.shapes())?;
        let store = FeatureStore::open(ctx.dataset, &images.samples(), &spec, ctx.cache, ctx.progress)?;
        let (normal, anomalous) = images.counts();
        let channels: Vec<usize> = store.shapes().iter().map(|s| s.channels).collect();
        let notes = vec![
            ("backbone".into(), format!("{} layers {:?} of {height}×{width} images", spec.backbone, spec.layers)),
            ("training_images".into(), format!("{normal} normal, {anomalous} anomalous")),
            ("channels".into(), format!("{channels:?}")),
        ];
        Ok((images, store, notes))
    }

    /// Lists them; masks are brought to the layers' sizes by the nearest pixel.
    ///
    /// # Errors
    /// [`Error::Refused`] where no meta-train domain has two normals.
    fn new(params: &Params, ctx: &'a FitContext, shapes: &[LayerShape]) -> Result<Self> {
        let exclude_query = params.bool("exclude_query");
        let mut images =
            Images { ctx, all: vec![], candidates: BTreeMap::new(), shots: params.size("shots"), exclude_query };
        for &domain in &ctx.fold.meta_train {
            let about = &ctx.dataset.info().domains[domain];
            let pool = |pool| {
                let sample = move |index| SampleRef { domain: domain as u32, pool, index };
                (0..about.size(pool) as u32).map(sample).collect::<Vec<_>>()
            };
            let own = if about.reference > 0 { Pool::Reference } else { Pool::Normal };
            let candidates = pool(own);
            if candidates.len() < 2 {
                tracing::warn!("domain `{}` is left out of training: it has fewer than two references", about.name);
                continue;
            }
            let others = if own == Pool::Reference && params.bool("all_normals") { pool(Pool::Normal) } else { vec![] };
            let normals = candidates.iter().chain(&others);
            images.all.extend(normals.map(|&sample| Image { sample, anomalous: None }));
            images.candidates.insert(domain as u32, candidates);
            for part in pool(Pool::Anomalous).chunks(MASKS) {
                let Some(masks) = ctx.dataset.masks(part)? else { break };
                let plane = masks.height * masks.width;
                let positions = |mask: &[u8]| shapes.iter().map(|s| anomalous(&masks, mask, *s)).collect();
                let found = part.iter().zip(masks.values.chunks_exact(plane));
                images.all.extend(found.map(|(&sample, mask)| Image { sample, anomalous: Some(positions(mask)) }));
            }
        }
        if images.all.is_empty() {
            return Err(Error::refused("resad needs a meta-train domain of two normals at least"));
        }
        Ok(images)
    }

    /// Every sample that training may look at.
    fn samples(&self) -> Vec<SampleRef> {
        self.all.iter().map(|image| image.sample).collect()
    }

    /// How many are normal, and how many anomalous.
    fn counts(&self) -> (usize, usize) {
        let anomalous = self.all.iter().filter(|image| image.anomalous.is_some()).count();
        (self.all.len() - anomalous, anomalous)
    }

    /// Which positions of layer number `number`, of `shape`, are anomalous: of image after image.
    pub fn labels(&self, number: usize, shape: LayerShape, images: &[usize]) -> Vec<bool> {
        let positions = shape.height * shape.width;
        let mut labels = vec![false; images.len() * positions];
        for (i, &image) in images.iter().enumerate() {
            for &p in self.all[image].anomalous.iter().flat_map(|layers| &layers[number]) {
                labels[i * positions + p as usize] = true;
            }
        }
        labels
    }

    /// The order of an epoch.
    pub fn order(&self, epoch: u64) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.all.len()).collect();
        order.shuffle(&mut stream(self.ctx.seed, &[("purpose", "epoch"), ("epoch", &epoch.to_string())]));
        order
    }

    /// The references of image number `image` in an epoch, drawn anew for every image and epoch; fewer than `shots`
    /// where the domain has no more.
    pub fn references(&self, epoch: u64, image: usize) -> Vec<SampleRef> {
        let sample = self.all[image].sample;
        let (epoch, number) = (epoch.to_string(), image.to_string());
        let axes = [("purpose", "training_references"), ("epoch", epoch.as_str()), ("image", number.as_str())];
        let mut rng = stream(self.ctx.seed, &axes);
        let excluded = |r: &&SampleRef| !(self.exclude_query && **r == sample);
        let domain = self.candidates.get(&sample.domain).map_or(&[][..], Vec::as_slice);
        let candidates: Vec<SampleRef> = domain.iter().filter(excluded).copied().collect();
        let drawn = index::sample(&mut rng, candidates.len(), self.shots.min(candidates.len()));
        drawn.into_iter().map(|i| candidates[i]).collect()
    }
}

/// The positions of a layer that are anomalous: each looks at one pixel, as PyTorch's `interpolate(mode="nearest")`.
fn anomalous(masks: &Masks, mask: &[u8], shape: LayerShape) -> Vec<u32> {
    let pixel = |p: usize| {
        let (y, x) = (p / shape.width * masks.height / shape.height, p % shape.width * masks.width / shape.width);
        mask[y * masks.width + x]
    };
    (0..shape.height * shape.width).filter(|&p| pixel(p) > 0).map(|p| p as u32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    // import torch, torch.nn.functional as F; m = torch.zeros(1, 1, 5, 7); m[0, 0, 1:4, 2:6] = 1
    // F.interpolate(m, size=(3, 4), mode="nearest").flatten().nonzero().flatten()
    #[test]
    fn masks_are_brought_to_a_layers_size_as_pytorch_does() {
        let mask: Vec<u8> = (0..35).map(|i| u8::from((1..4).contains(&(i / 7)) && (2..6).contains(&(i % 7)))).collect();
        let masks = Masks { height: 5, width: 7, values: vec![] };
        assert_eq!(anomalous(&masks, &mask, LayerShape { channels: 9, height: 3, width: 4 }), NEAREST);
    }

    const NEAREST: [u32; 4] = [6, 7, 10, 11];
}
