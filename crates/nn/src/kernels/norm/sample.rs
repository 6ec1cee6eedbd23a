//! Mean and variance of each sample.

use super::Moments;
use super::moments::EPS;
use crate::kernels::Real;
use crate::kernels::simd::vectorised;

/// Sums that run side by side.
const LANES: usize = 16;

/// Mean and 1/√(var + 1e-5), biased, of each sample of `y` `[samples, pixels, c]`, over its pixels and `shared` neighbouring
/// channels, for every channel: `[samples, c]` each.
pub fn sample_moments<F: Real>(y: &[F], [pixels, c]: [usize; 2], shared: usize, mean: &mut [F], istd: &mut [F]) {
    let to = mean.chunks_exact_mut(c).zip(istd.chunks_exact_mut(c));
    for (sample, (mean, istd)) in y.chunks_exact(pixels * c).zip(to) {
        if pixels > 1 {
            Moments::of(sample, c).finish_across(shared, mean, istd);
            continue;
        }
        let to = mean.chunks_exact_mut(shared).zip(istd.chunks_exact_mut(shared));
        for (values, (mean, istd)) in sample.chunks_exact(shared).zip(to) {
            let (m, var) = vectorised(
                #[inline(always)]
                || {
                    let m = sum(values, |v| v) / shared as f64;
                    let rounded = F::of(m);
                    (m, sum(values, |v| (v - rounded) * (v - rounded)) / shared as f64)
                },
            );
            mean.fill(F::of(m));
            istd.fill(F::of(1.0 / (var + EPS).sqrt()));
        }
    }
}

/// The sum of what `f` makes of `values`.
#[inline(always)]
fn sum<F: Real>(values: &[F], f: impl Fn(F) -> F) -> f64 {
    let mut sums = [F::ZERO; LANES];
    let (whole, rest) = values.as_chunks::<LANES>();
    for values in whole {
        for (sum, &v) in sums.iter_mut().zip(values) {
            *sum = *sum + f(v);
        }
    }
    sums.into_iter().chain(rest.iter().map(|&v| f(v))).map(F::f64).sum()
}
