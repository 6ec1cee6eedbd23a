//! From feature maps to patch embeddings.

use crate::features::Features;
use crate::maps::{mean3x3, resize_bilinear, resize_nearest};

/// How [`embed`] brings layers together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Neighbourhood {
    /// Each position by itself.
    None,
    /// [`mean3x3`] first, as PatchCore.
    Mean3x3,
}

zsad_core::choices! {
    /// How coarser layers are brought to the finest one's size.
    pub enum Upsampling {
        /// [`resize_bilinear`].
        Bilinear = "bilinear",
        /// [`resize_nearest`]: a coarse position stands for all fine ones that it covers.
        Nearest = "nearest",
    }
}

/// One embedding a position of the first layer: the channels of all layers, the others resized to the first one's height
/// and width. Row-major `[height · width, Σ channels]`.
pub fn embed(features: Features, neighbourhood: Neighbourhood, upsampling: Upsampling) -> Vec<f32> {
    let (first, _) = features.layer(0);
    let (positions, dim) = (first.positions(), features.layers().map(|(s, _)| s.channels).sum::<usize>());
    let mut out = vec![0f32; positions * dim];
    let mut channel = 0;
    for (shape, map) in features.layers() {
        let pooled = match neighbourhood {
            Neighbourhood::None => None,
            Neighbourhood::Mean3x3 => Some(mean3x3(shape, map)),
        };
        let map = pooled.as_deref().unwrap_or(map);
        let resize = match upsampling {
            Upsampling::Bilinear => resize_bilinear,
            Upsampling::Nearest => resize_nearest,
        };
        let resized = ((shape.height, shape.width) != (first.height, first.width))
            .then(|| resize(shape, map, first.height, first.width));
        for plane in resized.as_deref().unwrap_or(map).chunks_exact(positions) {
            for (row, value) in out.chunks_exact_mut(dim).zip(plane) {
                row[channel] = *value;
            }
            channel += 1;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::LayerShape;

    const SHAPE: LayerShape = LayerShape { channels: 2, height: 3, width: 4 };

    fn wave(n: usize) -> Vec<f32> {
        (0..n).map(|i| (i as f64 * 0.9).sin() as f32).collect()
    }

    #[test]
    fn embeddings_put_all_layers_at_the_first_ones_positions() {
        let small = LayerShape { channels: 1, height: 1, width: 2 };
        let shapes = [SHAPE, small];
        let mut values = wave(24);
        values.extend([5.0, 7.0]);
        let out = embed(Features::new(&shapes, &values), Neighbourhood::None, Upsampling::Bilinear);
        assert_eq!(out.len(), 12 * 3);
        let row = |y: usize, x: usize| &out[(y * 4 + x) * 3..][..3];
        assert_eq!(row(0, 0), [values[0], values[12], 5.0]);
        assert_eq!(row(2, 3), [values[11], values[23], 7.0]);
        assert_eq!(row(1, 1)[2], 5.5);
        let nearest = embed(Features::new(&shapes, &values), Neighbourhood::None, Upsampling::Nearest);
        assert_eq!([0, 1, 2, 3].map(|x| nearest[x * 3 + 2]), [5.0, 5.0, 7.0, 7.0]);
        let pooled = embed(Features::new(&shapes, &values), Neighbourhood::Mean3x3, Upsampling::Bilinear);
        assert_eq!(pooled[3 * 5], mean3x3(SHAPE, &values[..24])[5]);
    }
}
