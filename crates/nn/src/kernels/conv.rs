//! 3×3 convolutions with padding 1 on channels-last images.
//!
//! Where Winograd's form is faster, it takes the place of the direct sums; what differs is rounding alone.

mod direct;
mod geometry;
mod layout;
mod winograd;

use super::{Real, scratch};
pub use geometry::Conv;
pub use layout::{channels_first, channels_last, unfold};

impl Conv {
    /// `y` `[n · oh · ow, o]` from framed input `x`; `weight` is `[o, c, 3, 3]`.
    pub fn forward<F: Real>(&self, n: usize, x: &[F], weight: &[F], bias: Option<&[F]>, y: &mut [F]) {
        if !winograd::is_profitable(self, n) {
            return self.direct(n, x, weight, bias, y);
        }
        winograd::forward(self, n, x, weight, y);
        if let Some(bias) = bias {
            y.chunks_exact_mut(self.o).for_each(|row| row.iter_mut().zip(bias).for_each(|(y, &b)| *y = *y + b));
        }
    }

    /// Adds to `dweight` `[o, c, 3, 3]` the gradient, from framed input `x` and framed output gradient `dy`.
    pub fn weight_gradient<F: Real>(&self, n: usize, x: &[F], dy: &[F], dweight: &mut [F]) {
        let c = self.c;
        let mut sums = scratch::zeros(9 * c * self.o);
        if winograd::is_profitable(self, n) {
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

    /// The input's gradient `dx` `[n · h · w, c]` from the framed output gradient `dy`.
    pub fn input_gradient<F: Real>(&self, n: usize, dy: &[F], weight: &[F], dx: &mut [F]) {
        if winograd::is_profitable(self, n) {
            winograd::input_gradient(self, n, dy, weight, dx);
        } else {
            self.direct_input_gradient(n, dy, weight, dx);
        }
    }
}
