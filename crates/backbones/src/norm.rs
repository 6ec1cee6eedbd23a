//! Batch norm of a frozen network: folded into the convolution (`running`), or with the batch's own statistics.

use rayon::prelude::*;

use crate::activation::{Activation, LANES, SharedMut};
use crate::conv::Act;

/// Which statistics the batch norms use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormMode {
    /// Those stored with the weights.
    Running,
    /// Mean and biased variance of the batch itself: features then depend on which images are computed together.
    BatchStats,
}

/// A batch norm's four vectors.
#[derive(Debug, Clone)]
pub(crate) struct Norm {
    pub weight: Vec<f32>,
    pub bias: Vec<f32>,
    pub mean: Vec<f32>,
    pub var: Vec<f32>,
    pub eps: f32,
}

impl Norm {
    /// `y = scale · x + shift` with the running statistics.
    pub fn folded(&self) -> (Vec<f32>, Vec<f32>) {
        let scale: Vec<f32> = self.weight.iter().zip(&self.var).map(|(w, v)| w / (v + self.eps).sqrt()).collect();
        let shift = self.bias.iter().zip(&self.mean).zip(&scale).map(|((b, m), s)| b - m * s).collect();
        (scale, shift)
    }

    /// `x = act(norm(x) + add)` with mean and biased variance over batch, height and width of `x` itself.
    pub fn apply_batch_stats(&self, x: &mut Activation, add: Option<&Activation>, act: Act) {
        let lanes = x.c.next_multiple_of(LANES);
        let count = (x.n * x.h * x.w) as f64;
        let mean: Vec<f64> = channel_sums(x, lanes, |_, v| v).iter().map(|s| s / count).collect();
        let var = channel_sums(x, lanes, |c, v| (v - mean[c]) * (v - mean[c]));
        let (mut scale, mut shift) = (vec![0f32; lanes], vec![0f32; lanes]);
        for c in 0..x.c {
            let s = f64::from(self.weight[c]) / (var[c] / count + f64::from(self.eps)).sqrt();
            scale[c] = s as f32;
            shift[c] = (f64::from(self.bias[c]) - mean[c] * s) as f32;
        }
        let (low, high) = act.range();
        let out = SharedMut(x.data.as_mut_ptr());
        let x = &*x;
        (0..x.n * x.h).into_par_iter().with_min_len(4).for_each(|row| {
            let start = x.origin(row / x.h) + row % x.h * x.row_stride();
            for start in (0..x.w).map(|i| start + i * x.stride) {
                // SAFETY: rows are disjoint, each is one task's alone, and nothing else reads `x` meanwhile.
                let pixel = unsafe { std::slice::from_raw_parts_mut(out.get().add(start), lanes) };
                for (c, value) in pixel.iter_mut().enumerate() {
                    let added = add.map_or(0.0, |a| a.data[start + c]);
                    *value = (*value * scale[c] + shift[c] + added).max(low).min(high);
                }
            }
        });
    }
}

/// `Σ term(c, x)` per channel, in f64 and in an order that does not depend on the threads.
fn channel_sums(x: &Activation, lanes: usize, term: impl Fn(usize, f64) -> f64 + Sync) -> Vec<f64> {
    let rows: Vec<Vec<f64>> = (0..x.n * x.h)
        .into_par_iter()
        .with_min_len(4)
        .map(|row| {
            let mut sums = vec![0f64; lanes];
            let start = x.origin(row / x.h) + row % x.h * x.row_stride();
            for i in 0..x.w {
                let pixel = &x.data[start + i * x.stride..][..x.c];
                for (c, value) in pixel.iter().enumerate() {
                    sums[c] += term(c, f64::from(*value));
                }
            }
            sums
        })
        .collect();
    let mut total = vec![0f64; lanes];
    for row in &rows {
        for (total, value) in total.iter_mut().zip(row) {
            *total += value;
        }
    }
    total
}
