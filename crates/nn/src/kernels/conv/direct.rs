//! 3×3 convolutions by the definition: each is a matrix product whose left-hand rows are stretches of the padded image, so
//! nothing is unfolded.

use super::geometry::Conv;
use crate::kernels::Real;
use crate::kernels::gemm::{Packed, RowMap, cols_product, rows_product};
use crate::kernels::tile::Run;

impl Conv {
    /// `y` `[n · oh · ow, o]` from framed input `x`; `weight` is `[o, c, 3, 3]`.
    pub fn direct<F: Real>(&self, n: usize, x: &[F], weight: &[F], bias: Option<&[F]>, y: &mut [F]) {
        let (c, row) = (self.c, self.input().row());
        let runs = [0, 1, 2].map(|ky| Run { offset: ky * row, len: 3 * c });
        let b = Packed::new(9 * c, self.o, weight, |k| k % c * 9 + k / c, 9 * c);
        let y_map = RowMap::dense(self.o);
        rows_product(n * self.oh() * self.ow(), (x, &self.windows()), &runs, &b, bias, (y, &y_map));
    }

    /// The gradient `[3, 3, c, o]` of the weight, added to `sums`.
    pub fn direct_weight_gradient<F: Real>(&self, n: usize, x: &[F], dy: &[F], sums: &mut [F]) {
        let (c, row) = (self.c, self.input().row());
        let parts = [0, 1, 2].map(|ky| (ky * row, ky * 3 * c, 3 * c));
        let dy = (dy, &self.gradient().pixels());
        cols_product(n * self.oh() * self.ow(), (x, &self.windows()), &parts, dy, self.o, sums);
    }

    /// The input's gradient `dx` `[n · h · w, c]` from the framed output gradient `dy`.
    pub fn direct_input_gradient<F: Real>(&self, n: usize, dy: &[F], weight: &[F], dx: &mut [F]) {
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
            let to = self.plain().grid(rows, cols, |y, x| (y * s + py, x * s + px));
            rows_product(n * rows * cols, (dy, &from), &runs, &b, None, (dx, &to));
        }
    }
}
