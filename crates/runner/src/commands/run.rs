//! `zsad run`: the main job.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use zsad_core::Environment;
use zsad_fetch::Settings;
use zsad_store::CellRecord;
use zsad_store::provenance;

use super::launch::{self, Workers};
use super::on_cluster::{self, OnCluster};
use super::outcome;
use super::{ExperimentArgs, counted, data, interrupt};
use crate::config::{self, Experiment};
use crate::executor::fit::Bench;
use crate::exit::Exit;
use crate::library::Library;
use crate::plan::Plan;
use crate::registry::Registry;
use crate::results::outside;
use crate::shard::Shard;

const EXAMPLES: &str = "\
Examples:
  zsad run experiments/quickstart.yaml
  zsad run experiments/acr_omniglot.yaml --profile small --data ~/data
  zsad run experiments/contamination_sweep.yaml --jobs 8 --out /scratch/sweep
  zsad run experiments/acr_mnist.yaml --fetch         fetch what is missing first
  zsad run experiments/quickstart.yaml --dry-run
  zsad run experiments/quickstart.yaml --fit KEY      that fit and its cells alone; `zsad plan --json` lists the keys
  zsad run experiments/quickstart.yaml --shard 0/40 --out out/0      the first of forty shares; then `zsad merge`
  zsad run experiments/quickstart.yaml --cluster experiments/clusters/cpu.yaml          as a job array of Slurm
  zsad run experiments/quickstart.yaml --cluster experiments/clusters/cpu.yaml --wait   the same, followed to its end

Ctrl-C (or SIGTERM) ends a run after its running step and writes the tables of what is finished; a second one ends it at
once. A run that was ended or killed is taken up where it stopped: call it again. A training that was ended goes on after its
last step, one that was killed from its last checkpoint, and ends with the bits of an undisturbed one. Cells that failed are
tried again. Two runs on one folder share the work. Trained models are kept in the store: whatever differs only in how it is tested trains once.

--cluster submits a job array whose tasks are bundles of fits, and a job after it that writes tables and plots. Given again, it
submits what is neither recorded nor queued. Program, data, store and run folder have to be on a disk that all machines see.
`zsad status OUT` says how far it is, `zsad cancel OUT` ends it, `zsad validate` checks a cluster file.";

/// Train, score and compare: everything of an experiment that is not finished yet
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Run {
    #[command(flatten)]
    experiment: ExperimentArgs,
    #[command(flatten)]
    workers: Workers,
    /// Run the fit of this key and its cells alone
    #[arg(long, value_name = "KEY", conflicts_with_all = ["shard", "plan_only"])]
    fit: Option<String>,
    /// Run share I of N of the fits alone, I from 0: for several machines, whose folders `zsad merge` brings together
    #[arg(long, value_name = "I/N", conflicts_with = "plan_only")]
    shard: Option<Shard>,
    /// Write the plan into the folder, and stop: `zsad work` carries it out, on several machines where they share a disk
    #[arg(long)]
    plan_only: bool,
    /// Submit what is outstanding to the cluster that this file describes, and return
    #[arg(long, value_name = "CLUSTER", conflicts_with_all = ["fit", "shard", "plan_only", "jobs", "threads"])]
    cluster: Option<PathBuf>,
    /// Follow the cluster's jobs to their end, submit again what gets lost, and print the table
    #[arg(long, requires = "cluster")]
    wait: bool,
    /// Say what would run, and stop
    #[arg(long)]
    dry_run: bool,
    /// Fetch what is missing first, as `zsad data fetch --for` does
    #[arg(long)]
    fetch: bool,
    /// Accept the licences of what is fetched
    #[arg(long, requires = "fetch")]
    accept_licence: bool,
    #[command(flatten)]
    known: data::Known,
}

impl Run {
    pub fn run(self, out: &mut impl Write) -> Result<Exit> {
        let cluster = self.cluster.as_deref().map(config::cluster::load).transpose()?;
        let (experiment, folder) = self.experiment.load()?;
        let (locations, rehash) = (&self.experiment.locations, self.experiment.rehash);
        let (env, store) = match &cluster {
            Some(cluster) => on_cluster::environment(&self.experiment, cluster)?,
            None if self.dry_run || self.plan_only => locations.open(rehash),
            None => locations.open_to_compute(rehash)?,
        };
        let env = Environment { threads: self.workers.threads.get(), ..env };
        interrupt::listen(&env.stop)?;
        let manifests = self.known.manifests()?;
        if self.fetch {
            let (accept_licence, stop) = (self.accept_licence, env.stop.clone());
            let settings = Settings { accept_licence, stop, ..Settings::new(env.data.clone(), false) };
            data::fetch::report(&data::missing::fetch_all(&experiment, &manifests, &env, &settings)?, out)?;
        }
        let library = Library::new(Registry::built_in());
        let started = provenance::now();
        let (mut plan, records) = launch::planned(&experiment, &library, &env, &folder)?;
        launch::check_tags(&experiment, &library, &env)?;
        if let Some(key) = &self.fit {
            plan.only(key)?;
        }
        if let Some(shard) = self.shard {
            plan.share(shard);
        }
        if self.dry_run {
            let exit = super::plan::print(&plan, &records, &folder, &store, out)?;
            data::missing::tell(&experiment, &manifests, &env);
            return Ok(exit);
        }
        let registry = &Registry::built_in();
        let checkpoint_every = self.workers.checkpoint_every();
        let bench = Bench { registry, library: &library, env: &env, folder: &folder, store: &store, checkpoint_every };
        if let Some(cluster) = &cluster {
            let run = OnCluster { cluster, experiment: &experiment, plan: &plan, before: &records, bench };
            return run.submit(self.wait, out);
        }
        launch::prepare(&experiment, &plan, &folder)?;
        if self.plan_only {
            return super::plan::print(&plan, &records, &folder, &store, out);
        }
        let exit = self.execute(&experiment, &plan, &records, bench, &started, out)?;
        if exit != Exit::Success {
            data::missing::tell(&experiment, &manifests, &env);
        }
        Ok(exit)
    }

    fn execute(
        &self,
        experiment: &Experiment,
        plan: &Plan,
        before: &BTreeMap<String, CellRecord>,
        bench: Bench,
        started: &str,
        out: &mut impl Write,
    ) -> Result<Exit> {
        let workers = self.workers.number();
        let ended = launch::carry_out(&experiment.name, plan, before, bench, workers, || outside(plan, before))?;
        let records = bench.folder.records()?;
        launch::keep_provenance(plan, &records, bench, workers, started)?;
        // What was finished before has its pictures, and its data may be elsewhere by now.
        let analysed = outcome::write_tables(experiment, plan, &records, bench, plan.outstanding() > 0, out)?;
        match outcome::exit(plan, &records, &ended) {
            Exit::Success if !analysed => Ok(Exit::SomeFailed),
            exit => Ok(exit),
        }
    }
}

/// Says which stored cells are not those of the experiment, and what becomes of them.
pub(super) fn outside(plan: &Plan, records: &BTreeMap<String, CellRecord>) {
    let outside = outside::beside(plan, records);
    if !outside.kept.is_empty() {
        let seeds: BTreeSet<u64> = outside.kept.iter().map(|r| r.cell.seed()).collect();
        let seeds: Vec<String> = seeds.iter().map(u64::to_string).collect();
        super::note(format_args!(
            "{} of the same methods and data (seeds {}), outside this experiment, stay in the tables",
            counted(outside.kept.len(), "stored cell"),
            seeds.join(", ")
        ));
    }
    if outside.left_out > 0 {
        super::note(format_args!(
            "{} of other methods, parameters or data, outside this experiment, are left out of the tables; \
             hint: --out DIR gives each its own folder",
            counted(outside.left_out, "stored cell")
        ));
    }
}
