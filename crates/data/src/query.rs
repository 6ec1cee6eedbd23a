//! Which samples of a batch are labelled: the ways of SOEL (Li et al., Deep Anomaly Detection under Labeling Budget Constraints,
//! ICML 2023), each as its authors' code draws it.

use rand::RngExt;
use rand::seq::index;
use zsad_core::rng::Rng;
use zsad_core::{Budget, Error, Query, Result, Samples};

pub use crate::sampler::point_name;

/// Its authors' scale of distances, which lie between 0 and 1: of all samples, those that are nearly the farthest are drawn.
const TAU: f64 = 0.01;

/// The samples of a batch that are labelled, in the order in which they are asked for.
///
/// `scores` are those without labels, `share` the contamination that the protocol names (of which [`Query::Margin`] alone makes
/// something), and `samples` is called by [`Query::KDiverse`] alone.
///
/// # Errors
/// [`Error::Refused`] where every sample would be labelled; that of `samples`.
pub fn choose(
    budget: Budget,
    scores: &[f64],
    share: f64,
    samples: impl FnOnce() -> Result<Samples>,
    rng: &mut Rng,
) -> Result<Vec<usize>> {
    let (n, k) = (scores.len(), budget.labels);
    if k >= n {
        return Err(Error::refused(format!("{k} labels of a batch of {n} leave nothing to find")));
    }
    Ok(match budget.query {
        Query::Random => index::sample(rng, n, k).into_vec(),
        Query::Positive => nearest_first(n, k, |i| -scores[i]),
        Query::Margin => {
            let mut sorted = scores.to_vec();
            sorted.sort_by(|a, b| b.total_cmp(a));
            // The lowest score among those that would be called anomalous.
            let border = sorted[((n as f64 * share) as usize).clamp(1, n) - 1];
            nearest_first(n, k, |i| (scores[i] - border).abs())
        }
        Query::KDiverse => {
            let far = scaled_distances(&samples()?, TAU);
            let mut chosen = vec![middle(&far)];
            while chosen.len() < k {
                let weights = weights(&far, &chosen);
                let mut left = rng.random::<f64>() * weights.iter().sum::<f64>();
                let drawn = weights.iter().position(|w| {
                    left -= w;
                    *w > 0.0 && left <= 0.0
                });
                // Rounding may leave a rest behind the last of them.
                let last = || weights.iter().rposition(|w| *w > 0.0);
                let next = drawn.or_else(last).or_else(|| (0..n).find(|i| !chosen.contains(i)));
                // Fewer than all are chosen.
                chosen.extend(next);
            }
            chosen
        }
    })
}

/// The `k` samples of the least `key`; of equals, the first.
fn nearest_first(n: usize, k: usize, key: impl Fn(usize) -> f64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| key(a).total_cmp(&key(b)));
    order.truncate(k);
    order
}

/// e^((d − 1)/τ) of all pairs, the distances d divided by the greatest: e^(d/τ) but for a factor.
fn scaled_distances(samples: &Samples, tau: f64) -> Vec<Vec<f64>> {
    let (values, dim) = (samples.to_f64(), samples.dim().max(1));
    let rows: Vec<&[f64]> = values.chunks_exact(dim).collect();
    let distance = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt();
    let all: Vec<Vec<f64>> = rows.iter().map(|a| rows.iter().map(|b| distance(a, b)).collect()).collect();
    let most = all.iter().flatten().copied().fold(0.0, f64::max);
    let scaled = |d: f64| if most > 0.0 { ((d / most - 1.0) / tau).exp() } else { 1.0 };
    all.into_iter().map(|row| row.into_iter().map(scaled).collect()).collect()
}

/// The sample that is least far from all.
fn middle(far: &[Vec<f64>]) -> usize {
    let sum = |i: usize| far[i].iter().sum::<f64>();
    nearest_first(far.len(), 1, sum)[0]
}

/// How likely each sample is the next: by what is least far of the chosen, which are none themselves.
fn weights(far: &[Vec<f64>], chosen: &[usize]) -> Vec<f64> {
    let least = |i: usize| chosen.iter().map(|&c| far[c][i]).fold(f64::INFINITY, f64::min);
    (0..far.len()).map(|i| if chosen.contains(&i) { 0.0 } else { least(i) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use zsad_core::Values;
    use zsad_core::rng::stream;

    fn points() -> Samples {
        let xy = [0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 4.0, 4.0, 5.0, 4.0, 2.0, 2.0];
        Samples::new(vec![2], Values::F64(xy.to_vec()))
    }

    fn chosen(query: Query, labels: usize, scores: &[f64], seed: u64) -> Vec<usize> {
        let budget = Budget { labels, query };
        choose(budget, scores, 0.4, || Ok(points()), &mut stream(seed, &[])).unwrap()
    }

    // The authors' kmeans_diverse at τ 0.1 (aodongli/Active-SOEL, NTL/models/Query_strategies.py): it draws from these
    // probabilities until the sample is a new one, so that its own weight of the first, 0.0019555269, falls away.
    #[test]
    fn diverse_samples_are_drawn_as_their_authors_draw_them() {
        let far = scaled_distances(&points(), 0.1);
        assert_eq!(middle(&far), 5);
        let all: f64 = far[5].iter().sum();
        let theirs = [0.1620525546, 0.0642518893, 0.0642518893, 0.1620525546, 0.5454355852, 0.0019555269];
        for (i, (ours, theirs)) in far[5].iter().zip(theirs).enumerate() {
            assert!((ours / all - theirs).abs() < 1e-9, "{i}: {}", ours / all);
        }
        let weights = weights(&far, &[5, 4]);
        assert_eq!((weights[5], weights[4]), (0.0, 0.0));
        assert!(weights[0] == far[5][0] && weights[3] == far[4][3]);
    }

    #[test]
    fn every_way_asks_for_different_samples_and_those_that_it_means() {
        let scores = [0.1, 0.9, 0.3, 0.8, 0.2, 0.5];
        assert_eq!(chosen(Query::Positive, 2, &scores, 0), [1, 3]);
        // 40 % of six are two: the border is 0.8, and 0.9 is nearer to it than 0.5.
        assert_eq!(chosen(Query::Margin, 3, &scores, 0), [3, 1, 5]);
        // The middle, and at τ 0.01 the farthest point from it.
        assert_eq!(chosen(Query::KDiverse, 2, &scores, 3), [5, 4]);
        for query in [Query::Random, Query::KDiverse] {
            for seed in 0..20 {
                let mut all = chosen(query, 5, &scores, seed);
                assert_eq!(all, chosen(query, 5, &scores, seed));
                all.sort_unstable();
                all.dedup();
                assert_eq!(all.len(), 5, "{query}");
            }
        }
        let firsts: std::collections::BTreeSet<_> = (0..60).map(|s| chosen(Query::Random, 1, &scores, s)[0]).collect();
        assert_eq!(firsts.len(), 6);
    }

    #[test]
    fn samples_that_are_all_one_are_chosen_all_the_same_and_a_whole_batch_is_refused() {
        let same = || Ok(Samples::new(vec![1], Values::F64(vec![2.0; 4])));
        let of = |labels| Budget { labels, query: Query::KDiverse };
        let mut all = choose(of(3), &[0.0; 4], 0.1, same, &mut stream(0, &[])).unwrap();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 3);
        let refused = choose(of(4), &[0.0; 4], 0.1, same, &mut stream(0, &[])).unwrap_err();
        assert_eq!(refused.to_string(), "4 labels of a batch of 4 leave nothing to find");
    }
}
