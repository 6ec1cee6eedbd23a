//! Wilcoxon's signed-rank test.

use statrs::function::erf::erfc;

use super::ranks::{mid_ranks, tie_term};

/// Differences up to which the distribution is computed exactly.
const EXACT: usize = 200;

/// Outcome of [`signed_rank`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SignedRank {
    /// The smaller of the two rank sums.
    pub statistic: f64,
    /// Two-sided p-value.
    pub p: f64,
    /// Differences that are not zero.
    pub n: usize,
}

/// Wilcoxon's signed-rank test of paired differences, two-sided. Zeros are left out (Wilcoxon's own way). The p-value is
/// exact for up to 200 differences, with ties too: the distribution of the rank sum over all signs, given the ranks;
/// beyond, by the normal approximation with its correction for ties. `None` where all differences are zero.
pub fn signed_rank(differences: &[f64]) -> Option<SignedRank> {
    let signed: Vec<f64> = differences.iter().copied().filter(|d| *d != 0.0).collect();
    let n = signed.len();
    if n == 0 {
        return None;
    }
    let sizes: Vec<f64> = signed.iter().map(|d| d.abs()).collect();
    let ranks = mid_ranks(&sizes);
    let plus: f64 = ranks.iter().zip(&signed).filter(|(_, d)| **d > 0.0).map(|(r, _)| r).sum();
    let statistic = plus.min((n * (n + 1)) as f64 / 2.0 - plus);
    let p = if n <= EXACT { exact(&ranks, statistic) } else { normal(n as f64, tie_term(&sizes), statistic) };
    Some(SignedRank { statistic, p, n })
}

/// The least p-value that `n` differences can give: all of one sign.
pub fn least_p(n: usize) -> f64 {
    (2.0 * 0.5f64.powi(n as i32)).min(1.0)
}

/// Twice the share of all signs whose rank sum is at most `statistic`. Doubled, mid-ranks are whole numbers.
fn exact(ranks: &[f64], statistic: f64) -> f64 {
    let doubled: Vec<usize> = ranks.iter().map(|r| (2.0 * r).round() as usize).collect();
    let mut chance = vec![0.0; doubled.iter().sum::<usize>() + 1];
    chance[0] = 1.0;
    let mut reached = 0;
    for rank in doubled {
        reached += rank;
        for sum in (0..=reached).rev() {
            let with = if sum >= rank { chance[sum - rank] } else { 0.0 };
            chance[sum] = 0.5 * (chance[sum] + with);
        }
    }
    let below: f64 = chance[..=(2.0 * statistic).round() as usize].iter().sum();
    (2.0 * below).min(1.0)
}

fn normal(n: f64, ties: f64, statistic: f64) -> f64 {
    let mean = n * (n + 1.0) / 4.0;
    let variance = n * (n + 1.0) * (2.0 * n + 1.0) / 24.0 - ties / 48.0;
    erfc((mean - statistic) / (2.0 * variance).sqrt()).min(1.0)
}
