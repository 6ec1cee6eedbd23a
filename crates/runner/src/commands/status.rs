//! `zsad status`: how far a run has come.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use zsad_core::Choice;
use zsad_store::{RunFolder, Status as Outcome};

use crate::exit::Exit;

const EXAMPLES: &str = "\
Examples:
  zsad status results/runs/quickstart";

/// Say how far a run has come, and which cells failed and why
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Status {
    /// The folder of a run, or its name under results/runs
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

/// Cells of one method on one data set: ok, failed, refused, outstanding.
type Counts = [usize; 4];

impl Status {
    pub fn run(self, out: &mut impl Write) -> Result<Exit> {
        let folder = RunFolder::new(super::run_folder(&self.dir)?);
        let plan = folder.plan()?;
        let records = folder.records()?;
        let mut lines: BTreeMap<(&str, &str), Counts> = BTreeMap::new();
        let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
        for cell in &plan.cells {
            let record = records.get(&cell.cell_key);
            let column = record.map_or(3, |r| r.status as usize);
            lines.entry((&cell.dataset, &cell.method)).or_default()[column] += 1;
            if let Some(record) = record.filter(|r| r.status != Outcome::Ok) {
                let why = record.error.as_deref().unwrap_or_default();
                let line = format!("{}: {} on {}: {why}", record.status.word(), cell.method, cell.dataset);
                *reasons.entry(line).or_default() += 1;
            }
        }
        let profile = if plan.profile.is_empty() { String::new() } else { format!(", profile {}", plan.profile) };
        let running = if folder.is_at_work() { "; a run is at work" } else { "" };
        let unknown = records.values().filter(|r| !r.cell.is_identified()).count();
        let done = plan.cells.iter().filter(|c| records.contains_key(&c.cell_key)).count();
        writeln!(out, "{}{profile}: {done} of {} cells finished{running}", plan.experiment, plan.cells.len())?;
        writeln!(
            out,
            "{:<18} {:<18} {:>6} {:>6} {:>7} {:>11}",
            "dataset", "method", "ok", "failed", "refused", "outstanding"
        )?;
        for ((dataset, method), [ok, failed, refused, left]) in lines {
            writeln!(out, "{dataset:<18} {method:<18} {ok:>6} {failed:>6} {refused:>7} {left:>11}")?;
        }
        if unknown > 0 {
            writeln!(out, "{unknown} × data and weights unknown: written before keys held their digests")?;
        }
        for (line, n) in reasons {
            writeln!(out, "{n} × {line}")?;
        }
        Ok(Exit::Success)
    }
}
