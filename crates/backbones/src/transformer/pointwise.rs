//! What happens to each value by itself: exponentials, the three forms of GELU, softmax of rows.
//!
//! Without fused products, so that every kind of vector instructions gives the same bits.

use zsad_core::simd::vectorised;

use crate::activation::LANES;

zsad_core::choices! {
    /// The activation between the two layers of a block.
    pub enum Gelu {
        /// x Φ(x) (PyTorch's default; DINOv2, LAION's CLIP).
        Exact = "exact",
        /// x σ(1.702 x) (OpenAI's CLIP).
        Quick = "quick",
        /// x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2.
        Tanh = "tanh",
    }
}

impl Gelu {
    /// Applies it to every value.
    pub fn apply(self, values: &mut [f32]) {
        match self {
            Gelu::Exact => each(values, exact),
            Gelu::Quick => each(values, quick),
            Gelu::Tanh => each(values, tanh),
        }
    }
}

/// Applies `f` to every value, in vectors.
fn each(values: &mut [f32], f: impl Fn(f32) -> f32) {
    vectorised(
        #[inline(always)]
        || {
            let (chunks, rest) = values.as_chunks_mut::<LANES>();
            for chunk in chunks {
                for value in chunk {
                    *value = f(*value);
                }
            }
            for value in rest {
                *value = f(*value);
            }
        },
    );
}

/// eˣ, to two units in the last place; 0 below −87 is 10⁻³⁸, above 88 it stays where it is.
///
/// x = n ln 2 + r with |r| ≤ ln 2 / 2; eʳ by the polynomial of Cephes' `expf`. Adding 1.5 · 2²³ rounds to whole numbers and
/// leaves n in the low bits.
#[inline(always)]
fn exp(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-87.3, 88.3);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * 0.693_359_4 + n * 2.121_944_4e-4;
    let p = 1.987_569_2e-4;
    let p = p * r + 1.398_2e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 0.166_666_65;
    let p = p * r + 0.5;
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(0x3f80_0000));
    (p * r * r + r + 1.0) * power
}

/// The error function by Abramowitz and Stegun 7.1.26 (error at most 1.5 · 10⁻⁷), as PyTorch's vectors have it.
#[inline(always)]
fn erf(x: f32) -> f32 {
    let a = x.abs();
    let t = 1.0 / (1.0 + 0.327_591_1 * a);
    let p = ((((1.061_405_4 * t - 1.453_152) * t + 1.421_413_8) * t - 0.284_496_72) * t + 0.254_829_6) * t;
    (1.0 - p * exp(-a * a)).copysign(x)
}

#[inline(always)]
fn exact(x: f32) -> f32 {
    0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2))
}

#[inline(always)]
fn quick(x: f32) -> f32 {
    x / (1.0 + exp(-1.702 * x))
}

/// (1 + tanh y) / 2 = σ(2 y).
#[inline(always)]
fn tanh(x: f32) -> f32 {
    x / (1.0 + exp(-1.595_769 * (x + 0.044_715 * x * x * x)))
}

/// Makes each value of the row, times `scale`, its exponential less the greatest; returns their sum. The row's length must be
/// a multiple of 16, values from `valid` on become 0.
pub(crate) fn exponentials(row: &mut [f32], valid: usize, scale: f32) -> f32 {
    row[valid..].fill(f32::NEG_INFINITY);
    let sum = vectorised(
        #[inline(always)]
        || {
            let (chunks, _) = row.as_chunks_mut::<LANES>();
            let mut most = [f32::NEG_INFINITY; LANES];
            for chunk in &*chunks {
                for (most, v) in most.iter_mut().zip(chunk) {
                    *most = if *v > *most { *v } else { *most };
                }
            }
            let most = most.into_iter().fold(f32::NEG_INFINITY, f32::max);
            let mut sums = [0f32; LANES];
            for chunk in chunks {
                for (sum, v) in sums.iter_mut().zip(chunk) {
                    *v = exp((*v - most) * scale);
                    *sum += *v;
                }
            }
            let mut width = LANES / 2;
            while width > 0 {
                for i in 0..width {
                    sums[i] += sums[i + width];
                }
                width /= 2;
            }
            sums[0]
        },
    );
    row[valid..].fill(0.0);
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponentials_are_exact_to_single_precision() {
        for i in -8700..=8800 {
            let x = i as f32 / 100.0;
            let want = f64::from(x).exp();
            assert!((f64::from(exp(x)) - want).abs() < 3e-7 * want, "{x}: {} {want}", exp(x));
        }
    }

    #[test]
    fn a_rows_exponentials_leave_out_what_is_not_valid() {
        let mut row: Vec<f32> = (0..48).map(|i| (0.7 * f64::from(i)).sin() as f32 * 9.0).collect();
        let want: Vec<f64> = row.iter().map(|v| 0.3 * f64::from(*v)).collect();
        let most = want[..37].iter().fold(f64::NEG_INFINITY, |m, &v| m.max(v));
        let sum = exponentials(&mut row, 37, 0.3);
        let total: f64 = want[..37].iter().map(|v| (v - most).exp()).sum();
        assert!((f64::from(sum) - total).abs() < 1e-5 && row[37..] == [0.0; 11]);
        assert!(row.iter().zip(&want).take(37).all(|(got, w)| (f64::from(*got) - (w - most).exp()).abs() < 1e-6));
    }

    // import torch, torch.nn.functional as F; x = torch.tensor([-6., -2.5, -.3, 0., 1.1, 4., 90.], dtype=torch.float64)
    // F.gelu(x); x * torch.sigmoid(1.702 * x); F.gelu(x, approximate="tanh")
    #[test]
    fn the_three_forms_of_gelu_are_pytorchs() {
        let x = [-6.0f32, -2.5, -0.3, 0.0, 1.1, 4.0, 90.0];
        for (gelu, want) in [(Gelu::Exact, EXACT), (Gelu::Quick, QUICK), (Gelu::Tanh, TANH)] {
            let mut got = x;
            gelu.apply(&mut got);
            let near = |(g, w): (&f32, &f64)| (f64::from(*g) - w).abs() < 1e-6 * w.abs().max(1.0);
            assert!(got.iter().zip(&want).all(near), "{gelu}: {got:?} {want:?}");
        }
    }

    const EXACT: [f64; 7] = [
        -5.919525869479969e-09,
        -0.015524163314440398,
        -0.1146265733433142,
        0.0,
        0.9507673329589791,
        3.9998733150326675,
        90.0,
    ];
    const QUICK: [f64; 7] = [
        -0.00022035354978739243,
        -0.03498616504857008,
        -0.11251586461840829,
        0.0,
        0.9533838936935686,
        3.9955852758604187,
        90.0,
    ];
    const TANH: [f64; 7] = [
        -8.43964897967453e-11,
        -0.015084266089998577,
        -0.11462907645724074,
        0.0,
        0.9505810461745109,
        3.9999297540518075,
        90.0,
    ];
}
