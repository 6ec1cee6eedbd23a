//! γGMM: how contaminated a pool is, from the scores of several detectors and nothing else (Perini, Bürkner, Klami, Estimating
//! the Contamination Factor's Distribution in Unsupervised Anomaly Detection, ICML 2023).
//!
//! Samples are points in the space of the detectors' scores; a mixture is fitted to them, its components are ordered by how
//! anomalous they look, and the contamination is the weight of the first of them, of how many being drawn from a prior belief.

mod mixture;

use rand::RngExt;
use rand::seq::index;
use rand_distr::{Beta, ChiSquared, Distribution, StandardNormal};
use statrs::function::beta::checked_beta_reg;
use zsad_core::rng::{Rng, stream};
use zsad_core::{Error, Result};

use crate::posterior::Estimate;
use mixture::Mixture;

/// Fewer samples than these have no components to tell apart.
pub const LEAST: usize = 200;
/// Concentration of new components.
const WEIGHT: f64 = 0.01;
/// A component with a smaller stick parameter is empty.
const EMPTY: f64 = 2.0;
/// Draws for the order of components, and for the posterior.
const DRAWS: usize = 1000;
/// Attempts with other starts, where the belief cannot be met.
const ATTEMPTS: u64 = 100;
/// Steps of k-means.
const LLOYD: usize = 100;

/// What is believed before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Belief {
    /// Components at most.
    pub components: usize,
    /// The chance of no anomaly at all.
    pub none: f64,
    /// A contamination that is high …
    pub high: f64,
    /// … and its chance.
    pub p_high: f64,
    /// Contaminations from here on are cut off.
    pub most: f64,
}

impl Default for Belief {
    fn default() -> Self {
        Belief { components: 100, none: 0.01, high: 0.15, p_high: 0.01, most: 0.25 }
    }
}

/// The posterior of the contamination of a pool whose samples have these scores, `[detectors][n]`; `None` where the belief cannot be
/// met with any start: the most anomalous component alone is larger than the belief allows.
///
/// # Errors
/// [`Error::Refused`] where there are fewer than [`LEAST`] samples, or scores do not differ.
pub fn contamination(scores: &[&[f64]], belief: &Belief, seed: u64) -> Result<Option<Estimate>> {
    let n = scores.first().map_or(0, |s| s.len());
    if n < LEAST {
        let why =
            "in smaller ones dozens of empty components are spread over the few that are there, and no answer remains";
        return Err(Error::refused(format!("{n} samples, and γGMM wants a pool of {LEAST} at least: {why}")));
    }
    let columns = scores.iter().map(|s| transformed(s)).collect::<Result<Vec<_>>>()?;
    let x: Vec<Vec<f64>> = (0..n).map(|i| columns.iter().map(|c| c[i]).collect()).collect();
    for attempt in 0..ATTEMPTS {
        let mut rng = stream(seed, &[("purpose", "gamma_gmm"), ("attempt", &attempt.to_string())]);
        let start = clustered(&x, belief.components.min(n - 1), &mut rng);
        let mixture = Mixture::fit(&x, start, WEIGHT)?;
        let components = ordered(&mixture, &mut rng);
        if let Some(slope) = slope(&components, belief) {
            return Ok(Some(posterior(&components, &slope.chances(&components), belief, &mut rng)));
        }
    }
    Ok(None)
}

/// ln(s − min s + 0.01), of mean 0 and standard deviation 1.
fn transformed(scores: &[f64]) -> Result<Vec<f64>> {
    let n = scores.len() as f64;
    let least = scores.iter().copied().fold(f64::INFINITY, f64::min);
    let logs: Vec<f64> = scores.iter().map(|s| (s - least + 0.01).ln()).collect();
    let mean = logs.iter().sum::<f64>() / n;
    let deviation = (logs.iter().map(|l| (l - mean).powi(2)).sum::<f64>() / n).sqrt();
    if deviation <= 0.0 {
        return Err(Error::refused("the scores of a detector do not differ"));
    }
    Ok(logs.into_iter().map(|l| (l - mean) / deviation).collect())
}

/// A component that is not empty: how anomalous it looks, and its weight in samples.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Component {
    anomalous: f64,
    weight: f64,
}

/// The components that are not empty, the most anomalous first; what the empty ones hold is spread over them.
fn ordered(mixture: &Mixture, rng: &mut Rng) -> Vec<Component> {
    let kept: Vec<usize> = (0..mixture.sticks.len()).filter(|&k| mixture.sticks[k].0 >= EMPTY).collect();
    let dropped: f64 = mixture.sticks.iter().map(|s| s.0).filter(|a| *a < EMPTY).sum();
    let detectors = mixture.means[0].len();
    let mut all: Vec<Component> = kept
        .iter()
        .map(|&k| {
            let (precision, freedom) = (mixture.mean_precision[k], mixture.freedom[k]);
            // Degrees of freedom are at least the number of dimensions.
            let chi = ChiSquared::new(freedom).ok();
            let mut sum = 0.0;
            for _ in 0..DRAWS {
                for j in 0..detectors {
                    let noise: f64 = StandardNormal.sample(rng);
                    let mean = mixture.means[k][j] + noise / precision.sqrt();
                    let variance = mixture.covariances[k][(j, j)] / freedom * chi.map_or(freedom, |c| c.sample(rng));
                    sum += mean / (1.0 + variance.sqrt());
                }
            }
            let weight = mixture.sticks[k].0 + dropped / kept.len() as f64;
            Component { anomalous: sum / (DRAWS * detectors) as f64, weight }
        })
        .collect();
    all.sort_by(|a, b| b.anomalous.total_cmp(&a.anomalous));
    all
}

/// How the chance of a component to be anomalous, p = 1 / (1 + e^{τ + δ r}), rises with how anomalous it looks, r.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Slope {
    delta: f64,
    tau: f64,
}

impl Slope {
    /// The chance that the first k components are the anomalous ones, for k = 1 …: p₁ … p_k (1 − p_k₊₁).
    fn chances(self, components: &[Component]) -> Vec<f64> {
        let p = |c: &Component| 1.0 / (1.0 + (self.tau + self.delta * c.anomalous).exp());
        let mut product = 1.0;
        (0..components.len())
            .map(|k| {
                product *= p(&components[k]);
                product * (1.0 - components.get(k + 1).map_or(0.0, p))
            })
            .collect()
    }
}

/// The slope, δ ≤ −1 and τ ≥ 0, with which no anomaly and a high contamination have the chances that are believed. `None` where
/// there is none.
fn slope(components: &[Component], belief: &Belief) -> Option<Slope> {
    let total: f64 = components.iter().map(|c| c.weight).sum();
    let mut sum = 0.0;
    let high: Vec<f64> = components
        .iter()
        .map(|c| {
            sum += c.weight;
            let rest = total - sum;
            // All components together hold everything.
            if rest <= 1e-9 * total { 1.0 } else { 1.0 - checked_beta_reg(sum, rest, belief.high).unwrap_or(0.0) }
        })
        .collect();
    let first = components.first()?.anomalous;
    let logit = (belief.none / (1.0 - belief.none)).ln();
    let of = |delta: f64| Slope { delta, tau: logit - delta * first };
    let p_high = |delta: f64| of(delta).chances(components).iter().zip(&high).map(|(p, h)| p * h).sum::<f64>();
    // τ ≥ 0 wants a steep slope where the first component lies close.
    let mut gentle = if first > 0.0 { (logit / first).min(-1.0) } else { return None };
    let mut steep = gentle * 2.0;
    while p_high(steep) > belief.p_high {
        steep *= 2.0;
        if steep < -1e6 {
            return None;
        }
    }
    if p_high(gentle) < belief.p_high {
        return None;
    }
    for _ in 0..200 {
        let middle = 0.5 * (gentle + steep);
        *(if p_high(middle) > belief.p_high { &mut gentle } else { &mut steep }) = middle;
    }
    Some(of(steep))
}

fn posterior(components: &[Component], chances: &[f64], belief: &Belief, rng: &mut Rng) -> Estimate {
    let total: f64 = components.iter().map(|c| c.weight).sum();
    let mut values = Vec::with_capacity(DRAWS);
    // Values beyond the greatest are drawn again, and few are.
    for _ in 0..100 * DRAWS {
        if values.len() == DRAWS {
            break;
        }
        let mut left: f64 = rng.random();
        let (mut sum, mut value) = (0.0, 0.0);
        for (component, chance) in components.iter().zip(chances) {
            sum += component.weight;
            left -= chance;
            if left < 0.0 {
                // The weight of some components of a Dirichlet distribution.
                value = Beta::new(sum, total - sum).map_or(1.0, |beta| beta.sample(rng));
                break;
            }
        }
        if value < belief.most {
            values.push(value);
        }
    }
    values.sort_by(f64::total_cmp);
    Estimate::of(&values)
}

/// Responsibilities of one cluster each, by k-means from centres that lie far from each other (Arthur, Vassilvitskii, k-means++,
/// 2007).
fn clustered(x: &[Vec<f64>], k: usize, rng: &mut Rng) -> Vec<Vec<f64>> {
    let distance = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
    let mut centres: Vec<Vec<f64>> = index::sample(rng, x.len(), 1).into_iter().map(|i| x[i].clone()).collect();
    let mut nearest: Vec<f64> = vec![f64::INFINITY; x.len()];
    while centres.len() < k {
        for (near, row) in nearest.iter_mut().zip(x) {
            *near = near.min(distance(row, &centres[centres.len() - 1]));
        }
        let mut left = rng.random::<f64>() * nearest.iter().sum::<f64>();
        let chosen = nearest.iter().position(|near| {
            left -= near;
            left < 0.0
        });
        centres.push(x[chosen.unwrap_or(x.len() - 1)].clone());
    }
    let mut of = vec![0; x.len()];
    for _ in 0..LLOYD {
        let closest = |row: &Vec<f64>| {
            let all = centres.iter().map(|c| distance(row, c)).enumerate();
            all.min_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(i, _)| i)
        };
        let now: Vec<usize> = x.iter().map(closest).collect();
        if now == of {
            break;
        }
        of = now;
        for (c, centre) in centres.iter_mut().enumerate() {
            let own: Vec<&Vec<f64>> = x.iter().zip(&of).filter(|(_, o)| **o == c).map(|(row, _)| row).collect();
            if !own.is_empty() {
                *centre = (0..centre.len()).map(|j| own.iter().map(|r| r[j]).sum::<f64>() / own.len() as f64).collect();
            }
        }
    }
    of.into_iter().map(|own| (0..k).map(|c| f64::from(u8::from(c == own))).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transform_is_the_authors() {
        let found = transformed(&[0.0, 1.0, 3.0, 10.0]).unwrap();
        let expected = [-1.646668052319, 0.117496042839, 0.534917234444, 0.994254775036];
        found.iter().zip(expected).for_each(|(a, b)| assert!((a - b).abs() < 1e-9, "{a} instead of {b}"));
        assert!(transformed(&[1.0; 4]).is_err());
    }

    #[test]
    fn the_belief_is_met_as_by_the_authors() {
        let of = |(anomalous, weight): (f64, f64)| Component { anomalous, weight };
        let components = [(1.9, 12.0), (0.8, 30.0), (0.3, 50.0), (-0.2, 100.0), (-0.6, 60.0)].map(of);
        let slope_of = slope(&components, &Belief::default()).unwrap();
        assert!((slope_of.delta + 8.087609651617).abs() < 1e-6, "{slope_of:?}");
        assert!((slope_of.tau - 10.771338487939).abs() < 1e-6, "{slope_of:?}");
        let found = slope_of.chances(&components);
        for (p, expected) in found.iter().zip([0.9767632960, 0.0132335602, 3.14386e-6]) {
            assert!((p - expected).abs() < 1e-6, "{p} instead of {expected}");
        }
        // A first component that alone is larger than the belief allows.
        assert_eq!(slope(&[(1.9, 60.0), (-0.6, 40.0)].map(of), &Belief::default()), None);
    }

    #[test]
    fn a_clear_share_is_found_and_a_small_pool_refused() {
        let mut rng = stream(3, &[("purpose", "test")]);
        let mut draw = |n: usize, off: f64| -> Vec<f64> {
            let mut one = |i: usize| {
                let noise: f64 = StandardNormal.sample(&mut rng);
                noise + if i < n / 20 { off } else { 0.0 }
            };
            (0..n).map(&mut one).collect()
        };
        let pools = [draw(400, 9.0), draw(400, 8.0), draw(400, 10.0)];
        let scores: Vec<&[f64]> = pools.iter().map(Vec::as_slice).collect();
        let found = contamination(&scores, &Belief::default(), 0).unwrap().unwrap();
        assert!((found.mean - 0.05).abs() < 0.03 && found.hi < 0.15, "{found:?}");
        let few: Vec<&[f64]> = pools.iter().map(|p| &p[..100]).collect();
        assert!(contamination(&few, &Belief::default(), 0).unwrap_err().to_string().contains("a pool of 200"));
    }
}
