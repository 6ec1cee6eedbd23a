//! How far a run is: its cells by what has become of them, here or on a cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;
use zsad_core::Result;
use zsad_store::run_folder::SavedPlan;
use zsad_store::{CellRecord, RunFolder, Status};

use crate::executor::slurm::lost::{Lost, lost};
use crate::executor::slurm::{Jobs, commands::Queued};

/// How long the scheduler may take to answer before the run is described without it.
const PATIENCE: Duration = Duration::from_secs(5);

/// Cells by what has become of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// In a task of a cluster that waits, or has not come to them.
    pub queued: usize,
    /// Of a fit that is worked on now.
    pub running: usize,
    /// Scored, or refused.
    pub done: usize,
    /// Of them refused.
    pub refused: usize,
    /// Recorded as failed.
    pub failed: usize,
    /// None of these.
    pub outstanding: usize,
}

/// The cells of one method on one data set.
#[derive(Debug, Default, Serialize)]
pub struct Line {
    /// Data set, as results call it.
    pub dataset: String,
    /// Method, as results call it.
    pub method: String,
    /// Its cells.
    #[serde(flatten)]
    pub counts: Counts,
    /// The scheduler's numbers of the jobs that have them in their tasks.
    pub jobs: BTreeSet<String>,
}

/// How far a run is.
pub struct Standing {
    /// What it is for.
    pub plan: SavedPlan,
    /// All cells.
    pub all: Counts,
    /// By data set and method, sorted.
    pub lines: Vec<Line>,
    /// Why cells failed or were refused, and how many for each reason.
    pub reasons: BTreeMap<String, usize>,
    /// Records of versions that did not know their data.
    pub unidentified: usize,
    /// Tasks of a cluster that ended before their work was done.
    pub lost: Vec<Lost>,
    /// The jobs of a cluster that wait or run.
    pub queued: Vec<Queued>,
    /// Why the scheduler said nothing, where jobs were submitted and it did not.
    pub silent: Option<String>,
    /// Seconds that the rest will take those who work on it now, and whether that is all: not where nothing is known of a
    /// method. `None` where nobody is at work or nothing is known at all.
    pub left: Option<(f64, bool)>,
}

impl Standing {
    /// That of a run folder. Works without a scheduler, and where it does not answer.
    ///
    /// # Errors
    /// Where the folder has no plan, or a record comes from a newer zsad.
    pub fn of(folder: &RunFolder) -> Result<Standing> {
        let (plan, records) = (folder.plan()?, folder.records()?);
        let (jobs, silent) = match Jobs::find(&folder.cluster(), PATIENCE) {
            Ok(jobs) => (jobs, None),
            Err(e) => {
                let submissions = folder.cluster().submissions()?;
                (Jobs { submissions, queued: Vec::new() }, Some(e.to_string()))
            }
        };
        let (queued, leased) = (jobs.fits(), folder.leased());
        let mut lines: BTreeMap<(&str, &str), Line> = BTreeMap::new();
        let mut reasons = BTreeMap::new();
        let mut open: BTreeMap<&str, usize> = BTreeMap::new();
        let mut all = Counts::default();
        for cell in &plan.cells {
            let line = lines.entry((&cell.dataset, &cell.method)).or_default();
            let record = records.get(&cell.cell_key);
            let count = |counts: &mut Counts| match record.map(|r| r.status) {
                Some(Status::Ok) => counts.done += 1,
                Some(Status::Refused) => (counts.done, counts.refused) = (counts.done + 1, counts.refused + 1),
                Some(Status::Failed) => counts.failed += 1,
                None if leased.contains(&cell.fit_key) => counts.running += 1,
                None if queued.contains_key(cell.fit_key.as_str()) => counts.queued += 1,
                None => counts.outstanding += 1,
            };
            count(&mut line.counts);
            count(&mut all);
            match record {
                None => {
                    line.jobs.extend(queued.get(cell.fit_key.as_str()).map(|q| q.job.clone()));
                    if !leased.contains(&cell.fit_key) {
                        *open.entry(&cell.fit_key).or_default() += 1;
                    }
                }
                Some(record) if record.status != Status::Ok => {
                    let why = record.error.as_deref().unwrap_or_default();
                    let reason = format!("{}: {} on {}: {why}", record.status, cell.method, cell.dataset);
                    *reasons.entry(reason).or_default() += 1;
                }
                Some(_) => {}
            }
        }
        let lines = lines.into_iter().map(|((dataset, method), line)| {
            let (dataset, method) = (dataset.to_owned(), method.to_owned());
            Line { dataset, method, ..line }
        });
        let lines: Vec<Line> = lines.collect();
        let left = left(&plan, &records, &leased);
        let lost = lost(&jobs, &open, silent.is_none());
        let unidentified = records.values().filter(|r| !r.cell.is_identified()).count();
        Ok(Standing { all, lines, reasons, unidentified, lost, queued: jobs.queued, silent, left, plan })
    }
}

/// Seconds that the cells without a record will take the fits at work, by what finished ones of their method on their data
/// set have taken.
fn left(plan: &SavedPlan, records: &BTreeMap<String, CellRecord>, leased: &BTreeSet<String>) -> Option<(f64, bool)> {
    let fits: BTreeSet<&str> = plan.cells.iter().map(|c| c.fit_key.as_str()).collect();
    let workers = leased.iter().filter(|key| fits.contains(key.as_str())).count();
    if workers == 0 {
        return None;
    }
    // Of a kind: seconds of scoring, and of the training of each fit once; cells that took them; cells without a record.
    let mut kinds: BTreeMap<(&str, &str), (f64, usize, usize)> = BTreeMap::new();
    let mut trained = BTreeSet::new();
    for cell in &plan.cells {
        let (seconds, recorded, open) = kinds.entry((&cell.dataset, &cell.method)).or_default();
        match records.get(&cell.cell_key) {
            Some(record) => {
                let training = record.fit_seconds.filter(|_| trained.insert(&record.fit_key));
                *seconds += record.score_seconds.unwrap_or(0.0) + training.unwrap_or(0.0);
                *recorded += 1;
            }
            None => *open += 1,
        }
    }
    let open = kinds.values().filter(|(_, _, open)| *open > 0);
    let known = open.clone().filter(|(_, recorded, _)| *recorded > 0);
    let seconds: f64 = known.clone().map(|(seconds, recorded, open)| seconds / *recorded as f64 * *open as f64).sum();
    let (known, open) = (known.count(), open.count());
    (known > 0).then_some((seconds / workers as f64, known == open))
}
