//! Dense convolution as an implicit matrix product: no patch matrix is built, windows are read where they lie.

use rayon::prelude::*;

use crate::activation::{Activation, LANES, SharedMut};
use crate::kernels::{MR, Tile, kernels};

/// How a window is placed at the edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Padding {
    /// So many zeros on every side (PyTorch).
    Zeros(usize),
    /// As many as make `ceil(size / stride)` outputs, the odd one behind (TensorFlow's `SAME`).
    Same,
}

/// Size, stride and padding of a window.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    pub kernel: usize,
    pub stride: usize,
    pub padding: Padding,
}

impl Window {
    /// Outputs along an axis of `size`, and the zeros before its first element.
    pub fn outputs(&self, size: usize) -> (usize, usize) {
        match self.padding {
            Padding::Zeros(p) => ((size + 2 * p - self.kernel) / self.stride + 1, p),
            Padding::Same => {
                let out = size.div_ceil(self.stride);
                (out, ((out - 1) * self.stride + self.kernel).saturating_sub(size) / 2)
            }
        }
    }

    /// Whether all windows on `src` lie inside its buffer, padding included.
    pub fn fits(&self, src: &Activation) -> bool {
        [src.h, src.w].into_iter().all(|size| {
            let (out, before) = self.outputs(size);
            let end = (out - 1) * self.stride + self.kernel;
            before <= src.border && end <= size + before + src.border
        })
    }
}

/// What is done to the sums before they are stored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Act {
    Linear,
    Relu,
    Relu6,
}

impl Act {
    /// The range that values are clamped to.
    pub fn range(self) -> (f32, f32) {
        match self {
            Act::Linear => (f32::NEG_INFINITY, f32::INFINITY),
            Act::Relu => (0.0, f32::INFINITY),
            Act::Relu6 => (0.0, 6.0),
        }
    }
}

/// Tiles that one task computes at a time; with it, the offsets of their pixels are found once for all channels.
const CHUNK: usize = 16;
/// Work of one task, about: multiply-adds.
const TASK: usize = 16 << 20;

/// A dense convolution with its weights packed in blocks of 32 output channels (the last one may have 16).
#[derive(Debug)]
pub(crate) struct Conv {
    pub window: Window,
    pub cin: usize,
    pub cout: usize,
    packed: Vec<f32>,
    bias: Vec<f32>,
}

impl Conv {
    /// `weight` is `[cout, cin, k, k]`, each output channel is multiplied by `scale` and gets `bias` added.
    pub fn new(window: Window, cin: usize, cout: usize, weight: &[f32], scale: &[f32], bias: &[f32]) -> Self {
        let taps = window.kernel * window.kernel;
        let lanes = cout.next_multiple_of(LANES);
        let mut packed = vec![0f32; lanes * taps * cin];
        let mut block = packed.as_mut_slice();
        for first in (0..lanes).step_by(2 * LANES) {
            let width = (lanes - first).min(2 * LANES);
            let (this, rest) = block.split_at_mut(width * taps * cin);
            for oc in first..cout.min(first + width) {
                for ic in 0..cin {
                    for tap in 0..taps {
                        this[(tap * cin + ic) * width + oc - first] = weight[(oc * cin + ic) * taps + tap] * scale[oc];
                    }
                }
            }
            block = rest;
        }
        let mut padded = bias.to_vec();
        padded.resize(lanes, 0.0);
        Conv { window, cin, cout, packed, bias: padded }
    }

    /// `dst = act(conv(src) + add)`; `add` has `dst`'s shape. `dst` is given its shape here.
    pub fn run(&self, src: &Activation, dst: &mut Activation, add: Option<&Activation>, border: usize, act: Act) {
        let (oh, top) = self.window.outputs(src.h);
        let (ow, left) = self.window.outputs(src.w);
        dst.reset(src.n, oh, ow, self.cout, border);
        assert!(src.c == self.cin && self.window.fits(src), "a window reads beyond its input");
        let layout = |a: &Activation| (a.n, a.h, a.w, a.c, a.stride, a.border);
        assert!(add.is_none_or(|a| layout(a) == layout(dst)), "what is added has another layout");
        let k = self.window.kernel;
        let (taps, inner): (Vec<usize>, usize) = if src.stride == self.cin {
            ((0..k).map(|ky| ky * src.row_stride()).collect(), k * self.cin)
        } else {
            let tap = |i: usize| i / k * src.row_stride() + i % k * src.stride;
            ((0..k * k).map(tap).collect(), self.cin)
        };
        let depth = taps.len() * inner;
        let (low, high) = act.range();
        let (narrow, wide) = kernels();
        let pixels = src.n * oh * ow;
        let blocks = self.bias.len().div_ceil(2 * LANES);
        let per_task = (TASK / (CHUNK * MR * 2 * LANES * depth)).clamp(1, blocks);
        let chunks = pixels.div_ceil(CHUNK * MR);
        let out = SharedMut(dst.data.as_mut_ptr());
        let dst = &*dst;
        // Neighbouring tasks share the same weights. Every output value belongs to one task alone and is summed in
        // one fixed order, so the result does not depend on the threads.
        (0..blocks.div_ceil(per_task) * chunks).into_par_iter().for_each(|task| {
            let (group, chunk) = (task / chunks, task % chunks);
            let offsets = Offsets::new(self, src, dst, (top, left), chunk * CHUNK * MR, pixels);
            for block in group * per_task..((group + 1) * per_task).min(blocks) {
                let oc = block * 2 * LANES;
                let run = if self.bias.len() - oc > LANES { wide } else { narrow };
                for (from, to) in offsets.tiles() {
                    let added = add.map(|a| to.map(|at| a.data.as_ptr().wrapping_add(at)));
                    let tile = Tile {
                        src: &from.map(|at| src.data.as_ptr().wrapping_add(at)),
                        taps: &taps,
                        inner,
                        weights: self.packed[oc * depth..].as_ptr(),
                        bias: self.bias[oc..].as_ptr(),
                        dst: &to.map(|at| out.get().wrapping_add(at)),
                        add: added.as_ref(),
                        oc,
                        low,
                        high,
                    };
                    // SAFETY: `Offsets` keeps windows and output pixels inside their buffers (the border covers the
                    // padding: asserted above); `add` has the layout of `dst`; (pixel, block) pairs are disjoint
                    // between tasks.
                    unsafe { run(&tile) };
                }
            }
        });
    }
}

/// Where the windows and the outputs of a chunk of pixels lie.
struct Offsets {
    tiles: [([usize; MR], [usize; MR]); CHUNK],
    len: usize,
}

impl Offsets {
    /// Up to `CHUNK · MR` output pixels from number `first` on, counted over all images; the last tile of all repeats
    /// its last pixel.
    fn new(
        conv: &Conv,
        src: &Activation,
        dst: &Activation,
        (top, left): (usize, usize),
        first: usize,
        pixels: usize,
    ) -> Self {
        let count = (pixels - first).min(CHUNK * MR);
        let mut offsets = Offsets { tiles: [([0; MR], [0; MR]); CHUNK], len: count.div_ceil(MR) };
        let (mut x, rest) = (first % dst.w, first / dst.w);
        let (mut y, mut n) = (rest % dst.h, rest / dst.h);
        let s = conv.window.stride;
        let mut last = (0, 0);
        for i in 0..offsets.len * MR {
            if i < count {
                let corner = src.origin(n) - top * src.row_stride() - left * src.stride;
                last = (
                    corner + y * s * src.row_stride() + x * s * src.stride,
                    dst.origin(n) + y * dst.row_stride() + x * dst.stride,
                );
                x += 1;
                if x == dst.w {
                    (x, y) = (0, y + 1);
                }
                if y == dst.h {
                    (y, n) = (0, n + 1);
                }
            }
            let tile = &mut offsets.tiles[i / MR];
            (tile.0[i % MR], tile.1[i % MR]) = last;
        }
        offsets
    }

    fn tiles(&self) -> &[([usize; MR], [usize; MR])] {
        &self.tiles[..self.len]
    }
}
