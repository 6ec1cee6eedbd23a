//! Batch-statistics norm with ReLU and max-pool, forward and backward, over rows (samples or pixels) of channels.

use super::Real;
use super::gemm::RowMap;
use super::simd::vectorised;

/// Added to the variance.
pub const EPS: f64 = 1e-5;
/// Rows summed in the values' own precision before they are added up in f64.
const STRIP: usize = 64;

/// Most channels of a panel.
const WIDTH: usize = 64;

/// Calls `f(first, width)` for panels of channels: of widths that the compiler knows, so that a panel's values stay in
/// registers, and the last ones as they come.
#[inline(always)]
fn panels(c: usize, mut f: impl FnMut(usize, usize)) {
    let mut col = 0;
    while col < c {
        match c - col {
            WIDTH.. => f(col, WIDTH),
            32.. => f(col, 32),
            w => f(col, w),
        }
        col += if (32..WIDTH).contains(&(c - col)) { 32 } else { WIDTH };
    }
}

/// The values of channels `col..col + w`.
#[inline(always)]
fn panel<F: Real>(values: &[F], col: usize, w: usize) -> [F; WIDTH] {
    let mut panel = [F::ZERO; WIDTH];
    panel[..w].copy_from_slice(&values[col..col + w]);
    panel
}

/// Sums over rows: `S` sums by channel of what `f` makes of the values of `R` operands `[n, c]` and of `K` constants
/// `[c]`.
#[inline(always)]
fn column_sums<F: Real, const R: usize, const K: usize, const S: usize>(
    operands: [&[F]; R],
    constants: [&[F]; K],
    c: usize,
    f: impl Fn([F; R], [F; K]) -> [F; S],
) -> [Vec<f64>; S] {
    let mut totals = std::array::from_fn(|_| vec![0.0; c]);
    let n = operands[0].len() / c;
    panels(
        c,
        #[inline(always)]
        |col, w| {
            let constants = constants.map(|k| panel(k, col, w));
            for start in (0..n).step_by(STRIP) {
                let mut sums = [[F::ZERO; WIDTH]; S];
                for r in start..n.min(start + STRIP) {
                    let rows = operands.map(|o| &o[r * c + col..][..w]);
                    for j in 0..w {
                        let terms = f(rows.map(|row| row[j]), std::array::from_fn(|k| constants[k][j]));
                        for (sums, term) in sums.iter_mut().zip(terms) {
                            sums[j] = sums[j] + term;
                        }
                    }
                }
                for (totals, sums) in totals.iter_mut().zip(&sums) {
                    for (total, sum) in totals[col..col + w].iter_mut().zip(sums) {
                        *total += sum.f64();
                    }
                }
            }
        },
    );
    totals
}

/// Mean and 1/√(var + 1e-5), biased, of each column of rows `y` `[n, c]`, into `mean` and `istd` `[c]`.
pub fn moments<F: Real>(y: &[F], mean: &mut [F], istd: &mut [F]) {
    vectorised(
        #[inline(always)]
        || {
            let c = istd.len();
            let n = (y.len() / c) as f64;
            let [sums] = column_sums([y], [], c, |[v], []| [v]);
            mean.iter_mut().zip(sums).for_each(|(m, s)| *m = F::of(s / n));
            let [squares] = column_sums([y], [&*mean], c, |[v], [m]| [(v - m) * (v - m)]);
            istd.iter_mut().zip(squares).for_each(|(i, s)| *i = F::of(1.0 / (s / n + EPS).sqrt()));
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

    /// Normalises rows `y` `[n, c]` in place, with their (mean, 1/σ) where there are any, and applies what follows, into the
    /// rows of `out`. With a pool, `choice` (a byte for each pooled value) receives which of the four pixels was the largest:
    /// the first of equals.
    pub fn forward(&self, y: &mut [F], moments: Option<(&[F], &[F])>, out: Rows<F>, choice: &mut [u8]) {
        vectorised(
            #[inline(always)]
            || match (self.pool, moments) {
                (None, Some((mean, istd))) => self.rows(y, (mean, istd), out, |v, m, i| (v - m) * i),
                (None, None) => self.rows(y, self.affine, out, |v, _, _| v),
                (Some(size), moments) => {
                    if let Some((mean, istd)) = moments {
                        for row in y.chunks_exact_mut(mean.len()) {
                            row.iter_mut().zip(mean).zip(istd).for_each(|((v, &m), &i)| *v = (*v - m) * i);
                        }
                    }
                    self.pooled(y, size, out, choice);
                }
            },
        )
    }

    #[inline(always)]
    fn rows(&self, y: &mut [F], by: (&[F], &[F]), (out, map): Rows<F>, normal: impl Fn(F, F, F) -> F) {
        let (gain, offset) = self.affine;
        let (c, floor) = (gain.len(), self.floor());
        panels(
            c,
            #[inline(always)]
            |col, w| {
                let [m, i, g, b] = [by.0, by.1, gain, offset].map(|k| panel(k, col, w));
                for (r, row) in y.chunks_exact_mut(c).enumerate() {
                    let (row, at) = (&mut row[col..col + w], map.at(r) + col);
                    // In arrays of their own, so that the compiler knows that no two overlap.
                    let (mut hat, mut result) = ([F::ZERO; WIDTH], [F::ZERO; WIDTH]);
                    for j in 0..w {
                        hat[j] = normal(row[j], m[j], i[j]);
                        result[j] = activate(hat[j], g[j], b[j], floor);
                    }
                    row.copy_from_slice(&hat[..w]);
                    out[at..at + w].copy_from_slice(&result[..w]);
                }
            },
        );
    }

    #[inline(always)]
    fn pooled(&self, hat: &[F], size: [usize; 2], (out, map): Rows<F>, choice: &mut [u8]) {
        let (gain, offset) = self.affine;
        let (c, floor) = (gain.len(), self.floor());
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

    /// Turns the gradient `d` `[n, c]` of the activations into that of what was normalised to `hat` (with `istd`; without: of
    /// what came in), for one group. Adds to the gradients of gain and offset.
    ///
    /// With d the gradient behind ReLU, the result is istd · gain · (d − mean d − hat · mean(d · hat)).
    pub fn backward(&self, hat: &[F], istd: Option<&[F]>, d: &mut [F], dgain: &mut [f64], doffset: &mut [f64]) {
        let (gain, offset) = self.affine;
        let (c, floor) = (gain.len(), self.floor());
        let n = (hat.len() / c) as f64;
        vectorised(
            #[inline(always)]
            || {
                let passed = |d: F, h: F, g: F, b: F| if h * g + b > floor { d } else { F::ZERO };
                let [sum_d, sum_dh] = column_sums([&*d, hat], [gain, offset], c, |[d, h], [g, b]| {
                    let d = passed(d, h, g, b);
                    [d, d * h]
                });
                doffset.iter_mut().zip(&sum_d).for_each(|(to, v)| *to += v);
                dgain.iter_mut().zip(&sum_dh).for_each(|(to, v)| *to += v);
                // Without a norm nothing but the gain stands behind the activations.
                let mean = |sums: &[f64]| sums.iter().map(|s| F::of(istd.map_or(0.0, |_| s / n))).collect::<Vec<F>>();
                let (mean_d, mean_dh) = (mean(&sum_d), mean(&sum_dh));
                let scale = match istd {
                    Some(istd) => istd.iter().zip(gain).map(|(&i, &g)| i * g).collect(),
                    None => gain.to_vec(),
                };
                panels(
                    c,
                    #[inline(always)]
                    |col, w| {
                        let [g, b, s, m, mh] = [gain, offset, &scale, &mean_d, &mean_dh].map(|k| panel(k, col, w));
                        for (d, h) in d.chunks_exact_mut(c).zip(hat.chunks_exact(c)) {
                            let (d, h) = (&mut d[col..col + w], &h[col..col + w]);
                            for j in 0..w {
                                d[j] = s[j] * (passed(d[j], h[j], g[j], b[j]) - m[j] - h[j] * mh[j]);
                            }
                        }
                    },
                );
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
    let [total] = vectorised(
        #[inline(always)]
        || column_sums([rows], [], c, |[v], []| [v]),
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
