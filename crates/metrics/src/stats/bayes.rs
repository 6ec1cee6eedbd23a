//! The Bayesian signed-rank test.

use rand_distr::{Distribution, Exp1, Gamma};
use zsad_core::rng;

/// Draws of the posterior behind every probability: its error is at most half a point.
pub const DRAWS: usize = 10_000;

/// Weight of the prior's one observation, a difference of 0 (baycomp's default).
const PRIOR: f64 = 0.5;

/// How likely it is that of two methods, on a further domain, …
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Posterior {
    /// … the second is better by more than the region of practical equivalence.
    pub second: f64,
    /// … the two are practically equivalent.
    pub equivalent: f64,
    /// … the first is better by more than that.
    pub first: f64,
}

/// The Bayesian signed-rank test (Benavoli, Mangili, Corani, Zaffalon, Ruggeri, ICML 2014) of paired differences, first
/// minus second, with a region of practical equivalence of ± `rope`: the shares of draws from a Dirichlet process in
/// which each of the three outcomes is the likeliest. With `rope` 0, `equivalent` is 0.
pub fn bayesian_signed_rank(differences: &[f64], rope: f64) -> Posterior {
    let mut sorted: Vec<(f64, f64)> = differences.iter().map(|&d| (d, 1.0)).collect();
    sorted.push((0.0, PRIOR));
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let values: Vec<f64> = sorted.iter().map(|s| s.0).collect();
    let above: Vec<Place> = values.iter().map(|v| Place::new(&values, 2.0 * rope - v)).collect();
    let below: Vec<Place> = values.iter().map(|v| Place::new(&values, -2.0 * rope - v)).collect();
    let mut stream = rng::stream(0, &[("purpose", "bayesian signed-rank")]);
    // The parameters are positive.
    let prior = Gamma::new(PRIOR, 1.0).expect("a positive shape and scale");
    let mut wins = [0usize; 3];
    let mut sums = vec![0.0; values.len() + 1];
    for _ in 0..DRAWS {
        // Independent gammas over their sum are Dirichlet; a gamma of shape 1 is exponential.
        let weights =
            sorted.iter().map(|s| if s.1 == 1.0 { Exp1.sample(&mut stream) } else { prior.sample(&mut stream) });
        let weights: Vec<f64> = weights.collect();
        for (i, w) in weights.iter().enumerate() {
            sums[i + 1] = sums[i] + w;
        }
        let total = sums[values.len()];
        let pairs = |places: &[Place], upper: bool| {
            let of = |(w, place): (&f64, &Place)| {
                let (strict, touching) = if upper {
                    (total - sums[place.end], sums[place.end] - sums[place.start])
                } else {
                    (sums[place.start], sums[place.end] - sums[place.start])
                };
                w * (strict + 0.5 * touching)
            };
            weights.iter().zip(places).map(of).sum::<f64>() / (total * total)
        };
        let first = pairs(&above, true);
        let second = if rope > 0.0 { pairs(&below, false) } else { 1.0 - first };
        let three = [second, 1.0 - first - second, first];
        // The first of equals, as numpy's argmax.
        let likeliest = (0..3).fold(0, |best, i| if three[i] > three[best] { i } else { best });
        wins[likeliest] += 1;
    }
    let [second, equivalent, first] = wins.map(|n| n as f64 / DRAWS as f64);
    Posterior { second, equivalent, first }
}

/// Where in sorted values those equal to a bound stand: `start..end`.
struct Place {
    start: usize,
    end: usize,
}

impl Place {
    fn new(sorted: &[f64], bound: f64) -> Self {
        Place { start: sorted.partition_point(|v| *v < bound), end: sorted.partition_point(|v| *v <= bound) }
    }
}
