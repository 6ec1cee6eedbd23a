//! A few points that lie near all: greedy k-centre selection.

use std::borrow::Cow;

use rand::RngExt;
use rand::seq::index;
use rayon::prelude::*;
use zsad_core::rng::stream;

use crate::math::Points;
use crate::math::points::squared_distance;

/// How points are chosen.
pub(super) struct Coreset {
    /// The share that is kept.
    pub share: f64,
    /// Random points that the distances start at: each point's mean distance to them. 0: from the first point on.
    pub anchors: usize,
    /// Values that distances are measured by, after a random projection; 0: all.
    pub projection: usize,
    pub seed: u64,
}

impl Coreset {
    /// The places of those of `points` that are kept, in the order of their choice; `None` where nothing is left out.
    pub fn chosen(&self, points: &Points<f32>) -> Option<Vec<usize>> {
        let wanted = ((points.len() as f64 * self.share).ceil() as usize).clamp(1, points.len());
        if wanted == points.len() {
            return None;
        }
        let anchors = index::sample(&mut self.stream("anchors"), points.len(), self.anchors.min(points.len()));
        Some(greedy(&self.projected(points), wanted, &anchors.into_vec()))
    }

    /// By weights from U(−1/√d, 1/√d), as PyTorch initialises a linear layer of d inputs.
    fn projected<'p>(&self, points: &'p Points<f32>) -> Cow<'p, Points<f32>> {
        if self.projection == 0 || self.projection == points.dim() {
            return Cow::Borrowed(points);
        }
        let (bound, mut rng) = (1.0 / (points.dim() as f32).sqrt(), self.stream("projection"));
        let weights: Vec<f32> = (0..self.projection * points.dim()).map(|_| rng.random_range(-bound..bound)).collect();
        let project = |row: &[f32]| {
            let dot = |weights: &[f32]| weights.iter().zip(row).map(|(w, x)| w * x).sum::<f32>();
            weights.chunks_exact(points.dim()).map(dot).collect::<Vec<f32>>()
        };
        let rows: Vec<&[f32]> = points.rows().collect();
        let values = rows.into_par_iter().flat_map_iter(project).collect();
        Cow::Owned(Points::from_values(values, self.projection))
    }

    fn stream(&self, purpose: &str) -> zsad_core::rng::Rng {
        stream(self.seed, &[("method", "patchcore"), ("purpose", purpose)])
    }
}

/// The indices of `wanted` points, each the farthest from those before it. Distances start at the mean distance to
/// `anchors` (patchcore-inspection's `ApproximateGreedyCoresetSampler`); without any, the first point is the first.
fn greedy(points: &Points<f32>, wanted: usize, anchors: &[usize]) -> Vec<usize> {
    let rows: Vec<&[f32]> = points.rows().collect();
    let apart = |a: usize, b: usize| squared_distance(rows[a], rows[b]).sqrt();
    let mean = |i| anchors.iter().map(|&a| apart(i, a)).sum::<f64>() / anchors.len() as f64;
    let mut chosen = Vec::with_capacity(wanted);
    let mut distance: Vec<f64> = match anchors {
        [] => vec![f64::INFINITY; rows.len()],
        _ => (0..rows.len()).into_par_iter().map(mean).collect(),
    };
    while chosen.len() < wanted {
        let mut farthest = 0;
        for (i, d) in distance.iter().enumerate() {
            if *d > distance[farthest] {
                farthest = i;
            }
        }
        chosen.push(farthest);
        distance.par_iter_mut().enumerate().for_each(|(i, d)| *d = d.min(apart(i, farthest)));
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(points: &Points<f32>, share: f64) -> Vec<f32> {
        let chosen = Coreset { share, anchors: 0, projection: 0, seed: 0 }.chosen(points);
        chosen.map_or_else(|| points.clone(), |chosen| points.select(&chosen)).values().to_vec()
    }

    #[test]
    fn the_coreset_spreads_over_the_points() {
        let line = Points::from_values(vec![0.0, 1.0, 2.0, 10.0, 11.0, 4.9], 1);
        assert_eq!(of(&line, 0.5), [0.0, 11.0, 4.9]);
        assert_eq!(of(&line, 1.0), line.values());
        assert_eq!(of(&line, 0.01), [0.0]);
    }

    // import numpy as np; from scipy.spatial.distance import cdist
    // x = np.sin(np.arange(60) * 0.9).reshape(20, 3); d = cdist(x, x[[3, 11]]).mean(1); chosen = []
    // for _ in range(6):
    //     i = d.argmax(); chosen.append(i); d = np.minimum(d, cdist(x, x[i:i + 1])[:, 0])
    #[test]
    fn with_anchors_the_choice_is_that_of_the_released_code_in_numpy() {
        let points = Points::from_values((0..60).map(|i| (f64::from(i) * 0.9).sin() as f32).collect(), 3);
        assert_eq!(greedy(&points, 6, &[3, 11]), CHOSEN);
    }

    const CHOSEN: [usize; 6] = [14, 6, 2, 17, 8, 11];

    #[test]
    fn a_projection_keeps_the_choice_of_points_that_lie_far_apart() {
        let values =
            (0..40).flat_map(|i| [if i % 10 == 0 { 100.0 * i as f32 } else { 0.0 }, (i as f32).sin(), 0.3, 1.0]);
        let points = Points::from_values(values.collect(), 4);
        let kept = Coreset { share: 0.1, anchors: 5, projection: 3, seed: 1 }.chosen(&points).unwrap();
        let mut far: Vec<f32> = kept.into_iter().map(|i| points.row(i)[0]).collect();
        far.sort_by(f32::total_cmp);
        assert_eq!(far, [0.0, 1000.0, 2000.0, 3000.0]);
    }
}
