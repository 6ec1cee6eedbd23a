//! How many domains and seeds a difference needs, from the spread of what was measured.

use zsad_core::{MetricSpec, Result};
use zsad_metrics::stats::components;
use zsad_store::Row;

use crate::compare::{collect, differences};
use crate::grid::Grid;

/// Beyond so many domains or seeds nobody goes.
const MOST: usize = 100_000;

/// What two methods need to be told apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Need {
    /// The one.
    pub a: String,
    /// The other.
    pub b: String,
    /// Domains that both were measured on.
    pub domains: usize,
    /// Seeds that both were measured with.
    pub seeds: usize,
    /// The least difference that so many find at 5 % with a chance of 80 %; `None` for one domain.
    pub detectable: Option<f64>,
    /// Domains that the difference needs with these seeds; `None` where no number is enough, or it cannot be told.
    pub domains_needed: Option<usize>,
    /// Seeds that it needs with these domains; likewise.
    pub seeds_needed: Option<usize>,
}

/// What each pair of methods in `rows` needs for `difference` (a share, not points), the neediest first.
///
/// # Errors
/// Where two cells claim one place, or nothing was measured.
pub fn needs(rows: &[Row], metric: &MetricSpec, difference: f64) -> Result<Vec<Need>> {
    let grid = Grid::new(rows);
    let all = collect(&grid, metric)?;
    let mut needs = Vec::new();
    for (i, a) in all.iter().enumerate() {
        for b in &all[i + 1..] {
            let (units, matrix) = differences(a, b);
            // A line a domain, a column a seed.
            let (domains, seeds) = (units.len(), matrix.domains);
            let Some(known) = components(&matrix.values, seeds) else { continue };
            let detectable = |d: usize, s: usize| known.spread(d, s).map(|spread| spread.detectable());
            let enough = |d: usize, s: usize| detectable(d, s).is_some_and(|least| least <= difference);
            needs.push(Need {
                a: a.label.clone(),
                b: b.label.clone(),
                domains,
                seeds,
                detectable: detectable(domains, seeds),
                domains_needed: least(2, |d| enough(d, seeds)),
                seeds_needed: least(1, |s| enough(domains, s)),
            });
        }
    }
    needs.sort_by(|a, b| b.detectable.unwrap_or(f64::INFINITY).total_cmp(&a.detectable.unwrap_or(f64::INFINITY)));
    Ok(needs)
}

/// The least number from `from` that is enough; more of them never are too many.
fn least(from: usize, enough: impl Fn(usize) -> bool) -> Option<usize> {
    if !enough(MOST) {
        return None;
    }
    let (mut low, mut high) = (from, MOST);
    while low < high {
        let middle = low.midpoint(high);
        if enough(middle) { high = middle } else { low = middle + 1 }
    }
    Some(low)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Flat, metrics, row};

    #[test]
    fn a_difference_that_varies_by_domain_needs_domains_and_no_number_of_seeds() {
        let mut rows = Vec::new();
        for d in 0..8 {
            for seed in 0..2 {
                // The difference is 0.1 or -0.1 by domain, and hardly depends on the seed.
                let value = if d % 2 == 0 { 0.1 } else { -0.1 } + 0.0001 * f64::from(seed * (d % 3));
                for (method, auroc) in [("a", 0.5 + value), ("b", 0.5)] {
                    rows.push(Flat {
                        method: method.into(),
                        domain: d.to_string(),
                        seed: seed as u64,
                        metrics: metrics(&[("auroc", auroc)]),
                        cell_key: format!("{method}{seed}"),
                        ..row()
                    });
                }
            }
        }
        let rows: Vec<Row> = rows.into_iter().map(Row::from).collect();
        let found = needs(&rows, &zsad_metrics::find("auroc").unwrap().spec, 0.05).unwrap();
        let [need] = &found[..] else { panic!("{found:?}") };
        assert_eq!((need.domains, need.seeds, need.seeds_needed), (8, 2, None));
        // statsmodels: TTestPower().solve_power(0.05 / np.std([0.1, -0.1] * 4, ddof=1), alpha=0.05, power=0.8) = 37.8
        assert!((37..=39).contains(&need.domains_needed.unwrap()), "{need:?}");
    }
}
