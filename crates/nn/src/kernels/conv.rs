//! 3×3 convolutions with padding 1 on channels-last images.
//!
//! Where Winograd's form is faster, it takes the place of the direct sums; what differs is rounding alone.

mod direct;
mod geometry;
mod layout;
mod winograd;

use super::gemm::Packed;
use super::{Real, scratch};
pub use geometry::Conv;
pub use layout::{channels_first, channels_last, unfold};

/// A weight as products read it, for many images.
pub enum Taps<F: Real> {
    /// For direct sums: one matrix for each class of output pixels.
    Direct(Vec<Packed<F>>),
    /// For Winograd's form: one matrix for each point.
    Winograd(Vec<Packed<F>>),
}

impl Conv {
    /// `weight` `[o, c, 3, 3]` for the outputs of `n` images in all.
    pub fn taps<F: Real>(&self, n: usize, weight: &[F]) -> Taps<F> {
        if winograd::is_profitable(self, n) {
            Taps::Winograd(winograd::taps(self, weight))
        } else {
            Taps::Direct(vec![self.direct_taps(weight)])
        }
    }

    /// `weight` for the input gradients of `n` images in all.
    pub fn taps_back<F: Real>(&self, n: usize, weight: &[F]) -> Taps<F> {
        if winograd::is_profitable(self, n) {
            Taps::Winograd(winograd::taps_back(self, weight))
        } else {
            Taps::Direct(self.direct_taps_back(weight))
        }
    }

    /// `y` `[n · oh · ow, o]` from framed input `x` of some of the images.
    pub fn forward<F: Real>(&self, n: usize, x: &[F], taps: &Taps<F>, bias: Option<&[F]>, y: &mut [F]) {
        match taps {
            Taps::Direct(taps) => taps.iter().for_each(|taps| self.direct(n, x, taps, bias, y)),
            Taps::Winograd(taps) => {
                winograd::correlate(self, n, x, taps, y);
                if let Some(bias) = bias {
                    y.chunks_exact_mut(self.o).for_each(|row| row.iter_mut().zip(bias).for_each(|(y, &b)| *y = *y + b));
                }
            }
        }
    }

    /// Adds to `dweight` `[o, c, 3, 3]` the gradient over some of the images, from framed input `x` and framed output
    /// gradient `dy`, in Winograd's form or by direct sums.
    pub fn weight_gradient<F: Real>(&self, n: usize, x: &[F], dy: &[F], winograd: bool, dweight: &mut [F]) {
        let c = self.c;
        let mut sums = scratch::zeros(9 * c * self.o);
        if winograd {
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

    /// The input's gradient `dx` `[n · h · w, c]` from the framed output gradient `dy` of some of the images, with
    /// [`Conv::taps_back`].
    pub fn input_gradient<F: Real>(&self, n: usize, dy: &[F], taps: &Taps<F>, dx: &mut [F]) {
        match taps {
            Taps::Direct(taps) => self.direct_input_gradient(n, dy, taps, dx),
            Taps::Winograd(taps) => winograd::correlate(&self.turned(), n, dy, taps, dx),
        }
    }

    /// Whether `n` images in all take Winograd's form.
    pub fn is_winograd(&self, n: usize) -> bool {
        winograd::is_profitable(self, n)
    }
}
