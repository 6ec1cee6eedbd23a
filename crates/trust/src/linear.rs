//! Ridge regression on standardised columns, its penalty chosen by the error on groups that were left out.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{LltParams, LltRegularization, cholesky_in_place, cholesky_in_place_scratch};
use faer::linalg::triangular_solve::{solve_lower_triangular_in_place, solve_upper_triangular_in_place};
use faer::{Mat, Par, Spec};
use serde::{Deserialize, Serialize};
use zsad_core::{Error, Result};

/// Penalties to choose from.
pub const PENALTIES: [f64; 4] = [1.0, 10.0, 100.0, 1000.0];

/// The mean and the standard deviation of columns; a column that does not vary becomes 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scale {
    mean: Vec<f64>,
    deviation: Vec<f64>,
}

impl Scale {
    /// That of `rows`, of which there is one at least.
    pub fn of(rows: &[Vec<f64>]) -> Self {
        let n = rows.len() as f64;
        let columns = rows[0].len();
        let mean: Vec<f64> = (0..columns).map(|j| rows.iter().map(|r| r[j]).sum::<f64>() / n).collect();
        let variance = |j: usize| rows.iter().map(|r| (r[j] - mean[j]).powi(2)).sum::<f64>() / n;
        let deviation = (0..columns).map(|j| variance(j).sqrt()).collect();
        Scale { mean, deviation }
    }

    /// The number of columns.
    pub fn columns(&self) -> usize {
        self.mean.len()
    }

    /// A row on this scale.
    pub fn apply(&self, row: &[f64]) -> Vec<f64> {
        let by = |((v, mean), deviation): ((&f64, &f64), &f64)| {
            // What does not vary but for rounding.
            if *deviation > 1e-9 * (1.0 + mean.abs()) { (v - mean) / deviation } else { 0.0 }
        };
        row.iter().zip(&self.mean).zip(&self.deviation).map(by).collect()
    }
}

/// A linear function.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Linear {
    /// The penalty that it was fitted with.
    pub penalty: f64,
    /// A weight for every column.
    weights: Vec<f64>,
    /// Its value where all columns are zero.
    intercept: f64,
}

impl Linear {
    /// Its value.
    pub fn at(&self, x: &[f64]) -> f64 {
        self.intercept + x.iter().zip(&self.weights).map(|(x, w)| x * w).sum::<f64>()
    }
}

/// Ridge regressions of `y` on the rows of `x`: the one of all rows with the penalty of [`PENALTIES`] whose squared error on
/// left-out groups is least, and what the others of that penalty say of the rows of the group that they did not see.
///
/// # Errors
/// [`Error::Refused`] where there are fewer than two groups.
pub fn ridge(x: &[Vec<f64>], y: &[f64], group: &[usize]) -> Result<(Linear, Vec<f64>)> {
    let groups = group.iter().max().map_or(0, |g| g + 1);
    if groups < 2 {
        return Err(Error::refused("errors on unseen domains want episodes of two domains at least"));
    }
    let normal = Normal::of(x, y, group, groups);
    let mut best: Option<(f64, f64, Vec<f64>)> = None;
    for penalty in PENALTIES {
        let without: Vec<Linear> = (0..groups).map(|g| normal.solve(penalty, Some(g))).collect::<Result<_>>()?;
        let unseen: Vec<f64> = x.iter().zip(group).map(|(x, &g)| without[g].at(x)).collect();
        let error = unseen.iter().zip(y).map(|(p, y)| (p - y).powi(2)).sum::<f64>();
        if best.as_ref().is_none_or(|(least, ..)| error < *least) {
            best = Some((error, penalty, unseen));
        }
    }
    // There are penalties to choose from.
    let (_, penalty, unseen) = best.unwrap_or_default();
    Ok((normal.solve(penalty, None)?, unseen))
}

/// The normal equations of all groups and of each, with a last column of ones.
struct Normal {
    all: Equations,
    of: Vec<Equations>,
}

#[derive(Clone)]
struct Equations {
    gram: Mat<f64>,
    moment: Mat<f64>,
}

impl Normal {
    fn of(x: &[Vec<f64>], y: &[f64], group: &[usize], groups: usize) -> Self {
        let p = x.first().map_or(0, Vec::len) + 1;
        let zero = Equations { gram: Mat::zeros(p, p), moment: Mat::zeros(p, 1) };
        let mut of = vec![zero.clone(); groups];
        for ((row, y), &g) in x.iter().zip(y).zip(group) {
            let row: Vec<f64> = row.iter().copied().chain([1.0]).collect();
            let Equations { gram, moment } = &mut of[g];
            for (j, a) in row.iter().enumerate() {
                moment[(j, 0)] += a * y;
                for (i, b) in row.iter().enumerate().skip(j) {
                    gram[(i, j)] += a * b;
                }
            }
        }
        let mut all = zero;
        for own in &of {
            all.gram += &own.gram;
            all.moment += &own.moment;
        }
        Normal { all, of }
    }

    /// The regression on all groups but `without`. The intercept is not penalised.
    fn solve(&self, penalty: f64, without: Option<usize>) -> Result<Linear> {
        let Equations { mut gram, mut moment } = self.all.clone();
        if let Some(own) = without {
            gram -= &self.of[own].gram;
            moment -= &self.of[own].moment;
        }
        for j in 0..gram.nrows() - 1 {
            gram[(j, j)] += penalty;
        }
        let mut weights = solve(gram, moment)?;
        let intercept = weights.pop().unwrap_or_default();
        Ok(Linear { penalty, weights, intercept })
    }
}

/// The solution x of A x = b, A symmetric and positive definite with its lower half given, b of one column.
///
/// # Errors
/// As [`cholesky`].
pub fn solve(a: Mat<f64>, mut b: Mat<f64>) -> Result<Vec<f64>> {
    let factor = cholesky(a)?;
    solve_lower_triangular_in_place(factor.as_ref(), b.as_mut(), Par::Seq);
    solve_upper_triangular_in_place(factor.transpose(), b.as_mut(), Par::Seq);
    Ok(b.col(0).iter().copied().collect())
}

/// The lower Cholesky factor of a symmetric matrix, of which the lower half is read; on one thread, so that the bits do not
/// depend on how many there are.
///
/// # Errors
/// [`Error::Refused`] where it is not positive definite.
pub fn cholesky(mut a: Mat<f64>) -> Result<Mat<f64>> {
    let n = a.nrows();
    let params = Spec::<LltParams, f64>::default();
    let mut buffer = MemBuffer::new(cholesky_in_place_scratch::<f64>(n, Par::Seq, params));
    cholesky_in_place(a.as_mut(), LltRegularization::default(), Par::Seq, MemStack::new(&mut buffer), params)
        .map_err(|_| Error::refused("the episodes do not determine what is to be learnt from them: draw more"))?;
    Ok(a)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data() -> (Vec<Vec<f64>>, Vec<f64>, Vec<usize>) {
        let x: Vec<Vec<f64>> = (0..30)
            .map(|i| (1..4).map(|j| (f64::from(i * j) * 0.7).sin() + f64::from(j) * f64::from(i % 3)).collect())
            .collect();
        let y = (0..30).map(|i| (f64::from(i) * 0.4).cos() + 0.2 * f64::from(i % 3)).collect();
        (x, y, (0..30).map(|i| i % 3).collect())
    }

    const PENALTY: f64 = 1.0;
    const WEIGHTS: [f64; 3] = [0.215155310420524, 0.07550030704794207, -0.07669295883041644];
    const INTERCEPT: f64 = 0.1584858122454297;
    const UNSEEN: [f64; 3] = [-0.009712801456520676, 0.26718119216517056, 0.5960840308903914];

    // import numpy as np; from sklearn.linear_model import Ridge
    // i = np.arange(30); x = np.stack([np.sin(i * j * .7) + j * (i % 3) for j in (1, 2, 3)], 1); y = np.cos(i * .4) + .2 * (i % 3)
    // x = (x - x.mean(0)) / x.std(0); g = i % 3
    // loo = {a: np.concatenate([Ridge(a).fit(x[g != k], y[g != k]).predict(x[g == k]) - y[g == k] for k in range(3)]) for a in (1, 10, 100, 1000)}
    // a = min(loo, key=lambda a: (loo[a] ** 2).sum()); m = Ridge(a).fit(x, y)
    // print(a, m.coef_.tolist(), m.intercept_, [Ridge(a).fit(x[g != k], y[g != k]).predict(x[g == k])[0] for k in range(3)])
    #[test]
    fn scikit_learn_says_the_same() {
        let (x, y, group) = data();
        let scale = Scale::of(&x);
        let x: Vec<_> = x.iter().map(|r| scale.apply(r)).collect();
        let (all, unseen) = ridge(&x, &y, &group).unwrap();
        assert_eq!(all.penalty, PENALTY);
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-10, "{a} instead of {b}");
        all.weights.iter().zip(WEIGHTS).for_each(|(a, b)| close(*a, b));
        close(all.intercept, INTERCEPT);
        unseen.iter().zip(UNSEEN).for_each(|(a, b)| close(*a, b));
    }

    #[test]
    fn one_group_says_nothing_of_others() {
        assert!(ridge(&[vec![0.0], vec![1.0]], &[0.0, 1.0], &[0, 0]).unwrap_err().to_string().contains("two domains"));
    }

    #[test]
    fn a_column_that_does_not_vary_becomes_zero() {
        let scale = Scale::of(&[vec![3.0, 1.0], vec![3.0, 3.0]]);
        assert_eq!(scale.apply(&[5.0, 3.0]), [0.0, 1.0]);
    }
}
