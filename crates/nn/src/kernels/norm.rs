//! Batch-statistics norm with ReLU and max-pool, forward and backward, over rows (samples or pixels) of channels.

use super::gemm::RowMap;
use super::simd::vectorised;
use super::{Real, scratch};

/// Added to the variance.
const EPS: f64 = 1e-5;
/// Rows summed in the values' own precision before they are added up in f64.
const STRIP: usize = 64;

/// Sums over rows of what `add(row, sums)` adds, by channel.
#[inline(always)]
fn column_sums<F: Real>(n: usize, c: usize, mut add: impl FnMut(usize, &mut [F])) -> Vec<f64> {
    let mut total = vec![0.0; c];
    let mut strip = scratch::take(c);
    for start in (0..n).step_by(STRIP) {
        strip.fill(F::ZERO);
        for r in start..n.min(start + STRIP) {
            add(r, &mut strip);
        }
        for (t, s) in total.iter_mut().zip(strip.iter()) {
            *t += s.f64();
        }
    }
    total
}

/// Replaces rows `y` `[n, c]` by (y − mean) / √(var + 1e-5), biased; `istd` `[c]` receives the factor.
pub fn standardise<F: Real>(y: &mut [F], istd: &mut [F]) {
    vectorised(
        #[inline(always)]
        || {
            let c = istd.len();
            let n = y.len() / c;
            let sums = column_sums(n, c, |r, sums: &mut [F]| {
                for (s, &v) in sums.iter_mut().zip(&y[r * c..(r + 1) * c]) {
                    *s = *s + v;
                }
            });
            let mean: Vec<F> = sums.iter().map(|s| F::of(s / n as f64)).collect();
            let squares = column_sums(n, c, |r, sums: &mut [F]| {
                for ((s, &v), &m) in sums.iter_mut().zip(&y[r * c..(r + 1) * c]).zip(&mean) {
                    *s = *s + (v - m) * (v - m);
                }
            });
            for (i, s) in istd.iter_mut().zip(&squares) {
                *i = F::of(1.0 / (s / n as f64 + EPS).sqrt());
            }
            for row in y.chunks_exact_mut(c) {
                for ((v, &m), &i) in row.iter_mut().zip(&mean).zip(istd.iter()) {
                    *v = (*v - m) * i;
                }
            }
        },
    )
}

/// What follows the normalisation.
#[derive(Clone, Copy)]
pub struct Tail<'a, F> {
    /// Gain and offset, `[c]` each: ones and zeros where there are none.
    pub affine: (&'a [F], &'a [F]),
    /// Whether ReLU follows.
    pub relu: bool,
    /// The image's `[height, width]` where a 2×2 max-pool follows.
    pub pool: Option<[usize; 2]>,
}

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

    /// Applies it to normalised rows `hat` `[n, c]`, into the rows of `out`. With a pool, `choice` (a byte for each pooled
    /// value) receives which of the four pixels was the largest: the first of equals.
    pub fn forward(&self, hat: &[F], (out, map): (&mut [F], &RowMap), choice: &mut [u8]) {
        let (gain, offset) = self.affine;
        let (c, floor) = (gain.len(), self.floor());
        vectorised(
            #[inline(always)]
            || match self.pool {
                None => {
                    for (r, row) in hat.chunks_exact(c).enumerate() {
                        let at = map.at(r);
                        for (((o, &v), &g), &b) in out[at..at + c].iter_mut().zip(row).zip(gain).zip(offset) {
                            *o = activate(v, g, b, floor);
                        }
                    }
                }
                Some(size) => {
                    for (r, choice) in choice.chunks_exact_mut(c).enumerate() {
                        let [p, q, s, t] = pooled_pixels(r, size).map(|p| &hat[p * c..(p + 1) * c]);
                        let at = map.at(r);
                        let outs = out[at..at + c].iter_mut().zip(choice).zip(gain).zip(offset);
                        for (((((((o, w), &g), &b), &p), &q), &s), &t) in outs.zip(p).zip(q).zip(s).zip(t) {
                            let (mut best, mut which) = (activate(p, g, b, floor), 0);
                            for (v, i) in [(q, 1), (s, 2), (t, 3)] {
                                let v = activate(v, g, b, floor);
                                (best, which) = if v > best { (v, i) } else { (best, which) };
                            }
                            (*o, *w) = (best, which);
                        }
                    }
                }
            },
        )
    }

    /// The gradient `dy` `[n, c]` of what was normalised (with `istd`; without: of what came in) from that of the output,
    /// `dout`, for one group. Adds to the gradients of gain and offset.
    ///
    /// With d the gradient behind the gain, dy = istd · gain · (d − mean d − hat · mean(d · hat)).
    #[allow(clippy::too_many_arguments, reason = "what the forward pass kept, and three gradients")]
    pub fn backward(
        &self,
        hat: &[F],
        istd: Option<&[F]>,
        dout: &[F],
        choice: &[u8],
        dy: &mut [F],
        dgain: &mut [f64],
        doffset: &mut [f64],
    ) {
        let (gain, offset) = self.affine;
        let (c, floor) = (gain.len(), self.floor());
        let n = hat.len() / c;
        vectorised(
            #[inline(always)]
            || {
                match self.pool {
                    None => {
                        for ((d, h), o) in dy.chunks_exact_mut(c).zip(hat.chunks_exact(c)).zip(dout.chunks_exact(c)) {
                            for ((((d, &h), &o), &g), &b) in d.iter_mut().zip(h).zip(o).zip(gain).zip(offset) {
                                *d = if h * g + b > floor { o } else { F::ZERO };
                            }
                        }
                    }
                    Some(size) => {
                        dy.fill(F::ZERO);
                        for (r, (choice, o)) in choice.chunks_exact(c).zip(dout.chunks_exact(c)).enumerate() {
                            for (i, p) in pooled_pixels(r, size).into_iter().enumerate() {
                                let (d, h) = (&mut dy[p * c..(p + 1) * c], &hat[p * c..(p + 1) * c]);
                                let rows = d.iter_mut().zip(h).zip(o).zip(choice).zip(gain).zip(offset);
                                for (((((d, &h), &o), &w), &g), &b) in rows {
                                    *d = if usize::from(w) == i && h * g + b > floor { o } else { F::ZERO };
                                }
                            }
                        }
                    }
                }
                let sums = column_sums(n, 2 * c, |r, sums: &mut [F]| {
                    let (a, b) = sums.split_at_mut(c);
                    let rows = dy[r * c..(r + 1) * c].iter().zip(&hat[r * c..(r + 1) * c]);
                    for ((a, b), (&d, &h)) in a.iter_mut().zip(b).zip(rows) {
                        *a = *a + d;
                        *b = *b + d * h;
                    }
                });
                let (sum_d, sum_dh) = sums.split_at(c);
                doffset.iter_mut().zip(sum_d).for_each(|(to, v)| *to += v);
                dgain.iter_mut().zip(sum_dh).for_each(|(to, v)| *to += v);
                match istd {
                    Some(istd) => {
                        let means: Vec<F> = sums.iter().map(|s| F::of(s / n as f64)).collect();
                        let (md, mdh) = means.split_at(c);
                        let scale: Vec<F> = istd.iter().zip(gain).map(|(&i, &g)| i * g).collect();
                        for (d, h) in dy.chunks_exact_mut(c).zip(hat.chunks_exact(c)) {
                            for ((((d, &h), &s), &a), &b) in d.iter_mut().zip(h).zip(&scale).zip(md).zip(mdh) {
                                *d = s * (*d - a - h * b);
                            }
                        }
                    }
                    None => {
                        for row in dy.chunks_exact_mut(c) {
                            row.iter_mut().zip(gain).for_each(|(d, &g)| *d = *d * g);
                        }
                    }
                }
            },
        )
    }
}

/// The four pixels under pooled row `r` of images of `size`.
#[inline(always)]
fn pooled_pixels(r: usize, [h, w]: [usize; 2]) -> [usize; 4] {
    let (ph, pw) = (h / 2, w / 2);
    let first = r / (ph * pw) * h * w + r / pw % ph * 2 * w + r % pw * 2;
    [first, first + 1, first + w, first + w + 1]
}

/// Adds the sums of rows `[n, c]` over n to `sums` `[c]`: the gradient of a bias.
pub fn add_column_sums<F: Real>(rows: &[F], sums: &mut [f64]) {
    let c = sums.len();
    let total = vectorised(
        #[inline(always)]
        || {
            column_sums(rows.len() / c, c, |r, sums: &mut [F]| {
                for (s, &v) in sums.iter_mut().zip(&rows[r * c..(r + 1) * c]) {
                    *s = *s + v;
                }
            })
        },
    );
    for (to, from) in sums.iter_mut().zip(total) {
        *to += from;
    }
}

/// ReLU in place. NaN stays NaN.
pub fn rectify<F: Real>(y: &mut [F]) {
    vectorised(
        #[inline(always)]
        || y.iter_mut().for_each(|v| *v = if *v < F::ZERO { F::ZERO } else { *v }),
    );
}

/// The gradient `d` of what [`rectify`] made `out`, in place.
pub fn unrectify<F: Real>(out: &[F], d: &mut [F]) {
    vectorised(
        #[inline(always)]
        || d.iter_mut().zip(out).for_each(|(d, &v)| *d = if v > F::ZERO { *d } else { F::ZERO }),
    );
}
