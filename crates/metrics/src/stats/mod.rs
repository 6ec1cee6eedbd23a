//! Statistics over metric values: intervals, and tests of whether methods differ.

mod bootstrap;
mod friedman;
mod holm;
mod mean_std;
mod nemenyi;
mod wilcoxon;

pub use bootstrap::{Interval, bootstrap_mean};
pub use friedman::{Friedman, friedman};
pub use holm::holm;
pub use mean_std::{MeanStd, mean_std};
pub use nemenyi::nemenyi_critical_difference;
pub use wilcoxon::{Wilcoxon, wilcoxon};

/// Ranks from 1, equal values sharing the mean of theirs, and the sizes of the groups of equal values.
fn ranks(values: &[f64]) -> (Vec<f64>, Vec<usize>) {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut groups = Vec::new();
    let mut before = 0;
    for tied in order.chunk_by(|&a, &b| values[a] == values[b]) {
        for &i in tied {
            ranks[i] = before as f64 + (tied.len() + 1) as f64 / 2.0;
        }
        before += tied.len();
        groups.push(tied.len());
    }
    (ranks, groups)
}
