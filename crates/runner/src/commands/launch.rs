//! What `plan`, `run` and `work` share: a plan made, and carried out on this machine.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::path::Path;
use std::time::Duration;

use zsad_core::job::FitJob;
use zsad_core::{Environment, Error, Result, file};
use zsad_store::provenance::{self, RunFacts};
use zsad_store::{CellRecord, RunFolder};

use super::data::missing::first_use;
use super::{counted, note};
use crate::GIT_SHA;
use crate::config::{self, Experiment};
use crate::executor::Executor;
use crate::executor::fit::Bench;
use crate::executor::local::Local;
use crate::executor::training::CHECKPOINT_MINUTES;
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
#[derive(Default)]
pub struct Ended {
    /// Whether it was asked to end before all was done.
    pub stopped: bool,
    /// Cells that failed for want of data or weights.
    pub data_failures: usize,
}

/// The experiment that a folder is for.
///
/// # Errors
/// Where the folder does not hold it, or it is not valid.
pub fn experiment_of(folder: &RunFolder) -> anyhow::Result<Experiment> {
    experiment_in(&folder.experiment(), &folder.plan()?.profile)
}

/// The experiment in a file of a run folder, under a profile unless that is empty.
///
/// # Errors
/// Where the folder does not hold it, or it is not valid.
pub fn experiment_in(file: &Path, profile: &str) -> anyhow::Result<Experiment> {
    if !file.exists() {
        let hint = "`zsad run FILE --plan-only --out` writes it";
        return Err(Error::data(file, "this folder does not hold its experiment", hint).into());
    }
    let profile = Some(profile).filter(|profile| !profile.is_empty());
    Ok(config::load(file, &Registry::built_in(), profile)?)
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

/// What of `experiment` a worker has to do, chosen by `own`, and the records of its own cells.
///
/// # Errors
/// Where a record comes from a newer zsad; that of `own`.
pub fn planned_own(
    experiment: &Experiment,
    library: &Library,
    env: &Environment,
    folder: &RunFolder,
    own: impl FnOnce(&[FitJob]) -> Result<Vec<bool>>,
) -> Result<(Plan, BTreeMap<String, CellRecord>)> {
    let wanted = Wanted::new(experiment, library, env);
    env.digests.keep();
    let own = own(&wanted.jobs)?;
    let jobs = wanted.jobs.iter().zip(&own).filter(|(_, own)| **own).map(|(job, _)| job);
    let records = records_of(jobs, folder)?;
    Ok((wanted.own(experiment, &own, &records), records))
}

/// The records of the cells of `jobs`.
///
/// # Errors
/// Where one comes from a newer zsad.
pub fn records_of<'a>(
    jobs: impl Iterator<Item = &'a FitJob>,
    folder: &RunFolder,
) -> Result<BTreeMap<String, CellRecord>> {
    let mut records = BTreeMap::new();
    for cell in jobs.flat_map(|job| &job.cells) {
        records.extend(folder.record(&cell.key)?.map(|record| (cell.key.clone(), record)));
    }
    Ok(records)
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
    put_tags(experiment, folder)?;
    folder.put_plan(Some(&experiment.text), &plan.experiment, &plan.profile, plan.saved())
}

/// Puts a person's own tags into the folder, beside the experiment, as that names them.
///
/// # Errors
/// Where it cannot be written.
pub fn put_tags(experiment: &Experiment, folder: &RunFolder) -> Result<()> {
    let own = experiment.datasets.iter().filter_map(|d| d.tags.as_ref());
    own.filter(|tags| tags.named.is_relative())
        .try_for_each(|tags| file::write(&folder.root().join(&tags.named), &tags.bytes))
}

/// Says what is left of `plan`, and what more `said_first` has to say; those fits.
pub fn to_run(name: &str, plan: &Plan, said_first: impl FnOnce()) -> Vec<FitJob> {
    let jobs: Vec<FitJob> = plan.fits.iter().filter_map(|f| f.to_run()).collect();
    let (all, outstanding) = (plan.asked().count(), plan.outstanding());
    let (cells, fits) = (counted(all, "cell"), counted(jobs.len(), "fit"));
    note(format_args!("{name}: {cells}, {} finished before, {outstanding} to run in {fits}", all - outstanding));
    super::plan::tell(plan);
    said_first();
    jobs
}

/// Runs what is left of `plan` on this machine; `said_first` is called once it is said what that is.
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
    let jobs = to_run(name, plan, said_first);
    super::tell_processor(bench.env.device, bench.registry, jobs.iter().map(|j| j.id.method.name.as_str()));
    if (1..workers).contains(&jobs.len()) {
        let (fits, busy, keep) =
            (counted(jobs.len(), "fit"), jobs.len(), if jobs.len() == 1 { "keeps" } else { "keep" });
        note(format_args!("{fits} {keep} {busy} of {workers} jobs busy; --threads N lets each use more"));
    }
    watch(&Local { bench, jobs: workers, before }, &jobs, workers)
}

/// Lets `executor` run `jobs`, so many at the same time, and shows how far it is.
///
/// # Errors
/// Those of the executor.
pub fn watch(executor: &dyn Executor, jobs: &[FitJob], workers: usize) -> Result<Ended> {
    let reporter = ProgressReporter::new(jobs, workers);
    let ended = executor.run(jobs, &|event| reporter.hear(event));
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
    let _lease = bench.folder.wait_for("provenance", || Ok(()))?;
    with_facts(plan, records, bench, workers, started, |facts| provenance::write(bench.folder.root(), facts))
}

/// Lets `keep` have the facts of this call.
///
/// # Errors
/// That of `keep`; where the list of files trusted on first use cannot be read.
pub fn with_facts(
    plan: &Plan,
    records: &BTreeMap<String, CellRecord>,
    bench: Bench,
    workers: usize,
    started: &str,
    keep: impl FnOnce(&RunFacts) -> Result<()>,
) -> Result<()> {
    let outstanding = plan.outstanding();
    keep(&RunFacts {
        git_sha: GIT_SHA,
        started,
        jobs: workers,
        threads: bench.env.threads,
        device: bench.env.device,
        data: &bench.env.data,
        cells: (outstanding, plan.asked().count() - outstanding),
        first_use: &first_use(plan, bench.env)?,
        data_notes: &remarks::of_data(plan, records),
        task: "",
    })
}

/// Refuses lines of a person's own tags that are about no sample. What cannot be opened is said when its cells are run.
///
/// # Errors
/// [`Error::Data`] with the first such line.
pub fn check_tags(experiment: &Experiment, library: &Library, env: &Environment) -> Result<()> {
    for choice in &experiment.datasets {
        if let Some(tags) = &choice.tags
            && let Ok(dataset) = library.of(choice.def.spec(), &choice.source).open(env)
        {
            tags.check(dataset.as_ref())?;
        }
    }
    Ok(())
}
