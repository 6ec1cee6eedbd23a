//! Rows of channels, panel of channels by panel: values that stay in registers, and sums over rows.

use crate::kernels::Real;
use crate::kernels::simd::vectorised;

/// Rows summed in the values' own precision before they are added up in f64.
const STRIP: usize = 64;

/// Most channels of a panel.
pub const WIDTH: usize = 64;

/// Calls `f(first, width)` for panels of channels: of widths that the compiler knows, so that a panel's values stay in
/// registers, and the last ones as they come.
#[inline(always)]
pub fn panels(c: usize, mut f: impl FnMut(usize, usize)) {
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
pub fn panel<F: Real>(values: &[F], col: usize, w: usize) -> [F; WIDTH] {
    let mut panel = [F::ZERO; WIDTH];
    panel[..w].copy_from_slice(&values[col..col + w]);
    panel
}

/// Sums over rows: `S` sums by channel of what `f` makes of the values of `R` operands `[n, c]` and of `K` constants
/// `[c]`.
#[inline(always)]
pub fn column_sums<F: Real, const R: usize, const K: usize, const S: usize>(
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
