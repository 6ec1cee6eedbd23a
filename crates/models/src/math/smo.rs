//! The dual problem of the one-class SVM, by sequential minimal optimisation.
//!
//! min ½ αᵀKα with 0 ≤ αᵢ ≤ 1 and Σα = ν n. Pairs are chosen by second-order information (Fan, Chen, Lin: Working Set
//! Selection Using Second Order Information, JMLR 2005), from the starting point that LIBSVM takes.

use std::collections::HashMap;
use std::sync::Arc;

use rayon::prelude::*;
use zsad_core::{Error, Result};

use super::Points;
use super::points::squared_distance;

/// Optimality: no pair violates the conditions by more. LIBSVM stops at 1e-3, so its scores lie that far around these.
const TOLERANCE: f64 = 1e-6;
/// Stands in for a curvature that rounding made not positive.
const LEAST_CURVATURE: f64 = 1e-12;
/// Kernel values kept, of 8 bytes each.
const CACHED: usize = 1 << 25;
/// Rows that are computed together. Fixed: the work is cut alike for any number of threads.
const CHUNK: usize = 256;

/// Radial basis function kernel exp(−γ |a − b|²).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rbf {
    /// γ.
    pub gamma: f64,
}

impl Rbf {
    /// The kernel of two points.
    pub fn of(self, a: &[f64], b: &[f64]) -> f64 {
        (-self.gamma * squared_distance(a, b)).exp()
    }
}

/// The optimum: a coefficient a point and the offset of the decision function Σ αᵢ k(xᵢ, x) − ρ.
pub(crate) struct Solution {
    pub alpha: Vec<f64>,
    pub rho: f64,
}

/// Solves for `nu` in (0, 1].
pub(crate) fn one_class(x: &Points, kernel: Rbf, nu: f64) -> Result<Solution> {
    let n = x.len();
    let mut columns = Columns { x, kernel, kept: HashMap::new() };
    let total = nu * n as f64;
    let mut alpha: Vec<f64> = (0..n).map(|i| (total - i as f64).clamp(0.0, 1.0)).collect();
    let mut gradient = vec![0.0; n];
    for (i, &a) in alpha.iter().enumerate().filter(|(_, a)| **a > 0.0) {
        let column = columns.get(i);
        gradient.iter_mut().zip(column.iter()).for_each(|(g, k)| *g += a * k);
    }
    for _ in 0..10_000_000.max(100 * n) {
        let Some(i) = lowest(&gradient, |t| alpha[t] < 1.0) else { break };
        let at_i = columns.get(i);
        let Some(j) = partner(&alpha, &gradient, i, &at_i) else { break };
        let at_j = columns.get(j);
        // Moves weight from j to i, as far as both bounds allow.
        let step = (gradient[j] - gradient[i]) / curvature(at_i[j]);
        let step = step.min(1.0 - alpha[i]).min(alpha[j]);
        alpha[i] = if step == 1.0 - alpha[i] { 1.0 } else { alpha[i] + step };
        alpha[j] -= step;
        gradient.iter_mut().zip(at_i.iter().zip(at_j.iter())).for_each(|(g, (ki, kj))| *g += step * (ki - kj));
    }
    if partner_gap(&alpha, &gradient) > TOLERANCE {
        return Err(Error::failed("the one-class SVM did not converge"));
    }
    let rho = offset(&alpha, &gradient);
    Ok(Solution { alpha, rho })
}

/// The curvature of the objective along a pair: k(i, i) + k(j, j) − 2 k(i, j).
fn curvature(kernel: f64) -> f64 {
    let value = 2.0 - 2.0 * kernel;
    if value > 0.0 { value } else { LEAST_CURVATURE }
}

/// The first point of the least gradient among those that `may`.
fn lowest(gradient: &[f64], may: impl Fn(usize) -> bool) -> Option<usize> {
    (0..gradient.len()).filter(|&t| may(t)).min_by(|&a, &b| gradient[a].total_cmp(&gradient[b]))
}

/// The point whose weight, moved to `i`, lowers the objective most; `None` at the optimum.
fn partner(alpha: &[f64], gradient: &[f64], i: usize, at_i: &[f64]) -> Option<usize> {
    let gain = |t: usize| (gradient[t] - gradient[i]).powi(2) / curvature(at_i[t]);
    let givers = (0..alpha.len()).filter(|&t| alpha[t] > 0.0);
    let violates = givers.clone().any(|t| gradient[t] - gradient[i] > TOLERANCE);
    let better = givers.filter(|&t| gradient[t] > gradient[i]);
    violates.then(|| better.max_by(|&a, &b| gain(a).total_cmp(&gain(b)))).flatten()
}

/// By how much the worst pair violates the optimality conditions.
fn partner_gap(alpha: &[f64], gradient: &[f64]) -> f64 {
    let takes = (0..alpha.len()).filter(|&t| alpha[t] < 1.0).map(|t| gradient[t]).fold(f64::INFINITY, f64::min);
    let gives = (0..alpha.len()).filter(|&t| alpha[t] > 0.0).map(|t| gradient[t]).fold(f64::NEG_INFINITY, f64::max);
    gives - takes
}

/// ρ: the mean gradient of the free points; without any, the middle of what the bounded ones allow.
fn offset(alpha: &[f64], gradient: &[f64]) -> f64 {
    let of = |may: fn(f64) -> bool| alpha.iter().zip(gradient).filter(move |(a, _)| may(**a)).map(|(_, g)| *g);
    let free = |a: f64| a > 0.0 && a < 1.0;
    let count = of(free).count();
    if count > 0 {
        return of(free).sum::<f64>() / count as f64;
    }
    let at_one = of(|a| a >= 1.0).fold(f64::NEG_INFINITY, f64::max);
    let at_zero = of(|a| a <= 0.0).fold(f64::INFINITY, f64::min);
    // With ν = 1 no point is at 0, and the greatest gradient is all there is.
    if at_zero.is_finite() { (at_one + at_zero) / 2.0 } else { at_one }
}

/// Columns of the kernel matrix, kept while there is room.
struct Columns<'a> {
    x: &'a Points,
    kernel: Rbf,
    kept: HashMap<usize, Arc<Vec<f64>>>,
}

impl Columns<'_> {
    fn get(&mut self, i: usize) -> Arc<Vec<f64>> {
        if (self.kept.len() + 1) * self.x.len() > CACHED {
            self.kept.clear();
        }
        let (x, kernel) = (self.x, self.kernel);
        let compute = || {
            let chunks = x.values().par_chunks(CHUNK * x.dim());
            let rows = chunks.flat_map_iter(|rows| rows.chunks_exact(x.dim()).map(|row| kernel.of(row, x.row(i))));
            Arc::new(rows.collect())
        };
        self.kept.entry(i).or_insert_with(compute).clone()
    }
}
