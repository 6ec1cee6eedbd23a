//! Against SciPy 1.17, statsmodels, scikit-posthocs and baycomp: the calls stand above each number.

use rand::RngExt;

use super::*;

fn near(found: f64, want: f64, tolerance: f64) {
    assert!((found - want).abs() <= tolerance, "{found}, expected {want}");
}

fn sines(n: usize) -> impl Iterator<Item = f64> {
    (0..n).map(|i| (i as f64 * 1.7).sin())
}

// from scipy.stats import wilcoxon, PermutationMethod
#[test]
fn signed_rank_equals_scipy() {
    // wilcoxon(np.sin(np.arange(12) * 1.7) + 0.3, method="exact")
    let few: Vec<f64> = sines(12).map(|s| s + 0.3).collect();
    let found = signed_rank(&few).unwrap();
    assert_eq!((found.statistic, found.n), (22.0, 12));
    near(found.p, 0.20361328125, 1e-14);
    // wilcoxon(np.sin(np.arange(60) * 1.7) + 0.3, method="exact")
    let many: Vec<f64> = sines(60).map(|s| s + 0.3).collect();
    near(signed_rank(&many).unwrap().p, 0.002685746419860191, 1e-13);
    // wilcoxon([1, 1, -1, 2, 2, 3, -2, 0, 4], method=PermutationMethod(n_resamples=np.inf))
    let ties = signed_rank(&[1.0, 1.0, -1.0, 2.0, 2.0, 3.0, -2.0, 0.0, 4.0]).unwrap();
    assert_eq!((ties.statistic, ties.n), (7.0, 8));
    near(ties.p, 0.1640625, 1e-14);
    // wilcoxon(np.round(np.sin(np.arange(300) * 1.7) * 5 + 0.5), method="asymptotic")
    let beyond: Vec<f64> = sines(300).map(|s| (s * 5.0 + 0.5).round_ties_even()).collect();
    let found = signed_rank(&beyond).unwrap();
    assert_eq!((found.statistic, found.n), (15186.5, 279));
    near(found.p, 0.0011895664577095452, 1e-12);
    assert_eq!(signed_rank(&[0.0; 4]), None);
}

/// Three domains cannot show anything at the usual level.
#[test]
fn the_least_p_is_that_of_differences_of_one_sign() {
    for n in 1..12 {
        let all: Vec<f64> = (1..=n).map(f64::from).collect();
        near(signed_rank(&all).unwrap().p, least_p(n as usize), 1e-15);
    }
    assert_eq!(least_p(3), 0.25);
}

// statsmodels.stats.multitest.multipletests([0.01, 0.04, 0.03, 0.005, 0.5], method="holm")[1]
#[test]
fn holm_equals_statsmodels() {
    let found = holm(&[0.01, 0.04, 0.03, 0.005, 0.5]);
    for (found, want) in found.into_iter().zip([0.04, 0.09, 0.09, 0.025, 0.5]) {
        near(found, want, 1e-15);
    }
    assert_eq!(holm(&[]), Vec::<f64>::new());
}

// i, j = np.arange(10)[:, None], np.arange(4); x = np.round(np.sin(i * 1.7 + j) + 0.4 * j, 1)
// scipy.stats.friedmanchisquare(*x.T); np.mean([scipy.stats.rankdata(-r) for r in x], 0)
#[test]
fn friedman_equals_scipy_with_ties() {
    let value = |i: usize, j: usize| ((i as f64 * 1.7 + j as f64).sin() + 0.4 * j as f64) * 10.0;
    let blocks: Vec<Vec<f64>> =
        (0..10).map(|i| (0..4).map(|j| value(i, j).round_ties_even() / 10.0).collect()).collect();
    assert_eq!(blocks[4], [0.5, 1.4, 1.4, 0.8], "a tie");
    let found = friedman(&blocks).unwrap();
    near(found.statistic, 2.8124999999999885, 1e-12);
    near(found.p, 0.4214463261781042, 1e-12);
    for (found, want) in found.ranks.iter().zip([2.95, 2.65, 2.35, 2.05]) {
        near(*found, want, 1e-14);
    }
    assert_eq!(friedman(&[vec![1.0, 2.0]]), None);
    assert_eq!(friedman(&[vec![1.0; 3], vec![2.0; 3]]), None);
    assert_eq!(friedman(&[]), None);
}

// scipy.stats.studentized_range.sf(3, k, np.inf); scipy.stats.studentized_range.ppf(0.95, k, np.inf) / np.sqrt(2)
#[test]
fn the_range_of_normals_equals_scipy() {
    for (k, survival, critical) in [
        (2, 0.03389485352468935, 1.9599639845400534),
        (3, 0.08554257165495793, 2.343700586378409),
        (5, 0.21087650496353805, 2.7277743708703763),
        (10, 0.5121840739708068, 3.163683577053373),
        (27, 0.9357843197637887, 3.6964133491850126),
    ] {
        near(range_survival(3.0, k), survival, 1e-9);
        // For n = k (k + 1) / 6 blocks the difference is the critical value itself.
        near(critical_difference(k, 60) / ((k * (k + 1)) as f64 / 360.0).sqrt(), critical, 1e-8);
    }
}

// a = np.round(80 + 5 * np.sin(np.arange(15) * 1.7), 2); b = a - (1 + 2 * np.cos(np.arange(15) * 2.3))
// baycomp.SignedRankTest.probs(b, a, rope, nsamples=400000, random_state=1)
#[test]
fn the_bayesian_test_equals_baycomp_within_its_draws() {
    let differences: Vec<f64> = (0..15).map(|i| 1.0 + 2.0 * (f64::from(i) * 2.3).cos()).collect();
    let found = bayesian_signed_rank(&differences, 0.0);
    near(found.first, 0.99482, 0.004);
    near(found.second, 0.00518, 0.004);
    assert_eq!(found.equivalent, 0.0);
    let found = bayesian_signed_rank(&differences, 1.0);
    near(found.first, 0.6430675, 0.02);
    near(found.equivalent, 0.3569325, 0.02);
    near(found.second, 0.0, 0.002);
    assert_eq!(found, bayesian_signed_rank(&differences, 1.0));
    let turned: Vec<f64> = differences.iter().map(|d| -d).collect();
    near(bayesian_signed_rank(&turned, 1.0).second, 0.6430675, 0.02);
}

// i, j = np.divmod(np.arange(20), 4); x = 2 * np.sin(i * 1.7) + 0.9 * j + 0.2 * np.cos(i * 2.3 + j * 3.1)
// statsmodels.stats.anova.anova_lm(ols("x ~ C(i) + C(j)", dict(x=x, i=i, j=j)).fit())["mean_sq"]
#[test]
fn mean_squares_of_two_factors_equal_statsmodels() {
    let (lines, columns, rest) = (8.515014029282876, 6.726931067754735, 0.04061731829026902);
    let values: Vec<Option<f64>> = (0..20)
        .map(|n| (f64::from(n / 4), f64::from(n % 4)))
        .map(|(i, j)| Some(2.0 * (i * 1.7).sin() + 0.9 * j + 0.2 * (i * 2.3 + j * 3.1).cos()))
        .collect();
    let found = crossed(&values, 4).unwrap();
    let sum = lines + columns - rest;
    near(found.variance, sum / 20.0, 1e-12);
    near(found.degrees, sum * sum / (lines * lines / 4.0 + columns * columns / 3.0 + rest * rest / 12.0), 1e-9);
    // A line and a column of nothing change nothing.
    let mut padded: Vec<Option<f64>> = values.chunks(4).flat_map(|line| [line, &[None]].concat()).collect();
    padded.extend([None; 5]);
    assert_eq!(crossed(&padded, 5), Some(found));
    // A hole costs a degree of freedom of what is left, and little else here.
    let mut holed = values;
    holed[6] = None;
    let found = crossed(&holed, 4).unwrap();
    assert!((found.variance / (sum / 20.0) - 1.0).abs() < 0.2, "{found:?}");
}

// x = np.sin(np.arange(5) * 1.7); scipy.stats.t.interval(0.95, 4, x.mean(), scipy.stats.sem(x))
#[test]
fn one_factor_alone_is_the_interval_of_a_mean_as_scipy_has_it() {
    let x: Vec<Option<f64>> = sines(5).map(Some).collect();
    for columns in [1, 5] {
        near(crossed(&x, columns).unwrap().half_width(), 0.906382099790442, 1e-12);
    }
    assert_eq!((crossed(&[Some(1.0)], 1), crossed(&[], 0), crossed(&[None, Some(1.0)], 2)), (None, None, None));
    let same = crossed(&[Some(0.5); 6], 3).unwrap();
    assert_eq!(same.half_width(), 0.0);
}

// from statsmodels.stats.power import TTestPower; TTestPower().solve_power(effect_size, alpha=0.05, power=0.8)
#[test]
fn the_number_of_domains_that_a_difference_needs_equals_statsmodels() {
    for (effect, wanted) in [(0.2, 198.15), (0.5, 33.37), (1.0, 9.94)] {
        let known = Components { lines: 1.0, columns: None, rest: 0.0 };
        let need = (2..).find(|n| known.spread(*n, 1).unwrap().detectable() <= effect).unwrap();
        assert!((need as f64 - wanted).abs() < 1.0, "{effect}: {need}, statsmodels {wanted}");
    }
}

#[test]
fn components_of_variance_are_found_again() {
    // Lines 0, 3, 6, …, columns ±1: variances 3² · 10 · 11 / 12 … of the effects themselves, and nothing else.
    let values: Vec<Option<f64>> = (0..20).map(|n| Some(3.0 * f64::from(n / 2) + f64::from(n % 2))).collect();
    let found = components(&values, 2).unwrap();
    // numpy.var(3 * np.arange(10), ddof=1) = 82.5; numpy.var([0, 1], ddof=1) = 0.5
    near(found.lines, 82.5, 1e-9);
    near(found.columns.unwrap(), 0.5, 1e-9);
    near(found.rest, 0.0, 1e-9);
    // A table of the same size has the spread that was measured.
    let (again, measured) = (found.spread(10, 2).unwrap(), crossed(&values, 2).unwrap());
    near(again.variance, measured.variance, 1e-9);
    near(again.degrees, measured.degrees, 1e-9);
}

/// Where 95 % is claimed, about 95 % of intervals hold the true mean: for few domains and few seeds, whichever of them the
/// values differ by. Where they differ by neither, the interval is too wide, never too narrow.
#[test]
fn intervals_hold_the_true_mean_as_often_as_they_say() {
    const RUNS: usize = 2000;
    let mut stream = zsad_core::rng::stream(1, &[("purpose", "coverage")]);
    // Standard normals, by Box and Muller.
    let mut normal = || {
        let (u, v): (f64, f64) = (stream.random(), stream.random());
        (-2.0 * (1.0 - u).ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    };
    for (domains, seeds) in [(4, 3), (8, 1), (8, 3), (40, 1), (40, 3)] {
        for (by_domain, by_seed, noise, most) in
            [(1.0, 0.0, 0.3, 0.975), (1.0, 0.5, 0.5, 0.975), (0.3, 1.0, 0.3, 0.975), (0.0, 0.0, 1.0, 1.0)]
        {
            // Of a single seed nothing is known but its own mean.
            let by_seed = if seeds == 1 { 0.0 } else { by_seed };
            let mut held = 0;
            for _ in 0..RUNS {
                let columns: Vec<f64> = (0..seeds).map(|_| by_seed * normal()).collect();
                let mut values = Vec::with_capacity(domains * seeds);
                for _ in 0..domains {
                    let line = by_domain * normal();
                    values.extend(columns.iter().map(|column| line + column + noise * normal()));
                }
                let mean = values.iter().sum::<f64>() / values.len() as f64;
                let table: Vec<Option<f64>> = values.into_iter().map(Some).collect();
                held += usize::from(mean.abs() <= crossed(&table, seeds).unwrap().half_width());
            }
            let share = held as f64 / RUNS as f64;
            println!("{domains} domains, {seeds} seeds, spread {by_domain}, {by_seed}, {noise}: {share}");
            assert!((0.93..=most).contains(&share), "{domains} × {seeds}, {by_domain}, {by_seed}, {noise}: {share}");
        }
    }
}
