//! Depthwise convolution and max pooling: each channel by itself, blocks of channels side by side in registers.

use rayon::prelude::*;
use zsad_core::Simd;

use crate::activation::{Activation, LANES, SharedMut};
use crate::conv::{Act, Window};

/// A depthwise convolution with weights as `[k·k, lanes]`.
#[derive(Debug)]
pub(crate) struct Depthwise {
    pub window: Window,
    channels: usize,
    weights: Vec<f32>,
    bias: Vec<f32>,
}

impl Depthwise {
    /// `weight` is `[channels, 1, k, k]`, each channel is multiplied by `scale` and gets `bias` added.
    pub fn new(window: Window, channels: usize, weight: &[f32], scale: &[f32], bias: &[f32]) -> Self {
        assert!(matches!(window.kernel, 3 | 5) && matches!(window.stride, 1 | 2), "no kernel for {window:?}");
        let (taps, lanes) = (window.kernel * window.kernel, channels.next_multiple_of(LANES));
        let mut weights = vec![0f32; taps * lanes];
        for c in 0..channels {
            for tap in 0..taps {
                weights[tap * lanes + c] = weight[c * taps + tap] * scale[c];
            }
        }
        let mut padded = bias.to_vec();
        padded.resize(lanes, 0.0);
        Depthwise { window, channels, weights, bias: padded }
    }

    /// `dst = act(conv(src))`; `dst` is given its shape here.
    pub fn run(&self, src: &Activation, dst: &mut Activation, border: usize, act: Act) {
        let rows = Rows::new(self.window, src, dst, self.channels, border);
        let (low, high) = act.range();
        rows.for_each(|line| {
            let line = DepthwiseRow { weights: &self.weights, bias: &self.bias, low, high, line };
            match (self.window.kernel, self.window.stride) {
                (3, 1) => line.dispatch::<3, 1>(),
                (3, _) => line.dispatch::<3, 2>(),
                (_, 1) => line.dispatch::<5, 1>(),
                _ => line.dispatch::<5, 2>(),
            }
        });
    }
}

/// Max pooling of non-negative values; the zero border then acts as the padding with −∞ that pooling is defined with.
pub(crate) fn max_pool(window: Window, src: &Activation, dst: &mut Activation, border: usize) {
    let rows = Rows::new(window, src, dst, src.c, border);
    rows.for_each(|line| {
        for block in 0..line.lanes / LANES {
            for x in 0..line.width {
                let mut best = [0f32; LANES];
                for ky in 0..window.kernel {
                    for kx in 0..window.kernel {
                        let at = ky * line.src_row + (x * window.stride + kx) * line.src_pixel + block * LANES;
                        let pixel: &[f32; LANES] = line.src_at(at);
                        for (best, value) in best.iter_mut().zip(pixel) {
                            *best = best.max(*value);
                        }
                    }
                }
                line.store(x * line.dst_pixel + block * LANES, &best);
            }
        }
    });
}

/// The output rows of a windowed operation, as tasks.
struct Rows<'a> {
    src: &'a Activation,
    shape: (usize, usize, usize),
    window: Window,
    lanes: usize,
    out: SharedMut,
    dst_origin: Vec<usize>,
    dst_row: usize,
    dst_pixel: usize,
}

/// One output row and the input rows of its windows.
#[derive(Clone, Copy)]
struct Line<'a> {
    /// From the first window's first value on.
    src: &'a [f32],
    src_row: usize,
    src_pixel: usize,
    dst: SharedMut,
    dst_pixel: usize,
    width: usize,
    lanes: usize,
}

impl<'a> Rows<'a> {
    fn new(window: Window, src: &'a Activation, dst: &mut Activation, channels: usize, border: usize) -> Self {
        let (oh, ow) = (window.outputs(src.h).0, window.outputs(src.w).0);
        let lanes = channels.next_multiple_of(LANES);
        // What every read of `Line` relies on.
        assert!(src.stride >= lanes && window.fits(src), "a window reads beyond its input");
        dst.reset(src.n, oh, ow, channels, border);
        Rows {
            src,
            shape: (src.n, oh, ow),
            window,
            lanes,
            out: SharedMut(dst.data.as_mut_ptr()),
            dst_origin: (0..src.n).map(|n| dst.origin(n)).collect(),
            dst_row: dst.row_stride(),
            dst_pixel: dst.stride,
        }
    }

    fn for_each(&self, run: impl Fn(Line) + Sync) {
        let (n, oh, ow) = self.shape;
        let (top, left) = (self.window.outputs(self.src.h).1, self.window.outputs(self.src.w).1);
        (0..n * oh).into_par_iter().with_min_len(4).for_each(|row| {
            let (image, y) = (row / oh, row % oh);
            let corner = self.src.origin(image) - top * self.src.row_stride() - left * self.src.stride;
            run(Line {
                src: &self.src.data[corner + y * self.window.stride * self.src.row_stride()..],
                src_row: self.src.row_stride(),
                src_pixel: self.src.stride,
                dst: SharedMut(self.out.get().wrapping_add(self.dst_origin[image] + y * self.dst_row)),
                dst_pixel: self.dst_pixel,
                width: ow,
                lanes: self.lanes,
            });
        });
    }
}

impl Line<'_> {
    #[inline(always)]
    fn src_at(&self, at: usize) -> &[f32; LANES] {
        debug_assert!(at + LANES <= self.src.len());
        // SAFETY: the border covers the padding (asserted in `Rows::new`), so every window of the row lies inside the
        // buffer, and so do all lanes of a pixel.
        unsafe { &*self.src.as_ptr().add(at).cast() }
    }

    #[inline(always)]
    fn store(&self, at: usize, values: &[f32; LANES]) {
        // SAFETY: a row is one task's alone, and `at` lies inside it: x < width, channel < lanes ≤ pixel stride.
        unsafe { *self.dst.get().add(at).cast() = *values }
    }
}

struct DepthwiseRow<'a> {
    weights: &'a [f32],
    bias: &'a [f32],
    low: f32,
    high: f32,
    line: Line<'a>,
}

impl DepthwiseRow<'_> {
    fn dispatch<const K: usize, const S: usize>(&self) {
        match Simd::current() {
            // SAFETY: what is chosen the processor has.
            #[cfg(target_arch = "x86_64")]
            Simd::Avx512 => unsafe { self.avx512::<K, S>() },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Simd::Avx2 => unsafe { self.avx2::<K, S>() },
            _ => self.run::<K, S, false>(),
        }
    }

    /// # Safety
    /// The processor must have AVX-512F.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,fma")]
    unsafe fn avx512<const K: usize, const S: usize>(&self) {
        self.run::<K, S, true>();
    }

    /// # Safety
    /// The processor must have AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn avx2<const K: usize, const S: usize>(&self) {
        self.run::<K, S, true>();
    }

    #[inline(always)]
    fn run<const K: usize, const S: usize, const FMA: bool>(&self) {
        for block in 0..self.line.lanes / LANES {
            let mut x = 0;
            while x + 4 <= self.line.width {
                self.pixels::<K, S, 4, FMA>(x, block * LANES);
                x += 4;
            }
            while x < self.line.width {
                self.pixels::<K, S, 1, FMA>(x, block * LANES);
                x += 1;
            }
        }
    }

    /// `N` neighbouring outputs of one block of channels from `channel` on: what their windows share is read once.
    #[inline(always)]
    fn pixels<const K: usize, const S: usize, const N: usize, const FMA: bool>(&self, x: usize, channel: usize) {
        let line = &self.line;
        let mut acc = [[0f32; LANES]; N];
        for ky in 0..K {
            for kx in 0..K {
                let weights = &self.weights[(ky * K + kx) * line.lanes + channel..][..LANES];
                for (i, acc) in acc.iter_mut().enumerate() {
                    let pixel = line.src_at(ky * line.src_row + ((x + i) * S + kx) * line.src_pixel + channel);
                    for ((acc, a), w) in acc.iter_mut().zip(pixel).zip(weights) {
                        *acc = if FMA { a.mul_add(*w, *acc) } else { *acc + a * w };
                    }
                }
            }
        }
        for (i, acc) in acc.iter_mut().enumerate() {
            for (acc, bias) in acc.iter_mut().zip(&self.bias[channel..channel + LANES]) {
                *acc = (*acc + bias).max(self.low).min(self.high);
            }
            line.store((x + i) * line.dst_pixel + channel, acc);
        }
    }
}
