//! Exact nearest neighbours by blocked distance products.
//!
//! |a − b|² = |a|² + |b|² − 2ab by matrix products, a block of points against a block of points, finds the few pairs
//! that can be near; those are measured again by their differences, so that nothing is lost to cancellation. Memory is
//! one block of products a thread; no n × n matrix is ever held.

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par};
use rayon::prelude::*;

use super::Points;
use super::points::squared_distance;

/// Queries and points of a block. Fixed: the work is cut alike for any number of threads.
const QUERIES: usize = 128;
const POINTS: usize = 512;

/// A neighbour of a query.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Neighbour {
    /// Index of the point.
    pub index: usize,
    /// Squared Euclidean distance.
    pub squared: f64,
}

/// The `k` points of `base` that are nearest to each of `queries`, nearest first; of equally near ones those with the
/// least index. `[queries · k]`.
///
/// With `itself`, the queries are the base and a point is no neighbour of itself. There must be at least `k` others.
pub(crate) fn nearest(base: &Points, queries: &Points, k: usize, itself: bool) -> Vec<Neighbour> {
    assert!(k > 0 && base.len() >= k + usize::from(itself), "{k} neighbours among {} points", base.len());
    let norms: Vec<f64> = base.rows().map(squared_norm).collect();
    let blocks: Vec<usize> = (0..queries.len()).step_by(QUERIES).collect();
    let found = blocks.into_par_iter().map(|first| Block { base, queries, norms: &norms, first, k, itself }.nearest());
    found.collect::<Vec<_>>().concat()
}

fn squared_norm(row: &[f64]) -> f64 {
    row.iter().map(|v| v * v).sum()
}

/// Some queries from `first` on.
struct Block<'a> {
    base: &'a Points,
    queries: &'a Points,
    norms: &'a [f64],
    first: usize,
    k: usize,
    itself: bool,
}

impl Block<'_> {
    fn nearest(&self) -> Vec<Neighbour> {
        let d = self.base.dim();
        let n = QUERIES.min(self.queries.len() - self.first);
        let queries = &self.queries.values()[self.first * d..(self.first + n) * d];
        let query_norms: Vec<f64> = queries.chunks_exact(d).map(squared_norm).collect();
        let mut best: Vec<Vec<Neighbour>> = vec![Vec::with_capacity(self.k + 1); n];
        let mut products = Mat::zeros(POINTS, n);
        for start in (0..self.base.len()).step_by(POINTS) {
            let m = POINTS.min(self.base.len() - start);
            let points = &self.base.values()[start * d..(start + m) * d];
            let mut products = products.subrows_mut(0, m);
            let (a, b) = (MatRef::from_row_major_slice(points, m, d), MatRef::from_column_major_slice(queries, d, n));
            matmul(products.as_mut(), Accum::Replace, a, b, -2.0, Par::Seq);
            let norms = &self.norms[start..start + m];
            let largest = norms.iter().fold(0.0, |m: f64, &v| m.max(v));
            for (q, best) in best.iter_mut().enumerate() {
                // What rounding can do to the norms and the product together, with room to spare.
                let error = 4.0 * f64::EPSILON * (d + 4) as f64 * (query_norms[q] + largest);
                let mut limit = self.limit(best) - query_norms[q] + error;
                for (j, (norm, product)) in norms.iter().zip(products.as_ref().col(q).iter()).enumerate() {
                    if norm + product < limit && self.insert(best, self.first + q, start + j) {
                        limit = self.limit(best) - query_norms[q] + error;
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

    fn brute(base: &Points, queries: &Points, k: usize, itself: bool) -> Vec<Neighbour> {
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
        }
    }
}
