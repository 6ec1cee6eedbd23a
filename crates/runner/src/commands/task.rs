//! A task of a job array of Slurm: which fits are its own, what it notes of its attempts, and how it goes on after its time.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::SystemTime;

use anyhow::Result;
use zsad_core::job::FitJob;
use zsad_core::{Error, file};
use zsad_store::cluster_folder::{Attempt, Ended};
use zsad_store::{ModelStore, RunFolder, Submission, provenance};

use super::note;
use crate::executor::slurm::commands;
use crate::exit::Exit;
use crate::shard::Shard;

/// A task that was started.
pub struct Task {
    submission: Submission,
    number: usize,
    attempts: Vec<Attempt>,
    started: SystemTime,
}

/// What came of an attempt.
pub struct Attempted {
    /// How the program is to end.
    pub exit: Exit,
    /// Cells that were recorded.
    pub recorded: usize,
    /// Cells of the bundle without a record.
    pub left: usize,
    /// Whether the scheduler said that the time is nearly up.
    pub warned: bool,
    /// Where checkpoints are.
    pub store: ModelStore,
}

impl Task {
    /// Task `shard` of submission `number` of a run folder.
    ///
    /// # Errors
    /// Where there is no such submission, or it has another number of tasks.
    pub fn of(folder: &RunFolder, number: usize, shard: Shard) -> Result<Task> {
        let submission = folder.cluster().submission(number)?;
        let tasks = submission.bundles.fits.len();
        let task = shard.number_of(tasks).map_err(|why| Error::Config(format!("submission {number}: {why}")))?;
        let mut attempts = submission.attempts(task);
        let job = match (std::env::var("SLURM_ARRAY_JOB_ID"), std::env::var("SLURM_ARRAY_TASK_ID")) {
            (Ok(job), Ok(task)) => format!("{job}_{task}"),
            _ => String::new(),
        };
        let (node, started) = (node(), provenance::now());
        attempts.push(Attempt { job, node, started, ended: String::new(), how: Ended::Not, why: String::new() });
        Ok(Task { submission, number: task, attempts, started: SystemTime::now() })
    }

    /// What it is a task of.
    pub fn submission(&self) -> &Submission {
        &self.submission
    }

    /// Which of the experiment's fits are its own.
    ///
    /// # Errors
    /// [`Error::Data`] where one of its fits is none of the experiment as it is seen from here: then its data, its weights or
    /// the processor are not what they were where it was planned.
    pub fn own(&self, fits: &[FitJob]) -> zsad_core::Result<Vec<bool>> {
        let bundle: BTreeSet<&String> = self.submission.bundles.fits[self.number].iter().collect();
        let own: Vec<bool> = fits.iter().map(|fit| bundle.contains(&fit.key)).collect();
        match bundle.len() - own.iter().filter(|own| **own).count() {
            0 => Ok(own),
            n => Err(Error::data(
                self.submission.experiment(),
                format!("{n} of the {} fits of this task are others, seen from {}", bundle.len(), node()),
                "data, weights, programs and --simd have to be the same here as where `zsad run` planned",
            )),
        }
    }

    /// Its submission, number and attempt.
    pub fn name(&self) -> String {
        format!("{}/{}/{}", self.submission.number, self.number, self.attempts.len())
    }

    /// Where it says how it ran.
    pub fn diary(&self) -> PathBuf {
        self.submission.diary(self.number, self.attempts.len())
    }

    /// Notes that it begins and how it ends. Where its time is nearly up and there is more to do, it goes back into the queue,
    /// unless this attempt has brought nothing: the next one would not, either.
    ///
    /// # Errors
    /// Those of `work`; where the run folder cannot be written.
    pub fn attempt(&self, work: impl FnOnce() -> Result<Attempted>) -> Result<Exit> {
        self.note(Ended::Not, "")?;
        let done = match work() {
            Ok(done) => done,
            Err(error) => {
                self.note(Ended::Error, &format!("{error:#}"))?;
                return Err(error);
            }
        };
        if done.left == 0 {
            self.note(if done.exit == Exit::Success { Ended::Done } else { Ended::Failed }, "")?;
        } else if !done.warned {
            self.note(Ended::Stopped, "")?;
        } else if !self.has_progressed(&done) {
            let why = "its time was too short for one cell or checkpoint; hint: a longer `time` in the cluster file";
            note(why);
            self.note(Ended::TooShort, why)?;
        } else {
            // Noted first: being queued again ends this process.
            self.note(Ended::Time, "")?;
            let job = &self.attempts[self.attempts.len() - 1].job;
            note(format_args!("{} cells are left: queueing task {job} again", done.left));
            if let Err(error) = commands::requeue(job) {
                note(format_args!("{error}; `zsad run --cluster` submits what is left"));
            }
        }
        Ok(done.exit)
    }

    fn note(&self, how: Ended, why: &str) -> Result<()> {
        let mut attempts = self.attempts.clone();
        if let Some(last) = attempts.last_mut() {
            (last.how, last.why) = (how, why.to_owned());
            last.ended = if how == Ended::Not { String::new() } else { provenance::now() };
        }
        Ok(self.submission.put_attempts(self.number, &attempts)?)
    }

    /// Whether a cell was recorded or a checkpoint was written since it began.
    fn has_progressed(&self, done: &Attempted) -> bool {
        let bundle = &self.submission.bundles.fits[self.number];
        done.recorded > 0 || bundle.iter().any(|key| done.store.is_written_since(key, self.started))
    }
}

/// What this machine is called: on a cluster, as its scheduler calls it.
fn node() -> String {
    std::env::var("SLURMD_NODENAME").unwrap_or_else(|_| file::host())
}
