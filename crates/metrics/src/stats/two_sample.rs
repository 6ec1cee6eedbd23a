//! Whether two samples are of one distribution: tests as Failing Loudly uses them (Rabanser, Günnemann and Lipton, NeurIPS
//! 2019), checked against SciPy.

use rand::seq::SliceRandom;
use statrs::distribution::{ChiSquared, ContinuousCDF};
use statrs::function::beta::beta_reg;
use zsad_core::rng::Rng;

/// Products of sizes up to which the exact distribution of the Kolmogorov–Smirnov distance is counted out.
const EXACT: usize = 1_000_000;

/// The greatest distance of two distribution functions, and the probability of one as great: exact, ties as if there were
/// none, for products of sizes up to a million, else by the limit law. `None` where a sample is empty.
pub fn kolmogorov_smirnov(a: &[f64], b: &[f64]) -> Option<(f64, f64)> {
    let (n, m) = (a.len(), b.len());
    if n == 0 || m == 0 {
        return None;
    }
    let sorted = |values: &[f64]| {
        let mut values = values.to_vec();
        values.sort_by(f64::total_cmp);
        values
    };
    let (a, b) = (sorted(a), sorted(b));
    // In units of 1 / (n m): whole numbers, without rounding.
    let distance = |x: f64| {
        let (i, j) = (a.partition_point(|v| *v <= x), b.partition_point(|v| *v <= x));
        (i * m).abs_diff(j * n)
    };
    let greatest = a.iter().chain(&b).map(|x| distance(*x)).max().unwrap_or(0);
    let d = greatest as f64 / (n * m) as f64;
    let p = if n * m <= EXACT { exact_tail(n, m, greatest) } else { limit_tail(d, n, m) };
    Some((d, p))
}

/// P(n m D ≥ `distance`): the share of orders of n and m values that reach it, by counting those that do not.
fn exact_tail(n: usize, m: usize, distance: usize) -> f64 {
    let inside = |i: usize, j: usize| (i * m).abs_diff(j * n) < distance;
    let mut ways: Vec<f64> = (0..=m).map(|j| f64::from(u8::from((0..=j).all(|j| inside(0, j))))).collect();
    for i in 1..=n {
        let weight = i as f64 / (i + m) as f64;
        for j in 0..=m {
            let before = if j == 0 { 0.0 } else { ways[j - 1] };
            ways[j] = if inside(i, j) { weight * ways[j] + before } else { 0.0 };
        }
    }
    (1.0 - ways[m]).clamp(0.0, 1.0)
}

/// Kolmogorov's law at √(n m / (n + m)) D.
fn limit_tail(d: f64, n: usize, m: usize) -> f64 {
    let t = d * ((n * m) as f64 / (n + m) as f64).sqrt();
    let term = |k: i32| f64::from(1 - 2 * (k % 2 == 0) as i32) * (-2.0 * f64::from(k * k) * t * t).exp();
    (2.0 * (1..=100).map(term).sum::<f64>()).clamp(0.0, 1.0)
}

/// The probability of a count at least as far from n/2 as `hits`, where each of `n` is a hit with probability one half.
pub fn binomial_half(hits: usize, n: usize) -> f64 {
    let far = hits.max(n - hits);
    match far {
        0 => 1.0,
        far => (2.0 * beta_reg(far as f64, (n - far + 1) as f64, 0.5)).min(1.0),
    }
}

/// Pearson's χ² of a contingency table of lines of equal length, with Yates' correction for 2×2, and its probability. `None`
/// where a line or a column is empty.
pub fn chi_squared(table: &[Vec<f64>]) -> Option<(f64, f64)> {
    let columns = table.first()?.len();
    let lines: Vec<f64> = table.iter().map(|line| line.iter().sum()).collect();
    let sums: Vec<f64> = (0..columns).map(|j| table.iter().map(|line| line[j]).sum()).collect();
    let total: f64 = lines.iter().sum();
    if lines.iter().chain(&sums).any(|s| *s <= 0.0) || table.len() < 2 || columns < 2 {
        return None;
    }
    let yates = if table.len() == 2 && columns == 2 { 0.5 } else { 0.0 };
    let mut statistic = 0.0;
    for (line, of_line) in table.iter().zip(&lines) {
        for (count, of_column) in line.iter().zip(&sums) {
            let expected = of_line * of_column / total;
            let off = (count - expected).abs();
            statistic += (off - off.min(yates)).powi(2) / expected;
        }
    }
    let degrees = ((table.len() - 1) * (columns - 1)) as f64;
    Some((statistic, ChiSquared::new(degrees).ok()?.sf(statistic)))
}

/// Squared maximum mean discrepancy of two samples of points, lines of `dim` values, unbiased and biased, with the kernel
/// exp(−‖x − y‖² / median), the median over distances (not squared) between the two samples: Failing Loudly's, which
/// therefore depends on the unit of the values. And that median.
pub fn mmd(a: &[f64], b: &[f64], dim: usize) -> Option<(f64, f64, f64)> {
    let kernel = Kernel::new(a, b, dim)?;
    let n = a.len() / dim;
    let order: Vec<usize> = (0..kernel.n).collect();
    let (unbiased, biased) = kernel.between(&order, n);
    Some((unbiased, biased, kernel.median))
}

/// The share of `permutations` of both samples whose unbiased MMD² is at least that of the samples themselves, these among
/// them.
pub fn mmd_p(a: &[f64], b: &[f64], dim: usize, permutations: usize, rng: &mut Rng) -> Option<f64> {
    let kernel = Kernel::new(a, b, dim)?;
    let n = a.len() / dim;
    let mut order: Vec<usize> = (0..kernel.n).collect();
    let own = kernel.between(&order, n).0;
    let mut as_great = 0;
    for _ in 0..permutations {
        order.shuffle(rng);
        as_great += usize::from(kernel.between(&order, n).0 >= own);
    }
    Some((1 + as_great) as f64 / (1 + permutations) as f64)
}

/// The kernel of every pair of points of two samples, one after the other.
struct Kernel {
    n: usize,
    values: Vec<f64>,
    median: f64,
}

impl Kernel {
    fn new(a: &[f64], b: &[f64], dim: usize) -> Option<Self> {
        let first = a.len() / dim;
        if first < 2 || b.len() / dim < 2 {
            return None;
        }
        let points: Vec<&[f64]> = a.chunks_exact(dim).chain(b.chunks_exact(dim)).collect();
        let squared = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(a, b)| (a - b) * (a - b)).sum::<f64>();
        let n = points.len();
        let mut values: Vec<f64> = (0..n * n).map(|i| squared(points[i / n], points[i % n])).collect();
        let mut across: Vec<f64> =
            (0..first).flat_map(|i| (first..n).map(move |j| i * n + j)).map(|i| values[i].sqrt()).collect();
        across.sort_by(f64::total_cmp);
        let half = across.len() / 2;
        let median = if across.len() % 2 == 1 { across[half] } else { 0.5 * (across[half - 1] + across[half]) };
        values.iter_mut().for_each(|v| *v = (-*v / median.max(f64::MIN_POSITIVE)).exp());
        Some(Kernel { n, values, median })
    }

    /// Unbiased and biased MMD² of the first `n` of `order` and the others.
    fn between(&self, order: &[usize], n: usize) -> (f64, f64) {
        let sum = |xs: &[usize], ys: &[usize]| {
            xs.iter().map(|&i| ys.iter().map(|&j| self.values[i * self.n + j]).sum::<f64>()).sum::<f64>()
        };
        let (a, b) = order.split_at(n);
        let (x, y) = (a.len() as f64, b.len() as f64);
        let (xx, yy, xy) = (sum(a, a), sum(b, b), sum(a, b));
        let unbiased = (xx - x) / (x * (x - 1.0)) + (yy - y) / (y * (y - 1.0)) - 2.0 * xy / (x * y);
        (unbiased, xx / (x * x) + yy / (y * y) - 2.0 * xy / (x * y))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zsad_core::rng::stream;

    fn near(found: f64, wanted: f64) {
        assert!((found - wanted).abs() < 1e-9, "{found} instead of {wanted}");
    }

    /// `scipy.stats.ks_2samp(…, method="exact")`.
    #[test]
    fn the_distance_of_distributions_is_scipys() {
        let a: Vec<f64> = (0..20).map(|i| f64::from(i) / 20.0).collect();
        let b: Vec<f64> = (0..30).map(|j| f64::from(j) / 30.0 + 0.2).collect();
        let (d, p) = kolmogorov_smirnov(&a, &b).unwrap();
        near(d, 0.25);
        near(p, 0.39947710597025404);
        let (d, p) = kolmogorov_smirnov(&[1., 1., 2., 2., 3., 3., 4.], &[2., 2., 2., 3., 5., 5., 6., 6.]).unwrap();
        near(d, 0.5);
        near(p, 0.19254079254079257);
        assert_eq!(kolmogorov_smirnov(&[], &b), None);
        // The limit law is near the exact one for large samples: scipy.special.kolmogorov(1.0) = 0.26999967167735456.
        near(limit_tail((2.0f64 / 1000.0).sqrt(), 1000, 1000), 0.26999967167735456);
    }

    /// `scipy.stats.binomtest(33, 50)`, `scipy.stats.chi2_contingency`.
    #[test]
    fn counts_are_tested_as_scipy_does() {
        near(binomial_half(33, 50), 0.032839137564268484);
        near(binomial_half(25, 50), 1.0);
        let (statistic, p) = chi_squared(&[vec![20., 30., 50.], vec![30., 30., 20.]]).unwrap();
        near(statistic, 12.792857142857146);
        near(p, 0.001667502015585043);
        let (statistic, p) = chi_squared(&[vec![20., 30.], vec![30., 20.]]).unwrap();
        near(statistic, 3.24);
        near(p, 0.07186063822585143);
        assert_eq!(chi_squared(&[vec![0., 1.], vec![0., 2.]]), None);
    }

    /// By NumPy from the definition.
    #[test]
    fn the_discrepancy_of_means_is_that_of_failing_loudly() {
        let a: Vec<f64> = (0..10).flat_map(|i| [f64::from(i).sin(), f64::from(i).cos()]).collect();
        let b: Vec<f64> = (0..8).flat_map(|j| [f64::from(2 * j).sin() + 0.5, (0.5 * f64::from(j)).cos()]).collect();
        let (unbiased, biased, median) = mmd(&a, &b, 2).unwrap();
        near(median, 1.3116055113429956);
        near(unbiased, -0.11287619410010863);
        near(biased, 0.04767326792915805);
        let far: Vec<f64> = b.iter().map(|v| v + 3.0).collect();
        let p = |b: &[f64]| mmd_p(&a, b, 2, 199, &mut stream(0, &[("purpose", "test")])).unwrap();
        assert_eq!(p(&far), 1.0 / 200.0);
        assert!(p(&b) > 0.05);
    }
}
