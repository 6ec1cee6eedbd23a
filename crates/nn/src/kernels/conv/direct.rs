//! 3×3 convolutions by the definition: each is a matrix product whose left-hand rows are stretches of the padded image, so
//! nothing is unfolded.

use super::geometry::Conv;
use crate::kernels::Real;
use crate::kernels::gemm::{Packed, RowMap, cols_product, rows_product};
use crate::kernels::tile::Run;

impl Conv {
    /// `weight` `[o, c, 3, 3]` as the products of [`Conv::direct`] read it.
    pub fn direct_taps<F: Real>(&self, weight: &[F]) -> Packed<F> {
        let c = self.c;
        Packed::new(9 * c, self.o, weight, |k| k % c * 9 + k / c, 9 * c)
    }

    /// `y` `[n · oh · ow, o]` from framed input `x`.
    pub fn direct<F: Real>(&self, n: usize, x: &[F], taps: &Packed<F>, bias: Option<&[F]>, y: &mut [F]) {
        let (c, row) = (self.c, self.input().row());
        let runs = [0, 1, 2].map(|ky| Run { offset: ky * row, len: 3 * c });
        let y_map = RowMap::dense(self.o);
        rows_product(n * self.oh() * self.ow(), (x, &self.windows()), &runs, taps, bias, (y, &y_map));
    }

    /// The gradient `[3, 3, c, o]` of the weight, added to `sums`.
    pub fn direct_weight_gradient<F: Real>(&self, n: usize, x: &[F], dy: &[F], sums: &mut [F]) {
        let (c, row) = (self.c, self.input().row());
        let parts = [0, 1, 2].map(|ky| (ky * row, ky * 3 * c, 3 * c));
        let dy = (dy, &self.gradient().pixels());
        cols_product(n * self.oh() * self.ow(), (x, &self.windows()), &parts, dy, self.o, sums);
    }

    /// `weight` as the products of [`Conv::direct_input_gradient`] read it, by class of input pixels.
    pub fn direct_taps_back<F: Real>(&self, weight: &[F]) -> Vec<Packed<F>> {
        let (c, o) = (self.c, self.o);
        let pack = |class: usize| {
            let [ty, tx] = self.reach(class);
            let tap = |t: usize| ty[t / tx.len()].1 * 3 + tx[t % tx.len()].1;
            Packed::new(ty.len() * tx.len() * o, c, weight, |k| k % o * c * 9 + tap(k / o), 9)
        };
        (0..self.stride * self.stride).map(pack).collect()
    }

    /// The input's gradient `dx` `[n · h · w, c]` from the framed output gradient `dy`.
    pub fn direct_input_gradient<F: Real>(&self, n: usize, dy: &[F], taps: &[Packed<F>], dx: &mut [F]) {
        let (s, o, framed) = (self.stride, self.o, self.gradient());
        for (class, taps) in taps.iter().enumerate() {
            let (py, px) = (class / s, class % s);
            let (rows, cols) = ((self.h - py).div_ceil(s), (self.w - px).div_ceil(s));
            let [ty, tx] = self.reach(class);
            let runs: Vec<Run> = ty.iter().map(|t| Run { offset: t.0 * framed.row(), len: tx.len() * o }).collect();
            let from = framed.grid(rows, cols, |y, x| (y, x));
            let to = self.plain().grid(rows, cols, |y, x| (y * s + py, x * s + px));
            rows_product(n * rows * cols, (dy, &from), &runs, taps, None, (dx, &to));
        }
    }

    /// The taps, down and across, that reach input pixels of a class: (step in the framed gradient, index in the kernel).
    /// One class for stride 1; for stride 2 one for each parity of row and column, since which taps reach a pixel depends
    /// on it.
    fn reach(&self, class: usize) -> [&'static [(usize, usize)]; 2] {
        [class / self.stride, class % self.stride].map(|parity| match (self.stride, parity) {
            (1, _) => &[(0, 2), (1, 1), (2, 0)][..],
            (_, 0) => &[(0, 1)],
            _ => &[(0, 2), (1, 0)],
        })
    }
}
