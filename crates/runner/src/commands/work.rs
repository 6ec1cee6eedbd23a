//! `zsad work`: a planned run carried out, as a whole or a share of it.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use zsad_core::job::FitJob;
use zsad_core::{Environment, Error};
use zsad_store::{CellRecord, ModelStore, RunFolder, provenance};

use super::data::missing::tell;
use super::launch::{self, Workers};
use super::outcome;
use super::task::{Attempted, Task};
use super::{Locations, interrupt, note};
use crate::config::Experiment;
use crate::executor::fit::Bench;
use crate::exit::Exit;
use crate::library::Library;
use crate::plan::Wanted;
use crate::registry::Registry;
use crate::shard::Shard;

const EXAMPLES: &str = "\
Examples:
  zsad run sweep.yaml --plan-only --out /shared/sweep      once
  zsad work /shared/sweep                                  on each machine: fits are taken one by one, none twice
  zsad work /shared/sweep --shard 3/40                     the fourth of forty shares
  zsad work /shared/sweep --from-env                       in a job array: the share is the task's number
  zsad work /shared/sweep --collect                        at last: the tables and the plots of what is finished
  zsad run sweep.yaml --out /shared/sweep                  or: what is left, the tables and the plots

A share is the same whatever is finished already, so that a task that was killed is simply started again. --from-env reads
SLURM_ARRAY_TASK_ID (with _MIN and _COUNT), or JOB_COMPLETION_INDEX (Kubernetes), PBS_ARRAY_INDEX or SGE_TASK_ID and the
number of tasks in ZSAD_SHARDS. No table is written: several workers would write it at once.

`zsad run FILE --cluster CLUSTER.yaml` submits such tasks itself. Theirs have --submission N: a share is then a bundle of fits
that was put together when they were submitted. Such a task that is warned by SIGUSR1 that its time is nearly up stops, and
queues itself again.";

/// Carry out what `zsad run --plan-only` planned, or a share of it
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Work {
    /// The folder of the run
    #[arg(value_name = "OUT")]
    out: PathBuf,
    /// Share I of N of the fits alone, I from 0
    #[arg(long, value_name = "I/N", conflicts_with = "from_env")]
    shard: Option<Shard>,
    /// The share that a job array's environment names
    #[arg(long)]
    from_env: bool,
    /// Shares are the bundles of this submission of `zsad run --cluster`
    #[arg(long, value_name = "N")]
    submission: Option<usize>,
    /// Run nothing: write the tables and plots of what is finished
    #[arg(long, conflicts_with_all = ["shard", "from_env", "submission"])]
    collect: bool,
    #[command(flatten)]
    workers: Workers,
    #[command(flatten)]
    locations: Locations,
}

/// What came of it.
struct Done {
    exit: Exit,
    /// Cells recorded now.
    recorded: usize,
    /// Cells of its own without a record.
    left: usize,
}

impl Work {
    pub fn run(self, out: &mut impl Write) -> Result<Exit> {
        let shard = match self.from_env {
            true => Some(Shard::from_env(|name| std::env::var(name).ok())?),
            false => self.shard,
        };
        let folder = RunFolder::new(super::run_folder(&self.out)?);
        if self.collect {
            return self.collect(&folder, out);
        }
        if let Some(number) = self.submission {
            let shard = shard.ok_or_else(|| {
                Error::Config("--submission wants --from-env or --shard, which say which of its tasks this is".into())
            })?;
            let task = Task::of(&folder, number, shard)?;
            return task.attempt(|| self.bundle(&folder, &task));
        }
        let experiment = launch::experiment_of(&folder)?;
        let (env, _) = self.environment()?;
        folder.prepare()?;
        let own = |fits: &[FitJob]| match shard {
            Some(shard) => Ok(shard.of(fits.iter().map(|f| (f.learns, f.method())))),
            None => Ok(vec![true; fits.len()]),
        };
        let done = self.carry_out(&folder, &experiment, &env, own, |facts| {
            let _lease = folder.wait_for("provenance", || Ok(()))?;
            provenance::write(folder.root(), facts)
        })?;
        note(format_args!("`zsad run FILE --out {}` writes the tables", folder.root().display()));
        Ok(done.exit)
    }

    /// Carries out the bundle of a task.
    fn bundle(&self, folder: &RunFolder, task: &Task) -> Result<Attempted> {
        let submission = task.submission();
        let experiment = launch::experiment_in(&submission.experiment(), &submission.bundles.profile)?;
        let (env, store) = self.environment()?;
        let warned = interrupt::warned(&env.stop)?;
        let own = |fits: &[FitJob]| task.own(fits);
        let (diary, name) = (task.diary(), task.name());
        let done = self.carry_out(folder, &experiment, &env, own, |facts| {
            provenance::write_apart(&diary, &provenance::RunFacts { task: &name, ..*facts })
        })?;
        let Done { exit, recorded, left } = done;
        Ok(Attempted { exit, recorded, left, warned: warned.is_asked(), store })
    }

    fn environment(&self) -> Result<(Environment, ModelStore)> {
        let (env, store) = self.locations.open_to_compute(false)?;
        let env = Environment { threads: self.workers.threads.get(), ..env };
        interrupt::listen(&env.stop)?;
        Ok((env, store))
    }

    /// Runs what `own` chooses, and lets `keep` write down how.
    fn carry_out(
        &self,
        folder: &RunFolder,
        experiment: &Experiment,
        env: &Environment,
        own: impl FnOnce(&[FitJob]) -> zsad_core::Result<Vec<bool>>,
        keep: impl FnOnce(&provenance::RunFacts) -> zsad_core::Result<()>,
    ) -> Result<Done> {
        let registry = &Registry::built_in();
        let library = Library::new(Registry::built_in());
        let (_, store) = self.locations.open(false);
        let started = provenance::now();
        let (plan, before) = launch::planned_own(experiment, &library, env, folder, own)?;
        let checkpoint_every = self.workers.checkpoint_every();
        let bench = Bench { registry, library: &library, env, folder, store: &store, checkpoint_every };
        let workers = self.workers.number();
        let ended = launch::carry_out(&experiment.name, &plan, &before, bench, workers, || ())?;
        let own = plan.fits.iter().filter(|fit| fit.asked).map(|fit| &fit.job);
        let records = launch::records_of(own, folder)?;
        launch::with_facts(&plan, &records, bench, workers, &started, keep)?;
        let exit = outcome::exit(&plan, &records, &ended);
        if exit != Exit::Success {
            tell(experiment, &zsad_data::manifest::all()?, env);
        }
        let is_old = |(key, record): &(&String, &CellRecord)| before.get(*key) == Some(record);
        let recorded = records.iter().filter(|record| !is_old(record)).count();
        Ok(Done { exit, recorded, left: plan.asked().count() - records.len() })
    }

    /// Writes tables and plots of what is finished.
    fn collect(&self, folder: &RunFolder, out: &mut impl Write) -> Result<Exit> {
        let experiment = launch::experiment_of(folder)?;
        // Nothing is computed: the device need not be here.
        let (env, store) = self.locations.open(false);
        let _lease = folder.wait_for("collecting", || Ok(()))?;
        let registry = &Registry::built_in();
        let library = Library::new(Registry::built_in());
        let cluster = folder.cluster();
        let lease = folder.wait_for("provenance", || Ok(()))?;
        for submission in cluster.submissions()? {
            provenance::take_in(folder.root(), &submission.diaries())?;
        }
        drop(lease);
        // All records, also of cells that the experiment does not ask for: those of other seeds stay in its tables.
        let records = folder.records()?;
        let plan = Wanted::new(&experiment, &library, &env).all(&experiment, &records);
        let checkpoint_every = self.workers.checkpoint_every();
        let bench = Bench { registry, library: &library, env: &env, folder, store: &store, checkpoint_every };
        outcome::write_tables(&experiment, &plan, &records, bench, true, out)?;
        if cluster.exists() {
            cluster.put_collected(&records)?;
        }
        Ok(outcome::exit(&plan, &records, &launch::Ended::default()))
    }
}
