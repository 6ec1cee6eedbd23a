//! Adam's update of one parameter in a single pass.

use rayon::prelude::*;

use super::Real;
use super::simd::vectorised;

/// Values that one task of the pool updates.
const CHUNK: usize = 1 << 15;

/// The numbers of one update.
#[derive(Debug, Clone, Copy)]
pub struct Update {
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Learning rate over the first moment's bias correction.
    pub step_size: f64,
    /// Root of the second moment's bias correction.
    pub correction: f64,
    /// Added to the denominator.
    pub eps: f64,
    /// L2 penalty.
    pub weight_decay: f64,
}

/// First and second moment, and the second's maximum for AMSGrad.
#[derive(Debug, Clone)]
pub struct Moments<F> {
    /// First.
    pub m: Vec<F>,
    /// Second.
    pub v: Vec<F>,
    /// Maximum of the second so far.
    pub v_max: Option<Vec<F>>,
}

impl<F: Real> Moments<F> {
    /// Zeros.
    pub fn new(len: usize, amsgrad: bool) -> Self {
        let zeros = || vec![F::ZERO; len];
        Moments { m: zeros(), v: zeros(), v_max: amsgrad.then(zeros) }
    }

    /// The moments by name.
    pub fn parts(&self) -> impl Iterator<Item = (&'static str, &[F])> {
        let parts = [("m", Some(&self.m)), ("v", Some(&self.v)), ("v_max", self.v_max.as_ref())];
        parts.into_iter().filter_map(|(name, values)| Some((name, values?.as_slice())))
    }

    /// The moments by name, to be overwritten.
    pub fn parts_mut(&mut self) -> impl Iterator<Item = (&'static str, &mut [F])> {
        let parts = [("m", Some(&mut self.m)), ("v", Some(&mut self.v)), ("v_max", self.v_max.as_mut())];
        parts.into_iter().filter_map(|(name, values)| Some((name, values?.as_mut_slice())))
    }

    /// Updates `theta` with gradient `g`.
    pub fn update(&mut self, theta: &mut [F], g: &[F], u: &Update) {
        let chunks = theta.par_chunks_mut(CHUNK).zip(g.par_chunks(CHUNK));
        let moments = self.m.par_chunks_mut(CHUNK).zip(self.v.par_chunks_mut(CHUNK));
        match &mut self.v_max {
            None => chunks.zip(moments).for_each(|((theta, g), (m, v))| {
                update(theta, g, m, v, u, |_, v| v);
            }),
            Some(max) => {
                chunks.zip(moments).zip(max.par_chunks_mut(CHUNK)).for_each(|(((theta, g), (m, v)), max)| {
                    update(theta, g, m, v, u, |i, v| {
                        if v > max[i] {
                            max[i] = v;
                        }
                        max[i]
                    });
                });
            }
        }
    }
}

#[inline(always)]
fn update<F: Real>(
    theta: &mut [F],
    g: &[F],
    m: &mut [F],
    v: &mut [F],
    u: &Update,
    mut second: impl FnMut(usize, F) -> F,
) {
    let [beta1, beta2, step, correction, eps, decay] =
        [u.beta1, u.beta2, u.step_size, u.correction, u.eps, u.weight_decay].map(F::of);
    let [rest1, rest2] = [1.0 - u.beta1, 1.0 - u.beta2].map(F::of);
    vectorised(
        #[inline(always)]
        || {
            for (i, (((t, &g), m), v)) in theta.iter_mut().zip(g).zip(m).zip(v).enumerate() {
                let g = g + *t * decay;
                *m = *m * beta1 + g * rest1;
                *v = *v * beta2 + g * g * rest2;
                *t = *t - *m / (second(i, *v).sqrt() / correction + eps) * step;
            }
        },
    );
}
