//! Friedman test: do several methods differ over several data sets?

use statrs::distribution::{ChiSquared, ContinuousCDF};

use super::ranks;

/// Outcome of the test.
#[derive(Debug, Clone, PartialEq)]
pub struct Friedman {
    /// Chi-squared statistic, corrected for ties.
    pub statistic: f64,
    /// p-value, from the chi-squared distribution with (methods − 1) degrees of freedom.
    pub p_value: f64,
    /// Mean rank of every method; 1 is the best. Compare their differences with
    /// [`super::nemenyi_critical_difference`].
    pub mean_ranks: Vec<f64>,
}

/// Friedman's rank test (1937; Demšar 2006, section 3.2.2) on `table[block][method]`, where a block is a data set or
/// domain and more is better. `None` for fewer than two methods or no block, and where every block is one tie.
///
/// # Panics
/// Where the blocks are not of one length (a mistake of the caller).
pub fn friedman(table: &[Vec<f64>]) -> Option<Friedman> {
    let k = table.first().map_or(0, Vec::len);
    assert!(table.iter().all(|block| block.len() == k), "one value a method in every block");
    let mut sums = vec![0.0; k];
    let mut ties = 0.0;
    for block in table {
        let (ranks, groups) = ranks(&block.iter().map(|v| -v).collect::<Vec<_>>());
        sums.iter_mut().zip(ranks).for_each(|(sum, rank)| *sum += rank);
        ties += groups.iter().map(|&t| (t as f64).powi(3) - t as f64).sum::<f64>();
    }
    let (n, k) = (table.len() as f64, k as f64);
    let untied = 1.0 - ties / (k * (k * k - 1.0) * n);
    let degrees = ChiSquared::new(k - 1.0).ok()?;
    if untied.is_nan() || untied <= 0.0 {
        return None;
    }
    let squares: f64 = sums.iter().map(|s| s * s).sum();
    let statistic = (12.0 / (k * n * (k + 1.0)) * squares - 3.0 * n * (k + 1.0)) / untied;
    let mean_ranks = sums.iter().map(|s| s / n).collect();
    Some(Friedman { statistic, p_value: degrees.sf(statistic), mean_ranks })
}

#[cfg(test)]
mod tests {
    use super::*;

    // import numpy as np; from scipy.stats import friedmanchisquare, rankdata
    // t = np.array([[0.9, 0.8, 0.8, 0.7], [0.85, 0.9, 0.7, 0.6], [0.7, 0.6, 0.65, 0.5], [0.95, 0.9, 0.9, 0.9], [0.6, 0.62, 0.5, 0.4]])
    // print(friedmanchisquare(*t.T)); print(rankdata(-t, axis=1).mean(0))
    #[test]
    fn equals_scipy() {
        let table = [
            vec![0.9, 0.8, 0.8, 0.7],
            vec![0.85, 0.9, 0.7, 0.6],
            vec![0.7, 0.6, 0.65, 0.5],
            vec![0.95, 0.9, 0.9, 0.9],
            vec![0.6, 0.62, 0.5, 0.4],
        ];
        let found = friedman(&table).unwrap();
        assert!((found.statistic - 10.33333333333333).abs() < 1e-10, "{found:?}");
        assert!((found.p_value - 0.01593518114812485).abs() < 1e-10, "{found:?}");
        assert_eq!(found.mean_ranks, [1.4, 2.1, 2.7, 3.8]);
    }

    #[test]
    fn nothing_to_rank_is_none() {
        assert_eq!(friedman(&[]), None);
        assert_eq!(friedman(&[vec![1.0], vec![2.0]]), None);
        assert_eq!(friedman(&[vec![1.0, 1.0], vec![2.0, 2.0]]), None);
    }
}
