//! Running on a cluster: a job array of Slurm, whose tasks each run a bundle of fits, and a job after it that writes tables
//! and plots.
//!
//! What is wanted is compared with what is recorded and what is queued, and the difference is submitted, so that a call may
//! be repeated at any time. All that is decided from is in the run folder and in the queue: nothing is remembered in between.

pub mod commands;
mod follow;
pub mod lost;
mod script;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use zsad_core::job::FitJob;
use zsad_core::{Result, Stop, file};
use zsad_store::cluster_folder::{Bundles, ClusterFolder};
use zsad_store::{CellRecord, ModelStore, RunFolder, SCHEMA, Status, Submission};

use super::{Executor, Listener};
use crate::bundle::bundles;
use crate::commands::counted;
use crate::config::Experiment;
use crate::config::cluster::Cluster;
use crate::cost::Costs;
use crate::progress::rounded;
use commands::{QUEUE_TIME, Queued};
pub use script::Call;

/// Tasks of an array where Slurm does not say how many it may have; its own default.
const LARGEST_ARRAY: usize = 1001;

/// A cluster, and the run that it works for.
pub struct Slurm<'a> {
    /// What its tasks get.
    pub cluster: &'a Cluster,
    /// What is run.
    pub experiment: &'a Experiment,
    /// Where records go, seen from all machines.
    pub folder: &'a RunFolder,
    /// Where trained models are kept.
    pub store: &'a ModelStore,
    /// The records that were there when the plan was made, by cell key.
    pub before: &'a BTreeMap<String, CellRecord>,
    /// How its tasks call the program.
    pub call: &'a Call,
    /// Whether to follow no more.
    pub stop: &'a Stop,
}

/// What a call submitted and found.
#[derive(Debug, Default)]
pub struct Submitted {
    /// Jobs of this run that were waiting or running before.
    pub queued: Vec<Queued>,
    /// Cells that are to be run by what was queued before.
    pub cells_queued: usize,
    /// The job array, if there was anything to submit.
    pub array: Option<Array>,
    /// The job that writes the tables, if it was submitted: its name and number.
    pub collect: Option<(String, String)>,
}

/// A job array that was submitted.
#[derive(Debug)]
pub struct Array {
    /// Name of the job.
    pub name: String,
    /// Number of the job.
    pub job: String,
    /// How many tasks.
    pub tasks: usize,
    /// How many fits.
    pub fits: usize,
    /// How many cells.
    pub cells: usize,
    /// How long its longest task will take.
    pub longest: Duration,
}

impl Submitted {
    /// What a person should know of it, a line each.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let tasks: Vec<&Queued> = self.queued.iter().filter(|q| q.task.is_some()).collect();
        if !self.queued.is_empty() {
            let runs = tasks.iter().filter(|q| q.runs).count();
            let jobs: BTreeSet<&str> = self.queued.iter().map(|q| q.job.as_str()).collect();
            let jobs = jobs.into_iter().collect::<Vec<_>>().join(", ");
            let (cells, waiting) = (counted(self.cells_queued, "cell"), tasks.len() - runs);
            lines.push(format!("queued before: {cells}, {runs} tasks running and {waiting} waiting (jobs {jobs})"));
        }
        if let Some(Array { name, job, tasks, fits, cells, longest }) = &self.array {
            let longest = rounded((*longest).max(Duration::from_secs(1)));
            lines.push(format!(
                "submitted {name}: job {job}, {} with {} ({}), the longest about {longest}",
                counted(*tasks, "task"),
                counted(*fits, "fit"),
                counted(*cells, "cell")
            ));
        }
        if let Some((name, job)) = &self.collect {
            lines.push(format!("submitted {name}: job {job}, which writes tables and plots at the end"));
        }
        if lines.is_empty() {
            lines.push("nothing to submit: all cells are recorded, and the tables are made from them".to_owned());
        } else if self.array.is_none() && self.collect.is_none() {
            lines.push("nothing to submit: what is not recorded is queued".to_owned());
        }
        lines
    }
}

/// The jobs of one run folder.
pub struct Jobs {
    /// All submissions, the oldest first.
    pub submissions: Vec<Submission>,
    /// Those of its jobs that wait or run.
    pub queued: Vec<Queued>,
}

impl Jobs {
    /// Asks the scheduler for the jobs of a run folder, by their names.
    ///
    /// # Errors
    /// Where the folder cannot be read, or Slurm does not answer in `time`.
    pub fn find(cluster: &ClusterFolder, time: Duration) -> Result<Jobs> {
        if !cluster.exists() {
            return Ok(Jobs { submissions: Vec::new(), queued: Vec::new() });
        }
        let submissions = cluster.submissions()?;
        let queued = commands::queue(&names(cluster, &submissions)?, time)?;
        Ok(Jobs { submissions, queued })
    }

    /// The fits of the tasks that wait or run, each with its task.
    pub fn fits(&self) -> BTreeMap<&str, &Queued> {
        let mut fits = BTreeMap::new();
        for (bundle, queued) in self.tasks() {
            fits.extend(bundle.iter().map(|key| (key.as_str(), queued)));
        }
        fits
    }

    /// The tasks that wait or run, each with its bundle.
    fn tasks(&self) -> impl Iterator<Item = (&Vec<String>, &Queued)> {
        let of = |queued| self.bundle_of(queued).map(|bundle| (bundle, queued));
        self.queued.iter().filter_map(of)
    }

    fn bundle_of(&self, queued: &Queued) -> Option<&Vec<String>> {
        let submission = self.submissions.iter().find(|s| s.bundles.name == queued.name)?;
        submission.bundles.fits.get(queued.task?)
    }

    /// The jobs that write the tables.
    pub fn collecting(&self) -> impl Iterator<Item = &Queued> {
        self.queued.iter().filter(|q| q.task.is_none() && q.name.ends_with(COLLECT))
    }
}

/// What the name of the job that writes the tables ends in.
const COLLECT: &str = "-collect";

/// The names of all jobs of a run folder.
///
/// # Errors
/// Where the folder cannot be read.
fn names(cluster: &ClusterFolder, submissions: &[Submission]) -> Result<Vec<String>> {
    let arrays = submissions.iter().map(|s| s.bundles.name.clone());
    Ok(arrays.chain(cluster.collect_name()?).collect())
}

impl Slurm<'_> {
    /// Submits what is outstanding of `jobs` and not queued, and the job that writes the tables where none is waiting to.
    /// Of several calls at once each sees what the ones before it did.
    ///
    /// # Errors
    /// Where the folder cannot be written, or Slurm does not answer or refuses.
    pub fn submit(&self, jobs: &[FitJob]) -> Result<Submitted> {
        let _lease = self.folder.wait_for("submitting", || self.stop.check())?;
        let cluster = self.folder.cluster();
        let found = Jobs::find(&cluster, QUEUE_TIME)?;
        let queued_fits = found.fits();
        let mut submitted = Submitted::default();
        let mut left = Vec::new();
        for job in jobs {
            let Some(job) = self.left(job)? else { continue };
            match queued_fits.contains_key(job.key.as_str()) {
                true => submitted.cells_queued += job.cells.len(),
                false => left.push(job),
            }
        }
        submitted.array = self.submit_array(&cluster, &left)?;
        let waiting: Vec<String> = found.collecting().filter(|q| !q.runs).map(|q| q.id.clone()).collect();
        // A waiting one knows of the arrays that were there when it was submitted; one that runs may have read too little.
        let needed = match &submitted.array {
            Some(_) => true,
            None if found.collecting().next().is_some() => false,
            None => !found.queued.is_empty() || !cluster.is_collected(&self.folder.records()?),
        };
        if needed {
            let after = found.tasks().map(|(_, q)| q.job.clone()).chain(submitted.array.iter().map(|a| a.job.clone()));
            submitted.collect = Some(self.submit_collect(&cluster, after.collect())?);
            // The new one first: whoever is killed here leaves one too many, and not none.
            commands::cancel(&waiting)?;
        }
        submitted.queued = found.queued;
        Ok(submitted)
    }

    fn submit_array(&self, cluster: &ClusterFolder, left: &[FitJob]) -> Result<Option<Array>> {
        if left.is_empty() {
            return Ok(None);
        }
        let mut costs = Costs::known(self.store);
        costs.learn(self.before);
        let model = costs.summed_up();
        let seconds = left.iter().map(|job| Ok(model.seconds(job, self.store.fit(&job.key)?.is_some())));
        let seconds: Vec<f64> = seconds.collect::<Result<_>>()?;
        let at_once = self.at_once();
        let most = commands::largest_array().unwrap_or(LARGEST_ARRAY);
        let made = bundles(&seconds, self.cluster.bundle, at_once, most);
        let longest = made.first().map_or(0.0, |b| b.seconds.max(0.0)) / at_once as f64;
        let longest = made.iter().flat_map(|b| &b.fits).map(|&f| seconds[f]).fold(longest, f64::max);

        let prefix = format!("{}-{}", self.prefix(), cluster.id()?);
        let submission = cluster.add(&self.experiment.text, |number| Bundles {
            schema: SCHEMA,
            name: format!("{prefix}-{number}"),
            profile: self.experiment.profile.clone(),
            fits: made.iter().map(|b| b.fits.iter().map(|&f| left[f].key.clone()).collect()).collect(),
            seconds: made.iter().map(|b| b.seconds).collect(),
        })?;
        let name = &submission.bundles.name;
        let (jobs, threads) =
            if self.cluster.gpu { (1, self.cluster.cpus.get()) } else { (self.cluster.cpus.get(), 1) };
        let more = [
            ["--submission".to_owned(), submission.number.to_string()],
            ["--jobs".to_owned(), jobs.to_string()],
            ["--threads".to_owned(), threads.to_string()],
        ];
        let words =
            self.words(more.concat().into_iter().chain(["--from-env".to_owned()]).chain(self.call.training.clone()));
        let log = PathBuf::from(script::literal(&submission.folder().join("logs"))).join("%a.log");
        let script = submission.folder().join("task.sh");
        let mut options = script::options(self.cluster, name, &log, &here()?);
        options.extend(script::array_options(self.cluster, made.len()));
        let job = self.sbatch(&script, &format!("A task of {name}"), options, &words)?;
        submission.put_job(&job)?;
        Ok(Some(Array {
            name: name.clone(),
            job,
            tasks: made.len(),
            fits: left.len(),
            cells: left.iter().map(|j| j.cells.len()).sum(),
            longest: Duration::from_secs_f64(longest),
        }))
    }

    /// Fits that run at the same time in a task.
    fn at_once(&self) -> usize {
        if self.cluster.gpu { 1 } else { self.cluster.cpus.get() }
    }

    /// Submits the job that writes the tables once all of `after` have ended, however they do.
    fn submit_collect(&self, cluster: &ClusterFolder, after: BTreeSet<String>) -> Result<(String, String)> {
        let name = format!("{}-{}{COLLECT}", self.prefix(), cluster.id()?);
        // Written down first: what is submitted must be found again.
        cluster.put_collect_name(&name)?;
        let words = self.words(["--collect".to_owned()]);
        let log = PathBuf::from(script::literal(cluster.root())).join("collect.log");
        let mut options = script::options(self.cluster, &name, &log, &here()?);
        if !after.is_empty() {
            options.push(format!("--dependency=afterany:{}", after.into_iter().collect::<Vec<_>>().join(":")));
        }
        let job = self.sbatch(&cluster.root().join("collect.sh"), "Tables and plots", options, &words)?;
        Ok((name, job))
    }

    fn sbatch(&self, script: &Path, what: &str, mut options: Vec<String>, words: &[String]) -> Result<String> {
        options.extend(script::own_options(self.cluster));
        let what = format!("{what}: sbatch {} {}", options.join(" "), script.display());
        file::write(script, script::script(self.cluster, &what, words).as_bytes())?;
        options.push(script.display().to_string());
        commands::submit(&options)
    }

    /// The words of a call of `zsad work` on this folder.
    fn words(&self, more: impl IntoIterator<Item = String>) -> Vec<String> {
        let mut words = vec![self.call.program.clone()];
        words.extend(self.call.options.clone());
        words.extend(["work".to_owned(), self.folder.root().display().to_string()]);
        words.extend(more);
        words.extend(self.call.places.clone());
        words
    }

    /// What the names of its jobs begin with.
    fn prefix(&self) -> String {
        let Experiment { name, profile, .. } = self.experiment;
        if profile.is_empty() { format!("zsad-{name}") } else { format!("zsad-{name}-{profile}") }
    }

    /// The cells of a job that nobody has finished since the plan was made; `None` where there is none.
    fn left(&self, job: &FitJob) -> Result<Option<FitJob>> {
        let mut cells = Vec::new();
        for cell in &job.cells {
            if !self.folder.record(&cell.key)?.is_some_and(|record| self.is_new(&record)) {
                cells.push(cell.clone());
            }
        }
        Ok((!cells.is_empty()).then(|| FitJob { cells, ..job.clone() }))
    }

    /// Whether a record was made after the plan: what failed before is tried again once.
    fn is_new(&self, record: &CellRecord) -> bool {
        match self.before.get(&record.cell_key) {
            Some(old) if old.status == Status::Failed => old.provenance != record.provenance,
            _ => true,
        }
    }
}

/// The folder that relative paths of an experiment are seen from.
fn here() -> Result<PathBuf> {
    std::env::current_dir().map_err(|e| zsad_core::Error::io(".", &e))
}

impl Executor for Slurm<'_> {
    /// Submits, and follows until all is recorded and collected; what got lost on the way is submitted again.
    fn run(&self, jobs: &[FitJob], on: &Listener) -> Result<()> {
        follow::follow(self, jobs, on)
    }
}
