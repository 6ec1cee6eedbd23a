//! Features of the samples of a batch, as points.

use rayon::prelude::*;
use zsad_backbones::features::FeatureStore;
use zsad_backbones::maps::anomaly_map;
use zsad_backbones::patches::{Neighbourhood, Upsampling, embed};
use zsad_core::{Batch, Error, Maps, Result, SampleId, Scores};

use crate::math::Points;

/// A batch or a support set with its features.
pub(crate) struct View<'a> {
    batch: &'a Batch<'a>,
    store: FeatureStore,
    ids: Vec<SampleId>,
    image: (usize, usize),
}

impl<'a> View<'a> {
    /// The samples `ids` of `batch`, whose features `store` holds.
    pub fn new(batch: &'a Batch<'a>, store: FeatureStore, ids: Vec<SampleId>) -> Result<Self> {
        let image = batch.modality().image_size().ok_or_else(|| Error::refused("features are of images alone"))?;
        Ok(View { batch, store, ids, image })
    }

    /// The batch itself.
    pub fn batch(&self) -> &'a Batch<'a> {
        self.batch
    }

    /// The samples.
    pub fn ids(&self) -> &[SampleId] {
        &self.ids
    }

    /// Their features.
    pub fn store(&self) -> &FeatureStore {
        &self.store
    }

    /// Height and width of the images.
    pub fn image(&self) -> (usize, usize) {
        self.image
    }

    /// One point a position of the first layer: the channels of all layers.
    pub fn patches(&self, id: SampleId, neighbourhood: Neighbourhood, upsampling: Upsampling) -> Result<Points<f32>> {
        let dim = self.store.shapes().iter().map(|s| s.channels).sum();
        Ok(Points::from_values(embed(self.store.get(id)?, neighbourhood, upsampling), dim))
    }

    /// One point a sample: layer number `i`, flattened.
    pub fn layer(&self, i: usize) -> Result<Points> {
        let mut values = Vec::new();
        for &id in &self.ids {
            values.extend(self.store.get(id)?.layer(i).1.iter().map(|&v| f64::from(v)));
        }
        Ok(Points::from_values(values, self.store.shapes()[i].len()))
    }

    /// Scores every image by `score`, which gives one value a position of the first layer, and makes maps of them. An image's score is its greatest position's.
    pub fn score(&self, sigma: f64, score: impl Fn(SampleId) -> Result<Vec<f64>> + Sync) -> Result<Scores> {
        let shape = self.store.shapes()[0];
        self.each(|place| {
            let positions = score(self.ids[place])?;
            let max = positions.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let values: Vec<f32> = positions.into_iter().map(|v| v as f32).collect();
            Ok((max, anomaly_map(&values, (shape.height, shape.width), self.image, sigma)))
        })
    }

    /// Score and map of every image; `one` is told its place in the batch.
    pub fn each(&self, one: impl Fn(usize) -> Result<(f64, Vec<f32>)> + Sync) -> Result<Scores> {
        let scored = (0..self.ids.len()).into_par_iter().map(&one).collect::<Result<Vec<_>>>();
        let (samples, maps): (Vec<f64>, Vec<Vec<f32>>) = scored?.into_iter().unzip();
        Ok(Scores { samples, maps: Some(self.maps(maps)) })
    }

    /// One map of the images' size for each sample.
    pub fn maps(&self, maps: Vec<Vec<f32>>) -> Maps {
        Maps { shape: vec![self.image.0, self.image.1], values: maps.concat() }
    }
}

/// Views of features that no network made, by one closed formula here and in Python:
///
/// ```python
/// import numpy as np
/// from scipy.ndimage import gaussian_filter
/// from scipy.spatial.distance import cdist
/// w = lambda n, s, k: np.sin(np.arange(n) * (0.9 + 0.13 * s) + k).astype(np.float32).astype(float)
/// maps = lambda s: [w(24, s, 0).reshape(2, 3, 4), w(12, s, 2).reshape(3, 2, 2)]          # of sample s
/// def resize(m, h, w):
///     line = lambda to: lambda v: np.interp((np.arange(to) + 0.5) * len(v) / to - 0.5, np.arange(len(v)), v)
///     return np.apply_along_axis(line(w), 2, np.apply_along_axis(line(h), 1, m))
/// embed = lambda maps: np.concatenate([resize(m, 3, 4).reshape(len(m), 12) for m in maps]).T
/// smooth = lambda scores: gaussian_filter(resize(scores.reshape(1, 3, 4), 6, 8)[0], 1)   # images of 6 × 8 pixels
/// ```
#[cfg(test)]
pub(crate) mod testing {
    use std::ops::Range;

    use zsad_backbones::LayerShape;
    use zsad_core::{DataDir, Environment, Modality, SampleRef, Samples, Subset, Unlabelled, Values};
    use zsad_data::memory::InMemory;

    use super::*;

    fn shape(channels: usize, height: usize, width: usize) -> LayerShape {
        LayerShape { channels, height, width }
    }

    fn wave(n: usize, sample: u32, k: f64) -> Vec<f32> {
        (0..n).map(|i| (i as f64 * (0.9 + 0.13 * f64::from(sample)) + k).sin() as f32).collect()
    }

    /// Runs `look` on the two layers of some samples: `maps` in Python.
    pub(crate) fn maps<T>(samples: Range<u32>, look: impl FnOnce(&View) -> T) -> T {
        let values = samples.clone().flat_map(|s| [wave(24, s, 0.0), wave(12, s, 2.0)].concat()).collect();
        view(vec![shape(2, 3, 4), shape(3, 2, 2)], values, samples.len(), look)
    }

    /// Runs `look` on a layer without positions: `w(5, s, 1)` in Python.
    pub(crate) fn wholes<T>(samples: Range<u32>, look: impl FnOnce(&View) -> T) -> T {
        let values = samples.clone().flat_map(|s| wave(5, s, 1.0)).collect();
        view(vec![shape(5, 1, 1)], values, samples.len(), look)
    }

    fn view<T>(shapes: Vec<LayerShape>, values: Vec<f32>, n: usize, look: impl FnOnce(&View) -> T) -> T {
        let modality = Modality::Image { channels: 1, height: 6, width: 8 };
        let blank = Samples::new(modality.shape(), Values::F32(vec![0.0; n * 48]));
        let dataset = InMemory::batch(modality, blank, None).unwrap();
        let refs: Vec<SampleRef> = SampleRef::all(0, Subset::Normal, n).collect();
        let (source, env) = (Unlabelled::new(&dataset), Environment::new(DataDir::resolve(None)));
        let batch = Batch::new(&source, &refs, &env);
        let store = FeatureStore::in_memory(shapes, &batch.ids(), values);
        look(&View::new(&batch, store, batch.ids()).unwrap())
    }

    /// Fails unless the score of each sample and eight values of its map (row 1 from column 0, row 4 from column 4) are
    /// `expected`.
    pub(crate) fn agree(scores: &Scores, expected: &[(f64, [f32; 8])]) {
        let maps = scores.maps.as_ref().unwrap();
        assert_eq!((maps.shape.as_slice(), scores.samples.len()), (&[6, 8][..], expected.len()));
        for ((score, map), (want, values)) in scores.samples.iter().zip(maps.values.chunks_exact(48)).zip(expected) {
            assert!((score - want).abs() < 1e-5 * want.abs(), "{score} and {want}");
            let found = [&map[8..12], &map[36..40]].concat();
            assert!(found.iter().zip(values).all(|(f, v)| (f - v).abs() < 1e-5 * v.abs()), "{found:?} and {values:?}");
        }
    }
}
