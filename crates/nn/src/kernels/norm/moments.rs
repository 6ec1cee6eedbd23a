//! Mean and variance of columns.

use super::BLOCK;
use super::columns::column_sums;
use crate::kernels::Real;
use crate::kernels::simd::vectorised;

/// Added to the variance.
pub const EPS: f64 = 1e-5;
/// Mean and squared deviations of each column, over rows that come in parts (Chan, Golub and LeVeque, 1983).
#[derive(Debug, Clone)]
pub struct Moments {
    rows: f64,
    mean: Vec<f64>,
    squares: Vec<f64>,
}

impl Moments {
    /// Of no rows yet.
    pub fn new(c: usize) -> Self {
        Moments { rows: 0.0, mean: vec![0.0; c], squares: vec![0.0; c] }
    }

    /// Of rows `y` `[n, c]`, block by block.
    pub fn of<F: Real>(y: &[F], c: usize) -> Self {
        let mut moments = Moments::new(c);
        y.chunks(BLOCK * c).for_each(|block| moments.add(block));
        moments
    }

    /// Takes rows `y` `[n, c]` in.
    pub fn add<F: Real>(&mut self, y: &[F]) {
        let c = self.mean.len();
        let n = (y.len() / c) as f64;
        let (means, squares) = vectorised(
            #[inline(always)]
            || {
                let [mut means] = column_sums([y], [], c, |[v], []| [v]);
                means.iter_mut().for_each(|m| *m /= n);
                let rounded: Vec<F> = means.iter().map(|&m| F::of(m)).collect();
                let [squares] = column_sums([y], [&rounded], c, |[v], [m]| [(v - m) * (v - m)]);
                (means, squares)
            },
        );
        self.join(n, &means, &squares);
    }

    /// Takes in what `other` has seen.
    pub fn merge(&mut self, other: &Moments) {
        self.join(other.rows, &other.mean, &other.squares);
    }

    fn join(&mut self, n: f64, means: &[f64], squares: &[f64]) {
        let before = self.rows;
        self.rows += n;
        for ((mean, total), (m, s)) in self.mean.iter_mut().zip(&mut self.squares).zip(means.iter().zip(squares)) {
            let delta = m - *mean;
            *mean += delta * (n / self.rows);
            *total += s + delta * delta * (before * n / self.rows);
        }
    }

    /// The mean of each column.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// The biased variance of each column.
    pub fn var(&self) -> Vec<f64> {
        self.squares.iter().map(|s| s / self.rows).collect()
    }

    /// The unbiased variance of each column.
    pub fn unbiased_var(&self) -> Vec<f64> {
        self.squares.iter().map(|s| s / (self.rows - 1.0)).collect()
    }

    /// The mean and 1/√(var + 1e-5), biased, over `shared` neighbouring columns each, for every column.
    pub fn finish_across<F: Real>(&self, shared: usize, mean: &mut [F], istd: &mut [F]) {
        let columns = self.mean.chunks_exact(shared).zip(self.squares.chunks_exact(shared));
        let to = mean.chunks_exact_mut(shared).zip(istd.chunks_exact_mut(shared));
        for ((means, squares), (mean, istd)) in columns.zip(to) {
            let m = means.iter().sum::<f64>() / shared as f64;
            let between: f64 = means.iter().map(|v| (v - m).powi(2)).sum();
            let var = (squares.iter().sum::<f64>() / self.rows + between) / shared as f64;
            mean.fill(F::of(m));
            istd.fill(F::of(1.0 / (var + EPS).sqrt()));
        }
    }

    /// The mean and 1/√(var + 1e-5), biased, of each column.
    pub fn finish<F: Real>(&self, mean: &mut [F], istd: &mut [F]) {
        mean.iter_mut().zip(&self.mean).for_each(|(to, &m)| *to = F::of(m));
        for (to, s) in istd.iter_mut().zip(&self.squares) {
            *to = F::of(1.0 / (s / self.rows + EPS).sqrt());
        }
    }
}
