//! Products of rows with packed weights, by the tile that the convolutions use.

use std::sync::{Mutex, PoisonError};

use crate::activation::LANES;
use crate::kernels::{MR, Tile, kernels};

/// Rows that one task computes, about: its part of every matrix stays in the second-level cache.
pub(crate) const ROWS: usize = 8 * MR;

/// A right-hand side `[depth, lanes]` in panels of 32 columns (the last one may have 16), each `[depth][width]`, and what
/// every column starts at.
#[derive(Clone, Copy)]
pub(crate) struct Panels<'a> {
    pub values: &'a [f32],
    pub bias: &'a [f32],
}

/// Where the rows of a left-hand side lie: one every `stride` values, each made of runs of `inner` values at the offsets
/// `taps`.
#[derive(Clone, Copy)]
pub(crate) struct Left<'a> {
    pub values: &'a [f32],
    pub stride: usize,
    pub taps: &'a [usize],
    pub inner: usize,
}

/// C\[r\] = bias + A\[r\] · B for `rows` rows; rows of C lie `stride` values apart, and all lanes of B are written.
///
/// # Panics
/// Where a matrix is smaller than its shape (a mistake of the caller).
pub(crate) fn product(rows: usize, a: Left, b: Panels, c: &mut [f32], stride: usize) {
    let (lanes, depth) = (b.bias.len(), a.taps.len() * a.inner);
    let reach = a.taps.iter().max().unwrap_or(&0) + a.inner;
    assert!(rows > 0 && lanes.is_multiple_of(LANES) && b.values.len() >= lanes * depth, "panels of another shape");
    assert!(
        (rows - 1) * a.stride + reach <= a.values.len() && (rows - 1) * stride + lanes <= c.len(),
        "rows are missing"
    );
    let (narrow, wide) = kernels();
    let out = c.as_mut_ptr();
    for column in (0..lanes).step_by(2 * LANES) {
        let run = if lanes - column > LANES { wide } else { narrow };
        for first in (0..rows).step_by(MR) {
            // The last tile repeats its last row.
            let row = |i: usize| (first + i).min(rows - 1);
            let tile = Tile {
                src: &std::array::from_fn(|i| a.values.as_ptr().wrapping_add(row(i) * a.stride)),
                taps: a.taps,
                inner: a.inner,
                weights: b.values[column * depth..].as_ptr(),
                bias: b.bias[column..].as_ptr(),
                dst: &std::array::from_fn(|i| out.wrapping_add(row(i) * stride)),
                add: None,
                oc: column,
                low: f32::NEG_INFINITY,
                high: f32::INFINITY,
            };
            // SAFETY: the assertions above bound every row, run and column; C is borrowed mutably, so it overlaps neither.
            unsafe { run(&tile) };
        }
    }
}

/// Packs a right-hand side of `n` columns into panels, of which `column` gives each; columns from `n` on are 0. Panels may hold
/// anything before.
pub(crate) fn pack_columns<'a>(panels: &mut [f32], (depth, n): (usize, usize), column: impl Fn(usize) -> &'a [f32]) {
    for (first, width, panel) in split(panels, depth, n) {
        let valid = width.min(n - first);
        for j in 0..valid {
            for (row, v) in panel.chunks_exact_mut(width).zip(&column(first + j)[..depth]) {
                row[j] = *v;
            }
        }
        if valid < width {
            panel.chunks_exact_mut(width).for_each(|row| row[valid..].fill(0.0));
        }
    }
}

/// The same of `depth` rows, of which `row` gives each; `n` is a multiple of 16.
pub(crate) fn pack_rows<'a>(panels: &mut [f32], (depth, n): (usize, usize), row: impl Fn(usize) -> &'a [f32]) {
    for (first, width, panel) in split(panels, depth, n) {
        for (k, to) in panel.chunks_exact_mut(width).enumerate() {
            to.copy_from_slice(&row(k)[first..first + width]);
        }
    }
}

/// First column, width and values of every panel.
fn split(panels: &mut [f32], depth: usize, n: usize) -> impl Iterator<Item = (usize, usize, &mut [f32])> {
    let lanes = n.next_multiple_of(LANES);
    panels[..lanes * depth].chunks_mut(2 * LANES * depth).enumerate().map(move |(i, panel)| {
        let first = i * 2 * LANES;
        (first, (lanes - first).min(2 * LANES), panel)
    })
}

/// A linear layer: `[k]` → `[n]`.
#[derive(Debug)]
pub(crate) struct Linear {
    k: usize,
    n: usize,
    packed: Vec<f32>,
    bias: Vec<f32>,
}

impl Linear {
    /// From `weight` `[n, k]` and `bias` `[n]`; each output is multiplied by its `gain`. `n` must be a multiple of 16.
    pub fn new(k: usize, weight: &[f32], bias: &[f32], gain: Option<&[f32]>) -> Self {
        let n = bias.len();
        let gain = |j: usize| gain.map_or(1.0, |gain| gain[j]);
        let rows = weight.chunks_exact(k).enumerate();
        let weight: Vec<f32> = rows.flat_map(|(j, row)| row.iter().map(move |w| w * gain(j))).collect();
        let mut packed = vec![0f32; n * k];
        pack_columns(&mut packed, (k, n), |j| &weight[j * k..]);
        Linear { k, n, packed, bias: bias.iter().enumerate().map(|(j, b)| b * gain(j)).collect() }
    }

    /// Values of an output.
    pub fn outputs(&self) -> usize {
        self.n
    }

    /// Values of an input.
    pub fn inputs(&self) -> usize {
        self.k
    }

    /// `rows` rows of `k` values, one after the other, to as many of `n`.
    pub fn run(&self, rows: usize, input: &[f32], out: &mut [f32]) {
        self.run_from(rows, Left { values: input, stride: self.k, taps: &[0], inner: self.k }, out);
    }

    /// The same for rows that lie anywhere.
    pub fn run_from(&self, rows: usize, input: Left, out: &mut [f32]) {
        product(rows, input, Panels { values: &self.packed, bias: &self.bias }, out, self.n);
    }
}

/// Buffers that tasks take and give back, so that none is allocated twice.
#[derive(Debug, Default)]
pub(crate) struct Scratch(Mutex<Vec<Vec<f32>>>);

impl Scratch {
    /// Runs `with` on a buffer of `len` values, which may hold anything.
    pub fn with<R>(&self, len: usize, with: impl FnOnce(&mut [f32]) -> R) -> R {
        let idle = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut buffer = idle().pop().unwrap_or_default();
        if buffer.len() < len {
            buffer.resize(len, 0.0);
        }
        let result = with(&mut buffer[..len]);
        idle().push(buffer);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(n: usize, k: f64) -> Vec<f32> {
        (0..n).map(|i| (k * i as f64).sin() as f32).collect()
    }

    #[test]
    fn rows_in_runs_times_panels_are_the_sums_written_out() {
        let (rows, taps, inner, n) = (29, [0usize, 40, 11], 7usize, 48usize);
        let (a, weight, bias) = (wave(29 * 50 + 60, 0.37), wave(n * 21, 0.71), wave(n, 0.3));
        let linear = Linear::new(21, &weight, &bias, Some(&vec![0.5; n]));
        let mut out = vec![f32::NAN; rows * n];
        linear.run_from(rows, Left { values: &a, stride: 50, taps: &taps, inner }, &mut out);
        for (r, row) in out.chunks_exact(n).enumerate() {
            for (j, got) in row.iter().enumerate() {
                let term = |(t, k): (usize, usize)| {
                    f64::from(a[r * 50 + taps[t] + k]) * f64::from(weight[j * 21 + t * inner + k])
                };
                let sum: f64 = (0..3).flat_map(|t| (0..inner).map(move |k| (t, k))).map(term).sum();
                let want = 0.5 * (sum + f64::from(bias[j]));
                assert!((f64::from(*got) - want).abs() < 1e-5, "{r} {j}: {got} {want}");
            }
        }
    }
}
