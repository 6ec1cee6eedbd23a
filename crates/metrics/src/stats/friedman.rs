//! Friedman's test: do several methods rank alike?

use statrs::distribution::{ChiSquared, ContinuousCDF};

use super::ranks::{mean_ranks, tie_term};

/// Outcome of [`friedman`].
#[derive(Debug, Clone, PartialEq)]
pub struct Friedman {
    /// χ², corrected for ties.
    pub statistic: f64,
    /// From the χ² distribution with one degree less than there are methods: an approximation, good from about ten blocks.
    pub p: f64,
    /// Mean rank of each method, 1 for the greatest values.
    pub ranks: Vec<f64>,
    /// Blocks.
    pub n: usize,
}

/// Friedman's test over blocks (domains or data sets), each with one value a method; greater values get smaller ranks.
/// `None` for fewer than three methods, no blocks, or where all values of each block are equal.
///
/// # Panics
/// Where the blocks differ in length (a mistake of the caller).
pub fn friedman(blocks: &[Vec<f64>]) -> Option<Friedman> {
    let (n, k) = (blocks.len(), blocks.first()?.len());
    assert!(blocks.iter().all(|b| b.len() == k), "one value a method and block");
    if k < 3 {
        return None;
    }
    let (blocks_n, methods) = (n as f64, k as f64);
    let ranks = mean_ranks(blocks);
    let ties: f64 = blocks.iter().map(|block| tie_term(block)).sum();
    let correction = 1.0 - ties / (methods * (methods * methods - 1.0) * blocks_n);
    if correction <= 0.0 {
        return None;
    }
    let squares: f64 = ranks.iter().map(|rank| rank * rank).sum();
    let uncorrected = 12.0 * blocks_n / (methods * (methods + 1.0)) * squares - 3.0 * blocks_n * (methods + 1.0);
    let statistic = uncorrected / correction;
    let p = ChiSquared::new(methods - 1.0).ok()?.sf(statistic);
    Some(Friedman { statistic, p, ranks, n })
}
