//! One file a subcommand, and what several of them share.

pub mod analyse;
pub mod batches;
pub mod bench;
pub mod calibrate;
pub mod cancel;
pub mod cite;
pub mod clean;
pub mod compare;
pub mod completions;
pub mod data;
pub mod describe;
pub mod import;
pub mod index;
mod interrupt;
mod launch;
pub mod list;
pub mod merge;
pub mod metrics;
pub mod new_method;
mod on_cluster;
mod outcome;
pub mod pack;
pub mod plan;
pub mod plot;
pub mod report;
pub mod run;
pub mod score;
pub mod status;
pub mod table;
mod task;
pub mod validate;
pub mod verify;
pub mod work;

use std::collections::BTreeSet;
use std::fmt::Display;
use std::io::Write;
use std::num::NonZero;
use std::path::{Path, PathBuf};

use zsad_core::{DataDir, Device, Environment, Error, Placement, Result, env, suggest};
use zsad_report::plots::Style;
use zsad_store::{Finding, ModelStore, Row, RunFolder};

use crate::config::{self, ConfigError, Experiment};
use crate::exit::Exit;
use crate::findings;
use crate::launcher;
use crate::registry::Registry;

/// Where runs lie unless `--out` says otherwise.
const RUNS: &str = "results/runs";
/// Where a checkout keeps the results that it reports.
const PUBLISHED: &str = "results/published";

/// Which experiment, and where its data and results lie.
#[derive(clap::Args)]
pub struct ExperimentArgs {
    /// The experiment, a YAML file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Where results go [default: results/runs/<experiment>[-profile]]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// A profile of the experiment, merged over the document
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    #[command(flatten)]
    locations: Locations,
    /// Hash all data and weights again instead of trusting remembered digests
    #[arg(long)]
    rehash: bool,
}

/// Where data and trained models lie, and where tensors live.
#[derive(clap::Args)]
pub struct Locations {
    /// Where the data lie [default: $ZSAD_DATA, else data/]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where trained models are kept for all runs [default: $ZSAD_STORE, else results/store/]
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// Where tensors live: cpu or cuda:0; cpu:composed computes on the processor as a GPU does, to compare
    ///
    /// For cuda:N the program `zsad-cuda` has to lie beside this one. What is never computed on a GPU (classical methods, frozen
    /// networks) stays on the processor; `zsad describe METHOD` says which.
    #[arg(long, value_name = "DEVICE", default_value_t)]
    device: Device,
}

impl Locations {
    /// What work depends on, with one thread; and the store. The device is not looked at: a plan for a GPU can be made where
    /// there is none.
    fn open(&self, rehash: bool) -> (Environment, ModelStore) {
        let env = Environment::new(DataDir::resolve(self.data.clone())).with_cache(env::cache_folder(), rehash);
        (Environment { device: self.device, ..env }, ModelStore::resolve(self.store.clone()))
    }

    /// The same, to compute with: for a GPU this process becomes one of the program that can.
    ///
    /// # Errors
    /// [`Error::Config`] where there is no such program, or the device cannot be opened.
    fn open_to_compute(&self, rehash: bool) -> Result<(Environment, ModelStore)> {
        launcher::hand_over(self.device)?;
        zsad_nn::device::open(self.device)?;
        Ok(self.open(rehash))
    }
}

impl ExperimentArgs {
    /// The checked experiment and its results folder; nothing is created or opened.
    fn load(&self) -> Result<(Experiment, RunFolder), ConfigError> {
        let experiment = config::load(&self.file, &Registry::built_in(), self.profile.as_deref())?;
        let out = self.out.clone().unwrap_or_else(|| {
            let profile = if experiment.profile.is_empty() { "" } else { "-" };
            Path::new(RUNS).join(format!("{}{profile}{}", experiment.name, experiment.profile))
        });
        Ok((experiment, RunFolder::new(out)))
    }
}

/// Says which of `methods` do not compute on the device that was asked for, or not all of it.
fn tell_processor<'a>(asked: Device, registry: &Registry, methods: impl Iterator<Item = &'a str>) {
    if asked == Device::Cpu {
        return;
    }
    let names: BTreeSet<&str> = methods.collect();
    let some = |which: fn(&Placement) -> bool| -> Vec<&str> {
        let placed = |name: &&str| registry.method(name).is_some_and(|def| which(&def.placement()));
        names.iter().copied().filter(placed).collect()
    };
    let whole = some(|p| p.device(Device::Cuda(0)) == Device::Cpu);
    if !whole.is_empty() {
        note(format_args!("on the processor, whatever --device says: {}", whole.join(", ")));
    }
    let features = some(|p| p.features && p.device(Device::Cuda(0)) != Device::Cpu);
    if !features.is_empty() {
        note(format_args!("features on the processor, the rest on {asked}: {}", features.join(", ")));
    }
}

/// A line on standard error; where nobody reads it any more, that is no reason to stop.
pub(crate) fn note(line: impl Display) {
    drop(writeln!(std::io::stderr(), "{line}"));
}

/// Says what was found odd about the numbers of a run, a line each.
fn odd(findings: &[Finding]) {
    for finding in findings {
        note(format_args!("warning: {}", finding.sentence()));
    }
}

/// Writes the results, tables and plots of a folder, and prints its table and what is odd.
///
/// # Errors
/// Where a file cannot be read or written.
fn write_up(
    folder: &RunFolder,
    store: &ModelStore,
    registry: &Registry,
    rows: &[Row],
    out: &mut impl Write,
) -> anyhow::Result<Exit> {
    zsad_store::write_results(folder.root(), rows)?;
    let findings = findings::find(rows, folder, store, registry)?;
    zsad_store::findings::write(folder.root(), &findings)?;
    let written = zsad_report::table::write_all(folder.root(), rows, &findings)?;
    plot::write_all(folder, store, rows, &Style::default())?;
    table::print(&written, out)?;
    odd(&findings);
    Ok(Exit::Success)
}

/// `1 cell`, `2 cells`.
pub(crate) fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// A number from 1, of jobs or threads.
fn from_one(text: &str) -> Result<NonZero<usize>, String> {
    text.parse().map_err(|_| "want a whole number from 1".to_owned())
}

/// The folder of a finished run: `what` itself, or a run of that name under `results/runs`, or else `results/published`.
fn run_folder(what: &Path) -> Result<PathBuf> {
    let named = [RUNS, PUBLISHED].map(|runs| Path::new(runs).join(what));
    for folder in std::iter::once(what.to_owned()).chain(named) {
        if ["records", "results.parquet", "results.csv"].iter().any(|f| folder.join(f).exists()) {
            return Ok(folder);
        }
    }
    let names = |runs| std::fs::read_dir(runs).into_iter().flatten().flatten().map(|e| e.file_name());
    let runs = [RUNS, PUBLISHED].into_iter().flat_map(names).map(|name| name.to_string_lossy().into_owned());
    let runs: Vec<String> = runs.collect();
    let name = what.to_string_lossy();
    let hint = match suggest::nearest(&name, runs.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "give the folder that `zsad run` named at its end".into(),
    };
    Err(Error::Config(format!("{name}: no results here and no run of that name under {RUNS}; hint: {hint}")))
}
