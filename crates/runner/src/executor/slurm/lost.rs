//! Tasks that ended before their work was done, and why.

use std::collections::BTreeMap;

use zsad_store::Submission;
use zsad_store::cluster_folder::Ended;

use super::Jobs;
use super::commands::{self, Past};

/// A task that is queued no more, with cells that nobody has recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// What the scheduler called it, `17_3`; its number in the submission where that is not known.
    pub task: String,
    /// Cells without a record.
    pub cells: usize,
    /// Why, and what to do about it.
    pub reason: String,
}

/// The lost tasks of the newest submission of each fit: a fit that was submitted again says nothing of the task before.
/// `open` tells of a fit how many of its cells have no record and are not worked on; `ask`: whether the scheduler answers.
pub fn lost(jobs: &Jobs, open: &BTreeMap<&str, usize>, ask: bool) -> Vec<Lost> {
    let queued = jobs.fits();
    let mut newest: BTreeMap<&str, usize> = BTreeMap::new();
    for submission in &jobs.submissions {
        newest.extend(submission.bundles.fits.iter().flatten().map(|fit| (fit.as_str(), submission.number)));
    }
    let mut lost = Vec::new();
    for submission in &jobs.submissions {
        let cells = |bundle: &Vec<String>| -> usize {
            let own = bundle.iter().map(String::as_str).filter(|fit| newest.get(fit) == Some(&submission.number));
            own.filter(|fit| !queued.contains_key(fit)).filter_map(|fit| open.get(fit)).sum()
        };
        let open: Vec<(usize, usize)> =
            submission.bundles.fits.iter().map(cells).enumerate().filter(|(_, cells)| *cells > 0).collect();
        if open.is_empty() {
            continue;
        }
        let job = submission.job();
        let past = job.as_deref().filter(|_| ask).map(commands::past).unwrap_or_default();
        for (task, cells) in open {
            let id = job.as_ref().map_or_else(|| format!("task {task}"), |job| format!("{job}_{task}"));
            let past = past.iter().find(|p| p.id == id);
            lost.push(Lost { reason: reason(submission, task, past), task: id, cells });
        }
    }
    lost
}

/// Why a task ended, by what the scheduler says and by what the task itself has noted.
fn reason(submission: &Submission, task: usize, past: Option<&Past>) -> String {
    let noted = submission.attempts(task).pop();
    let log = submission.log(task);
    let (node, how, why) = match &noted {
        Some(last) => (last.node.as_str(), Some(last.how), last.why.as_str()),
        None => ("", None, ""),
    };
    let node = past.map(|p| p.node.as_str()).filter(|n| !n.is_empty()).unwrap_or(node);
    let on = if node.is_empty() { String::new() } else { format!(" on {node}") };
    match (past.map(|p| p.state.as_str()), how) {
        (Some("OUT_OF_MEMORY"), _) => format!("out of memory{on}; hint: more `memory` in the cluster file"),
        (_, Some(Ended::TooShort)) => why.to_owned(),
        (Some("TIMEOUT" | "DEADLINE"), _) => format!("its time ran out{on}; hint: a longer `time` in the cluster file"),
        (Some("NODE_FAIL" | "BOOT_FAIL"), _) => format!("the node failed{on}"),
        (Some("PREEMPTED"), _) => format!("preempted{on}"),
        (Some("CANCELLED"), _) => "cancelled".to_owned(),
        (_, Some(Ended::Error)) => format!("{why}{on}"),
        (_, Some(Ended::Time)) => format!("its time ran out{on}"),
        (_, Some(Ended::Stopped)) => format!("stopped{on}"),
        (_, Some(Ended::Not)) => format!("killed{on}; its log: {}", log.display()),
        (Some(state), _) => format!("{state}{on}; its log: {}", log.display()),
        (None, None) => "it never started, or the scheduler has forgotten it".to_owned(),
        (None, Some(Ended::Done | Ended::Failed)) => "its records were removed".to_owned(),
    }
}
