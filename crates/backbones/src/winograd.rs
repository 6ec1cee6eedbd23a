//! 3×3 convolutions of stride 1 by Winograd's F(4×4, 3×3): 36 products of matrices over channels take the place of the 144
//! that the direct sums of 16 outputs take (Lavin and Gray, CVPR 2016). The transforms are those of training's kernels.
//!
//! Which way a convolution is computed depends on the network alone, and every tile is summed by itself in one fixed order:
//! an image's features depend neither on its neighbours in the batch nor on the threads.

use rayon::prelude::*;
use zsad_core::simd::vectorised;
use zsad_core::winograd::{SIDE, STEP, evaluate, gather, input_transform, scale, transform};

use crate::activation::{Activation, LANES, SharedMut};
use crate::conv::{Act, Padding, Window};
use crate::kernels::{MR, Tile, kernels};

const POINTS: usize = SIDE * SIDE;
/// Fewest channels, of both sides, for which products outweigh the transforms.
const CHANNELS: usize = 64;
/// Values of a block's transformed pixels and sums, about: the second-level cache holds them beside the weights at work.
const BLOCK: usize = 1 << 20;

/// A convolution with its transformed weights, for each of the 36 points in blocks of 32 output channels (the last one may
/// have 16).
#[derive(Debug)]
pub(crate) struct Winograd {
    pub window: Window,
    pub cin: usize,
    pub cout: usize,
    weights: Vec<f32>,
    bias: Vec<f32>,
}

/// Where a tile's outputs begin: image, row, column.
type Corner = (usize, usize, usize);

impl Winograd {
    /// Whether a convolution is computed this way.
    pub fn applies(window: Window, cin: usize, cout: usize) -> bool {
        let is_plain = window.kernel == 3 && window.stride == 1 && window.padding == Padding::Zeros(1);
        is_plain && cin.min(cout) >= CHANNELS && cin.is_multiple_of(LANES)
    }

    /// As [`Conv::new`](crate::conv::Conv::new), of a convolution that it [applies](Winograd::applies) to.
    pub fn new(window: Window, cin: usize, cout: usize, weight: &[f32], factor: &[f32], bias: &[f32]) -> Self {
        let lanes = cout.next_multiple_of(LANES);
        let mut weights = vec![0f32; POINTS * lanes * cin];
        for oc in 0..cout {
            // The block of this channel, and its place in it.
            let first = oc / (2 * LANES) * 2 * LANES;
            let width = (lanes - first).min(2 * LANES);
            for ic in 0..cin {
                let taps = &weight[(oc * cin + ic) * 9..][..9];
                let tap = |y: usize, x: usize| f64::from(taps[3 * y + x]) * f64::from(factor[oc]);
                let columns: [[f64; SIDE]; 3] =
                    std::array::from_fn(|x| scale(evaluate([tap(0, x), tap(1, x), tap(2, x)])));
                let [left, middle, right] = columns;
                for (y, ((a, b), c)) in left.into_iter().zip(middle).zip(right).enumerate() {
                    let row = scale(evaluate([a, b, c]));
                    for (x, value) in row.into_iter().enumerate() {
                        let at = (y * SIDE + x) * lanes * cin + first * cin + ic * width + oc - first;
                        weights[at] = value as f32;
                    }
                }
            }
        }
        let mut padded = bias.to_vec();
        padded.resize(lanes, 0.0);
        Winograd { window, cin, cout, weights, bias: padded }
    }

    /// As [`Conv::run`](crate::conv::Conv::run).
    pub fn run(&self, src: &Activation, dst: &mut Activation, add: Option<&Activation>, border: usize, act: Act) {
        dst.reset(src.n, src.h, src.w, self.cout, border);
        assert_eq!(src.c, self.cin, "the channels of a convolution's input");
        let layout = |a: &Activation| (a.n, a.h, a.w, a.c, a.stride, a.border);
        assert!(add.is_none_or(|a| layout(a) == layout(dst)), "what is added has another layout");
        let (down, across) = (src.h.div_ceil(STEP), src.w.div_ceil(STEP));
        let tiles = src.n * down * across;
        let per_tile = POINTS * (self.cin + self.bias.len());
        // Blocks of equal size, so that none is left nearly empty.
        let most = (BLOCK / per_tile / MR).clamp(1, 4) * MR;
        let block = tiles.div_ceil(tiles.div_ceil(most).max(1)).next_multiple_of(MR).max(MR);
        let corner =
            |tile: usize| -> Corner { (tile / (down * across), tile / across % down * STEP, tile % across * STEP) };
        let out = SharedMut(dst.data.as_mut_ptr());
        let dst = &*dst;
        (0..tiles.div_ceil(block)).into_par_iter().for_each_init(Buffers::default, |buffers, number| {
            let corners: Vec<Corner> = (number * block..tiles.min((number + 1) * block)).map(corner).collect();
            self.pixels(src, &corners, block, buffers);
            self.products(corners.len(), block, buffers);
            self.outputs(&corners, (dst, out), add, act, buffers);
        });
    }

    /// The pixels under each tile, transformed: a matrix `[tiles, cin]` a point.
    fn pixels(&self, src: &Activation, corners: &[Corner], block: usize, buffers: &mut Buffers) {
        let (stride, point) = sizes(self.cin, block);
        buffers.values.resize(POINTS * point, 0.0);
        let values = &mut buffers.values;
        vectorised(
            #[inline(always)]
            || {
                for (i, &(image, top, left)) in corners.iter().enumerate() {
                    let from = |y: usize, x: usize| {
                        let (y, x) = ((top + y).checked_sub(1)?, (left + x).checked_sub(1)?);
                        let inside = y < src.h && x < src.w;
                        inside.then(|| src.origin(image) + y * src.row_stride() + x * src.stride)
                    };
                    let to = |y: usize, x: usize| Some((y * SIDE + x) * point + i * stride);
                    transform(self.cin, (&src.data, from), (values, to), input_transform);
                }
            },
        );
    }

    /// The products of all points: matrices `[tiles, lanes]`, in which rows past the last tile hold nothing that is read.
    fn products(&self, tiles: usize, block: usize, buffers: &mut Buffers) {
        let lanes = self.bias.len();
        let ((from_stride, from_point), (to_stride, to_point)) = (sizes(self.cin, block), sizes(lanes, block));
        buffers.sums.resize(POINTS * to_point, 0.0);
        let (narrow, wide) = kernels();
        let zeros = [0f32; 2 * LANES];
        let sums = buffers.sums.as_mut_ptr();
        for point in 0..POINTS {
            for oc in (0..lanes).step_by(2 * LANES) {
                let run = if lanes - oc > LANES { wide } else { narrow };
                for first in (0..tiles).step_by(MR) {
                    let row = |i: usize| &buffers.values[point * from_point + (first + i) * from_stride..];
                    let to = |i: usize| sums.wrapping_add(point * to_point + (first + i) * to_stride);
                    let tile = Tile {
                        src: &std::array::from_fn(|i| row(i).as_ptr()),
                        taps: &[0],
                        inner: self.cin,
                        weights: self.weights[(point * lanes + oc) * self.cin..].as_ptr(),
                        bias: zeros.as_ptr(),
                        dst: &std::array::from_fn(to),
                        add: None,
                        oc,
                        low: f32::NEG_INFINITY,
                        high: f32::INFINITY,
                    };
                    // SAFETY: a block has MR rows of `cin` values and of `lanes` sums from `first` on at each point; the
                    // weights of a point's block are `cin` rows of its lanes.
                    unsafe { run(&tile) };
                }
            }
        }
    }

    /// The sums of each tile, transformed back, with bias, addend and activation.
    fn outputs(
        &self,
        corners: &[Corner],
        (dst, out): (&Activation, SharedMut),
        add: Option<&Activation>,
        act: Act,
        buffers: &mut Buffers,
    ) {
        let lanes = self.bias.len();
        let (stride, point) = sizes(lanes, buffers.sums.len() / POINTS / (lanes + LANES));
        let (low, high) = act.range();
        buffers.outputs.resize(STEP * STEP * lanes, 0.0);
        let (sums, outputs) = (&buffers.sums, &mut buffers.outputs);
        vectorised(
            #[inline(always)]
            || {
                for (i, &(image, top, left)) in corners.iter().enumerate() {
                    let from = |y: usize, x: usize| Some((y * SIDE + x) * point + i * stride);
                    let to = |y: usize, x: usize| Some((y * STEP + x) * lanes);
                    transform(lanes, (sums, from), (outputs, to), gather::<f32, STEP>);
                    for (y, x) in (0..STEP).flat_map(|y| (0..STEP).map(move |x| (y, x))) {
                        if top + y >= dst.h || left + x >= dst.w {
                            continue;
                        }
                        let at = dst.origin(image) + (top + y) * dst.row_stride() + (left + x) * dst.stride;
                        // SAFETY: the pixel lies inside `dst` and holds `lanes` values; each belongs to one tile, and
                        // each tile to one task.
                        let pixel = unsafe { std::slice::from_raw_parts_mut(out.get().add(at), lanes) };
                        let sums = &outputs[(y * STEP + x) * lanes..][..lanes];
                        match add {
                            Some(add) => {
                                let added = &add.data[at..][..lanes];
                                for (c, value) in pixel.iter_mut().enumerate() {
                                    *value = (sums[c] + self.bias[c] + added[c]).max(low).min(high);
                                }
                            }
                            None => {
                                for (c, value) in pixel.iter_mut().enumerate() {
                                    *value = (sums[c] + self.bias[c]).max(low).min(high);
                                }
                            }
                        }
                    }
                }
            },
        );
    }
}

/// What one task works in.
#[derive(Default)]
struct Buffers {
    values: Vec<f32>,
    sums: Vec<f32>,
    outputs: Vec<f32>,
}

/// The distances of a matrix's rows of `c` values and of the matrices of two points: none is a multiple of a page, for all
/// rows would fall into the same sets of the caches.
fn sizes(c: usize, rows: usize) -> (usize, usize) {
    (c + LANES, rows * (c + LANES))
}
