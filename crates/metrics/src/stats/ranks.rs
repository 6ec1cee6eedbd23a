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

/// The mean rank of each method over blocks of one value a method, 1 for the greatest; NaN where there is no block.
pub fn mean_ranks(blocks: &[Vec<f64>]) -> Vec<f64> {
    let mut sums = vec![0.0; blocks.first().map_or(0, Vec::len)];
    for block in blocks {
        let turned: Vec<f64> = block.iter().map(|v| -v).collect();
        sums.iter_mut().zip(mid_ranks(&turned)).for_each(|(sum, rank)| *sum += rank);
    }
    sums.into_iter().map(|s| s / blocks.len() as f64).collect()
}

/// Σ (t³ − t) over groups of t equals: the correction of rank statistics for ties.
pub(super) fn tie_term(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.chunk_by(|a, b| a == b).map(|equals| (equals.len() as f64).powi(3) - equals.len() as f64).sum()
}
