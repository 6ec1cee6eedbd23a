//! `zsad cancel`: the jobs of a run on a cluster, ended.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use zsad_core::Error;
use zsad_store::RunFolder;

use super::counted;
use crate::executor::slurm::Jobs;
use crate::executor::slurm::commands::{self, QUEUE_TIME};
use crate::exit::Exit;

const EXAMPLES: &str = "\
Examples:
  zsad cancel results/runs/sweep

What is recorded stays, and a training that is cancelled leaves its checkpoint. `zsad run FILE --cluster CLUSTER.yaml` submits
the rest again.";

/// End the jobs that `zsad run --cluster` submitted for a folder
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Cancel {
    /// The folder of a run, or its name under results/runs
    #[arg(value_name = "OUT")]
    out: PathBuf,
}

impl Cancel {
    pub fn run(self, out: &mut impl Write) -> Result<Exit> {
        let folder = RunFolder::new(super::run_folder(&self.out)?);
        let cluster = folder.cluster();
        if !cluster.exists() {
            let why = format!("{}: no jobs were submitted for this folder", folder.root().display());
            return Err(Error::Config(format!("{why}; hint: `zsad run FILE --cluster` does")).into());
        }
        // Not while another call submits: what it submits would stay.
        let _lease = folder.wait_for("submitting", || Ok(()))?;
        let queued = Jobs::find(&cluster, QUEUE_TIME)?.queued;
        let tasks = queued.iter().filter(|q| q.task.is_some()).count();
        // The job after the array first: it would start as soon as the array has ended.
        let (after, arrays): (BTreeSet<&str>, BTreeSet<&str>) = (
            queued.iter().filter(|q| q.task.is_none()).map(|q| q.job.as_str()).collect(),
            queued.iter().filter(|q| q.task.is_some()).map(|q| q.job.as_str()).collect(),
        );
        let jobs: Vec<String> = after.iter().chain(&arrays).map(|job| (*job).to_owned()).collect();
        commands::cancel(&jobs)?;
        match jobs.len() {
            0 => writeln!(out, "no job of this run waits or runs")?,
            _ => writeln!(out, "cancelled {}: {}", counted(tasks, "task"), jobs.join(", "))?,
        }
        Ok(Exit::Success)
    }
}
