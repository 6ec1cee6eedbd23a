//! Means, spreads and intervals over seeds and domains.

use zsad_metrics::stats::crossed;

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
    /// 95 % interval over seeds and domains ([`crossed`]), cut at 0 and 1; `None` where there is one of each.
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
    pub fn summary(&self) -> Option<Summary> {
        let means = self.seed_means();
        let mean = self.mean()?;
        let variance = means.iter().map(|m| (m - mean).powi(2)).sum::<f64>() / (means.len() as f64 - 1.0);
        let (seeds, domains) = (means.len(), self.defined_domains());
        Some(Summary {
            mean,
            std: (seeds > 1).then(|| variance.sqrt()),
            interval: self.half_width().map(|half| ((mean - half).max(0.0), (mean + half).min(1.0))),
            seeds,
            domains,
        })
    }

    /// Half of the 95 % interval around the mean; `None` where there is one seed and domain.
    pub fn half_width(&self) -> Option<f64> {
        Some(crossed(&self.values, self.domains)?.half_width())
    }

    /// The paired differences from another method. `None` where the two were not measured on the same seeds and domains.
    pub fn less(&self, other: &Matrix) -> Option<Matrix> {
        let same = (self.seeds, self.domains) == (other.seeds, other.domains)
            && self.values.iter().zip(&other.values).all(|(a, b)| a.is_some() == b.is_some());
        let difference = |(a, b): (&Option<f64>, &Option<f64>)| Some((*a)? - (*b)?);
        same.then(|| Matrix { values: self.values.iter().zip(&other.values).map(difference).collect(), ..*self })
    }

    /// The mean over seeds of the mean over domains.
    pub fn mean(&self) -> Option<f64> {
        let means = self.seed_means();
        (!means.is_empty()).then(|| means.iter().sum::<f64>() / means.len() as f64)
    }
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

    #[test]
    fn the_mean_is_over_seeds_of_the_mean_over_domains() {
        let s = matrix(&[&[Some(0.5), Some(0.7)], &[Some(0.9), None], &[None, None]]).summary().unwrap();
        // Seed means 0.6 and 0.9; numpy.std([0.6, 0.9], ddof=1) = 0.21213203435596426.
        assert!((s.mean - 0.75).abs() < 1e-15 && (s.std.unwrap() - 0.21213203435596426).abs() < 1e-15);
        assert_eq!((s.seeds, s.domains), (2, 2));
        assert_eq!(matrix(&[&[None, None]]).summary(), None);
        let one = matrix(&[&[Some(0.4)]]).summary().unwrap();
        assert_eq!((one.mean, one.std, one.interval), (0.4, None, None));
    }

    #[test]
    fn an_interval_ends_where_a_share_does() {
        let s = matrix(&[&[Some(0.9), Some(1.0), Some(0.95)]]).summary().unwrap();
        let (low, high) = s.interval.unwrap();
        // scipy.stats.t.interval(0.95, 2, 0.95, scipy.stats.sem([0.9, 1, 0.95])) = (0.82579…, 1.07420…)
        assert!((low - 0.8257931144124835).abs() < 1e-12 && high == 1.0, "{low} {high}");
    }

    #[test]
    fn differences_are_paired() {
        // The spread over domains is wide, the difference is everywhere about 0.01: only a paired comparison sees it.
        let base: Vec<_> = (0..50).map(|i| Some(f64::from(i) / 50.0)).collect();
        let better: Vec<_> =
            base.iter().enumerate().map(|(i, v)| v.map(|v| v + 0.01 + 0.001 * (i % 3) as f64)).collect();
        let noisy: Vec<_> = (0..50).map(|i| Some(f64::from((i * 7) % 50) / 50.0)).collect();
        let parted = |a: &[Option<f64>], b: &[Option<f64>]| {
            let difference = matrix(&[a]).less(&matrix(&[b]))?;
            Some(difference.mean()?.abs() > difference.half_width()?)
        };
        assert_eq!(parted(&better, &base), Some(true));
        assert_eq!(parted(&noisy, &base), Some(false));
        let hole: Vec<_> = std::iter::once(None).chain(base[1..].iter().copied()).collect();
        assert_eq!(parted(&hole, &base), None);
    }

    #[test]
    fn quantiles_are_numpys() {
        // numpy.quantile([1, 2, 4, 8], [0.025, 0.5, 0.975]) = [1.075, 3.0, 7.7]
        let q = |q| quantile(&[1.0, 2.0, 4.0, 8.0], q).unwrap();
        assert!((q(0.025) - 1.075).abs() < 1e-12 && q(0.5) == 3.0 && (q(0.975) - 7.7).abs() < 1e-12);
        assert_eq!(quantile(&[], 0.5), None);
    }
}
