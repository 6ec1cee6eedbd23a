//! `zsad run`: the main job.

use std::io::Write;
use std::num::NonZero;
use std::path::PathBuf;

use anyhow::Result;
use zsad_core::record::Status;
use zsad_core::{DataDir, Device};

use super::Target;
use crate::config::Experiment;
use crate::execute::{self, Options};
use crate::exit::Exit;
use crate::plan::Plan;
use crate::provenance::{self, RunFacts};
use crate::registry::Registry;
use crate::rows;
use crate::store::Store;

const EXAMPLES: &str = "\
Examples:
  zsad run experiments/quickstart.yaml
  zsad run experiments/acr_omniglot.yaml --profile small --data ~/data
  zsad run experiments/contamination_sweep.yaml --jobs 8 --out /scratch/sweep
  zsad run experiments/quickstart.yaml --dry-run

A run that was killed is taken up where it stopped: call it again. Cells that failed are tried again.";

/// Train, score and compare: everything of an experiment that is not finished yet
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Run {
    #[command(flatten)]
    target: Target,
    /// Fits that run at the same time [default: the number of cores]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZero<usize>>,
    /// Threads of each of them
    #[arg(long, value_name = "N", default_value = "1")]
    threads: NonZero<usize>,
    /// Where tensors live: cpu or cuda:0
    #[arg(long, value_name = "DEVICE", default_value_t)]
    device: Device,
    /// Say what would run, and stop
    #[arg(long)]
    dry_run: bool,
}

impl Run {
    pub fn run(self, out: &mut impl Write) -> Result<Exit> {
        zsad_nn::device::open(self.device)?;
        let (experiment, store, data) = self.target.load()?;
        zsad_nn::backbones::set_data_folder(&data.path);
        if self.dry_run {
            let plan = Plan::new(&experiment, &Registry::BUILT_IN, &data, &store)?;
            return super::plan::print(&plan, &store, out);
        }
        let _lock = store.lock()?;
        self.execute(&experiment, &store, &data, out)
    }

    fn execute(&self, experiment: &Experiment, store: &Store, data: &DataDir, out: &mut impl Write) -> Result<Exit> {
        let registry = &Registry::BUILT_IN;
        let started = provenance::now();
        let mut plan = Plan::new(experiment, registry, data, store)?;
        plan.save(store)?;
        let (all, outstanding) = (plan.cells().count(), plan.outstanding());
        let fits = plan.fits.iter().filter(|f| f.is_outstanding()).count();
        let cached = all - outstanding;
        super::note(format_args!(
            "{}: {all} cells, {cached} finished before, {outstanding} to run in {fits} fits",
            experiment.name
        ));
        for error in plan.data_errors() {
            super::note(format_args!("error: {error}"));
        }
        let jobs = self.jobs.or_else(|| std::thread::available_parallelism().ok()).map_or(1, usize::from);
        let (threads, device) = (self.threads.get(), self.device);
        let options = Options { jobs, threads, device, cache: cache_folder() };
        let data_failures = execute::execute(&mut plan, registry, store, &options)?;

        let rows = rows::build(&plan, registry, store)?;
        zsad_report::write_results(store.root(), &rows)?;
        let cells = (outstanding, cached);
        provenance::write(store.root(), &RunFacts { started: &started, jobs, threads, device, data, cells })?;
        zsad_report::table::write_all(store.root(), &rows)?;
        super::plot::write_all(store, &rows)?;
        super::table::print(&rows, out)?;
        writeln!(out, "\n{}", store.root().display())?;
        Ok(self.summary(&plan, data_failures))
    }

    fn summary(&self, plan: &Plan, data_failures: usize) -> Exit {
        let count = |status| plan.cells().filter(|c| plan.status(c) == Some(status)).count();
        let (ok, failed, refused) = (count(Status::Ok), count(Status::Failed), count(Status::Refused));
        super::note(format_args!("{ok} cells ok, {failed} failed, {refused} refused"));
        match failed {
            0 => Exit::Well,
            _ if data_failures > 0 && ok + refused == 0 => Exit::Data,
            _ => Exit::SomeFailed,
        }
    }
}

/// Where features are cached for all runs; `None` where the system names no such place.
fn cache_folder() -> Option<PathBuf> {
    let var = |name| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    var("ZSAD_CACHE")
        .or_else(|| var("XDG_CACHE_HOME").map(|p| p.join("zsad")))
        .or_else(|| var("HOME").map(|p| p.join(".cache").join("zsad")))
}
