//! What `plan`, `run` and `work` share: a plan made, and carried out on this machine.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::time::Duration;

use zsad_core::job::FitJob;
use zsad_core::{Environment, Error, Result};
use zsad_store::provenance::{self, RunFacts};
use zsad_store::{CellRecord, RunFolder, Status};

use super::data::missing::first_use;
use super::{counted, note};
use crate::GIT_SHA;
use crate::config::{self, Experiment};
use crate::executor::Executor;
use crate::executor::fit::{Bench, WAIT};
use crate::executor::local::Local;
use crate::executor::training::CHECKPOINT_MINUTES;
use crate::exit::Exit;
use crate::library::Library;
use crate::plan::{Plan, Wanted};
use crate::progress::ProgressReporter;
use crate::registry::Registry;
use crate::remarks;

/// How much of this machine is used.
#[derive(clap::Args)]
pub struct Workers {
    /// Fits that run at the same time [default: the number of cores]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = super::from_one)]
    jobs: Option<NonZero<usize>>,
    /// Threads of each of them
    #[arg(long, value_name = "N", default_value = "1", allow_negative_numbers = true, value_parser = super::from_one)]
    pub threads: NonZero<usize>,
    /// How long a training works before it keeps a checkpoint, from which a killed one goes on; 0: after every step
    #[arg(long, value_name = "MINUTES", default_value_t = CHECKPOINT_MINUTES, value_parser = minutes)]
    checkpoint_minutes: f64,
}

fn minutes(text: &str) -> Result<f64, String> {
    let minutes = text.parse().ok().filter(|m: &f64| (0.0..=1e6).contains(m));
    minutes.ok_or_else(|| "want minutes from 0, such as 10 or 0.5".to_owned())
}

impl Workers {
    /// How long a training works before it keeps a checkpoint.
    pub fn checkpoint_every(&self) -> Duration {
        Duration::from_secs_f64(60.0 * self.checkpoint_minutes)
    }

    /// How many fits run at the same time.
    pub fn number(&self) -> usize {
        self.jobs.or_else(|| std::thread::available_parallelism().ok()).map_or(1, usize::from)
    }
}

/// How it ended.
pub struct Ended {
    /// Whether it was asked to end before all was done.
    stopped: bool,
    /// Cells that failed for want of data or weights.
    data_failures: usize,
}

/// The experiment that a folder is for.
///
/// # Errors
/// Where the folder does not hold it, or it is not valid.
pub fn experiment_of(folder: &RunFolder) -> anyhow::Result<Experiment> {
    let saved = folder.plan()?;
    let profile = Some(saved.profile.as_str()).filter(|profile| !profile.is_empty());
    let file = folder.experiment();
    if !file.exists() {
        let hint = "`zsad run FILE --plan-only --out` writes it";
        return Err(Error::data(&file, "this folder does not hold its experiment", hint).into());
    }
    Ok(config::load(&file, &Registry::built_in(), profile)?)
}

/// What `experiment` comes to, and the records that are in its folder.
///
/// # Errors
/// Where a record comes from a newer zsad.
pub fn planned(
    experiment: &Experiment,
    library: &Library,
    env: &Environment,
    folder: &RunFolder,
) -> Result<(Plan, BTreeMap<String, CellRecord>)> {
    let wanted = Wanted::new(experiment, library, env);
    env.digests.keep();
    let records = folder.records()?;
    let plan = wanted.diff(experiment, folder, &records);
    Ok((plan, records))
}

/// Writes down in the folder what it is for.
///
/// # Errors
/// Where it cannot be written.
pub fn prepare(experiment: &Experiment, plan: &Plan, folder: &RunFolder) -> Result<()> {
    folder.prepare()?;
    for (digest, list) in &plan.files {
        folder.put_files(digest, list)?;
    }
    folder.put_plan(Some(&experiment.text), &plan.experiment, &plan.profile, plan.saved())
}

/// Runs what is left of `plan`; `said_first` is called once it is said what that is.
///
/// # Errors
/// Where a record cannot be stored.
pub fn carry_out(
    name: &str,
    plan: &Plan,
    before: &BTreeMap<String, CellRecord>,
    bench: Bench,
    workers: usize,
    said_first: impl FnOnce(),
) -> Result<Ended> {
    let jobs: Vec<FitJob> = plan.fits.iter().filter_map(|f| f.to_run()).collect();
    let (all, outstanding) = (plan.asked().count(), plan.outstanding());
    let (cells, fits) = (counted(all, "cell"), counted(jobs.len(), "fit"));
    note(format_args!("{name}: {cells}, {} finished before, {outstanding} to run in {fits}", all - outstanding));
    super::plan::tell(plan);
    said_first();
    super::tell_processor(bench.env.device, bench.registry, jobs.iter().map(|j| j.id.method.name.as_str()));
    if (1..workers).contains(&jobs.len()) {
        let (busy, keep) = (jobs.len(), if jobs.len() == 1 { "keeps" } else { "keep" });
        note(format_args!("{fits} {keep} {busy} of {workers} jobs busy; --threads N lets each use more"));
    }
    let reporter = ProgressReporter::new(&jobs, workers);
    let ended = Local { bench, jobs: workers, before }.run(&jobs, &|event| reporter.hear(event));
    let data_failures = reporter.finish();
    let stopped = matches!(ended, Err(Error::Stopped));
    if !stopped {
        ended?;
    }
    Ok(Ended { stopped, data_failures })
}

/// Adds this call to the folder's diary.
///
/// # Errors
/// Where it cannot be written.
pub fn keep_provenance(
    plan: &Plan,
    records: &BTreeMap<String, CellRecord>,
    bench: Bench,
    workers: usize,
    started: &str,
) -> Result<()> {
    // One at a time: each adds to what is there.
    let _lease = loop {
        match bench.folder.lease("provenance")? {
            Some(lease) => break lease,
            None => std::thread::sleep(WAIT),
        }
    };
    let outstanding = plan.outstanding();
    let facts = RunFacts {
        git_sha: GIT_SHA,
        started,
        jobs: workers,
        threads: bench.env.threads,
        device: bench.env.device,
        data: &bench.env.data,
        cells: (outstanding, plan.asked().count() - outstanding),
        first_use: &first_use(plan, bench.env)?,
        data_notes: &remarks::of_data(plan, records),
    };
    provenance::write(bench.folder.root(), &facts)
}

/// Says how many cells ended how, and what that is to whoever called.
pub fn exit(plan: &Plan, records: &BTreeMap<String, CellRecord>, ended: &Ended) -> Exit {
    let count = |status| plan.asked().filter(|c| records.get(&c.key).is_some_and(|r| r.status == status)).count();
    let [ok, failed, refused] = [Status::Ok, Status::Failed, Status::Refused].map(count);
    note(format_args!("{} ok, {failed} failed, {refused} refused", counted(ok, "cell")));
    if ended.stopped {
        let all = plan.asked().count();
        let left = all - ok - failed - refused;
        note(format_args!("stopped: {left} of {all} cells are left; the same command goes on with them"));
        return Exit::SomeFailed;
    }
    match (ok, failed) {
        // The other shares may have all the work.
        (0, 0) if plan.asked().next().is_none() => Exit::Success,
        (0, _) if ended.data_failures > 0 || !plan.unusable.is_empty() => Exit::Data,
        (_, 0) if every_point_has_a_number(plan, records) => Exit::Success,
        _ => Exit::SomeFailed,
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
