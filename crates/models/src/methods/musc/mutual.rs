//! Mutual scoring, block by block: all patches of an image against all patches of every other one.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;
use zsad_backbones::LayerShape;
use zsad_backbones::maps::resize_bilinear_corners;
use zsad_core::{Result, SampleId};

use super::MuSc;
use super::patches::unit_patches;
use crate::families::features::View;
use crate::math::Points;
use crate::math::points::squared_distance;

/// Values that a block of images may take, patches and distances together: 256 MB.
const BLOCK: usize = 1 << 26;
/// Images that a block is compared with at once.
const OTHERS: usize = 16;
/// A cosine above this leaves too few digits to 2 − 2cos in single precision: such pairs are measured by their difference.
const NEAR: f32 = 0.999;

/// The part of a patch's sorted distances that is averaged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Interval {
    pub from: f64,
    pub to: f64,
}

impl Interval {
    /// The mean of the sorted distances from ⌊from · n⌋ to ⌊to · n⌋, one at least.
    fn mean(self, distances: &mut [f32]) -> f32 {
        let n = distances.len();
        let first = ((self.from * n as f64) as usize).min(n - 1);
        let end = ((self.to * n as f64) as usize).clamp(first + 1, n);
        distances.sort_unstable_by(f32::total_cmp);
        let sum: f64 = distances[first..end].iter().map(|&d| f64::from(d)).sum();
        (sum / (end - first) as f64) as f32
    }
}

/// The map of every image: the mean over the first `taps` layers and over neighbourhoods.
pub(super) fn maps(params: &MuSc, interval: Interval, batch: &View, taps: usize) -> Result<Vec<Vec<f32>>> {
    let (height, width) = batch.image();
    let mut maps = vec![vec![0f32; height * width]; batch.ids().len()];
    let shapes = &batch.store().shapes()[..taps];
    let share = 1.0 / (shapes.len() * params.r.len()) as f32;
    for (layer, &shape) in shapes.iter().enumerate() {
        let plane = LayerShape { channels: 1, ..shape };
        for &side in &params.r {
            let scoring = Scoring { params, interval, batch, layer, shape, side };
            for (first, scores) in scoring.blocks()? {
                maps[first..].par_iter_mut().zip(scores).for_each(|(map, scores)| {
                    let resized = resize_bilinear_corners(plane, &scores, height, width);
                    map.iter_mut().zip(resized).for_each(|(sum, v)| *sum += share * v);
                });
            }
        }
    }
    Ok(maps)
}

/// One layer and one size of neighbourhood.
struct Scoring<'a> {
    params: &'a MuSc,
    interval: Interval,
    batch: &'a View<'a>,
    layer: usize,
    shape: LayerShape,
    side: usize,
}

/// The first image of a block, and for each of its images a score for every patch.
type Scored = (usize, Vec<Vec<f32>>);

impl Scoring<'_> {
    fn blocks(&self) -> Result<Vec<Scored>> {
        let (n, positions) = (self.batch.ids().len(), self.shape.positions());
        let size = (BLOCK / (positions * (n + self.shape.channels))).clamp(1, n);
        (0..n).step_by(size).map(|first| Ok((first, self.block(first, size.min(n - first))?))).collect()
    }

    /// The patches of some images.
    fn patches(&self, ids: &[SampleId]) -> Result<Vec<Points<f32>>> {
        let of = |&id: &SampleId| {
            let (shape, map) = self.batch.store().get(id)?.layer(self.layer);
            Ok(unit_patches(shape, map, self.side, self.params.layer_norm))
        };
        ids.par_iter().map(of).collect()
    }

    /// The scores of the `size` images from `first` on. Memory: their patches and n distances for each.
    fn block(&self, first: usize, size: usize) -> Result<Vec<Vec<f32>>> {
        let (ids, positions) = (self.batch.ids(), self.shape.positions());
        let (n, own) = (ids.len(), first..first + size);
        let mine = self.patches(&ids[own.clone()])?;
        // [image of the block][other image][patch]
        let mut distances: Vec<Vec<f32>> = vec![vec![0f32; n * positions]; size];
        // A product of two images of the block serves both.
        for i in 0..size {
            let pairs: Vec<_> =
                mine[i + 1..].par_iter().map_init(Vec::new, |space, other| nearest(&mine[i], other, space)).collect();
            for (j, (forth, back)) in (i + 1..size).zip(pairs) {
                distances[i][(first + j) * positions..][..positions].copy_from_slice(&forth);
                distances[j][(first + i) * positions..][..positions].copy_from_slice(&back);
            }
        }
        let outside: Vec<usize> = (0..n).filter(|j| !own.contains(j)).collect();
        for others in outside.chunks(OTHERS) {
            let theirs = self.patches(&others.iter().map(|&j| ids[j]).collect::<Vec<_>>())?;
            distances.par_iter_mut().zip(&mine).for_each_init(Vec::new, |space, (distances, patches)| {
                for (&j, other) in others.iter().zip(&theirs) {
                    let (forth, _) = nearest(patches, other, space);
                    distances[j * positions..][..positions].copy_from_slice(&forth);
                }
            });
        }
        let scores = distances.par_iter().enumerate().map(|(i, distances)| {
            let others = |p: usize| (0..n).filter(move |&j| j != first + i).map(move |j| distances[j * positions + p]);
            (0..positions).map(|p| self.interval.mean(&mut others(p).collect::<Vec<_>>())).collect()
        });
        Ok(scores.collect())
    }
}

/// For every patch of `a` the distance to the nearest patch of `b`, and the other way round; both of unit length. `space` is
/// kept from pair to pair.
fn nearest(a: &Points<f32>, b: &Points<f32>, space: &mut Vec<f32>) -> (Vec<f32>, Vec<f32>) {
    let (m, n, d) = (a.len(), b.len(), a.dim());
    space.resize(m * n, 0.0);
    let (rows, columns) =
        (MatRef::from_row_major_slice(a.values(), m, d), MatRef::from_column_major_slice(b.values(), d, n));
    matmul(MatMut::from_column_major_slice_mut(space, m, n), Accum::Replace, rows, columns, 1.0, Par::Seq);
    let mut of_a = vec![f32::NEG_INFINITY; m];
    let mut of_b = Vec::with_capacity(n);
    for column in space.chunks_exact(m) {
        of_a.iter_mut().zip(column).for_each(|(best, &v)| *best = if v > *best { v } else { *best });
        of_b.push(greatest(column));
    }
    let forth = |(p, &cosine): (usize, &f32)| {
        let at = || (0..n).find(|q| space[q * m + p] == cosine).map(|q| squared_distance(a.row(p), b.row(q)));
        distance(cosine, at)
    };
    let back = |(q, &cosine): (usize, &f32)| {
        let at = || (0..m).find(|p| space[q * m + p] == cosine).map(|p| squared_distance(a.row(p), b.row(q)));
        distance(cosine, at)
    };
    (of_a.iter().enumerate().map(forth).collect(), of_b.iter().enumerate().map(back).collect())
}

/// Several running maxima, so that the loop over them is wide.
fn greatest(values: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; 16];
    let chunks = values.chunks_exact(16);
    let rest = chunks.remainder().iter().fold(f32::NEG_INFINITY, |m, &v| if v > m { v } else { m });
    for chunk in chunks {
        lanes.iter_mut().zip(chunk).for_each(|(m, &v)| *m = if v > *m { v } else { *m });
    }
    lanes.into_iter().fold(rest, |m, v| if v > m { v } else { m })
}

/// Of two points of unit length; `exact` is their squared distance by differences.
fn distance(cosine: f32, exact: impl FnOnce() -> Option<f64>) -> f32 {
    let squared = if cosine > NEAR { exact() } else { None };
    squared.map_or_else(|| (2.0 - 2.0 * cosine).max(0.0).sqrt(), |squared| squared.sqrt() as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_of_the_sorted_distances_is_averaged() {
        let mean = |from, to| Interval { from, to }.mean(&mut [0.5, 0.1, 0.55, 0.12, 0.6, 0.13]);
        assert!((mean(0.0, 0.5) - 0.116_666_667).abs() < 1e-7 && (mean(0.5, 1.0) - 0.55).abs() < 1e-7);
        assert_eq!((mean(0.0, 0.1), mean(0.9, 1.0), mean(0.2, 0.3)), (0.1, 0.6, 0.12));
    }

    #[test]
    fn nearest_patches_are_those_of_all_differences() {
        let unit = |n: usize, k: f64| {
            let row = |i: usize| {
                let row: Vec<f64> = (0..5).map(|j| (k * (5 * i + j) as f64).sin()).collect();
                let norm = row.iter().map(|v| v * v).sum::<f64>().sqrt();
                row.into_iter().map(move |v| (v / norm) as f32)
            };
            Points::from_values((0..n).flat_map(row).collect(), 5)
        };
        let (a, b) = (unit(37, 0.7), unit(50, 0.4));
        let b = Points::concat([&b, &a.select(&[3])]);
        let brute = |x: &Points<f32>, y: &Points<f32>| -> Vec<f64> {
            let least = |row: &[f32]| y.rows().map(|o| squared_distance(row, o)).fold(f64::INFINITY, f64::min);
            x.rows().map(|row| least(row).sqrt()).collect()
        };
        let (forth, back) = nearest(&a, &b, &mut Vec::new());
        for (found, wanted) in [(forth, brute(&a, &b)), (back, brute(&b, &a))] {
            assert_eq!(found.len(), wanted.len());
            assert!(found.iter().zip(wanted).all(|(f, w)| (f64::from(*f) - w).abs() < 1e-5));
        }
        assert_eq!(nearest(&a, &b, &mut Vec::new()).0[3], 0.0, "an equal patch is at distance 0 exactly");
    }
}
