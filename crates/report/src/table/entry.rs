//! One number of a table with all that belongs to it.

use std::collections::{BTreeMap, BTreeSet};

use zsad_core::MetricSpec;
use zsad_store::{Row, Status};

use crate::grid::{Cell, Grid, MethodKey, Point};
use crate::stats::{Matrix, Resamples, Summary};

/// What stands in the place of one method at one protocol point.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// A number.
    Number(Summary),
    /// Scored, but the metric is undefined in every batch: only one class.
    Undefined,
    /// Scored, but the metric does not apply, such as a pixel metric of a method without maps.
    NotApplicable,
    /// All cells failed.
    Failed,
    /// All cells were refused.
    Refused,
    /// There is no cell.
    NotRun,
    /// Several cells have this name: their variants cannot be told apart.
    Ambiguous,
}

impl Outcome {
    /// The word in place of a number.
    pub fn word(&self) -> &'static str {
        match self {
            Outcome::Number(_) => "ok",
            Outcome::Undefined => "undefined",
            Outcome::NotApplicable => "n/a",
            Outcome::Failed => "failed",
            Outcome::Refused => "refused",
            Outcome::NotRun => "not run",
            Outcome::Ambiguous => "ambiguous",
        }
    }

    /// The number, if it is one.
    pub fn number(&self) -> Option<&Summary> {
        match self {
            Outcome::Number(summary) => Some(summary),
            _ => None,
        }
    }
}

/// One place of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Metric.
    pub metric: &'static MetricSpec,
    /// Protocol point.
    pub point: Point,
    /// Method.
    pub method: MethodKey,
    /// Its label.
    pub label: String,
    /// Realised share of anomalies at the point.
    pub realised: Option<f64>,
    /// What was found.
    pub outcome: Outcome,
    /// Whether it is the best number of its column.
    pub best: bool,
    /// Whether the 95 % interval of its paired difference from the best contains 0.
    pub tied: bool,
    /// Batches scored.
    pub batches: u64,
    /// Batches in which the sample-level metrics are undefined.
    pub undefined: u64,
    /// Cells that failed.
    pub failed: usize,
    /// Cells that were refused.
    pub refused: usize,
    /// Cells in all.
    pub cells: usize,
    /// Why cells failed or were refused, each reason once.
    pub reasons: Vec<String>,
    /// Domains that were too small and are left out.
    pub left_out: BTreeSet<String>,
}

/// The entries of all methods at a point.
pub(crate) fn column(grid: &Grid, point: &Point, metric: &'static MetricSpec) -> Vec<Entry> {
    let (seeds, domains) = grid.axes(point);
    let resamples = Resamples::new(seeds.len(), domains.len());
    let realised = grid.realised(point);
    let one = |(method, label): &(MethodKey, String)| {
        let found = grid.cell(point, method);
        let matrix = found.filter(|c| !c.ambiguous()).map(|c| c.matrix(&seeds, &domains, |r| r.metric(metric.name)));
        let cell = found.cloned().unwrap_or_default();
        let keys = |rows: &[&Row], status: Status| {
            let of_status = rows.iter().filter(|r| r.record.status == status);
            of_status.map(|r| &r.record.cell_key).collect::<BTreeSet<_>>().len()
        };
        let (failed, refused) = (keys(&cell.bad, Status::Failed), keys(&cell.bad, Status::Refused));
        let entry = Entry {
            metric,
            point: point.clone(),
            method: method.clone(),
            label: label.clone(),
            realised,
            outcome: outcome(found, matrix.as_ref(), &resamples),
            best: false,
            tied: false,
            batches: cell.ok.iter().map(|r| r.result.n_batches as u64).sum(),
            undefined: cell.ok.iter().map(|r| r.result.n_undefined as u64).sum(),
            failed,
            refused,
            cells: keys(&cell.ok, Status::Ok) + failed + refused,
            reasons: reasons(&cell.bad),
            left_out: cell.ok.iter().filter(|r| r.result.n_batches == 0).map(|r| r.result.domain.clone()).collect(),
        };
        (entry, matrix)
    };
    let mut column: Vec<_> = grid.methods.iter().map(one).collect();
    mark_best(&mut column, metric, &resamples);
    column.into_iter().map(|(e, _)| e).collect()
}

fn outcome(cell: Option<&Cell>, matrix: Option<&Matrix>, resamples: &Resamples) -> Outcome {
    match (cell, matrix) {
        (None, _) => Outcome::NotRun,
        (Some(_), None) => Outcome::Ambiguous,
        (Some(cell), Some(matrix)) => match matrix.summary(resamples) {
            Some(summary) => Outcome::Number(summary),
            None if cell.ok.iter().any(|r| r.result.n_undefined > 0) => Outcome::Undefined,
            None if !cell.ok.is_empty() => Outcome::NotApplicable,
            None if cell.bad.iter().any(|r| r.record.status == Status::Failed) => Outcome::Failed,
            None => Outcome::Refused,
        },
    }
}

/// Reasons by how many rows give them, the commonest first.
fn reasons(bad: &[&Row]) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for row in bad {
        *counts.entry(row.record.error.as_deref().unwrap_or_default()).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    counts.into_iter().map(|(reason, _)| reason.to_owned()).collect()
}

/// Marks the best numbers of a column (all of them where they are equal) and those that cannot be told from them.
fn mark_best(column: &mut [(Entry, Option<Matrix>)], metric: &MetricSpec, resamples: &Resamples) {
    let worth = |e: &Entry| e.outcome.number().map(|s| if metric.higher_is_better { s.mean } else { -s.mean });
    let numbers: Vec<(usize, f64)> = column.iter().enumerate().filter_map(|(i, (e, _))| Some((i, worth(e)?))).collect();
    let Some(&(first, best)) = numbers.iter().reduce(|a, b| if b.1 > a.1 { b } else { a }) else { return };
    if numbers.len() < 2 {
        return;
    }
    let winner = column[first].1.clone();
    for (i, value) in numbers {
        let (entry, matrix) = &mut column[i];
        entry.best = value == best;
        if let (false, Some(winner), Some(matrix)) = (entry.best, &winner, matrix) {
            entry.tied = winner.indistinguishable(matrix, resamples).unwrap_or(false);
        }
    }
}
