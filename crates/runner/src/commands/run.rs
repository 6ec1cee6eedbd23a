//! `zsad run`: the main job.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::num::NonZero;

use anyhow::Result;
use zsad_core::job::FitJob;
use zsad_core::{Environment, Error};
use zsad_fetch::Settings;
use zsad_report::plots::Style;
use zsad_store::provenance::{self, RunFacts};
use zsad_store::{CellRecord, Status};

use super::{ExperimentArgs, counted};
use super::{data, interrupt};
use crate::GIT_SHA;
use crate::config::Experiment;
use crate::executor::Executor;
use crate::executor::fit::Bench;
use crate::executor::local::Local;
use crate::exit::Exit;
use crate::library::Library;
use crate::plan::{Plan, Wanted};
use crate::progress::ProgressReporter;
use crate::registry::Registry;
use crate::remarks;
use crate::results::{self, outside};

const EXAMPLES: &str = "\
Examples:
  zsad run experiments/quickstart.yaml
  zsad run experiments/acr_omniglot.yaml --profile small --data ~/data
  zsad run experiments/contamination_sweep.yaml --jobs 8 --out /scratch/sweep
  zsad run experiments/quickstart.yaml --dry-run
  zsad run experiments/quickstart.yaml --fit KEY      that fit and its cells alone; `zsad plan --json` lists the keys

Ctrl-C (or SIGTERM) ends a run after its running step and writes the tables of what is finished; a second one ends it at
once. A run that was ended or killed is taken up where it stopped: call it again. Cells that failed are tried again. Two runs on one
folder share the work. Trained models are kept in the store: whatever differs only in how it is tested trains once.";

/// Train, score and compare: everything of an experiment that is not finished yet
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Run {
    #[command(flatten)]
    experiment: ExperimentArgs,
    /// Fits that run at the same time [default: the number of cores]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = super::from_one)]
    jobs: Option<NonZero<usize>>,
    /// Threads of each of them
    #[arg(long, value_name = "N", default_value = "1", allow_negative_numbers = true, value_parser = super::from_one)]
    threads: NonZero<usize>,
    /// Run the fit of this key and its cells alone
    #[arg(long, value_name = "KEY")]
    fit: Option<String>,
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
        let (experiment, folder) = self.experiment.load()?;
        let (env, store) = self.experiment.locations.open(self.experiment.rehash)?;
        let env = Environment { threads: self.threads.get(), ..env };
        interrupt::listen(&env.stop)?;
        let manifests = self.known.manifests()?;
        if self.fetch {
            let (accept_licence, stop) = (self.accept_licence, env.stop.clone());
            let settings = Settings { accept_licence, stop, ..Settings::new(env.data.clone(), false) };
            data::fetch::report(&data::missing::fetch_all(&experiment, &manifests, &env, &settings)?, out)?;
        }
        let library = Library::new(Registry::built_in());
        let started = provenance::now();
        let wanted = Wanted::new(&experiment, &library, &env);
        env.digests.keep();
        let records = folder.records()?;
        let mut plan = wanted.diff(&experiment, &folder, &records);
        if let Some(key) = &self.fit {
            plan.only(key)?;
        }
        if self.dry_run {
            let exit = super::plan::print(&plan, &records, &folder, &store, out)?;
            data::missing::tell(&experiment, &manifests, &env);
            return Ok(exit);
        }
        folder.prepare()?;
        for (digest, list) in &plan.files {
            folder.put_files(digest, list)?;
        }
        let registry = &Registry::built_in();
        let bench = Bench { registry, library: &library, env: &env, folder: &folder, store: &store };
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
        let (folder, store, registry, env) = (bench.folder, bench.store, bench.registry, bench.env);
        folder.put_plan(&plan.experiment, &plan.profile, plan.saved())?;
        let jobs: Vec<FitJob> = plan.fits.iter().filter_map(|f| f.to_run()).collect();
        let (all, outstanding) = (plan.asked().count(), plan.outstanding());
        let cached = all - outstanding;
        super::note(format_args!(
            "{}: {}, {cached} finished before, {outstanding} to run in {}",
            experiment.name,
            counted(all, "cell"),
            counted(jobs.len(), "fit")
        ));
        super::plan::tell(plan);
        outside(plan, before);
        let workers = self.jobs.or_else(|| std::thread::available_parallelism().ok()).map_or(1, usize::from);
        if (1..workers).contains(&jobs.len()) {
            let (busy, keep) = (jobs.len(), if jobs.len() == 1 { "keeps" } else { "keep" });
            let fits = counted(busy, "fit");
            super::note(format_args!("{fits} {keep} {busy} of {workers} jobs busy; --threads N lets each use more"));
        }
        let reporter = ProgressReporter::new(&jobs, workers);
        let ended = Local { bench, jobs: workers, before }.run(&jobs, &|event| reporter.hear(event));
        let data_failures = reporter.finish();
        let stopped = matches!(ended, Err(Error::Stopped));
        if !stopped {
            ended?;
        }

        let records = folder.records()?;
        results::compute_later(plan, &records, registry, folder)?;
        let rows = results::rows(plan, &records, registry, folder)?;
        zsad_store::write_results(folder.root(), &rows)?;
        let facts = RunFacts {
            git_sha: GIT_SHA,
            started,
            jobs: workers,
            threads: env.threads,
            device: env.device,
            data: &env.data,
            cells: (outstanding, cached),
            first_use: &data::missing::first_use(experiment, &self.known.manifests()?, env)?,
        };
        provenance::write(folder.root(), &facts)?;
        let table = zsad_report::table::write_all(folder.root(), &rows)?;
        super::plot::write_all(folder, store, &rows, &Style::default())?;
        super::table::print(&table, out)?;
        for line in remarks::of_data(plan, &records).into_iter().chain(remarks::of_training(plan, store)?) {
            writeln!(out, "{line}")?;
        }
        writeln!(out, "\n{}", folder.root().display())?;
        for line in remarks::below_chance(&rows) {
            super::note(format_args!("warning: {line}"));
        }
        let count = |status| plan.asked().filter(|c| records.get(&c.key).is_some_and(|r| r.status == status)).count();
        let [ok, failed, refused] = [Status::Ok, Status::Failed, Status::Refused].map(count);
        super::note(format_args!("{} ok, {failed} failed, {refused} refused", counted(ok, "cell")));
        if stopped {
            let left = all - ok - failed - refused;
            super::note(format_args!("stopped: {left} of {all} cells are left; the same command goes on with them"));
            return Ok(Exit::SomeFailed);
        }
        Ok(match (ok, failed) {
            (0, _) if data_failures > 0 || !plan.unusable.is_empty() => Exit::Data,
            (_, 0) if every_point_has_a_number(plan, &records) => Exit::Success,
            _ => Exit::SomeFailed,
        })
    }
}

/// Whether every protocol point of every data set has a finished cell.
fn every_point_has_a_number(plan: &Plan, records: &BTreeMap<String, CellRecord>) -> bool {
    let mut points: BTreeMap<(&str, String), bool> = BTreeMap::new();
    for cell in plan.asked() {
        let point = format!("{}, {}", cell.id.point.size, cell.id.point.contamination);
        let is_ok = records.get(&cell.key).is_some_and(|r| r.status == Status::Ok);
        *points.entry((&cell.asked.dataset, point)).or_default() |= is_ok;
    }
    points.into_values().all(|has| has)
}

/// Says which stored cells are not those of the experiment, and what becomes of them.
fn outside(plan: &Plan, records: &BTreeMap<String, CellRecord>) {
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
