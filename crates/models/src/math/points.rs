//! Points: in double precision what every classical method computes with, in single precision a network's features.

use zsad_core::Samples;

/// `n` points of `dim` values, row-major.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Points<T = f64> {
    values: Vec<T>,
    dim: usize,
}

impl<T: Copy> Points<T> {
    /// Points of `dim > 0` values each.
    pub fn from_values(values: Vec<T>, dim: usize) -> Self {
        assert!(dim > 0 && values.len().is_multiple_of(dim), "{} values make no points of {dim}", values.len());
        Points { values, dim }
    }

    /// All points of several sets, one after the other.
    pub fn concat<'p>(sets: impl IntoIterator<Item = &'p Points<T>>) -> Self
    where
        T: 'p,
    {
        let mut sets = sets.into_iter().peekable();
        let dim = sets.peek().map_or(1, |set| set.dim());
        Points::from_values(sets.flat_map(|set| set.values()).copied().collect(), dim)
    }

    /// The number of points.
    pub fn len(&self) -> usize {
        self.values.len() / self.dim
    }

    /// The number of values of a point.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// All values, row-major.
    pub fn values(&self) -> &[T] {
        &self.values
    }

    /// One point.
    pub fn row(&self, i: usize) -> &[T] {
        &self.values[i * self.dim..(i + 1) * self.dim]
    }

    /// The points one after the other.
    pub fn rows(&self) -> std::slice::ChunksExact<'_, T> {
        self.values.chunks_exact(self.dim)
    }

    /// The points in another order, `order[i]` first to last; no second copy of them is made.
    pub fn reordered(mut self, order: &[usize]) -> Self {
        let mut is_placed = vec![false; order.len()];
        let mut first = Vec::with_capacity(self.dim);
        for start in 0..order.len() {
            if is_placed[start] {
                continue;
            }
            // Around the cycle of the order that begins here, each point moves to the place before it.
            first.clear();
            first.extend_from_slice(self.row(start));
            let mut to = start;
            loop {
                is_placed[to] = true;
                let from = order[to];
                if from == start {
                    break;
                }
                self.values.copy_within(from * self.dim..(from + 1) * self.dim, to * self.dim);
                to = from;
            }
            self.values[to * self.dim..(to + 1) * self.dim].copy_from_slice(&first);
        }
        self
    }

    /// The points of `indices`, in their order.
    pub fn select(&self, indices: &[usize]) -> Self {
        Points { values: indices.iter().flat_map(|&i| self.row(i)).copied().collect(), dim: self.dim }
    }
}

impl Points {
    /// The samples, images flattened.
    pub fn new(samples: Samples) -> Self {
        let dim = samples.dim();
        Points { values: samples.into_f64(), dim }
    }

    /// So many of the points at a time, in their order.
    pub fn blocks(&self, n: usize) -> impl Iterator<Item = Points> {
        self.values.chunks(n * self.dim).map(|rows| Points::from_values(rows.to_vec(), self.dim))
    }

    /// Feature `j` of every point.
    pub fn column(&self, j: usize) -> Vec<f64> {
        self.values[j..].iter().step_by(self.dim).copied().collect()
    }

    /// The order of the points by their values, first to last; equal points keep theirs.
    pub fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.len()).collect();
        let compare = |a: &[f64], b: &[f64]| {
            let different = a.iter().zip(b).map(|(a, b)| a.total_cmp(b)).find(|o| o.is_ne());
            different.unwrap_or(std::cmp::Ordering::Equal)
        };
        order.sort_by(|&a, &b| compare(self.row(a), self.row(b)));
        order
    }

    /// These points and then `other`'s.
    pub fn and(&self, other: &Points) -> Points {
        Points { values: [self.values(), other.values()].concat(), dim: self.dim }
    }

    /// The mean of every feature, summed around the first point: exact where a feature is constant.
    pub fn mean(&self) -> Vec<f64> {
        let first = self.row(0);
        let mut sums = vec![0.0; self.dim];
        for row in self.rows() {
            sums.iter_mut().zip(row.iter().zip(first)).for_each(|(sum, (x, first))| *sum += x - first);
        }
        first.iter().zip(sums).map(|(first, sum)| first + sum / self.len() as f64).collect()
    }

    /// The biased variance (divisor n) of every feature around `mean`.
    pub fn variance(&self, mean: &[f64]) -> Vec<f64> {
        let mut sums = vec![0.0; self.dim];
        for row in self.rows() {
            sums.iter_mut().zip(row.iter().zip(mean)).for_each(|(sum, (x, m))| *sum += (x - m) * (x - m));
        }
        sums.iter().map(|sum| sum / self.len() as f64).collect()
    }

    /// The squared Euclidean norm of every row of [`Points::standardised`], without keeping that.
    pub fn standardised_norms(&self, mean: &[f64], scale: &[f64]) -> Vec<f64> {
        let norm = |row: &[f64]| (0..self.dim).map(|j| ((row[j] - mean[j]) / scale[j]).powi(2)).sum();
        self.rows().map(norm).collect()
    }

    /// The points, shifted so that `mean` becomes 0 and each feature divided by its `scale`.
    pub fn standardised(&self, mean: &[f64], scale: &[f64]) -> Points {
        let row = |row: &[f64]| (0..self.dim).map(|j| (row[j] - mean[j]) / scale[j]).collect::<Vec<_>>();
        Points { values: self.rows().flat_map(row).collect(), dim: self.dim }
    }
}

/// The squared Euclidean distance of two points, in double precision.
pub(crate) fn squared_distance<T: Copy + Into<f64>>(a: &[T], b: &[T]) -> f64 {
    a.iter().zip(b).map(|(&a, &b)| a.into() - b.into()).map(|d| d * d).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_reordered_in_place_as_they_are_selected() {
        let points = Points::from_values((0..21).map(f64::from).collect(), 3);
        for order in [[0, 1, 2, 3, 4, 5, 6], [6, 5, 4, 3, 2, 1, 0], [1, 2, 0, 4, 3, 6, 5], [3, 0, 6, 1, 2, 5, 4]] {
            assert_eq!(points.clone().reordered(&order), points.select(&order));
        }
    }

    #[test]
    fn order_is_by_value_from_the_first_feature_on() {
        let x = Points::from_values(vec![1.0, 2.0, 0.0, 9.0, 1.0, -2.0, 0.0, 9.0], 2);
        assert_eq!(x.order(), [1, 3, 2, 0]);
        assert_eq!(x.select(&[2, 1]).values(), [1.0, -2.0, 0.0, 9.0]);
        assert_eq!(x.column(1), [2.0, 9.0, -2.0, 9.0]);
        assert_eq!((x.mean(), x.variance(&x.mean())), (vec![0.5, 4.5], vec![0.25, 22.25]));
    }
}
