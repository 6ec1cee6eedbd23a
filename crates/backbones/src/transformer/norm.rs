//! Layer norm.

use zsad_core::simd::vectorised;

use crate::activation::LANES;

/// Normalises every row by its own mean and biased variance.
#[derive(Debug, Clone)]
pub(crate) struct LayerNorm {
    pub weight: Vec<f32>,
    pub bias: Vec<f32>,
    pub eps: f32,
}

impl LayerNorm {
    /// Rows of `from` to rows of `to`.
    pub fn run(&self, from: &[f32], to: &mut [f32]) {
        let width = self.weight.len();
        for (from, to) in from.chunks_exact(width).zip(to.chunks_exact_mut(width)) {
            vectorised(
                #[inline(always)]
                || {
                    let mean = sum(from, |v| v) / width as f32;
                    let variance = sum(from, |v| (v - mean) * (v - mean)) / width as f32;
                    let scale = 1.0 / (variance + self.eps).sqrt();
                    let affine = self.weight.iter().zip(&self.bias);
                    for ((to, v), (weight, bias)) in to.iter_mut().zip(from).zip(affine) {
                        *to = (v - mean) * scale * weight + bias;
                    }
                },
            );
        }
    }

    /// As [`LayerNorm::run`], where it lies.
    pub fn run_in_place(&self, rows: &mut [f32]) {
        let mut row = vec![0f32; self.weight.len()];
        for values in rows.chunks_exact_mut(self.weight.len()) {
            row.copy_from_slice(values);
            self.run(&row, values);
        }
    }
}

/// Σ term(v), in 16 sums side by side; a row is a multiple of 16 long.
#[inline(always)]
fn sum(row: &[f32], term: impl Fn(f32) -> f32) -> f32 {
    let mut sums = [0f32; LANES];
    for chunk in row.as_chunks::<LANES>().0 {
        for (sum, v) in sums.iter_mut().zip(chunk) {
            *sum += term(*v);
        }
    }
    sums.into_iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_normalised_by_their_own_statistics() {
        let row: Vec<f32> = (0..64).map(|i| (0.9 * f64::from(i)).sin() as f32 + 3.0).collect();
        let norm = LayerNorm { weight: vec![2.0; 32], bias: vec![0.5; 32], eps: 1e-6 };
        let mut out = row.clone();
        norm.run_in_place(&mut out);
        for (from, to) in row.chunks_exact(32).zip(out.chunks_exact(32)) {
            let mean = from.iter().map(|&v| f64::from(v)).sum::<f64>() / 32.0;
            let variance = from.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / 32.0;
            let want = |v: f32| 2.0 * (f64::from(v) - mean) / (variance + 1e-6).sqrt() + 0.5;
            assert!(from.iter().zip(to).all(|(&v, &got)| (f64::from(got) - want(v)).abs() < 1e-5));
        }
    }
}
