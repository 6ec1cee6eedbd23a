//! `zsad work`: a planned run carried out, as a whole or a share of it.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use zsad_core::Environment;
use zsad_store::provenance;

use super::data::missing::tell;
use super::launch::{self, Workers};
use super::{Locations, interrupt, note};
use crate::executor::fit::Bench;
use crate::exit::Exit;
use crate::library::Library;
use crate::registry::Registry;
use crate::shard::Shard;

const EXAMPLES: &str = "\
Examples:
  zsad run sweep.yaml --plan-only --out /shared/sweep      once
  zsad work /shared/sweep                                  on each machine: fits are taken one by one, none twice
  zsad work /shared/sweep --shard 3/40                     the fourth of forty shares
  zsad work /shared/sweep --from-env                       in a job array: the share is the task's number
  zsad run sweep.yaml --out /shared/sweep                  at last: what is left, the tables and the plots

A share is the same whatever is finished already, so that a task that was killed is simply started again. --from-env reads
SLURM_ARRAY_TASK_ID (with _MIN and _COUNT), or JOB_COMPLETION_INDEX (Kubernetes), PBS_ARRAY_INDEX or SGE_TASK_ID and the
number of tasks in ZSAD_SHARDS. No table is written: several workers would write it at once.";

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
    #[command(flatten)]
    workers: Workers,
    #[command(flatten)]
    locations: Locations,
}

impl Work {
    pub fn run(self, _: &mut impl Write) -> Result<Exit> {
        let shard = match self.from_env {
            true => Some(Shard::from_env(|name| std::env::var(name).ok())?),
            false => self.shard,
        };
        let folder = zsad_store::RunFolder::new(super::run_folder(&self.out)?);
        let experiment = launch::experiment_of(&folder)?;
        let (env, store) = self.locations.open_to_compute(false)?;
        let env = Environment { threads: self.workers.threads.get(), ..env };
        interrupt::listen(&env.stop)?;
        let library = Library::new(Registry::built_in());
        let started = provenance::now();
        let (mut plan, before) = launch::planned(&experiment, &library, &env, &folder)?;
        if let Some(shard) = shard {
            plan.share(shard);
        }
        folder.prepare()?;
        let registry = &Registry::built_in();
        let checkpoint_every = self.workers.checkpoint_every();
        let bench = Bench { registry, library: &library, env: &env, folder: &folder, store: &store, checkpoint_every };
        let workers = self.workers.number();
        let ended = launch::carry_out(&experiment.name, &plan, &before, bench, workers, || ())?;
        let records = folder.records()?;
        launch::keep_provenance(&plan, &records, bench, workers, &started)?;
        let exit = launch::exit(&plan, &records, &ended);
        if exit != Exit::Success {
            tell(&experiment, &zsad_data::manifest::all()?, &env);
        }
        note(format_args!("`zsad run FILE --out {}` writes the tables", folder.root().display()));
        Ok(exit)
    }
}
