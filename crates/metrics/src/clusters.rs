//! How well clusters are classes: normalised mutual information, adjusted Rand index, and F1 after the best matching.
//!
//! As AnomalyNCD reports kinds of anomalies (Huang et al., CVPR 2025): NMI by the arithmetic mean, micro F1 after Hungarian
//! matching, which is the share of samples in matched clusters.

use std::collections::BTreeMap;

/// The three numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Agreement {
    /// Normalised mutual information, 0 … 1.
    pub nmi: f64,
    /// Adjusted Rand index: 1 for the same partition, 0 for one by chance.
    pub ari: f64,
    /// The share of samples whose cluster is matched to their class.
    pub matched_f1: f64,
}

/// The agreement of classes and clusters, one of each a sample. `None` where there is no sample, or not one of each.
pub fn agreement<A: Ord, B: Ord>(classes: &[A], clusters: &[B]) -> Option<Agreement> {
    if classes.is_empty() || classes.len() != clusters.len() {
        return None;
    }
    let (a, rows) = numbered(classes);
    let (b, columns) = numbered(clusters);
    let mut counts = vec![vec![0.0; columns]; rows];
    a.iter().zip(&b).for_each(|(&i, &j)| counts[i][j] += 1.0);
    let n = classes.len() as f64;
    let of_rows: Vec<f64> = counts.iter().map(|row| row.iter().sum()).collect();
    let of_columns: Vec<f64> = (0..columns).map(|j| counts.iter().map(|row| row[j]).sum()).collect();
    let entropy = |sizes: &[f64]| -> f64 { sizes.iter().map(|s| -s / n * (s / n).ln()).sum() };
    let mut mutual = 0.0;
    for (row, size) in counts.iter().zip(&of_rows) {
        for (count, other) in row.iter().zip(&of_columns).filter(|(count, _)| **count > 0.0) {
            mutual += count / n * (n * count / (size * other)).ln();
        }
    }
    let mean = 0.5 * (entropy(&of_rows) + entropy(&of_columns));
    // One class in one cluster agree.
    let nmi = if mean > 0.0 { (mutual / mean).clamp(0.0, 1.0) } else { 1.0 };
    let pairs = |v: f64| v * (v - 1.0) / 2.0;
    let together: f64 = counts.iter().flatten().map(|c| pairs(*c)).sum();
    let [in_rows, in_columns] = [&of_rows, &of_columns].map(|sizes| sizes.iter().map(|s| pairs(*s)).sum::<f64>());
    let chance = in_rows * in_columns / pairs(n).max(1.0);
    let most = 0.5 * (in_rows + in_columns);
    let ari = if most == chance { 1.0 } else { (together - chance) / (most - chance) };
    Some(Agreement { nmi, ari, matched_f1: best_matching(&counts) / n })
}

/// The place of each value among the distinct ones, and how many these are.
fn numbered<T: Ord>(values: &[T]) -> (Vec<usize>, usize) {
    let mut numbers: BTreeMap<&T, usize> = values.iter().map(|v| (v, 0)).collect();
    numbers.values_mut().zip(0..).for_each(|(number, i)| *number = i);
    (values.iter().map(|v| numbers[v]).collect(), numbers.len())
}

/// The greatest sum of entries with at most one in each row and column: the Hungarian method with potentials, O(n³).
fn best_matching(counts: &[Vec<f64>]) -> f64 {
    let size = counts.len().max(counts[0].len());
    let cost = |i: usize, j: usize| -counts.get(i - 1).and_then(|row| row.get(j - 1)).copied().unwrap_or(0.0);
    // Rows and columns are counted from 1; column 0 stands for none.
    let (mut of_row, mut of_column) = (vec![0.0; size + 1], vec![0.0; size + 1]);
    let mut matched = vec![0usize; size + 1];
    for row in 1..=size {
        matched[0] = row;
        let mut column = 0;
        let mut least = vec![f64::INFINITY; size + 1];
        let (mut from, mut used) = (vec![0usize; size + 1], vec![false; size + 1]);
        while matched[column] != 0 {
            used[column] = true;
            let (i, mut delta, mut next) = (matched[column], f64::INFINITY, 0);
            for j in (1..=size).filter(|&j| !used[j]) {
                let reduced = cost(i, j) - of_row[i] - of_column[j];
                if reduced < least[j] {
                    (least[j], from[j]) = (reduced, column);
                }
                if least[j] < delta {
                    (delta, next) = (least[j], j);
                }
            }
            for j in 0..=size {
                if used[j] {
                    of_row[matched[j]] += delta;
                    of_column[j] -= delta;
                } else {
                    least[j] -= delta;
                }
            }
            column = next;
        }
        while column != 0 {
            matched[column] = matched[from[column]];
            column = from[column];
        }
    }
    -(1..=size).map(|j| cost(matched[j], j)).sum::<f64>()
}

/// Clusters of points, lines of `dim` values, by Ward's linkage, cut where `k` are left: by the chain of nearest neighbours
/// (Murtagh 1983), O(n²) time and memory. The number of each point's cluster, in the order in which clusters first occur.
pub fn ward(points: &[f64], dim: usize, k: usize) -> Vec<usize> {
    let n = points.len() / dim;
    let row = |i: usize| &points[i * dim..(i + 1) * dim];
    let squared = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum::<f64>();
    // Ward's cost of joining: size a · size b / (size a + size b) times the squared distance of their means.
    let mut cost: Vec<f64> = (0..n * n).map(|i| 0.5 * squared(row(i / n), row(i % n))).collect();
    let mut sizes = vec![1.0; n];
    let (mut joins, mut chain): (Vec<(f64, usize, usize)>, Vec<usize>) = (Vec::new(), Vec::new());
    while joins.len() + 1 < n {
        let Some(&top) = chain.last() else {
            chain.extend((0..n).find(|&i| sizes[i] > 0.0));
            continue;
        };
        let before = chain.len().checked_sub(2).map(|i| chain[i]);
        // Of equal ones the one before, so that the chain ends.
        let mut best = before.map(|b| (cost[top * n + b], b));
        for other in (0..n).filter(|&j| j != top && sizes[j] > 0.0) {
            if best.is_none_or(|(least, _)| cost[top * n + other] < least) {
                best = Some((cost[top * n + other], other));
            }
        }
        let Some((height, nearest)) = best else { break };
        if Some(nearest) != before {
            chain.push(nearest);
            continue;
        }
        chain.truncate(chain.len() - 2);
        let (kept, gone) = (top.min(nearest), top.max(nearest));
        joins.push((height, kept, gone));
        let (a, b) = (sizes[kept], sizes[gone]);
        for other in (0..n).filter(|&j| j != kept && j != gone && sizes[j] > 0.0) {
            let c = sizes[other];
            let joined =
                ((a + c) * cost[kept * n + other] + (b + c) * cost[gone * n + other] - c * height) / (a + b + c);
            (cost[kept * n + other], cost[other * n + kept]) = (joined, joined);
        }
        (sizes[kept], sizes[gone]) = (a + b, 0.0);
    }
    // Joins come out of order; the lowest n − k of them are made.
    joins.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut leader: Vec<usize> = (0..n).collect();
    fn find(leader: &mut [usize], mut i: usize) -> usize {
        while leader[i] != i {
            leader[i] = leader[leader[i]];
            i = leader[i];
        }
        i
    }
    for &(_, a, b) in joins.iter().take(n.saturating_sub(k)) {
        let (a, b) = (find(&mut leader, a), find(&mut leader, b));
        leader[a.max(b)] = a.min(b);
    }
    let roots: Vec<usize> = (0..n).map(|i| find(&mut leader, i)).collect();
    let mut numbers: BTreeMap<usize, usize> = BTreeMap::new();
    roots
        .iter()
        .map(|root| {
            let next = numbers.len();
            *numbers.entry(*root).or_insert(next)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `sklearn.metrics.normalized_mutual_info_score`, `adjusted_rand_score`, `scipy.optimize.linear_sum_assignment`.
    #[test]
    fn agreement_is_that_of_scikit_learn() {
        let truth = [0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 2];
        let clusters = [1, 1, 1, 2, 2, 2, 0, 0, 0, 0, 0, 3];
        let found = agreement(&truth, &clusters).unwrap();
        assert!((found.nmi - 0.6061125192147087).abs() < 1e-12, "{found:?}");
        assert!((found.ari - 0.418331374853114).abs() < 1e-12, "{found:?}");
        assert_eq!(found.matched_f1, 0.75);
        let same = agreement(&truth, &truth.map(|c| 7 - c)).unwrap();
        assert_eq!((same.ari, same.matched_f1), (1.0, 1.0));
        assert_eq!(agreement::<u8, u8>(&[], &[]), None);
    }

    #[test]
    fn matching_is_the_best_of_all_permutations() {
        let counts = vec![vec![4.0, 1.0, 3.0], vec![2.0, 0.0, 5.0], vec![3.0, 2.0, 2.0]];
        let all = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
        let best = all.iter().map(|p| (0..3).map(|i| counts[i][p[i]]).sum::<f64>()).fold(0.0, f64::max);
        assert_eq!(best_matching(&counts), best);
        assert_eq!(best_matching(&[vec![1.0, 5.0, 2.0, 0.0]]), 5.0);
    }

    /// ```python
    /// x = np.array([[np.sin(1.3 * i) + 4 * (i % 3), np.cos(.7 * i) * 2 - 3 * (i % 3 == 1)] for i in range(18)])
    /// [fcluster(linkage(x, "ward"), k, "maxclust") for k in (2, 3, 5)]
    /// ```
    #[test]
    fn wards_clusters_are_scipys() {
        let points: Vec<f64> = (0..18)
            .flat_map(|i| {
                let (x, group) = (f64::from(i), i % 3);
                [(1.3 * x).sin() + 4.0 * f64::from(group), (0.7 * x).cos() * 2.0 - if group == 1 { 3.0 } else { 0.0 }]
            })
            .collect();
        for (k, wanted) in WARD {
            assert_eq!(agreement(&ward(&points, 2, k), &wanted).unwrap().ari, 1.0, "{k}");
        }
    }

    const WARD: [(usize, [usize; 18]); 3] = [
        (2, [1, 2, 2, 1, 2, 2, 1, 2, 2, 1, 2, 2, 1, 2, 2, 1, 2, 2]),
        (3, [1, 3, 2, 1, 3, 2, 1, 3, 2, 1, 3, 2, 1, 3, 2, 1, 3, 2]),
        (5, [1, 5, 3, 2, 4, 3, 2, 5, 3, 1, 5, 3, 2, 4, 3, 2, 5, 3]),
    ];
}
