//! Isolation forest.

use rand::RngExt;
use rayon::prelude::*;
use zsad_core::rng::{Rng, stream};
use zsad_core::{Accepts, MethodSpec, Result};

use crate::families::classical::{Classical, PointMethod};
use crate::math::Points;

/// The registry's entry: 2^(−mean path length / c(sample size)), in (0, 1). PyOD's score is this one minus a constant
/// of the fit (its threshold), which no ranking inside a batch can see.
pub const DEF: Classical<IForest> = Classical::new(&MethodSpec {
    name: "iforest",
    version: 1,
    summary: "isolation forest: points that few random cuts set apart",
    citation: "Liu, Ting, Zhou: Isolation Forest, ICDM 2008",
    accepts: Accepts::ANY,
});

zsad_core::params! {
    /// Its parameters.
    pub struct IForest {
        /// number of trees
        pub trees: usize = 100, in 1..=1 << 20;
        /// points drawn for a tree; all where there are fewer
        pub max_samples: usize = 256, in 2..=1 << 32;
    }
}

/// Queries that are scored together. Fixed: the work is cut alike for any number of threads.
const CHUNK: usize = 256;

/// Grown trees.
pub(crate) struct Forest {
    trees: Vec<Tree>,
    /// Points drawn for each tree.
    drawn: usize,
}

/// Nodes in depth-first order; the root is the first.
struct Tree(Vec<Node>);

enum Node {
    /// Feature and threshold; at or below it goes to the next node, above it to the node `right`.
    Cut { feature: usize, threshold: f64, right: usize },
    /// The length of the path to here, with the mean length of the paths that its points would have further on.
    Leaf { length: f64 },
}

impl PointMethod for IForest {
    type Model = Forest;

    fn fit(&self, x: &Points, seed: u64) -> Result<Forest> {
        let drawn = self.max_samples.min(x.len());
        let depth = (drawn.max(2) as f64).log2().ceil() as usize;
        let grow = |tree: usize| {
            let mut rng = stream(seed, &[("purpose", "iforest"), ("tree", &tree.to_string())]);
            let mut points = rand::seq::index::sample(&mut rng, x.len(), drawn).into_vec();
            let mut nodes = Vec::new();
            grow(x, &mut points, 0, depth, &mut rng, &mut nodes);
            Tree(nodes)
        };
        Ok(Forest { trees: (0..self.trees).into_par_iter().map(grow).collect(), drawn })
    }

    fn score(&self, forest: &Forest, x: &Points, _: bool) -> Result<Vec<f64>> {
        // A tree of a single point has paths of length 0 and nothing to compare them with: scikit-learn says 2^-1.
        let all = forest.trees.len() as f64 * mean_path(forest.drawn);
        let score = |row: &[f64]| {
            let sum: f64 = forest.trees.iter().map(|tree| tree.path(row)).sum();
            if all > 0.0 { (-sum / all).exp2() } else { 0.5 }
        };
        let chunks = x.values().par_chunks(CHUNK * x.dim());
        Ok(chunks.map(|rows| rows.chunks_exact(x.dim()).map(score).collect::<Vec<_>>()).collect::<Vec<_>>().concat())
    }
}

/// Grows the tree under `points` from the depth `length` on: a random feature that varies, a uniform threshold.
fn grow(x: &Points, points: &mut [usize], length: usize, depth: usize, rng: &mut Rng, nodes: &mut Vec<Node>) {
    let cut = if length < depth && points.len() > 1 { draw_cut(x, points, rng) } else { None };
    let Some((feature, threshold)) = cut else {
        nodes.push(Node::Leaf { length: length as f64 + mean_path(points.len()) });
        return;
    };
    let at = nodes.len();
    nodes.push(Node::Cut { feature, threshold, right: 0 });
    points.sort_by_key(|&i| x.row(i)[feature] > threshold);
    let (low, high) = points.split_at_mut(points.partition_point(|&i| x.row(i)[feature] <= threshold));
    grow(x, low, length + 1, depth, rng, nodes);
    nodes[at] = Node::Cut { feature, threshold, right: nodes.len() };
    grow(x, high, length + 1, depth, rng, nodes);
}

/// A feature drawn among those that vary over `points`, and a threshold between its least and greatest value;
/// `None` where all points are equal.
fn draw_cut(x: &Points, points: &[usize], rng: &mut Rng) -> Option<(usize, f64)> {
    let range = |feature: usize| {
        let values = points.iter().map(|&i| x.row(i)[feature]);
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        (low < high).then_some((feature, low, high))
    };
    // Most features vary, so a few draws nearly always find one; else all are looked at.
    let (feature, low, high) = (0..8).find_map(|_| range(rng.random_range(0..x.dim()))).or_else(|| {
        let varying: Vec<_> = (0..x.dim()).filter_map(range).collect();
        (!varying.is_empty()).then(|| varying[rng.random_range(0..varying.len())])
    })?;
    let threshold = low + rng.random::<f64>() * (high - low);
    // Rounding may reach the greatest value, and then nothing would lie above.
    Some((feature, if threshold < high { threshold } else { low }))
}

/// The mean path length of an unsuccessful search in a binary tree of `n` points (Liu et al., equation 1).
fn mean_path(n: usize) -> f64 {
    const EULER: f64 = 0.577_215_664_901_532_9;
    match n {
        0 | 1 => 0.0,
        2 => 1.0,
        _ => 2.0 * (((n - 1) as f64).ln() + EULER) - 2.0 * (n - 1) as f64 / n as f64,
    }
}

impl Tree {
    fn path(&self, row: &[f64]) -> f64 {
        let mut at = 0;
        loop {
            match self.0[at] {
                Node::Leaf { length } => return length,
                Node::Cut { feature, threshold, right } => at = if row[feature] <= threshold { at + 1 } else { right },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::classical::testing::in_batch;
    use crate::math::testing::{agree, x, y};

    // from sklearn.ensemble import IsolationForest; x and y as in math::testing
    // for n in (60, 16):
    //     m = IsolationForest(n_estimators=5000, max_samples=n, random_state=0).fit(x)
    //     print(-m.score_samples(x)[:12], -m.score_samples(y))
    #[test]
    fn many_trees_approach_scikit_learn() {
        for (drawn, of_x, of_y) in [
            (
                256,
                &[
                    0.476429, 0.479809, 0.490536, 0.47856, 0.47856, 0.519231, 0.487004, 0.457362, 0.462489, 0.454015,
                    0.47712, 0.84533,
                ][..],
                &[0.552161, 0.558136, 0.522715, 0.47856][..],
            ),
            (
                16,
                &[
                    0.501801, 0.513454, 0.519248, 0.521061, 0.521061, 0.532492, 0.50818, 0.493489, 0.501669, 0.498347,
                    0.521461, 0.657148,
                ][..],
                &[0.558298, 0.557777, 0.535916, 0.521061][..],
            ),
        ] {
            let method = IForest { trees: 5000, max_samples: drawn };
            let forest = method.fit(&x(), 3).unwrap();
            agree(&method.score(&forest, &x(), true).unwrap(), of_x, 5e-3);
            agree(&method.score(&forest, &y(), false).unwrap(), of_y, 5e-3);
        }
    }

    #[test]
    fn equal_points_and_a_single_point_have_equal_scores() {
        for n in [1, 7] {
            let same = Points::from_values(vec![0.3; 4 * n], 4);
            let scores = in_batch(&IForest::default(), &same);
            assert!(scores.iter().all(|s| (s - 0.5).abs() < 1e-12), "{scores:?}");
        }
    }
}
