//! From one score a position at each layer to maps and scores of images.

use zsad_backbones::LayerShape;
use zsad_backbones::maps::{gaussian_blur, resize_bilinear};
use zsad_core::{Result, Scores};

use super::View;

zsad_core::choices! {
    /// Which map an image's score is the greatest of.
    pub enum ImageScore {
        /// After smoothing.
        Smoothed = "smoothed",
        /// Before smoothing.
        Raw = "raw",
    }
}

zsad_core::params! {
    /// A map is the sum over layers, each resized bilinearly to the image's size.
    pub struct Summed {
        /// Gaussian smoothing of the anomaly map, in pixels; 0: none
        pub sigma: f64 = 0.0, in 0.0..=64.0;
        /// an image's score is the greatest of its map: smoothed: after smoothing; raw: before
        pub image_score: ImageScore = ImageScore::Smoothed;
    }
}

impl Summed {
    /// Maps and scores of a batch. `layers` is told an image's place in the batch, and gives one score a position for each
    /// layer.
    pub(crate) fn score(&self, batch: &View, layers: impl Fn(usize) -> Result<Vec<Vec<f32>>> + Sync) -> Result<Scores> {
        let (height, width) = batch.image();
        batch.each(|place| {
            let mut map = vec![0f32; height * width];
            for (values, &shape) in layers(place)?.iter().zip(batch.store().shapes()) {
                let layer = resize_bilinear(LayerShape { channels: 1, ..shape }, values, height, width);
                map.iter_mut().zip(layer).for_each(|(sum, v)| *sum += v);
            }
            let max = |map: &[f32]| f64::from(map.iter().copied().fold(f32::NEG_INFINITY, f32::max));
            let raw = max(&map);
            if self.sigma > 0.0 {
                gaussian_blur(&mut map, width, self.sigma);
            }
            let score = match self.image_score {
                ImageScore::Smoothed => max(&map),
                ImageScore::Raw => raw,
            };
            Ok((score, map))
        })
    }
}
