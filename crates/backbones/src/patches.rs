//! From feature maps to patch embeddings.

use crate::features::Features;
use crate::layer::LayerShape;
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

/// One embedding a position of the first layer, as PatchCore's authors make it: at each layer the nine values around a
/// position of every channel, zeros beyond the edge, in the order `[channel, y, x]`, averaged down (or spread) to `size`
/// as PyTorch's `adaptive_avg_pool1d` does; the layers one after the other, averaged to `size` once more. Row-major `[height · width, size]`.
///
/// patchcore-inspection, `common.py`: `MeanMapper`, `Aggregator`.
pub fn embed_pooled(features: Features, size: usize) -> Vec<f32> {
    let (first, _) = features.layer(0);
    let positions = first.positions();
    let mut layers = Vec::new();
    for (shape, map) in features.layers() {
        let mut pooled = Bins::new(9 * shape.channels, size, positions);
        for plane in map.chunks_exact(shape.positions()) {
            for (y, x) in (0..3).flat_map(|y| (0..3).map(move |x| (y, x))) {
                let moved = moved(shape, plane, y, x);
                let one = LayerShape { channels: 1, ..shape };
                pooled.push(&match (shape.height, shape.width) == (first.height, first.width) {
                    true => moved,
                    false => resize_bilinear(one, &moved, first.height, first.width),
                });
            }
        }
        layers.push(pooled.means());
    }
    let mut all = Bins::new(layers.len() * size, size, positions);
    layers.iter().flat_map(|layer| layer.chunks_exact(positions)).for_each(|plane| all.push(plane));
    let means = all.means();
    (0..positions).flat_map(|p| means[p..].iter().step_by(positions).copied()).collect()
}

/// A plane whose value at a position is that of the neighbour in row `y` and column `x` of the 3 × 3 around it.
fn moved(shape: LayerShape, plane: &[f32], y: usize, x: usize) -> Vec<f32> {
    let at = |row: usize, column: usize| match (row + y).checked_sub(1).zip((column + x).checked_sub(1)) {
        Some((row, column)) if row < shape.height && column < shape.width => plane[row * shape.width + column],
        _ => 0.0,
    };
    (0..shape.height).flat_map(|row| (0..shape.width).map(move |column| at(row, column))).collect()
}

/// Running means of planes: bin i of `to` covers the planes ⌊i·from/to⌋ … ⌈(i+1)·from/to⌉ (PyTorch's
/// `adaptive_avg_pool1d`), so that a plane may lie in several.
struct Bins {
    from: usize,
    to: usize,
    seen: usize,
    sums: Vec<f32>,
}

impl Bins {
    fn new(from: usize, to: usize, positions: usize) -> Self {
        Bins { from, to, seen: 0, sums: vec![0.0; to * positions] }
    }

    /// Adds the next plane.
    fn push(&mut self, plane: &[f32]) {
        let bins = self.seen * self.to / self.from..((self.seen + 1) * self.to).div_ceil(self.from);
        for sums in self.sums[bins.start * plane.len()..bins.end * plane.len()].chunks_exact_mut(plane.len()) {
            sums.iter_mut().zip(plane).for_each(|(sum, v)| *sum += v);
        }
        self.seen += 1;
    }

    /// The means, `[to, positions]`.
    fn means(mut self) -> Vec<f32> {
        let positions = self.sums.len() / self.to;
        for (i, sums) in self.sums.chunks_exact_mut(positions).enumerate() {
            let count = ((i + 1) * self.from).div_ceil(self.to) - i * self.from / self.to;
            sums.iter_mut().for_each(|sum| *sum /= count as f32);
        }
        self.sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    // import torch, torch.nn.functional as F
    // w = lambda n, s, k: torch.sin(torch.arange(n, dtype=torch.float64) * (0.9 + 0.13 * s) + k).float()
    // maps = lambda s: [w(24, s, 0).reshape(1, 2, 3, 4), w(12, s, 2).reshape(1, 3, 2, 2)]
    // def patches(m):  # PatchMaker.patchify: [positions, channels, 3, 3], and the positions' rows and columns
    //     u = F.unfold(m, 3, padding=1).reshape(*m.shape[:2], 3, 3, -1).permute(0, 4, 1, 2, 3)
    //     return u[0], m.shape[2:]
    // def embed(maps, size):
    //     (first, (h, w)), *rest = [patches(m) for m in maps]
    //     layers = [first]
    //     for p, (a, b) in rest:
    //         p = p.reshape(a, b, *p.shape[1:]).permute(2, 3, 4, 0, 1)
    //         shape = p.shape
    //         p = F.interpolate(p.reshape(-1, 1, a, b), size=(h, w), mode="bilinear", align_corners=False)
    //         layers.append(p.reshape(*shape[:3], h, w).permute(3, 4, 0, 1, 2).reshape(h * w, *shape[:3]))
    //     pool = lambda l: F.adaptive_avg_pool1d(l.reshape(len(l), 1, -1), size).squeeze(1)
    //     return pool(torch.stack([pool(l) for l in layers], 1))
    // for size in (5, 20):
    //     e = embed(maps(0), size); print(e[0, :5], e[7, :5], e[11, -5:], e.double().abs().sum())
    #[test]
    fn pooled_embeddings_are_those_of_the_authors_functions_in_pytorch() {
        let shapes = [SHAPE, LayerShape { channels: 3, height: 2, width: 2 }];
        let mut values = wave(24);
        values.extend((0..12).map(|i| (f64::from(i) * 0.9 + 2.0).sin() as f32));
        for (size, rows, sum) in [(5, FIVE, 5.68438371643424), (20, TWENTY, 68.6408729421464)] {
            let out = embed_pooled(Features::new(&shapes, &values), size);
            assert_eq!(out.len(), 12 * size);
            for (at, row) in [0, 7 * size, 12 * size - 5].into_iter().zip(rows) {
                assert!(out[at..].iter().zip(row).all(|(v, w)| (v - w).abs() < 1e-6), "{:?} {row:?}", &out[at..at + 5]);
            }
            let got: f64 = out.iter().map(|v| f64::from(v.abs())).sum();
            assert!((got - sum).abs() < 1e-4, "{got} {sum}");
        }
    }

    const FIVE: [[f32; 5]; 3] = [
        [0.034080647, -0.3517983, 0.17076406, -0.079908974, -0.018285662],
        [-0.001578927, -0.017786313, 0.250408, 0.036957778, -0.16314769],
        [-0.047520757, -0.10298472, -0.038602874, 0.10932109, -0.25169152],
    ];
    const TWENTY: [[f32; 5]; 3] = [
        [0.0, 0.0, 0.19583173, 0.08520162, -0.8437777],
        [0.8372307, -0.08634616, -0.18478419, 0.091675274, -0.11438397],
        [0.22554295, 0.05572248, -0.31702766, -0.5075547, 0.0],
    ];
}
