//! 3×3 convolutions of stride 1 by Winograd's minimal filtering, F(4×4, 3×3): a quarter of the products of the direct sums
//! (Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, CVPR 2016).
//!
//! Images are cut into tiles of 4×4 outputs. The 6×6 pixels that a tile sees and the weights are transformed to 36 values
//! by channel; at each of these 36 points a matrix product sums over channels (or, for the weight's gradient, over tiles),
//! and the sums are transformed back.

mod grid;

use super::geometry::Conv;
use crate::kernels::gemm::{Packed, RowMap, cols_product, rows_product};
use crate::kernels::simd::vectorised;
use crate::kernels::tile::Run;
use crate::kernels::{Real, scratch};
use grid::Grid;
use zsad_core::winograd::{SIDE, STEP, evaluate, gather, input_transform, scale, transform};

/// Products that take the place of a tile's 144.
const POINTS: usize = SIDE * SIDE;
/// Values between the matrices of two points: at multiples of a page all would fall in the same sets of the caches.
const GAP: usize = 16;
/// Fewest channels, of both sides, for which products outweigh the transforms of tiles.
const CHANNELS: usize = 48;
/// Fewest tiles for which products outweigh the transform of the weights.
const TILES: usize = 24;
/// Fewest outputs of a tile, on average: tiles that reach past small images compute in vain.
const OUTPUTS: usize = 10;

/// Whether it is faster than the direct sums for `n` images.
pub fn is_profitable(conv: &Conv, n: usize) -> bool {
    let tiles = Grid::new(conv).tiles();
    let filled = tiles * OUTPUTS <= conv.h * conv.w && n * tiles >= TILES;
    conv.stride == 1 && conv.c.min(conv.o) >= CHANNELS && filled
}

/// The matrices `[c, o]` of all points for `weight` `[o, c, 3, 3]`.
pub fn taps<F: Real>(conv: &Conv, weight: &[F]) -> Vec<Packed<F>> {
    let (c, o) = (conv.c, conv.o);
    assert!(weight.len() >= 9 * c * o);
    let mut taps = scratch::take(9 * c * o);
    // SAFETY: both hold o · c · 9 values, and the tiles fit this processor.
    unsafe { (F::tiles().transpose)(weight, [o, 9 * c], &mut taps, o) };
    transformed(c, o, &taps, |y, x| y * 3 + x)
}

/// Those of the input's gradient, `[o, c]`: a convolution with the kernels turned round and channels and filters exchanged.
pub fn taps_back<F: Real>(conv: &Conv, weight: &[F]) -> Vec<Packed<F>> {
    let (c, o) = (conv.c, conv.o);
    assert!(weight.len() >= 9 * c * o);
    let mut taps = scratch::take(9 * c * o);
    for (to, from) in taps.chunks_exact_mut(9 * c).zip(weight.chunks_exact(9 * c)) {
        // SAFETY: both hold c · 9 values, and the tiles fit this processor.
        unsafe { (F::tiles().transpose)(from, [c, 9], to, c) };
    }
    transformed(o, c, &taps, |y, x| 8 - y * 3 - x)
}

/// The distance between the matrices `[rows, c]` of two points.
fn stride(rows: usize, c: usize) -> usize {
    rows * c + GAP
}

/// Where row `i` of each point's matrix starts.
#[inline(always)]
fn row(i: usize, c: usize, stride: usize) -> impl Fn(usize, usize) -> Option<usize> {
    move |y, x| Some((y * SIDE + x) * stride + i * c)
}

/// Transformed weights, a matrix `[k, n]` for each point, from `[k, 9, n]`; `tap` is which of the nine is at (y, x).
fn transformed<F: Real>(k: usize, n: usize, taps: &[F], tap: impl Fn(usize, usize) -> usize) -> Vec<Packed<F>> {
    let stride = stride(k, n);
    let mut all = scratch::take(POINTS * stride);
    vectorised(
        #[inline(always)]
        || {
            for i in 0..k {
                let from = |y, x| Some((i * 9 + tap(y, x)) * n);
                transform(n, (taps, from), (&mut all, row(i, n, stride)), |w: [F; 3]| scale(evaluate(w)));
            }
        },
    );
    all.chunks_exact(stride).map(|point| Packed::new(k, n, point, |i| i * n, 1)).collect()
}

/// `y` `[n · h · w, o]` from framed `x` and transformed weights.
pub fn correlate<F: Real>(conv: &Conv, n: usize, x: &[F], weights: &[Packed<F>], y: &mut [F]) {
    let (c, o, grid) = (conv.c, conv.o, Grid::new(conv));
    let (block, blocks) = grid.blocks(n);
    let (before, after) = (stride(block, c), stride(block, o));
    let (mut values, mut sums) = (scratch::take(POINTS * before), scratch::take(POINTS * after));
    for tiles in blocks {
        vectorised(
            #[inline(always)]
            || {
                for (i, tile) in tiles.iter().enumerate() {
                    transform(c, (x, grid.framed(tile, 0, c)), (&mut values, row(i, c, before)), input_transform);
                }
            },
        );
        let points = values.chunks_exact(before).zip(sums.chunks_exact_mut(after));
        for (weight, (values, sums)) in weights.iter().zip(points) {
            let (runs, from, to) = ([Run { offset: 0, len: c }], RowMap::dense(c), RowMap::dense(o));
            rows_product(tiles.len(), (values, &from), &runs, weight, None, (sums, &to));
        }
        vectorised(
            #[inline(always)]
            || {
                for (i, tile) in tiles.iter().enumerate() {
                    transform(o, (&sums, row(i, o, after)), (y, grid.plain(tile, o)), gather::<F, STEP>);
                }
            },
        );
    }
}

/// The gradient `[3, 3, c, o]` of the weight from framed input `x` and framed output gradient `dy`: the sum over tiles of
/// Gᵀ [(Bᵀ x B) ⊙ (A dy Aᵀ)] G, whose outer transform is done once, on the sum.
pub fn weight_gradient<F: Real>(conv: &Conv, n: usize, x: &[F], dy: &[F], dweight: &mut [F]) {
    let (c, o, grid) = (conv.c, conv.o, Grid::new(conv));
    let (block, blocks) = grid.blocks(n);
    let [of_x, of_dy, of_weight] = [stride(block, c), stride(block, o), stride(c, o)];
    let (mut values, mut gradients) = (scratch::take(POINTS * of_x), scratch::take(POINTS * of_dy));
    let mut sums = scratch::zeros(POINTS * of_weight);
    for tiles in blocks {
        vectorised(
            #[inline(always)]
            || {
                for (i, tile) in tiles.iter().enumerate() {
                    transform(c, (x, grid.framed(tile, 0, c)), (&mut values, row(i, c, of_x)), input_transform);
                    let pixels = grid.framed(tile, 1, o);
                    transform(o, (dy, pixels), (&mut gradients, row(i, o, of_dy)), evaluate::<F, STEP>);
                }
            },
        );
        let points = values.chunks_exact(of_x).zip(gradients.chunks_exact(of_dy));
        for (sums, (values, gradients)) in sums.chunks_exact_mut(of_weight).zip(points) {
            let (a, b) = ((values, &RowMap::dense(c)), (gradients, &RowMap::dense(o)));
            cols_product(tiles.len(), a, &[(0, 0, c)], b, o, sums);
        }
    }
    vectorised(
        #[inline(always)]
        || {
            for i in 0..c {
                let to = |y, x| Some(((y * 3 + x) * c + i) * o);
                transform(o, (&sums, row(i, o, of_weight)), (dweight, to), |v| gather::<F, 3>(scale(v)));
            }
        },
    );
}

#[cfg(test)]
mod tests;
