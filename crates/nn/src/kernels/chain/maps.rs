//! The products of a chain's maps, forward and backward, for some of the samples.

use std::sync::Arc;

use super::Chain;
use super::kept::{self, Key};
use super::pixels::{mean_backward, pixel_order};
use crate::kernels::Real;
use crate::kernels::conv::Taps;
use crate::kernels::gemm::{Packed, RowMap, cols_product, rows_product};
use crate::kernels::scratch;
use crate::kernels::stage::{Map, Source};
use crate::kernels::tile::Run;

/// A stage's weight as its product reads it.
pub enum Weights<F: Real> {
    /// There is no product.
    None,
    /// A matrix.
    Matrix(Packed<F>),
    /// A convolution's.
    Taps(Taps<F>),
}

impl Chain {
    /// The weight of stage `i` for its product, over so many samples in all.
    pub(super) fn weights<F: Real>(&self, i: usize, samples: usize, weight: &[F]) -> Arc<Weights<F>> {
        kept::once(self.key(i, samples, weight, false), || self.new_weights(i, samples, weight))
    }

    /// The same for the gradient of its input; nothing where that is not wanted.
    pub(super) fn weights_back<F: Real>(&self, i: usize, samples: usize, weight: &[F]) -> Arc<Weights<F>> {
        if i == 0 && !self.input_gradient {
            return Arc::new(Weights::None);
        }
        kept::once(self.key(i, samples, weight, true), || self.new_weights_back(i, samples, weight))
    }

    fn key<F: Real>(&self, i: usize, samples: usize, weight: &[F], back: bool) -> Key {
        let (address, map, unfolds) = (weight.as_ptr().addr(), self.stages[i].map, self.unfolds(i).is_some());
        Key { address, map, samples, back, unfolds }
    }

    fn new_weights<F: Real>(&self, i: usize, samples: usize, weight: &[F]) -> Weights<F> {
        let c = self.stages[i].channels();
        match (self.stages[i].map, self.unfolds(i)) {
            (_, Some(conv)) => Weights::Matrix(Packed::transposed(conv.c * 9, c, weight)),
            (Map::Conv(conv), None) => Weights::Taps(conv.taps(samples, weight)),
            (Map::Linear { input, source, .. }, None) => {
                Weights::Matrix(Packed::transposed(input, c, &pixel_order(weight, input, source, false)))
            }
            (Map::Given(_), None) => Weights::None,
        }
    }

    fn new_weights_back<F: Real>(&self, i: usize, samples: usize, weight: &[F]) -> Weights<F> {
        match self.stages[i].map {
            Map::Conv(conv) => Weights::Taps(conv.taps_back(samples, weight)),
            Map::Linear { input: k, source, .. } => {
                let weight = pixel_order(weight, k, source, false);
                Weights::Matrix(Packed::new(self.stages[i].channels(), k, &weight, |o| o * k, 1))
            }
            Map::Given(_) => Weights::None,
        }
    }

    /// The rows `y` of stage `i`'s map for `n` samples.
    pub(super) fn product<F: Real>(
        &self,
        i: usize,
        n: usize,
        input: &[F],
        weights: &Weights<F>,
        bias: Option<&[F]>,
        y: &mut [F],
    ) {
        let c = self.stages[i].channels();
        match (weights, self.stages[i].map) {
            (Weights::Taps(taps), Map::Conv(conv)) => conv.forward(n, input, taps, bias, y),
            (Weights::Matrix(b), _) => {
                let rows = n * self.stages[i].pixels();
                let k = input.len() / rows;
                rows_product(
                    rows,
                    (input, &RowMap::dense(k)),
                    &[Run { offset: 0, len: k }],
                    b,
                    bias,
                    (y, &RowMap::dense(c)),
                );
            }
            _ => y.copy_from_slice(input),
        }
    }

    /// Adds to `dweight` the gradient of stage `i`'s weight over `n` samples, and writes that of its input, as the stage
    /// before gives it, to `dx`, where `weights` ([`Chain::weights_back`]) are there. `dy` is the gradient of its rows.
    #[allow(clippy::too_many_arguments, reason = "the operands of both products")]
    pub(super) fn map_backward<F: Real>(
        &self,
        i: usize,
        [n, samples]: [usize; 2],
        input: &[F],
        dy: &[F],
        weights: &Weights<F>,
        dweight: &mut [F],
        dx: &mut [F],
    ) {
        let c = self.stages[i].channels();
        let dense = RowMap::dense(c);
        let rows = n * self.stages[i].pixels();
        if self.unfolds(i).is_some() {
            let k = input.len() / rows;
            cols_product(rows, (dy, &dense), &[(0, 0, c)], (input, &RowMap::dense(k)), k, dweight);
            return;
        }
        match self.stages[i].map {
            Map::Given(_) => dx.copy_from_slice(dy),
            Map::Conv(conv) => {
                let framed = conv.gradient();
                let mut dy_framed = scratch::zeros(n * framed.len());
                let map = framed.pixels();
                for (r, row) in dy.chunks_exact(c).enumerate() {
                    let at = map.at(r);
                    dy_framed[at..at + c].copy_from_slice(row);
                }
                conv.weight_gradient(n, input, &dy_framed, conv.is_winograd(samples), dweight);
                if let Weights::Taps(taps) = weights {
                    conv.input_gradient(n, &dy_framed, taps, dx);
                }
            }
            Map::Linear { input: k, source, .. } => {
                let b = (input, &RowMap::dense(k));
                if let Source::Flatten(_) = source {
                    let mut sums = scratch::zeros(c * k);
                    cols_product(n, (dy, &dense), &[(0, 0, c)], b, k, &mut sums);
                    let ordered = pixel_order(&sums, k, source, true);
                    dweight.iter_mut().zip(&*ordered).for_each(|(to, &v)| *to = *to + v);
                } else {
                    cols_product(n, (dy, &dense), &[(0, 0, c)], b, k, dweight);
                }
                let Weights::Matrix(b) = weights else { return };
                let runs = [Run { offset: 0, len: c }];
                if let Source::Mean(pixels) = source {
                    let mut d = scratch::take(n * k);
                    rows_product(n, (dy, &dense), &runs, b, None, (&mut d, &RowMap::dense(k)));
                    mean_backward(&d, k, pixels, dx);
                } else {
                    rows_product(n, (dy, &dense), &runs, b, None, (dx, &RowMap::dense(k)));
                }
            }
        }
    }
}
