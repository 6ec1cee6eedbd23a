//! Norms with ReLU and max-pool, forward and backward, over rows (samples or pixels) of channels.

mod columns;
mod moments;
mod sample;

pub use columns::add_column_sums;
use columns::{column_sums, panel, panels};
pub use moments::{EPS, Moments};
pub use sample::sample_moments;

use super::Real;
use super::gemm::RowMap;
use super::simd::vectorised;

/// Rows to take the moments of at once: they are read twice while they are in the caches.
pub const BLOCK: usize = 256;

/// What follows a product, for rows with the same statistics.
#[derive(Clone, Copy)]
pub struct Tail<'a, F> {
    /// How many neighbouring channels share their statistics; 0 where these do not depend on the rows.
    pub shared: usize,
    /// Mean and 1/σ, `[c]` each: zeros and ones where there is no norm.
    pub moments: (&'a [F], &'a [F]),
    /// Gain and offset, `[c]` each: ones and zeros where there are none.
    pub affine: (&'a [F], &'a [F]),
    /// Whether ReLU follows.
    pub relu: bool,
    /// The image's `[height, width]` where a 2×2 max-pool follows.
    pub pool: Option<[usize; 2]>,
}

/// Where rows go.
type Rows<'a, F> = (&'a mut [F], &'a RowMap);

/// Gain, offset and floor (0 for ReLU, else −∞). NaN stays NaN.
#[inline(always)]
fn activate<F: Real>(v: F, gain: F, offset: F, floor: F) -> F {
    let v = v * gain + offset;
    if v < floor { floor } else { v }
}

impl<F: Real> Tail<'_, F> {
    fn floor(&self) -> F {
        F::of(if self.relu { 0.0 } else { f64::NEG_INFINITY })
    }

    /// Mean, 1/σ, gain and offset.
    fn constants(&self) -> [&[F]; 4] {
        [self.moments.0, self.moments.1, self.affine.0, self.affine.1]
    }

    /// Applies it to rows `y` `[n, c]`, into the rows of `out`. With a pool, `choice` (a byte for each pooled value) receives
    /// which of the four pixels was the largest: the first of equals.
    pub fn forward(&self, y: &[F], out: Rows<F>, choice: &mut [u8]) {
        vectorised(
            #[inline(always)]
            || match self.pool {
                None => self.rows(y, out),
                Some(size) => self.pooled(y, size, out, choice),
            },
        )
    }

    #[inline(always)]
    fn rows(&self, y: &[F], (out, map): Rows<F>) {
        let (c, floor) = (self.affine.0.len(), self.floor());
        panels(
            c,
            #[inline(always)]
            |col, w| {
                let [m, i, g, b] = self.constants().map(|k| panel(k, col, w));
                for (r, row) in y.chunks_exact(c).enumerate() {
                    let (row, at) = (&row[col..col + w], map.at(r) + col);
                    for (j, o) in out[at..at + w].iter_mut().enumerate() {
                        *o = activate((row[j] - m[j]) * i[j], g[j], b[j], floor);
                    }
                }
            },
        );
    }

    #[inline(always)]
    fn pooled(&self, y: &[F], size: [usize; 2], (out, map): Rows<F>, choice: &mut [u8]) {
        let (c, floor) = (self.affine.0.len(), self.floor());
        panels(
            c,
            #[inline(always)]
            |col, w| {
                let [m, i, g, b] = self.constants().map(|k| panel(k, col, w));
                for (r, choice) in choice.chunks_exact_mut(c).enumerate() {
                    let pixels = pooled_pixels(r, size).map(|p| &y[p * c + col..][..w]);
                    let at = map.at(r) + col;
                    for (j, (o, which)) in out[at..at + w].iter_mut().zip(&mut choice[col..col + w]).enumerate() {
                        let value = |p: usize| activate((pixels[p][j] - m[j]) * i[j], g[j], b[j], floor);
                        let mut best = (value(0), 0);
                        for p in 1..4 {
                            let v = value(p);
                            best = if v > best.0 { (v, p as u8) } else { best };
                        }
                        (*o, *which) = best;
                    }
                }
            },
        );
    }

    /// The gradient `d` `[n, c]` of the activations from that of the pooled ones, `dout`.
    pub fn unpool(&self, size: [usize; 2], dout: &[F], choice: &[u8], d: &mut [F]) {
        let c = self.affine.0.len();
        d.fill(F::ZERO);
        vectorised(
            #[inline(always)]
            || {
                for (r, (choice, o)) in choice.chunks_exact(c).zip(dout.chunks_exact(c)).enumerate() {
                    for (i, p) in pooled_pixels(r, size).into_iter().enumerate() {
                        for ((d, &o), &w) in d[p * c..(p + 1) * c].iter_mut().zip(o).zip(choice) {
                            *d = if usize::from(w) == i { o } else { F::ZERO };
                        }
                    }
                }
            },
        );
    }

    /// The gradient behind ReLU, and the normalised value: of gradient `d` and value `y` with its constants.
    #[inline(always)]
    fn behind(floor: F, d: F, y: F, [m, i, g, b]: [F; 4]) -> (F, F) {
        let hat = (y - m) * i;
        (if hat * g + b > floor { d } else { F::ZERO }, hat)
    }

    /// Adds to `sums` `[2 c]` the gradients of gain and offset: Σ d · hat and Σ d, where `d` `[n, c]` is the gradient of the
    /// activations of `y`.
    pub fn sums(&self, y: &[F], d: &[F], sums: &mut [f64]) {
        let (c, floor) = (self.affine.0.len(), self.floor());
        let all = vectorised(
            #[inline(always)]
            || {
                column_sums([d, y], self.constants(), c, |[d, y], constants| {
                    let (d, hat) = Self::behind(floor, d, y, constants);
                    [d * hat, d]
                })
            },
        );
        sums.iter_mut().zip(all.iter().flatten()).for_each(|(to, v)| *to += v);
    }

    /// Turns the gradient `d` `[n, c]` of the activations into that of `y`, some rows of a unit of so many, with the
    /// `sums` `[2 c]` of the whole unit.
    ///
    /// With d the gradient behind ReLU, the result is istd · gain · (d − mean d − hat · mean(d · hat)).
    pub fn backward(&self, y: &[F], d: &mut [F], rows: usize, sums: &[f64]) {
        if self.shared > 1 {
            return self.backward_across(y, d, rows, sums);
        }
        let (c, floor) = (self.affine.0.len(), self.floor());
        let means: Vec<F> = sums.iter().map(|s| F::of(if self.shared > 0 { s / rows as f64 } else { 0.0 })).collect();
        vectorised(
            #[inline(always)]
            || {
                panels(
                    c,
                    #[inline(always)]
                    |col, w| {
                        let [m, i, g, b] = self.constants().map(|k| panel(k, col, w));
                        let [mean_dh, mean_d] = [&means[..c], &means[c..]].map(|k| panel(k, col, w));
                        for (d, y) in d.chunks_exact_mut(c).zip(y.chunks_exact(c)) {
                            let (d, y) = (&mut d[col..col + w], &y[col..col + w]);
                            for j in 0..w {
                                let (passed, hat) = Self::behind(floor, d[j], y[j], [m[j], i[j], g[j], b[j]]);
                                d[j] = i[j] * g[j] * (passed - mean_d[j] - hat * mean_dh[j]);
                            }
                        }
                    },
                );
            },
        )
    }
}

impl<F: Real> Tail<'_, F> {
    /// As [`Tail::backward`] where channels share their statistics: the result is istd · (gain · d − m − hat · m'), with m and
    /// m' the means of gain · d and gain · d · hat over rows and channels.
    fn backward_across(&self, y: &[F], d: &mut [F], rows: usize, sums: &[f64]) {
        let (c, floor) = (self.affine.0.len(), self.floor());
        let mut means = vec![F::ZERO; 2 * c];
        let gains = self.affine.0.chunks_exact(self.shared).cycle();
        for ((to, sums), gains) in means.chunks_exact_mut(self.shared).zip(sums.chunks_exact(self.shared)).zip(gains) {
            let sum: f64 = sums.iter().zip(gains).map(|(s, g)| s * g.f64()).sum();
            to.fill(F::of(sum / (rows * self.shared) as f64));
        }
        vectorised(
            #[inline(always)]
            || {
                let [m, i, g, b] = self.constants();
                let (mean_dh, mean_d) = means.split_at(c);
                for (d, y) in d.chunks_exact_mut(c).zip(y.chunks_exact(c)) {
                    for j in 0..c {
                        let (passed, hat) = Self::behind(floor, d[j], y[j], [m[j], i[j], g[j], b[j]]);
                        d[j] = i[j] * (g[j] * passed - mean_d[j] - hat * mean_dh[j]);
                    }
                }
            },
        );
    }
}

/// The four pixels under pooled row `r` of images of `size`.
#[inline(always)]
fn pooled_pixels(r: usize, [h, w]: [usize; 2]) -> [usize; 4] {
    let (ph, pw) = (h / 2, w / 2);
    let first = r / (ph * pw) * h * w + r / pw % ph * 2 * w + r % pw * 2;
    [first, first + 1, first + w, first + w + 1]
}

/// ReLU in place. NaN stays NaN.
pub fn relu<F: Real>(y: &mut [F]) {
    vectorised(
        #[inline(always)]
        || y.iter_mut().for_each(|v| *v = if *v < F::ZERO { F::ZERO } else { *v }),
    );
}

/// The gradient `d` of what [`relu`] made `out`, in place.
pub fn relu_backward<F: Real>(out: &[F], d: &mut [F]) {
    vectorised(
        #[inline(always)]
        || d.iter_mut().zip(out).for_each(|(d, &v)| *d = if v > F::ZERO { *d } else { F::ZERO }),
    );
}
