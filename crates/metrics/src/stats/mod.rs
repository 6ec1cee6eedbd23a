//! What differences between methods allow one to conclude: tests over domains or data sets, not over batches.
//!
//! Demšar: Statistical Comparisons of Classifiers over Multiple Data Sets, JMLR 2006; Benavoli, Corani, Demšar, Zaffalon:
//! Time for a Change, JMLR 2017. All of it is checked against SciPy, statsmodels, scikit-posthocs and baycomp.

mod bayes;
mod crossed;
mod friedman;
mod holm;
mod ranks;
mod scale;
mod signed_rank;
mod studentized;
mod two_sample;

pub use bayes::{DRAWS, Posterior, bayesian_signed_rank};
pub use crossed::{Components, Spread, components, crossed};
pub use friedman::{Friedman, friedman};
pub use holm::holm;
pub use ranks::{mean_ranks, mid_ranks};
pub use scale::{rank_shares, z_scores};
pub use signed_rank::{SignedRank, least_p, signed_rank};
pub use studentized::{critical_difference, range_survival};
pub use two_sample::{binomial_half, chi_squared, kolmogorov_smirnov, mmd, mmd_p};

#[cfg(test)]
mod tests;
