//! `zsad status`: how far a run has come.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use zsad_store::RunFolder;

use super::counted;
use crate::executor::slurm::commands::Queued;
use crate::executor::slurm::lost::Lost;
use crate::exit::Exit;
use crate::progress::rounded;
use crate::standing::{Line, Standing};

const EXAMPLES: &str = "\
Examples:
  zsad status results/runs/quickstart
  zsad status results/runs/quickstart --json

queued: in a task of a cluster that waits or has not come to it; running: of a fit that is worked on now; outstanding: neither
these nor recorded, so that the same `zsad run` has to be called again. Of tasks that ended before their work was done it says
why: out of memory, out of time, a node that failed. Without a scheduler, or where it does not answer, the records are counted
all the same.";

/// Say how far a run has come, here or on a cluster, and which cells failed and why
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Status {
    /// The folder of a run, or its name under results/runs
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Status {
    pub fn run(self, out: &mut impl Write) -> Result<Exit> {
        let folder = RunFolder::new(super::run_folder(&self.dir)?);
        let standing = Standing::of(&folder)?;
        if self.json {
            print_json(&standing, out)?
        } else {
            print(&standing, out)?
        }
        Ok(Exit::Success)
    }
}

fn print(standing: &Standing, out: &mut impl Write) -> Result<()> {
    let Standing { plan, all, .. } = standing;
    let profile = if plan.profile.is_empty() { String::new() } else { format!(", profile {}", plan.profile) };
    let running = if all.running > 0 { "; a run is at work" } else { "" };
    let left = standing.left.map(|(seconds, whole)| {
        let time = rounded(Duration::from_secs_f64(seconds.max(1.0)));
        format!(", {}{time} left", if whole { "about " } else { "more than " })
    });
    let recorded = all.done + all.failed;
    let cells = plan.cells.len();
    writeln!(
        out,
        "{}{profile}: {recorded} of {cells} cells finished{running}{}",
        plan.experiment,
        left.unwrap_or_default()
    )?;
    let width = |of: fn(&Line) -> &str| standing.lines.iter().map(|l| of(l).chars().count()).max().unwrap_or(0).max(7);
    let (data, method) = (width(|l| &l.dataset), width(|l| &l.method));
    writeln!(
        out,
        "{:<data$}  {:<method$} {:>6} {:>6} {:>7} {:>7} {:>6} {:>11}  jobs",
        "dataset", "method", "ok", "failed", "refused", "running", "queued", "outstanding"
    )?;
    for line in &standing.lines {
        let c = line.counts;
        let jobs: Vec<&str> = line.jobs.iter().map(String::as_str).collect();
        let text = format!(
            "{:<data$}  {:<method$} {:>6} {:>6} {:>7} {:>7} {:>6} {:>11}  {}",
            line.dataset,
            line.method,
            c.done - c.refused,
            c.failed,
            c.refused,
            c.running,
            c.queued,
            c.outstanding,
            jobs.join(", ")
        );
        writeln!(out, "{}", text.trim_end())?;
    }
    print_jobs(standing, out)?;
    if standing.unidentified > 0 {
        writeln!(out, "{} × data and weights unknown: written before keys held their digests", standing.unidentified)?;
    }
    for (reason, n) in &standing.reasons {
        writeln!(out, "{n} × {reason}")?;
    }
    Ok(())
}

/// So many tasks of one fate are named.
const NAMED: usize = 3;

/// The jobs of a cluster, and what became of tasks that ended too early.
fn print_jobs(standing: &Standing, out: &mut impl Write) -> Result<()> {
    if let Some(why) = &standing.silent {
        writeln!(out, "nothing is known of the queue: {why}")?;
    }
    let jobs: BTreeSet<(&str, &str)> = standing.queued.iter().map(|q| (q.job.as_str(), q.name.as_str())).collect();
    for (job, name) in jobs {
        let count = |runs: bool| {
            let of: Vec<&Queued> = standing.queued.iter().filter(|q| q.job == job && q.runs == runs).collect();
            let places: BTreeSet<&str> = of.iter().map(|q| q.place.as_str()).filter(|p| !p.is_empty()).collect();
            let places: Vec<&str> = places.into_iter().collect();
            let places = if places.is_empty() { String::new() } else { format!(" ({})", places.join(", ")) };
            (of.len(), places)
        };
        let ((running, nodes), (waiting, why)) = (count(true), count(false));
        writeln!(out, "job {job} {name}: {running} running{nodes}, {waiting} waiting{why}")?;
    }
    // Many tasks have one fate.
    let mut fates: BTreeMap<&str, Vec<&Lost>> = BTreeMap::new();
    for lost in &standing.lost {
        fates.entry(&lost.reason).or_default().push(lost);
    }
    for (reason, lost) in fates {
        let cells = lost.iter().map(|l| l.cells).sum();
        let named: Vec<&str> = lost.iter().take(NAMED).map(|l| l.task.as_str()).collect();
        let more = if lost.len() > NAMED { format!(" and {} more", lost.len() - NAMED) } else { String::new() };
        writeln!(out, "{}{more}: {} without a record: {reason}", named.join(", "), counted(cells, "cell"))?;
    }
    if standing.all.outstanding > 0 && !standing.lost.is_empty() {
        writeln!(out, "the same `zsad run … --cluster` submits what is outstanding again")?;
    }
    Ok(())
}

fn print_json(standing: &Standing, out: &mut impl Write) -> Result<()> {
    let all = standing.all;
    let job = |q: &Queued| json!({"id": q.id, "name": q.name, "state": if q.runs { "running" } else { "waiting" }, "place": q.place});
    let lost = standing.lost.iter().map(|l| json!({"task": l.task, "cells": l.cells, "reason": l.reason}));
    let reasons = standing.reasons.iter().map(|(reason, n)| json!({"cells": n, "reason": reason}));
    let value = json!({
        "experiment": standing.plan.experiment,
        "profile": standing.plan.profile,
        "queued": all.queued,
        "running": all.running,
        "done": all.done,
        "failed": all.failed,
        "refused": all.refused,
        "outstanding": all.outstanding,
        "cells": standing.plan.cells.len(),
        "seconds_left": standing.left.map(|(seconds, _)| seconds),
        "seconds_left_is_all": standing.left.is_some_and(|(_, whole)| whole),
        "methods": standing.lines,
        "jobs": standing.queued.iter().map(job).collect::<Vec<_>>(),
        "scheduler": standing.silent,
        "lost": lost.collect::<Vec<_>>(),
        "failures": reasons.collect::<Vec<_>>(),
    });
    writeln!(out, "{}", serde_json::to_string_pretty(&value)?)?;
    Ok(())
}
