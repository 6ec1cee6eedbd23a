//! Softmax attention of one head of one image, in its three forms.

use super::pointwise::exponentials;
use super::product::{Left, Panels, pack_columns, pack_rows, product};
use crate::activation::{LANES, SharedMut};

/// Queries at a time: their similarities with all keys stay in the second-level cache.
const QUERIES: usize = 48;

zsad_core::choices! {
    /// What is compared with what; values are always averaged.
    pub enum Attention {
        /// Queries with keys.
        QueryKey = "query_key",
        /// Values with values (CLIP Surgery, AnomalyCLIP).
        Value = "value",
        /// The sum of three: queries with queries, keys with keys, values with values (Crane).
        Each = "each",
    }
}

impl Attention {
    /// Parts of a row of [`Attend::qkv`] that are compared: 0 queries, 1 keys, 2 values.
    fn pairs(self) -> &'static [(usize, usize)] {
        match self {
            Attention::QueryKey => &[(0, 1)],
            Attention::Value => &[(2, 2)],
            Attention::Each => &[(0, 0), (1, 1), (2, 2)],
        }
    }
}

/// One head of one image.
pub(crate) struct Attend<'a> {
    /// `[tokens, 3 width]`: queries, keys and values of all heads.
    pub qkv: &'a [f32],
    pub tokens: usize,
    pub width: usize,
    /// Values of a head, a multiple of 16.
    pub head_width: usize,
    pub head: usize,
    /// Whether a token sees those before it and itself alone.
    pub causal: bool,
}

impl Attend<'_> {
    /// Tokens in whole vectors.
    fn lanes(&self) -> usize {
        self.tokens.next_multiple_of(LANES)
    }

    /// Values that [`Attend::run`] wants as its `space`.
    pub fn space(&self) -> usize {
        let (lanes, dim) = (self.lanes(), self.head_width);
        lanes * dim + self.tokens * dim + QUERIES * (lanes + dim) + lanes.max(dim)
    }

    /// Writes the head's columns of `out`, the image's `[tokens, width]`. `space` may hold anything.
    ///
    /// # Safety
    /// `out` must hold the image's tokens, and nobody else may use the head's columns meanwhile.
    pub unsafe fn run(&self, attention: Attention, space: &mut [f32], out: SharedMut) {
        let (t, dim, lanes, stride) = (self.tokens, self.head_width, self.lanes(), 3 * self.width);
        let (keys, rest) = space.split_at_mut(lanes * dim);
        let (values, rest) = rest.split_at_mut(t * dim);
        let (similarities, rest) = rest.split_at_mut(QUERIES * lanes);
        let (means, zeros) = rest.split_at_mut(QUERIES * dim);
        zeros.fill(0.0);
        let part = |part: usize| &self.qkv[part * self.width + self.head * dim..];
        let of = part(2);
        pack_rows(values, (t, dim), |k| &of[k * stride..][..dim]);
        let scale = 1.0 / (dim as f32).sqrt();
        for (number, &(queries, with)) in attention.pairs().iter().enumerate() {
            let (from, to) = (part(queries), part(with));
            pack_columns(keys, (dim, t), |j| &to[j * stride..]);
            for first in (0..t).step_by(QUERIES) {
                let rows = QUERIES.min(t - first);
                let a = Left { values: &from[first * stride..], stride, taps: &[0], inner: dim };
                product(rows, a, Panels { values: keys, bias: &zeros[..lanes] }, similarities, lanes);
                let mut sums = [0f32; QUERIES];
                for (r, (row, sum)) in similarities.chunks_exact_mut(lanes).zip(&mut sums).enumerate().take(rows) {
                    *sum = exponentials(row, if self.causal { first + r + 1 } else { t }, scale);
                }
                let a = Left { values: similarities, stride: lanes, taps: &[0], inner: t };
                product(rows, a, Panels { values, bias: &zeros[..dim] }, means, dim);
                for (r, (mean, sum)) in means.chunks_exact(dim).zip(sums).enumerate().take(rows) {
                    let share = 1.0 / sum;
                    // SAFETY: row `first + r` of the image, columns of this head: this task's alone.
                    let to = unsafe {
                        let at = out.get().add((first + r) * self.width + self.head * dim);
                        std::slice::from_raw_parts_mut(at, dim)
                    };
                    if number == 0 {
                        to.fill(0.0);
                    }
                    to.iter_mut().zip(mean).for_each(|(to, v)| *to += v * share);
                }
            }
        }
    }
}
