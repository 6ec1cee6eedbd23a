//! Exact nearest neighbours by blocked distance products.
//!
//! |a − b|² = |a|² + |b|² − 2ab by matrix products, a block of points against a block of points, finds the few pairs
//! that can be near; those are measured again by their differences, so that nothing is lost to cancellation. Memory is
//! one block of products a thread; no n × n matrix is ever held.

use std::ops::Add;

use faer::linalg::matmul::matmul;
use faer::traits::ComplexField;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

use super::Points;
use super::points::squared_distance;

/// Queries and points of a block. Fixed: the work is cut alike for any number of threads.
const QUERIES: usize = 128;
const POINTS: usize = 512;
/// Products looked at together.
const STRIP: usize = 64;

/// A neighbour of a query.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Neighbour {
    /// Index of the point.
    pub index: usize,
    /// Squared Euclidean distance.
    pub squared: f64,
}

/// What points are made of, and the products computed in.
pub(crate) trait Product:
    ComplexField + Copy + PartialOrd + Default + Add<Output = Self> + Into<f64> + Send + Sync
{
    /// The rounding of one operation.
    const EPSILON: f64;
    /// The nearest value.
    fn of(v: f64) -> Self;
}

impl Product for f64 {
    const EPSILON: f64 = f64::EPSILON;

    fn of(v: f64) -> Self {
        v
    }
}

impl Product for f32 {
    const EPSILON: f64 = f32::EPSILON as f64;

    fn of(v: f64) -> Self {
        v as f32
    }
}

/// The `k` points of `base` that are nearest to each of `queries`, nearest first; of equally near ones those with the
/// least index. `[queries · k]`.
///
/// With `itself`, the queries are the base and a point is no neighbour of itself. There must be at least `k` others.
///
/// Products in f32 leave more to be measured again than such in f64; the result is exact in both, as long as the type holds
/// the squared norms.
pub(crate) fn nearest<T: Product>(base: &Points<T>, queries: &Points<T>, k: usize, itself: bool) -> Vec<Neighbour> {
    assert!(k > 0 && base.len() >= k + usize::from(itself), "{k} neighbours among {} points", base.len());
    let norms: Vec<f64> = base.rows().map(squared_norm).collect();
    let coarse: Vec<T> = norms.iter().map(|&v| T::of(v)).collect();
    let blocks: Vec<usize> = (0..queries.len()).step_by(QUERIES).collect();
    let block = |first| Block { base, queries, norms: &norms, coarse: &coarse, first, k, itself }.nearest();
    blocks.into_par_iter().map(block).collect::<Vec<_>>().concat()
}

fn squared_norm<T: Copy + Into<f64>>(row: &[T]) -> f64 {
    row.iter().map(|&v| v.into()).map(|v| v * v).sum()
}

/// Some queries from `first` on.
struct Block<'a, T> {
    base: &'a Points<T>,
    queries: &'a Points<T>,
    /// Squared norms of the base.
    norms: &'a [f64],
    /// The same in the products' type.
    coarse: &'a [T],
    first: usize,
    k: usize,
    itself: bool,
}

impl<T: Product> Block<'_, T> {
    fn nearest(&self) -> Vec<Neighbour> {
        let d = self.base.dim();
        let n = QUERIES.min(self.queries.len() - self.first);
        let query_norms: Vec<f64> = (self.first..self.first + n).map(|q| squared_norm(self.queries.row(q))).collect();
        let queries =
            MatRef::from_column_major_slice(&self.queries.values()[self.first * d..(self.first + n) * d], d, n);
        let mut best: Vec<Vec<Neighbour>> = vec![Vec::with_capacity(self.k + 1); n];
        let mut products = vec![T::default(); POINTS * n];
        for start in (0..self.base.len()).step_by(POINTS) {
            let m = POINTS.min(self.base.len() - start);
            let points = MatRef::from_row_major_slice(&self.base.values()[start * d..(start + m) * d], m, d);
            let out = MatMut::from_column_major_slice_mut(&mut products[..m * n], m, n);
            matmul(out, Accum::Replace, points, queries, T::of(-2.0), Par::Seq);
            let norms = &self.coarse[start..start + m];
            let largest = self.norms[start..start + m].iter().fold(0.0, |m: f64, &v| m.max(v));
            for (q, best) in best.iter_mut().enumerate() {
                // What rounding can do to the norms and the product together, with room to spare.
                let error = 4.0 * T::EPSILON * (d + 4) as f64 * (query_norms[q] + largest);
                let limit = |best: &[Neighbour]| T::of(self.limit(best) - query_norms[q] + error);
                let mut bound = limit(best);
                let strips = norms.chunks(STRIP).zip(products[q * m..(q + 1) * m].chunks(STRIP));
                for (strip, (norms, products)) in strips.enumerate() {
                    // Most strips hold nothing near: one look at all of them side by side.
                    if !norms.iter().zip(products).fold(false, |any, (&v, &p)| any | (v + p < bound)) {
                        continue;
                    }
                    for (j, (&v, &p)) in norms.iter().zip(products).enumerate() {
                        if v + p < bound && self.insert(best, self.first + q, start + strip * STRIP + j) {
                            bound = limit(best);
                        }
                    }
                }
            }
        }
        best.concat()
    }

    /// The squared distance that a further neighbour must be below. A later point at the same distance does not
    /// displace an earlier one, and nothing is nearer than 0.
    fn limit(&self, best: &[Neighbour]) -> f64 {
        match best.get(self.k - 1) {
            None => f64::INFINITY,
            Some(last) if last.squared == 0.0 => f64::NEG_INFINITY,
            Some(last) => last.squared,
        }
    }

    /// Measures a point and keeps it if it is among the best; says whether it did.
    fn insert(&self, best: &mut Vec<Neighbour>, query: usize, index: usize) -> bool {
        if self.itself && query == index {
            return false;
        }
        let squared = squared_distance(self.queries.row(query), self.base.row(index));
        let at = best.partition_point(|b| b.squared <= squared);
        if at == self.k {
            return false;
        }
        best.truncate(self.k - 1);
        best.insert(at, Neighbour { index, squared });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn brute<T: Product>(base: &Points<T>, queries: &Points<T>, k: usize, itself: bool) -> Vec<Neighbour> {
        let of = |q: usize| {
            let others = (0..base.len()).filter(|&i| !itself || i != q);
            let mut all: Vec<_> = others
                .map(|index| Neighbour { index, squared: squared_distance(queries.row(q), base.row(index)) })
                .collect();
            all.sort_by(|a, b| a.squared.total_cmp(&b.squared));
            all.truncate(k);
            all
        };
        (0..queries.len()).flat_map(of).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        // Few distinct values far from the origin: ties, duplicates, and products that cancel.
        #[test]
        fn equals_brute_force(
            values in prop::collection::vec(-3i8..3, 2 * 6..2 * 700), extra in prop::collection::vec(-3i8..3, 2 * 9),
            offset in prop::sample::select(vec![0.0, 1e3, 1e7]), k in 1usize..6,
        ) {
            let points = |v: &[i8]| Points::from_values(v.iter().map(|&v| offset + f64::from(v) / 3.0).collect(), 2);
            let (base, queries) = (points(&values[..values.len() / 2 * 2]), points(&extra));
            prop_assert_eq!(nearest(&base, &queries, k, false), brute(&base, &queries, k, false));
            prop_assert_eq!(nearest(&base, &base, k, true), brute(&base, &base, k, true));
            let single = |x: &Points| Points::from_values(x.values().iter().map(|&v| v as f32).collect(), 2);
            let (base, queries) = (single(&base), single(&queries));
            prop_assert_eq!(nearest(&base, &queries, k, false), brute(&base, &queries, k, false));
            prop_assert_eq!(nearest(&base, &base, k, true), brute(&base, &base, k, true));
        }
    }
}
