//! Geometry of 3×3 convolutions with padding 1 on channels-last images: each is a matrix product whose left-hand rows
//! are stretches of the padded image, so nothing is unfolded.
//!
//! Where Winograd's form is faster, it takes the place of these direct sums; what differs is rounding alone.

use super::gemm::{Packed, RowMap, cols_product, rows_product};
use super::tile::Run;
use super::{Real, scratch, winograd};

/// A 3×3 convolution of images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conv {
    /// Input channels.
    pub c: usize,
    /// Filters.
    pub o: usize,
    /// Input height.
    pub h: usize,
    /// Input width.
    pub w: usize,
    /// 1 or 2.
    pub stride: usize,
}

/// Channels-last images `[h, w, c]` inside a frame of zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Framed {
    h: usize,
    w: usize,
    c: usize,
    /// Zeros above and to the left, and below and to the right.
    frame: (usize, usize),
}

impl Framed {
    /// Values of an image with its frame.
    pub fn len(&self) -> usize {
        (self.h + self.frame.0 + self.frame.1) * self.row()
    }

    fn row(&self) -> usize {
        (self.w + self.frame.0 + self.frame.1) * self.c
    }

    /// Where the pixels lie.
    pub fn pixels(&self) -> RowMap {
        let f = self.frame.0;
        self.grid(self.h, self.w, |y, x| (y + f, x + f))
    }

    /// Offsets, in the framed image, of what `at` says for each pixel of an `h` × `w` grid.
    fn grid(&self, h: usize, w: usize, at: impl Fn(usize, usize) -> (usize, usize)) -> RowMap {
        let offset = |(y, x): (usize, usize)| y * self.row() + x * self.c;
        let image = (0..h).flat_map(|y| (0..w).map(move |x| (y, x))).map(|(y, x)| offset(at(y, x))).collect();
        RowMap { image, stride: self.len() }
    }
}

impl Conv {
    /// Output height.
    pub fn oh(&self) -> usize {
        (self.h - 1) / self.stride + 1
    }

    /// Output width.
    pub fn ow(&self) -> usize {
        (self.w - 1) / self.stride + 1
    }

    /// How the input must lie.
    pub fn input(&self) -> Framed {
        Framed { h: self.h, w: self.w, c: self.c, frame: (1, 1) }
    }

    /// How the output's gradient must lie.
    pub fn gradient(&self) -> Framed {
        let frame = if self.stride == 1 { (1, 1) } else { (0, 1) };
        Framed { h: self.oh(), w: self.ow(), c: self.o, frame }
    }

    /// Where the window of each output pixel starts in the framed input.
    fn windows(&self) -> RowMap {
        self.input().grid(self.oh(), self.ow(), |y, x| (y * self.stride, x * self.stride))
    }

    /// `y` `[n · oh · ow, o]` from framed input `x`; `weight` is `[o, c, 3, 3]`.
    pub fn forward<F: Real>(&self, n: usize, x: &[F], weight: &[F], bias: Option<&[F]>, y: &mut [F]) {
        if !winograd::pays(self, n) {
            return self.direct(n, x, weight, bias, y);
        }
        winograd::forward(self, n, x, weight, y);
        if let Some(bias) = bias {
            y.chunks_exact_mut(self.o).for_each(|row| row.iter_mut().zip(bias).for_each(|(y, &b)| *y = *y + b));
        }
    }

    /// As [`Conv::forward`], by the definition.
    pub(super) fn direct<F: Real>(&self, n: usize, x: &[F], weight: &[F], bias: Option<&[F]>, y: &mut [F]) {
        let (c, row) = (self.c, self.input().row());
        let runs = [0, 1, 2].map(|ky| Run { offset: ky * row, len: 3 * c });
        let b = Packed::new(9 * c, self.o, weight, |k| k % c * 9 + k / c, 9 * c);
        let y_map = RowMap::dense(self.o);
        rows_product(n * self.oh() * self.ow(), (x, &self.windows()), &runs, &b, bias, (y, &y_map));
    }

    /// Adds to `dweight` `[o, c, 3, 3]` the gradient, from framed input `x` and framed output gradient `dy`.
    pub fn weight_gradient<F: Real>(&self, n: usize, x: &[F], dy: &[F], dweight: &mut [F]) {
        let c = self.c;
        let mut sums = scratch::zeros(9 * c * self.o);
        if winograd::pays(self, n) {
            winograd::weight_gradient(self, n, x, dy, &mut sums);
        } else {
            self.direct_weight_gradient(n, x, dy, &mut sums);
        }
        for (k, row) in sums.chunks_exact(self.o).enumerate() {
            for (to, &v) in dweight[k % c * 9 + k / c..].iter_mut().step_by(9 * c).zip(row) {
                *to = *to + v;
            }
        }
    }

    /// The gradient `[3, 3, c, o]` of the weight, by the definition, added to `sums`.
    pub(super) fn direct_weight_gradient<F: Real>(&self, n: usize, x: &[F], dy: &[F], sums: &mut [F]) {
        let (c, row) = (self.c, self.input().row());
        let parts = [0, 1, 2].map(|ky| (ky * row, ky * 3 * c, 3 * c));
        let dy = (dy, &self.gradient().pixels());
        cols_product(n * self.oh() * self.ow(), (x, &self.windows()), &parts, dy, self.o, sums);
    }

    /// The input's gradient `dx` `[n · h · w, c]` from the framed output gradient `dy`.
    pub fn input_gradient<F: Real>(&self, n: usize, dy: &[F], weight: &[F], dx: &mut [F]) {
        if winograd::pays(self, n) {
            winograd::input_gradient(self, n, dy, weight, dx);
        } else {
            self.direct_input_gradient(n, dy, weight, dx);
        }
    }

    /// As [`Conv::input_gradient`], by the definition.
    pub(super) fn direct_input_gradient<F: Real>(&self, n: usize, dy: &[F], weight: &[F], dx: &mut [F]) {
        let (c, o, framed) = (self.c, self.o, self.gradient());
        // One class of input pixels for stride 1; for stride 2 one for each parity of row and column, since which taps
        // reach a pixel depends on it. A tap: (step in the framed gradient, index in the kernel).
        let taps = |parity: usize| match (self.stride, parity) {
            (1, _) => vec![(0, 2), (1, 1), (2, 0)],
            (_, 0) => vec![(0, 1)],
            _ => vec![(0, 2), (1, 0)],
        };
        let s = self.stride;
        for (py, px) in (0..s * s).map(|i| (i / s, i % s)) {
            let (rows, cols) = ((self.h - py).div_ceil(s), (self.w - px).div_ceil(s));
            let (ty, tx) = (taps(py), taps(px));
            let runs: Vec<Run> = ty.iter().map(|t| Run { offset: t.0 * framed.row(), len: tx.len() * o }).collect();
            let tap = |t: usize| ty[t / tx.len()].1 * 3 + tx[t % tx.len()].1;
            let b = Packed::new(ty.len() * tx.len() * o, c, weight, |k| k % o * c * 9 + tap(k / o), 9);
            let from = framed.grid(rows, cols, |y, x| (y, x));
            let plain = Framed { h: self.h, w: self.w, c, frame: (0, 0) };
            let to = plain.grid(rows, cols, |y, x| (y * s + py, x * s + px));
            rows_product(n * rows * cols, (dy, &from), &runs, &b, None, (dx, &to));
        }
    }
}

/// Copies `[n, c, pixels]` into channels-last pixels at `map`.
pub fn channels_last<F: Real>(x: &[F], c: usize, pixels: usize, (out, map): (&mut [F], &RowMap)) {
    for (i, image) in x.chunks_exact(c * pixels).enumerate() {
        for p in 0..pixels {
            let at = map.at(i * pixels + p);
            for (j, o) in out[at..at + c].iter_mut().enumerate() {
                *o = image[j * pixels + p];
            }
        }
    }
}

/// Copies channels-last pixels `[n · pixels, c]` into `[n, c, pixels]`.
pub fn channels_first<F: Real>(x: &[F], c: usize, pixels: usize, out: &mut [F]) {
    for (image, out) in x.chunks_exact(c * pixels).zip(out.chunks_exact_mut(c * pixels)) {
        for (p, pixel) in image.chunks_exact(c).enumerate() {
            for (j, &v) in pixel.iter().enumerate() {
                out[j * pixels + p] = v;
            }
        }
    }
}

/// Unfolds `[n, c, h, w]` into rows `[n · oh · ow, c · 9]` in the order of a weight's `[c, 3, 3]`: for images of few
/// channels, whose stretches would be too short.
pub fn unfold<F: Real>(conv: &Conv, x: &[F], out: &mut [F]) {
    let (c, h, w) = (conv.c, conv.h, conv.w);
    let mut rows = out.chunks_exact_mut(9 * c);
    for image in x.chunks_exact(c * h * w) {
        for (y, x) in (0..conv.oh()).flat_map(|y| (0..conv.ow()).map(move |x| (y * conv.stride, x * conv.stride))) {
            let Some(row) = rows.next() else { return };
            for (k, out) in row.iter_mut().enumerate() {
                // One is added to both, so that the frame above and to the left stays a natural number.
                let (iy, ix) = (y + k / 3 % 3, x + k % 3);
                let inside = (1..=h).contains(&iy) && (1..=w).contains(&ix);
                *out = if inside { image[(k / 9 * h + iy - 1) * w + ix - 1] } else { F::ZERO };
            }
        }
    }
}
