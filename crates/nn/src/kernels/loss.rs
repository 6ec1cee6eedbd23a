//! Losses per sample, forward and backward.

use super::Real;
use super::simd::vectorised;

/// The inner product, in eight sums that run side by side.
#[inline(always)]
fn dot<F: Real>(a: &[F], b: &[F]) -> F {
    let mut sums = [F::ZERO; 8];
    let (a, b) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest = a.remainder().iter().zip(b.remainder()).fold(F::ZERO, |s, (&a, &b)| s + a * b);
    for (a, b) in a.zip(b) {
        for ((s, &a), &b) in sums.iter_mut().zip(a).zip(b) {
            *s = *s + a * b;
        }
    }
    sums.into_iter().fold(rest, |s, v| s + v)
}

/// Squared distances of rows `z` `[n, d]` to `centre` `[d]`.
pub fn squared_distance<F: Real>(z: &[F], centre: &[F]) -> Vec<F> {
    let distance = |row: &[F]| row.iter().zip(centre).fold(F::ZERO, |sum, (&z, &c)| sum + (z - c) * (z - c));
    z.chunks_exact(centre.len()).map(distance).collect()
}

/// The gradients of rows and centre from that of the distances, `[n]`.
pub fn squared_distance_backward<F: Real>(z: &[F], centre: &[F], d: &[F]) -> (Vec<F>, Vec<F>) {
    let two = F::of(2.0);
    let mut dz = Vec::with_capacity(z.len());
    let mut sums = vec![0.0; centre.len()];
    for (row, &d) in z.chunks_exact(centre.len()).zip(d) {
        for ((&z, &c), sum) in row.iter().zip(centre).zip(&mut sums) {
            let g = two * d * (z - c);
            dz.push(g);
            *sum -= g.f64();
        }
    }
    (dz, sums.into_iter().map(F::of).collect())
}

/// Views of one sample at work: unit codes `[k1, d]`, their lengths, and the similarities `[k1, k1]`.
struct Views<F> {
    unit: Vec<F>,
    length: Vec<F>,
    sim: Vec<F>,
}

/// The contrastive loss over codes `[n, k1, d]`, view 0 the original.
#[derive(Debug, Clone, Copy)]
pub struct Contrastive {
    /// Views with the original.
    pub k1: usize,
    /// Length of a code.
    pub d: usize,
    /// Temperature.
    pub temperature: f64,
}

impl Contrastive {
    fn scale(&self) -> f64 {
        let k = (self.k1 - 1) as f64;
        1.0 / (k.ln() * k)
    }

    #[inline(always)]
    fn views<F: Real>(&self, z: &[F], views: &mut Views<F>) {
        let (k1, d, least) = (self.k1, self.d, F::of(1e-12));
        for ((z, unit), length) in z.chunks_exact(d).zip(views.unit.chunks_exact_mut(d)).zip(&mut views.length) {
            let norm = dot(z, z).sqrt();
            *length = if norm < least { least } else { norm };
            unit.iter_mut().zip(z).for_each(|(u, &v)| *u = v / *length);
        }
        for i in 0..k1 {
            for j in i + 1..k1 {
                let (a, b) = (&views.unit[i * d..(i + 1) * d], &views.unit[j * d..(j + 1) * d]);
                let e = F::of((dot(a, b).f64() / self.temperature).exp());
                (views.sim[i * k1 + j], views.sim[j * k1 + i]) = (e, e);
            }
        }
    }

    fn scratch<F: Real>(&self) -> Views<F> {
        let zeros = |n| vec![F::ZERO; n];
        Views { unit: zeros(self.k1 * self.d), length: zeros(self.k1), sim: zeros(self.k1 * self.k1) }
    }

    /// `(L_n, L_a)`, `[n]` each.
    pub fn forward<F: Real>(&self, z: &[F]) -> (Vec<F>, Vec<F>) {
        let mut views = self.scratch();
        let one = |z: &[F]| {
            vectorised(
                #[inline(always)]
                || self.views(z, &mut views),
            );
            let (mut normal, mut outlier) = (0.0, 0.0);
            for sim in views.sim.chunks_exact(self.k1).skip(1) {
                let denom: f64 = sim.iter().map(|s| s.f64()).sum();
                let pos = sim[0].f64();
                normal += denom.ln() - pos.ln();
                outlier -= (1.0 - pos / denom).ln();
            }
            (F::of(normal * self.scale()), F::of(outlier * self.scale()))
        };
        z.chunks_exact(self.k1 * self.d).map(one).unzip()
    }

    /// The gradient of the codes from those of `L_n` and `L_a`, `[n]` each.
    ///
    /// With s_kl the similarity's exponent, dL_n/ds_kl = p_kl − \[l = 0\] where p_kl is the share of l in denom_k, and
    /// dL_a/ds_kl = q/(1 − q)·(\[l = 0\] − p_kl) with q = p_k0, both times the scale.
    pub fn backward<F: Real>(&self, z: &[F], dn: &[F], da: &[F]) -> Vec<F> {
        let (k1, d) = (self.k1, self.d);
        let mut views = self.scratch();
        let mut weight = vec![F::ZERO; k1 * k1];
        let mut dunit = vec![F::ZERO; k1 * d];
        let mut dz = vec![F::ZERO; z.len()];
        let samples = z.chunks_exact(k1 * d).zip(dz.chunks_exact_mut(k1 * d)).zip(dn.iter().zip(da));
        for ((z, dz), (dn, da)) in samples {
            vectorised(
                #[inline(always)]
                || {
                    self.views(z, &mut views);
                    let factor = self.scale() / self.temperature;
                    for (sim, weight) in views.sim.chunks_exact(k1).zip(weight.chunks_exact_mut(k1)).skip(1) {
                        let denom: f64 = sim.iter().map(|s| s.f64()).sum();
                        let q = sim[0].f64() / denom;
                        // Outliers' loss pulls the other way, by the odds of the positive.
                        let w = if da.f64() == 0.0 { dn.f64() } else { dn.f64() - da.f64() * q / (1.0 - q) } * factor;
                        for (to, s) in weight.iter_mut().zip(sim) {
                            *to = F::of(w * s.f64() / denom);
                        }
                        weight[0] = weight[0] - F::of(w);
                    }
                    dunit.fill(F::ZERO);
                    for i in 0..k1 {
                        for j in 0..k1 {
                            let w = weight[i * k1 + j] + weight[j * k1 + i];
                            let (to, from) = (&mut dunit[i * d..(i + 1) * d], &views.unit[j * d..(j + 1) * d]);
                            to.iter_mut().zip(from).for_each(|(t, &v)| *t = *t + w * v);
                        }
                    }
                    let codes = dz.chunks_exact_mut(d).zip(views.unit.chunks_exact(d)).zip(dunit.chunks_exact(d));
                    for (((dz, u), du), &length) in codes.zip(&views.length) {
                        let along = dot(u, du);
                        for ((to, &u), &g) in dz.iter_mut().zip(u).zip(du) {
                            *to = (g - u * along) / length;
                        }
                    }
                },
            );
        }
        dz
    }
}
