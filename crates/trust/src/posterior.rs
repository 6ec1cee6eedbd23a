//! What a prediction means: the truths of the episodes that were predicted alike.

use serde::{Deserialize, Serialize};
use zsad_core::Result;

use crate::linear::{Linear, ridge};
use crate::summary::quantile;

/// What is known of a number.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Its mean.
    pub mean: f64,
    /// Its 5 % quantile.
    pub lo: f64,
    /// Its 95 % quantile.
    pub hi: f64,
}

impl Estimate {
    /// That of values in ascending order, of which there is one at least.
    pub fn of(sorted: &[f64]) -> Self {
        let mean = sorted.iter().sum::<f64>() / sorted.len() as f64;
        Estimate { mean, lo: quantile(sorted, 0.05), hi: quantile(sorted, 0.95) }
    }

    /// Whether the interval holds `truth`.
    pub fn covers(&self, truth: f64) -> bool {
        (self.lo..=self.hi).contains(&truth)
    }
}

/// A regression with what it said of episodes of domains that it had not seen, and what was true.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Posterior {
    linear: Linear,
    /// (prediction, truth, domain) of every episode.
    episodes: Vec<(f64, f64, usize)>,
    /// How many of them an estimate rests on.
    neighbours: usize,
}

impl Posterior {
    /// Learns `y` from the rows of `x`, whose domains are numbered in `group`.
    ///
    /// # Errors
    /// As [`ridge`].
    pub fn fit(x: &[Vec<f64>], y: &[f64], group: &[usize], neighbours: usize) -> Result<Self> {
        let (linear, unseen) = ridge(x, y, group)?;
        let episodes = unseen.into_iter().zip(y).zip(group).map(|((p, &y), &g)| (p, y, g)).collect();
        Ok(Posterior { linear, episodes, neighbours })
    }

    /// What `x` says.
    pub fn at(&self, x: &[f64]) -> Estimate {
        Estimate::of(&self.alike(x))
    }

    /// What was true of the episodes whose predictions are nearest to that of `x`, ascending.
    pub fn alike(&self, x: &[f64]) -> Vec<f64> {
        self.near(self.linear.at(x), None)
    }

    /// What every episode would have been said, by the episodes of other domains.
    pub fn unseen(&self) -> impl Iterator<Item = Estimate> {
        self.episodes.iter().map(|&(prediction, _, domain)| Estimate::of(&self.near(prediction, Some(domain))))
    }

    /// What was true of every episode.
    pub fn truths(&self) -> impl Iterator<Item = f64> {
        self.episodes.iter().map(|(_, truth, _)| *truth)
    }

    fn near(&self, prediction: f64, without: Option<usize>) -> Vec<f64> {
        let others = self.episodes.iter().filter(|(.., domain)| Some(*domain) != without);
        let mut near: Vec<(f64, f64)> = others.map(|&(p, truth, _)| ((p - prediction).abs(), truth)).collect();
        near.sort_by(|a, b| a.0.total_cmp(&b.0));
        near.truncate(self.neighbours);
        let mut truths: Vec<f64> = near.into_iter().map(|(_, truth)| truth).collect();
        truths.sort_by(f64::total_cmp);
        truths
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_truths_of_the_nearest_predictions() {
        // Predictions of y = x on both groups are near the truth; those of the nearest 3 are averaged.
        let x: Vec<Vec<f64>> = (0..200).map(|i| vec![f64::from(i) / 100.0 - 1.0]).collect();
        let y: Vec<f64> = x.iter().map(|x| x[0]).collect();
        let group: Vec<usize> = (0..200).map(|i| i % 2).collect();
        let posterior = Posterior::fit(&x, &y, &group, 3).unwrap();
        let found = posterior.at(&[0.5]);
        assert!((found.mean - 0.5).abs() < 0.02 && found.lo < found.mean && found.mean < found.hi, "{found:?}");
        assert!(found.covers(found.mean) && !found.covers(0.9));
        // An episode is judged by the other group, whose truths lie between its own.
        let unseen: Vec<Estimate> = posterior.unseen().collect();
        assert!((unseen[100].mean - y[100]).abs() < 0.02 && unseen.len() == 200);
    }
}
