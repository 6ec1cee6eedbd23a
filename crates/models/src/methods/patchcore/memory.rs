//! What PatchCore keeps of the references, and how a patch is looked up in it.

use zsad_backbones::LayerShape;
use zsad_core::Result;

use super::coreset::Coreset;
use super::ridge::Ridge;
use super::{Denoise, Distance, Lookup, PatchCore, denoise};
use crate::math::Points;
use crate::math::neighbours::{Neighbour, nearest};
use crate::math::points::squared_distance;

/// The references' patches, or one Gaussian of them.
pub(crate) enum Memory {
    /// Patches that are looked up.
    Patches {
        points: Points<f32>,
        /// What the distance to each is multiplied by; empty: 1.
        weights: Vec<f64>,
    },
    /// All of them at once.
    Gaussian(Ridge),
}

impl Memory {
    /// Of the patches of each reference.
    pub fn of(params: &PatchCore, images: &[Points<f32>], seed: u64) -> Result<Self> {
        let mut points = Points::concat(images);
        if params.lookup == Lookup::Gaussian {
            return Ok(Memory::Gaussian(Ridge::of(&points, params.ridge)?));
        }
        let mut weights = Vec::new();
        if params.denoise == Denoise::Lof {
            let all = denoise::weights(images, params.denoise_k)?;
            let kept = denoise::kept(&all, params.denoise_share);
            points = points.select(&kept);
            weights = kept.into_iter().map(|i| all[i]).collect();
        }
        let PatchCore { coreset: share, anchors, projection, .. } = *params;
        if let Some(chosen) = (Coreset { share, anchors, projection, seed }).chosen(&points) {
            points = points.select(&chosen);
            if !weights.is_empty() {
                weights = chosen.into_iter().map(|i| weights[i]).collect();
            }
        }
        Ok(Memory::Patches { points, weights })
    }

    /// The score of every patch of an image, whose first layer has this shape.
    pub fn scores(&self, params: &PatchCore, shape: LayerShape, patches: &Points<f32>) -> Vec<f64> {
        let measure = |squared: f64| match params.distance {
            Distance::Euclidean => squared.sqrt(),
            Distance::Squared => squared,
        };
        let (points, weights) = match self {
            Memory::Gaussian(ridge) => return ridge.squared(patches).into_iter().map(measure).collect(),
            Memory::Patches { points, weights } => (points, weights),
        };
        let mean = |near: &[Neighbour]| {
            let weight = |n: &Neighbour| weights.get(n.index).copied().unwrap_or(1.0);
            near.iter().map(|n| measure(n.squared) * weight(n)).sum::<f64>() / near.len() as f64
        };
        match params.window.number() {
            Some(cells) => {
                let within = |at: usize| mean(&within(points, shape, patches, at, cells, params.neighbours));
                (0..patches.len()).map(within).collect()
            }
            None => {
                let k = params.neighbours.min(points.len());
                nearest(points, patches, k, false).chunks_exact(k).map(mean).collect()
            }
        }
    }
}

/// The nearest `k` of the memory's patches that lie at most `cells` rows and columns away from the patch at position `at`; the
/// memory holds every patch of every reference.
fn within(
    memory: &Points<f32>,
    shape: LayerShape,
    patches: &Points<f32>,
    at: usize,
    cells: usize,
    k: usize,
) -> Vec<Neighbour> {
    let around = |at: usize, size: usize| at.saturating_sub(cells)..(at + cells + 1).min(size);
    let (rows, columns) = (around(at / shape.width, shape.height), around(at % shape.width, shape.width));
    let mut best: Vec<Neighbour> = Vec::with_capacity(k + 1);
    for image in (0..memory.len()).step_by(shape.positions()) {
        for cell in rows.clone().flat_map(|y| columns.clone().map(move |x| y * shape.width + x)) {
            let index = image + cell;
            let squared = squared_distance(patches.row(at), memory.row(index));
            // Of equally near ones the first, as among all.
            let place = best.partition_point(|b| b.squared <= squared);
            if place < k {
                best.truncate(k - 1);
                best.insert(place, Neighbour { index, squared });
            }
        }
    }
    best
}
