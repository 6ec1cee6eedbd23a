//! What is known of a patch without training: how like a normal one it is, and what it differs by from one.

use zsad_backbones::LayerShape;
use zsad_backbones::features::FeatureStore;
use zsad_backbones::patches::{Neighbourhood, Upsampling, embed};
use zsad_core::{Result, SampleId};

use crate::math::Points;
use crate::math::neighbours::nearest;
use crate::methods::resad::residual::unit;

/// The patches of an image: one point a position of the first layer, the channels of all layers.
pub(super) fn patches(store: &FeatureStore, id: SampleId) -> Result<Points<f32>> {
    let channels = store.shapes().iter().map(|s| s.channels).sum();
    Ok(Points::from_values(embed(store.get(id)?, Neighbourhood::None, Upsampling::Bilinear), channels))
}

/// The patches of normal references.
pub(super) struct Normals {
    all: Points<f32>,
    /// Of unit length.
    unit: Points,
    /// With one value more, so that the longest product of them is the shortest distance; see [`Normals::nearest_by_product`].
    lifted: Points,
}

impl Normals {
    /// Of some images; one at least.
    pub fn new(images: &[Points<f32>]) -> Self {
        let all = Points::concat(images);
        let squared = |row: &[f32]| row.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>();
        let longest = all.rows().map(squared).fold(0.0, f64::max);
        let lift = |row: &[f32]| (longest - squared(row)).max(0.0).sqrt();
        let lifted = all.rows().flat_map(|row| row.iter().map(|&v| f64::from(v)).chain([lift(row)])).collect();
        let lifted = Points::from_values(lifted, all.dim() + 1);
        Normals { unit: unit(&all), all, lifted }
    }

    /// The greatest (1 + cos) / 2 of every patch with one of these.
    pub fn likeness(&self, patches: &Points<f32>) -> Vec<f64> {
        // Of unit vectors cos = 1 − |x − y|² / 2.
        nearest(&self.unit, &unit(patches), 1, false).into_iter().map(|near| 1.0 - near.squared / 4.0).collect()
    }

    /// What every patch differs by from the one of these with which its product is greatest, `[patches · channels]`: features
    /// are not brought to one length here, so that long ones attract.
    pub fn residuals(&self, patches: &Points<f32>) -> Vec<f32> {
        let nearest = self.nearest_by_product(patches);
        let pairs = patches.rows().zip(nearest).flat_map(|(row, i)| row.iter().zip(self.all.row(i)));
        pairs.map(|(x, y)| x - y).collect()
    }

    /// |(x, 0) − (y, √(L² − |y|²))|² = |x|² + L² − 2xy: the nearest is that of the greatest product.
    fn nearest_by_product(&self, patches: &Points<f32>) -> Vec<usize> {
        let lifted = patches.rows().flat_map(|row| row.iter().map(|&v| f64::from(v)).chain([0.0])).collect();
        let lifted = Points::from_values(lifted, patches.dim() + 1);
        nearest(&self.lifted, &lifted, 1, false).into_iter().map(|near| near.index).collect()
    }
}

/// Which cells of a grid hold anomalous pixels: one at least of a mask of `height` × `width`.
pub(super) fn cells((height, width): (usize, usize), mask: &[u8], grid: LayerShape) -> Vec<bool> {
    let mut cells = vec![false; grid.positions()];
    for (i, _) in mask.iter().enumerate().filter(|(_, m)| **m > 0) {
        let (y, x) = (i / width * grid.height / height, i % width * grid.width / width);
        cells[y * grid.width + x] = true;
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(n: usize, k: f64, f: fn(f64) -> f64) -> Points<f32> {
        Points::from_values((0..n).map(|i| f(k * i as f64) as f32).collect(), 3)
    }

    // import torch, torch.nn.functional as F; q = torch.sin(.7 * torch.arange(12.)).reshape(4, 3)
    // r = torch.cos(.4 * torch.arange(15.)).reshape(5, 3)
    // print(((1 + F.normalize(q) @ F.normalize(r).T) / 2).max(1)[0], (q @ r.T).argmax(1), (q - r[(q @ r.T).argmax(1)])[1])
    #[test]
    fn likeness_and_residuals_are_those_of_brute_force() {
        let (query, references) = (wave(12, 0.7, f64::sin), wave(15, 0.4, f64::cos));
        let normals = Normals::new(&[references]);
        let likeness = normals.likeness(&query);
        let want = [0.997370138, 0.910312595, 0.984132426, 0.997848984];
        assert!(likeness.iter().zip(want).all(|(l, w)| (l - w).abs() < 1e-6), "{likeness:?}");
        assert_eq!(normals.nearest_by_product(&query), [0, 0, 2, 0]);
        let residuals = normals.residuals(&query);
        let want = [-0.136790633, -0.586072844, -1.047489937];
        assert!(residuals[3..6].iter().zip(want).all(|(r, w)| (r - w).abs() < 1e-6), "{residuals:?}");
    }

    #[test]
    fn a_cell_is_anomalous_with_one_pixel() {
        let grid = LayerShape { channels: 9, height: 2, width: 3 };
        let mut mask = vec![0; 4 * 6];
        (mask[7], mask[23]) = (1, 1);
        assert_eq!(cells((4, 6), &mask, grid), [true, false, false, false, false, true]);
        // Rows and columns that do not divide.
        assert_eq!(
            cells((3, 4), &[0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0], grid),
            [true, false, false, false, false, false]
        );
    }
}
