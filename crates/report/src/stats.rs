//! Means, spreads and bootstrap intervals over seeds and domains.

use rand::RngExt;
use zsad_core::rng;

/// Bootstrap resamples behind every interval.
pub const RESAMPLES: usize = 2000;

/// One value a seed and domain, `[seeds, domains]` row-major; `None` where undefined or not run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Matrix {
    pub seeds: usize,
    pub domains: usize,
    pub values: Vec<Option<f64>>,
}

/// What a table cell says of a [`Matrix`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// Mean over seeds of the mean over domains.
    pub mean: f64,
    /// Sample standard deviation (n − 1) over seeds of the mean over domains; `None` for a single seed.
    pub std: Option<f64>,
    /// 95 % percentile bootstrap interval over seeds and domains; `None` where there is one of each.
    pub interval: Option<(f64, f64)>,
    /// Seeds with a defined value.
    pub seeds: usize,
    /// Domains with a defined value.
    pub domains: usize,
}

impl Matrix {
    /// The mean over domains of each seed that has one.
    fn seed_means(&self) -> Vec<f64> {
        let mean = |row: &[Option<f64>]| {
            let defined: Vec<f64> = row.iter().flatten().copied().collect();
            (!defined.is_empty()).then(|| defined.iter().sum::<f64>() / defined.len() as f64)
        };
        self.values.chunks(self.domains.max(1)).filter_map(mean).collect()
    }

    fn defined_domains(&self) -> usize {
        (0..self.domains).filter(|d| (0..self.seeds).any(|s| self.values[s * self.domains + d].is_some())).count()
    }

    /// Mean, spread and interval; `None` where nothing is defined.
    pub fn summary(&self, resamples: &Resamples) -> Option<Summary> {
        let means = self.seed_means();
        if means.is_empty() {
            return None;
        }
        let n = means.len() as f64;
        let mean = means.iter().sum::<f64>() / n;
        let variance = means.iter().map(|m| (m - mean).powi(2)).sum::<f64>() / (n - 1.0);
        let (seeds, domains) = (means.len(), self.defined_domains());
        Some(Summary {
            mean,
            std: (seeds > 1).then(|| variance.sqrt()),
            interval: (seeds > 1 || domains > 1).then(|| interval(resamples.means(self))).flatten(),
            seeds,
            domains,
        })
    }

    /// Whether both have values in the same places.
    fn same_places(&self, other: &Matrix) -> bool {
        (self.seeds, self.domains) == (other.seeds, other.domains)
            && self.values.iter().zip(&other.values).all(|(a, b)| a.is_some() == b.is_some())
    }

    /// Whether the 95 % interval of the paired difference of two methods contains 0. `None` where the two were not
    /// measured on the same seeds and domains, or there is only one of each.
    pub fn indistinguishable(&self, other: &Matrix, resamples: &Resamples) -> Option<bool> {
        if !self.same_places(other) || (self.seeds < 2 && self.domains < 2) {
            return None;
        }
        let difference = |(a, b): (&Option<f64>, &Option<f64>)| Some((*a)? - (*b)?);
        let values = self.values.iter().zip(&other.values).map(difference).collect();
        let (low, high) = interval(resamples.means(&Matrix { values, ..*self }))?;
        Some(low <= 0.0 && 0.0 <= high)
    }
}

/// How often each seed and each domain is drawn in each resample; the same draws for every method, so that
/// differences are paired.
pub(crate) struct Resamples {
    seeds: Vec<Vec<u16>>,
    domains: Vec<Vec<u16>>,
}

impl Resamples {
    /// Draws for a matrix of this size, from a stream named by the size alone.
    pub fn new(seeds: usize, domains: usize) -> Self {
        let sizes = [("seeds", seeds.to_string()), ("domains", domains.to_string())];
        let axes = [("purpose", "bootstrap"), (sizes[0].0, &sizes[0].1), (sizes[1].0, &sizes[1].1)];
        let mut stream = rng::stream(0, &axes);
        let mut draw = |n: usize| {
            let mut counts = vec![0u16; n];
            for _ in 0..n {
                counts[stream.random_range(0..n)] += 1;
            }
            counts
        };
        let drawn: Vec<_> = (0..RESAMPLES).map(|_| (draw(seeds), draw(domains))).collect();
        let (seeds, domains) = drawn.into_iter().unzip();
        Resamples { seeds, domains }
    }

    /// The mean of each resample, as [`Summary::mean`] takes it; resamples that hold nothing defined are left out.
    pub fn means(&self, matrix: &Matrix) -> Vec<f64> {
        let mean = |(seeds, domains): (&Vec<u16>, &Vec<u16>)| {
            let (mut sum, mut weight) = (0.0, 0.0);
            for (row, &count) in matrix.values.chunks(matrix.domains.max(1)).zip(seeds).filter(|(_, c)| **c > 0) {
                let (mut inner, mut drawn) = (0.0, 0.0);
                for (value, &times) in row.iter().zip(domains) {
                    if let Some(v) = value {
                        inner += f64::from(times) * v;
                        drawn += f64::from(times);
                    }
                }
                if drawn > 0.0 {
                    sum += f64::from(count) * inner / drawn;
                    weight += f64::from(count);
                }
            }
            (weight > 0.0).then(|| sum / weight)
        };
        self.seeds.iter().zip(&self.domains).filter_map(mean).collect()
    }
}

/// The 2.5 % and 97.5 % quantiles.
fn interval(mut values: Vec<f64>) -> Option<(f64, f64)> {
    values.sort_by(f64::total_cmp);
    Some((quantile(&values, 0.025)?, quantile(&values, 0.975)?))
}

/// The `q` quantile of sorted values, linear between order statistics (numpy's default); `None` of none.
pub(crate) fn quantile(sorted: &[f64], q: f64) -> Option<f64> {
    let place = q * (sorted.len().checked_sub(1)? as f64);
    let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    Some(low + (high - low) * place.fract())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(rows: &[&[Option<f64>]]) -> Matrix {
        Matrix { seeds: rows.len(), domains: rows[0].len(), values: rows.concat() }
    }

    fn summary(m: &Matrix) -> Option<Summary> {
        m.summary(&Resamples::new(m.seeds, m.domains))
    }

    #[test]
    fn the_mean_is_over_seeds_of_the_mean_over_domains() {
        let s = summary(&matrix(&[&[Some(0.5), Some(0.7)], &[Some(0.9), None], &[None, None]])).unwrap();
        // Seed means 0.6 and 0.9; numpy.std([0.6, 0.9], ddof=1) = 0.21213203435596426.
        assert!((s.mean - 0.75).abs() < 1e-15 && (s.std.unwrap() - 0.21213203435596426).abs() < 1e-15);
        assert_eq!((s.seeds, s.domains), (2, 2));
        assert_eq!(summary(&matrix(&[&[None, None]])), None);
        let one = summary(&matrix(&[&[Some(0.4)]])).unwrap();
        assert_eq!((one.mean, one.std, one.interval), (0.4, None, None));
    }

    #[test]
    fn the_interval_agrees_with_theory_and_repeats() {
        // One seed, 400 domains of 0, 1, 0, 1 …: the mean's standard error is 0.5 / sqrt(400) = 0.025.
        let values: Vec<_> = (0..400).map(|i| Some(f64::from(i % 2))).collect();
        let m = matrix(&[&values]);
        let (low, high) = summary(&m).unwrap().interval.unwrap();
        assert!((low - (0.5 - 1.96 * 0.025)).abs() < 0.004 && (high - (0.5 + 1.96 * 0.025)).abs() < 0.004);
        assert_eq!(summary(&m), summary(&m));
    }

    #[test]
    fn differences_are_paired() {
        // The spread over domains is wide, the difference is everywhere 0.01: only a paired comparison sees it.
        let base: Vec<_> = (0..50).map(|i| Some(f64::from(i) / 50.0)).collect();
        let better: Vec<_> = base.iter().map(|v| v.map(|v| v + 0.01)).collect();
        let noisy: Vec<_> = (0..50).map(|i| Some(f64::from((i * 7) % 50) / 50.0)).collect();
        let r = Resamples::new(1, 50);
        assert_eq!(matrix(&[&better]).indistinguishable(&matrix(&[&base]), &r), Some(false));
        assert_eq!(matrix(&[&noisy]).indistinguishable(&matrix(&[&base]), &r), Some(true));
        let hole: Vec<_> = std::iter::once(None).chain(base[1..].iter().copied()).collect();
        assert_eq!(matrix(&[&hole]).indistinguishable(&matrix(&[&base]), &r), None);
    }

    #[test]
    fn quantiles_are_numpys() {
        // numpy.quantile([1, 2, 4, 8], [0.025, 0.5, 0.975]) = [1.075, 3.0, 7.7]
        let q = |q| quantile(&[1.0, 2.0, 4.0, 8.0], q).unwrap();
        assert!((q(0.025) - 1.075).abs() < 1e-12 && q(0.5) == 3.0 && (q(0.975) - 7.7).abs() < 1e-12);
        assert_eq!(quantile(&[], 0.5), None);
    }
}
