//! Whether methods differ: paired over identical test batches, with domains as the units.
//!
//! A batch is no unit: batches of one domain share it, and seeds share the data. So everything but the domain is averaged,
//! and tests count domains. Where there are too few to conclude anything, it is said.

mod layout;
mod values;
mod words;

use std::collections::BTreeMap;

use polars_core::prelude::{DataFrame, PolarsResult};
use serde::Serialize;
use zsad_core::{Error, MetricSpec, Result};
use zsad_metrics::stats::{
    Posterior, bayesian_signed_rank, critical_difference, friedman, holm, mean_ranks, signed_rank,
};
use zsad_store::{Field, Row};

use self::values::{Unit, named};
pub(crate) use self::values::{Values, collect, complete, differences};
use crate::export::Printed;
use crate::grid::Grid;
use crate::sheet::Sheet;
use crate::stats::Matrix;

/// What is asked.
#[derive(Debug, Clone)]
pub struct Question {
    /// Under which metric.
    pub metric: &'static MetricSpec,
    /// Which methods, by label or name; none: all.
    pub methods: Vec<String>,
    /// Compare this one with each of the others, and not these among themselves.
    pub ours: Option<String>,
    /// Differences up to this are no difference in practice (a share, not points).
    pub rope: f64,
}

/// Two methods.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pair {
    /// The first.
    pub a: String,
    /// The second.
    pub b: String,
    /// Domains that both were measured on.
    pub n: usize,
    /// Seeds.
    pub n_seeds: usize,
    /// Mean over domains of first less second.
    pub mean_difference: f64,
    /// Where its 95 % interval over domains and seeds begins …
    pub lo: Option<f64>,
    /// … and ends.
    pub hi: Option<f64>,
    /// Wilcoxon's signed-rank test over domains; `None` where no domain differs.
    pub wilcoxon_p: Option<f64>,
    /// The same, corrected for all pairs that were compared (Holm).
    pub holm_p: Option<f64>,
    /// Domains in which the first is better.
    pub wins: usize,
    /// In which both are equal.
    pub ties: usize,
    /// In which the second is better.
    pub losses: usize,
    /// How likely the first is better on a further domain, by more than the region of practical equivalence.
    pub p_a_better: f64,
    /// How likely they are practically equivalent there.
    pub p_equivalent: f64,
    /// How likely the second is better there.
    pub p_b_better: f64,
}

/// Friedman's test over the domains that all methods were measured on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AllAtOnce {
    /// χ².
    pub statistic: f64,
    /// Its p-value.
    pub p: f64,
    /// Mean ranks further apart than this differ (Nemenyi, 5 %), given that `p` is small.
    pub critical_difference: f64,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The metric's name.
    pub metric: &'static str,
    /// What is counted.
    pub unit: &'static str,
    /// Domains that all methods were measured on.
    pub n: usize,
    /// The pairs, those of the best ranks first, and in a pair the better rank or the one that was asked about.
    pub pairs: Vec<Pair>,
    /// All methods at once; `None` for two.
    pub friedman: Option<AllAtOnce>,
    /// Mean rank of each method, 1 for the best, over those domains.
    pub ranks: BTreeMap<String, f64>,
    /// The region of practical equivalence.
    pub rope: f64,
    #[serde(skip)]
    sheet: Sheet,
}

/// Compares the methods of a run.
///
/// # Errors
/// [`Error::Config`] where there is no such method or no value, or fewer than two methods have domains in common.
pub fn compare(rows: &[Row], question: &Question) -> Result<Comparison> {
    let grid = Grid::new(rows);
    let all = collect(&grid, question.metric)?;
    let ours = question.ours.as_ref().map(|name| named(&all, std::slice::from_ref(name))).transpose()?;
    let mut methods = named(&all, &question.methods)?;
    for own in ours.iter().flatten() {
        if !methods.iter().any(|m| m.label == own.label) {
            methods.insert(0, *own);
        }
    }
    let is_ours = |m: &Values| ours.as_ref().is_none_or(|o| o.iter().any(|own| own.label == m.label));
    let sign = if question.metric.higher_is_better { 1.0 } else { -1.0 };

    let blocks = complete(&methods);
    let worths: Vec<Vec<f64>> = blocks.iter().map(|block| block.iter().map(|v| sign * v).collect()).collect();
    let ranks = mean_ranks(&worths);
    let ranked = methods.iter().enumerate().map(|(m, values)| Ranked {
        values,
        rank: ranks.get(m).copied().unwrap_or(f64::NAN),
        mean: blocks.iter().map(|block| block[m]).sum::<f64>() / blocks.len() as f64,
    });
    let mut ranked: Vec<Ranked> = ranked.collect();
    // Stable: equals keep the order of tables.
    ranked.sort_by(|a, b| a.rank.total_cmp(&b.rank));

    let mut pairs = Vec::new();
    let mut units: Vec<Unit> = Vec::new();
    for (i, Ranked { values: first, .. }) in ranked.iter().enumerate() {
        for Ranked { values: second, .. } in &ranked[i + 1..] {
            // The one asked about stands first.
            let (a, b) = if !is_ours(first) && is_ours(second) { (second, first) } else { (first, second) };
            if !is_ours(a) {
                continue;
            }
            let (shared, matrix) = differences(a, b);
            pairs.extend(pair(a, b, &matrix, sign, question.rope));
            units.extend(shared);
        }
    }
    if pairs.is_empty() {
        let why = "no two of these methods were measured on the same test batches";
        return Err(Error::Config(format!("{why}; hint: `zsad table` shows what was measured")));
    }
    let p: Vec<f64> = pairs.iter().map(|pair| pair.wilcoxon_p.unwrap_or(1.0)).collect();
    for (pair, corrected) in pairs.iter_mut().zip(holm(&p)) {
        pair.holm_p = pair.wilcoxon_p.map(|_| corrected);
    }
    units.sort_unstable();
    units.dedup();

    let mut comparison = Comparison {
        metric: question.metric.name,
        unit: "domain",
        n: blocks.len(),
        pairs,
        friedman: friedman(&worths).map(|f| AllAtOnce {
            statistic: f.statistic,
            p: f.p,
            critical_difference: critical_difference(methods.len(), f.n),
        }),
        ranks: ranked.iter().map(|r| (r.values.label.clone(), r.rank)).filter(|(_, rank)| rank.is_finite()).collect(),
        rope: question.rope,
        sheet: Sheet::default(),
    };
    comparison.sheet = layout::sheet(&crate::table::title(rows), &comparison, question.metric, &ranked, &units);
    Ok(comparison)
}

/// A method among the others; the numbers are NaN where no domain has all of them.
struct Ranked<'v> {
    values: &'v Values<'v>,
    /// Mean rank, 1 for the best.
    rank: f64,
    /// Mean of the metric.
    mean: f64,
}

/// Differences below this are rounding.
const EQUAL: f64 = 1e-12;

/// `None` where the two have nothing in common. `differences`: a line a domain, a column a seed.
fn pair(a: &Values, b: &Values, differences: &Matrix, sign: f64, rope: f64) -> Option<Pair> {
    let n_seeds = differences.domains;
    let of_unit = |line: &[Option<f64>]| {
        let defined: Vec<f64> = line.iter().flatten().copied().collect();
        let mean = defined.iter().sum::<f64>() / defined.len() as f64;
        if mean.abs() < EQUAL { 0.0 } else { mean }
    };
    let by_unit: Vec<f64> = differences.values.chunks(n_seeds.max(1)).map(of_unit).collect();
    let n = by_unit.len();
    if n == 0 {
        return None;
    }
    let worths: Vec<f64> = by_unit.iter().map(|d| sign * d).collect();
    let mean = by_unit.iter().sum::<f64>() / n as f64;
    let half = differences.half_width().filter(|_| n > 1);
    let count = |of: fn(&f64) -> bool| worths.iter().filter(|w| of(w)).count();
    let Posterior { first, equivalent, second } = bayesian_signed_rank(&worths, rope);
    Some(Pair {
        a: a.label.clone(),
        b: b.label.clone(),
        n,
        n_seeds,
        mean_difference: mean,
        lo: half.map(|half| mean - half),
        hi: half.map(|half| mean + half),
        wilcoxon_p: signed_rank(&worths).map(|t| t.p),
        holm_p: None,
        wins: count(|w| *w > 0.0),
        ties: count(|w| *w == 0.0),
        losses: count(|w| *w < 0.0),
        p_a_better: first,
        p_equivalent: equivalent,
        p_b_better: second,
    })
}

impl Printed for Comparison {
    fn sheet(&self) -> &Sheet {
        &self.sheet
    }

    /// One line a pair, differences as shares.
    fn frame(&self) -> PolarsResult<DataFrame> {
        let mut columns = Vec::new();
        macro_rules! column {
            ($type:ty, $($name:ident),+) => {$({
                let values: Vec<$type> = self.pairs.iter().map(|p| p.$name.clone().into()).collect();
                columns.push(<$type as Field>::column(stringify!($name), values.iter()));
            })+};
        }
        let metric = vec![self.metric.to_owned(); self.pairs.len()];
        columns.push(String::column("metric", metric.iter()));
        column!(String, a, b);
        let count = |of: fn(&Pair) -> usize| self.pairs.iter().map(|p| of(p) as u64).collect::<Vec<_>>();
        columns.push(u64::column("n", count(|p| p.n).iter()));
        columns.push(u64::column("n_seeds", count(|p| p.n_seeds).iter()));
        column!(f64, mean_difference);
        column!(Option<f64>, lo, hi, wilcoxon_p, holm_p);
        columns.push(u64::column("wins", count(|p| p.wins).iter()));
        columns.push(u64::column("ties", count(|p| p.ties).iter()));
        columns.push(u64::column("losses", count(|p| p.losses).iter()));
        column!(f64, p_a_better, p_equivalent, p_b_better);
        DataFrame::new(self.pairs.len(), columns)
    }
}

#[cfg(test)]
mod tests;
