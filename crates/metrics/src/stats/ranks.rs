//! Ranks with ties.

/// Ranks from 1 of the smallest; equals share the mean of their ranks (`scipy.stats.rankdata`).
pub fn mid_ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut below = 0;
    for equals in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let shared = below as f64 + (equals.len() + 1) as f64 / 2.0;
        equals.iter().for_each(|&i| ranks[i] = shared);
        below += equals.len();
    }
    ranks
}

/// Σ (t³ − t) over groups of t equals: the correction of rank statistics for ties.
pub(super) fn tie_term(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.chunk_by(|a, b| a == b).map(|equals| (equals.len() as f64).powi(3) - equals.len() as f64).sum()
}
