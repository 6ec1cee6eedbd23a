//! `zsad run --cluster`: the same experiment, carried out by a cluster's jobs.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use zsad_core::{DataDir, Device, Environment, Error, Simd};
use zsad_report::table::{Style, default_metrics, styled};
use zsad_store::{CellRecord, ModelStore, RunFolder};

use super::{ExperimentArgs, launch, note, outcome, plan, run, table};
use crate::config::Experiment;
use crate::config::cluster::Cluster;
use crate::executor::fit::Bench;
use crate::executor::slurm::{Call, Slurm};
use crate::exit::Exit;
use crate::plan::Plan;

/// What is to be run, and on which cluster.
pub struct OnCluster<'a> {
    pub cluster: &'a Cluster,
    pub experiment: &'a Experiment,
    pub plan: &'a Plan,
    pub before: &'a BTreeMap<String, CellRecord>,
    pub bench: Bench<'a>,
}

/// What work depends on, seen from a task: the device is one of the cluster's, and need not be here.
///
/// # Errors
/// [`Error::Config`] where another device is asked for.
pub fn environment(args: &ExperimentArgs, cluster: &Cluster) -> Result<(Environment, ModelStore)> {
    let (env, store) = args.locations.open(args.rehash);
    let device = if cluster.gpu { Device::Cuda(0) } else { Device::Cpu };
    if env.device != device && env.device != Device::Cpu {
        let why = format!("--device {}: a task of this cluster has no GPU", env.device);
        return Err(Error::Config(format!("{why}; hint: write `gpus: 1` in the cluster file")).into());
    }
    // Tasks start in the same folder, but say where they are.
    let data = DataDir { path: absolute(&env.data.path)?, ..env.data };
    Ok((Environment { device, data, ..env }, ModelStore::new(absolute(store.root())?)))
}

fn absolute(path: &Path) -> zsad_core::Result<PathBuf> {
    std::path::absolute(path).map_err(|e| Error::io(path, &e))
}

impl OnCluster<'_> {
    /// Submits what is outstanding and not queued; with `wait`, follows it to its end and prints the table.
    ///
    /// # Errors
    /// Where the folder cannot be written, or the scheduler does not answer or refuses.
    pub fn submit(&self, wait: bool, out: &mut impl Write) -> Result<Exit> {
        let Bench { store, env, .. } = self.bench;
        let folder = &RunFolder::new(absolute(self.bench.folder.root())?);
        let jobs = launch::to_run(&self.experiment.name, self.plan, || run::outside(self.plan, self.before));
        if !self.plan.unusable.is_empty() && self.plan.unusable.len() == self.plan.datasets {
            return Ok(Exit::Data);
        }
        launch::prepare(self.experiment, self.plan, folder)?;
        let call = call(self.bench)?;
        let slurm = Slurm {
            cluster: self.cluster,
            experiment: self.experiment,
            folder,
            store,
            before: self.before,
            call: &call,
            stop: &env.stop,
        };
        let place = folder.root().display();
        if !wait {
            for line in slurm.submit(&jobs)?.lines() {
                writeln!(out, "{line}")?;
            }
            writeln!(out, "\n{place}")?;
            note(format_args!("`zsad status {place}` says how far it is, `zsad cancel {place}` ends it"));
            return Ok(plan::exit(self.plan));
        }
        let workers = self.cluster.cpus.get() * self.cluster.max_tasks.map_or(jobs.len().max(1), usize::from);
        let ended = launch::watch(&slurm, &jobs, workers)?;
        if ended.stopped {
            note(format_args!("no longer followed: the jobs go on; `zsad cancel {place}` ends them"));
        }
        let records = folder.records()?;
        if let Ok(rows) = zsad_store::read_results(folder.root()) {
            let odd = zsad_store::findings::read(folder.root())?;
            table::print(&styled(&rows, &default_metrics(&rows), &odd, &Style::default()), out)?;
        }
        writeln!(out, "\n{place}")?;
        Ok(outcome::exit(self.plan, &records, &ended))
    }
}

/// How tasks call this program.
fn call(bench: Bench) -> Result<Call> {
    let Bench { env, store, .. } = bench;
    let program = std::env::current_exe().map_err(|e| Error::io("zsad", &e))?;
    let text = |path: &Path| path.display().to_string();
    // AVX2 and AVX-512 give the same bits: only what is no wider is part of what is asked for.
    let options = match Simd::current() {
        portable @ Simd::Portable => vec!["--simd".to_owned(), portable.to_string()],
        Simd::Avx2 | Simd::Avx512 => vec![],
    };
    let places =
        [["--data", &text(&env.data.path)], ["--store", &text(store.root())], ["--device", &env.device.to_string()]];
    let minutes = bench.checkpoint_every.as_secs_f64() / 60.0;
    Ok(Call {
        program: text(&program),
        options,
        places: places.concat().into_iter().map(str::to_owned).collect(),
        training: vec!["--checkpoint-minutes".to_owned(), minutes.to_string()],
    })
}
