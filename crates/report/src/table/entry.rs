//! One number of a table with all that belongs to it.

use std::collections::{BTreeMap, BTreeSet};

use zsad_core::MetricSpec;
use zsad_store::{Row, Status};

use super::ties;
use crate::grid::{Cell, Grid, MethodKey, Point};
use crate::lengths::shortened;
use crate::stats::{Matrix, Summary};

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
    /// Whether it cannot be told from the best.
    pub tied: bool,
    /// Its rank in its column, 1 for the best; equals share one. `None` where it is no number.
    pub rank: Option<usize>,
    /// The ranks of those that it cannot be told from, itself among them: the 95 % interval of their paired difference
    /// contains 0. Empty where nothing can be compared.
    pub not_parted: BTreeSet<usize>,
    /// The least difference that its column could have shown: half of the 95 % interval of a paired difference, the median
    /// over all pairs.
    pub resolution: Option<f64>,
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
    /// How much shorter than in the experiment's full form their trainings were: `500 of 10,000 steps`.
    pub shortened: Option<String>,
    /// What was found odd about them, a sentence each.
    pub remarks: Vec<String>,
    /// Domains that were too small and are left out.
    pub left_out: BTreeSet<String>,
}

/// The entries of all methods at a point.
pub(crate) fn column(grid: &Grid, point: &Point, metric: &'static MetricSpec) -> Vec<Entry> {
    let (seeds, domains) = grid.axes(point);
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
            outcome: outcome(found, matrix.as_ref()),
            best: false,
            tied: false,
            rank: None,
            not_parted: BTreeSet::new(),
            resolution: None,
            batches: cell.ok.iter().map(|r| r.result.n_batches as u64).sum(),
            undefined: cell.ok.iter().map(|r| r.result.n_undefined as u64).sum(),
            failed,
            refused,
            cells: keys(&cell.ok, Status::Ok) + failed + refused,
            reasons: reasons(&cell.bad),
            shortened: cell.ok.iter().find_map(|row| shortened(row)),
            remarks: Vec::new(),
            left_out: cell.ok.iter().filter(|r| r.result.n_batches == 0).map(|r| r.result.domain.clone()).collect(),
        };
        (entry, matrix)
    };
    let mut column: Vec<_> = grid.methods.iter().map(one).collect();
    ties::mark(&mut column, metric);
    column.into_iter().map(|(e, _)| e).collect()
}

fn outcome(cell: Option<&Cell>, matrix: Option<&Matrix>) -> Outcome {
    match (cell, matrix) {
        (None, _) => Outcome::NotRun,
        (Some(_), None) => Outcome::Ambiguous,
        (Some(cell), Some(matrix)) => match matrix.summary() {
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
