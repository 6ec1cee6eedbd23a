//! The mean of a patch's least distances to the patches of all other images.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

use crate::math::Points;

/// For every patch of every image, which are of unit length, the mean of 1 − cos over the nearest patches of all other images: the share
/// of them that is asked for, less one, and one at least. The authors average what lies strictly below the distance at that rank.
///
/// Memory: the products of two images and the nearest patches of one, a thread; no list of all pairs is ever held.
pub(super) fn means(images: &[Points<f32>], share: f64) -> Vec<Vec<f32>> {
    let own = |i: usize| {
        let others: usize = images.iter().map(Points::len).sum::<usize>() - images[i].len();
        let count = ((share * others as f64) as usize).saturating_sub(1).max(1);
        let mut best: Vec<Greatest> = (0..images[i].len()).map(|_| Greatest::new(count)).collect();
        let mut products = Vec::new();
        for (_, other) in images.iter().enumerate().filter(|(j, _)| *j != i) {
            let (m, n, d) = (other.len(), images[i].len(), other.dim());
            products.resize(m * n, 0.0f32);
            let rows = MatRef::from_row_major_slice(other.values(), m, d);
            let columns = MatRef::from_column_major_slice(images[i].values(), d, n);
            let out = MatMut::from_column_major_slice_mut(&mut products, m, n);
            matmul(out, Accum::Replace, rows, columns, 1.0, Par::Seq);
            best.iter_mut().zip(products.chunks_exact(m)).for_each(|(best, cosines)| best.look_at(cosines));
        }
        best.into_iter().map(Greatest::distance).collect()
    };
    (0..images.len()).into_par_iter().map(own).collect()
}

/// The `count` greatest of all values that were looked at.
struct Greatest {
    count: usize,
    kept: Vec<f32>,
    /// Nothing at or below this is among them.
    bound: f32,
}

impl Greatest {
    fn new(count: usize) -> Self {
        Greatest { count, kept: Vec::new(), bound: f32::NEG_INFINITY }
    }

    fn look_at(&mut self, values: &[f32]) {
        for &value in values {
            if value > self.bound {
                self.kept.push(value);
                if self.kept.len() >= 2 * self.count + 32 {
                    self.cut();
                }
            }
        }
    }

    fn cut(&mut self) {
        if self.kept.len() > self.count {
            let last = self.count - 1;
            self.bound = *self.kept.select_nth_unstable_by(last, |a, b| b.total_cmp(a)).1;
            self.kept.truncate(self.count);
        }
    }

    /// The mean of 1 − cos, summed in order of size, so that the order of the images makes no difference.
    fn distance(mut self) -> f32 {
        self.cut();
        self.kept.sort_unstable_by(f32::total_cmp);
        let sum: f64 = self.kept.iter().map(|&cosine| (1.0 - f64::from(cosine)).max(0.0)).sum();
        (sum / self.kept.len() as f64) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greatest_are_those_of_a_sorted_list_in_any_order() {
        let values: Vec<f32> = (0..500).map(|i| ((i * 7919) % 503) as f32 / 503.0 - 0.5).collect();
        for count in [1, 7, 200, 500] {
            let mut sorted = values.clone();
            sorted.sort_unstable_by(|a, b| b.total_cmp(a));
            let want = sorted[..count].iter().map(|&v| 1.0 - f64::from(v)).sum::<f64>() / count as f64;
            let of = |values: &mut dyn Iterator<Item = f32>| {
                let mut greatest = Greatest::new(count);
                greatest.look_at(&values.collect::<Vec<_>>());
                greatest.distance()
            };
            let forth = of(&mut values.iter().copied());
            assert!((f64::from(forth) - want).abs() < 1e-6, "{count}: {forth} {want}");
            assert_eq!(forth, of(&mut values.iter().rev().copied()));
        }
    }
}
