//! `zsad merge`: the folders of several machines as one.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use zsad_core::Error;
use zsad_store::run_folder::SavedPlan;
use zsad_store::{ModelStore, RunFolder, provenance};

use super::{counted, launch, note};
use crate::exit::Exit;
use crate::registry::Registry;
use crate::results;

const EXAMPLES: &str = "\
Examples:
  zsad run sweep.yaml --shard 0/2 --out out/0      on one machine
  zsad run sweep.yaml --shard 1/2 --out out/1      on another
  zsad merge out/0 out/1 --into results/runs/sweep
  zsad run sweep.yaml                              whatever no share has finished, if anything

The folders are left as they are. What two of them have both is kept once; where results of one cell differ, the first is
kept, the cell is named, and the exit code is 1. Merging again adds what is new.";

/// Bring the folders of several runs together, and write their tables and plots
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Merge {
    /// The folders, or names under results/runs
    #[arg(value_name = "OUT", required = true)]
    from: Vec<PathBuf>,
    /// Where they come together
    #[arg(long, value_name = "DIR")]
    into: PathBuf,
    /// Where trained models are kept, for the curves of their losses [default: $ZSAD_STORE, else results/store/]
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
}

impl Merge {
    pub fn run(self, out: &mut impl Write) -> Result<Exit> {
        let folders = self.from.iter().map(|from| Ok(RunFolder::new(super::run_folder(from)?)));
        let folders: Vec<RunFolder> = folders.collect::<zsad_core::Result<_>>()?;
        let into = RunFolder::new(&self.into);
        let place = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if let Some(itself) = folders.iter().find(|from| place(from.root()) == place(into.root())) {
            let why = "a folder cannot be merged into itself";
            return Err(Error::Config(format!("{}: {why}; hint: --into another one", itself.root().display())).into());
        }
        let mut plans: Vec<SavedPlan> = into.plan().ok().into_iter().collect();
        for from in &folders {
            plans.push(from.plan()?);
        }
        into.prepare()?;
        let mut differing = BTreeSet::new();
        for from in &folders {
            let taken = into.take_from(from)?;
            provenance::merge(from.root(), into.root())?;
            let (new, root) = (counted(taken.new, "cell"), from.root().display());
            note(format_args!("{root}: {new} taken, {} were there", taken.same + taken.differing.len()));
            for key in &taken.differing {
                note(format_args!("warning: {root}: cell {key} has other results than the one kept"));
            }
            differing.extend(taken.differing);
        }
        put_plan(&into, &folders, plans)?;
        // What its experiment reads beside itself; where they had different ones, the merged folder has none.
        if into.experiment().exists()
            && let Some(experiment) = folders.iter().find_map(|from| launch::experiment_of(from).ok())
        {
            launch::put_tags(&experiment, &into)?;
        }

        let registry = &Registry::built_in();
        let planned: BTreeSet<String> = into.plan()?.cells.into_iter().map(|c| c.cell_key).collect();
        let records = into.records()?;
        let rows = results::rows_of(records.values().filter(|r| planned.contains(&r.cell_key)), registry, &into)?;
        super::write_up(&into, &ModelStore::resolve(self.store), registry, &rows, out)?;
        writeln!(out, "\n{}", into.root().display())?;
        let finished = planned.iter().filter(|key| records.contains_key(*key)).count();
        note(format_args!("{finished} of {} finished", counted(planned.len(), "cell")));
        Ok(if differing.is_empty() { Exit::Success } else { Exit::SomeFailed })
    }
}

/// The plan of all of them: their cells, each once, and their experiment, where it is one and the same.
fn put_plan(into: &RunFolder, folders: &[RunFolder], plans: Vec<SavedPlan>) -> zsad_core::Result<()> {
    let texts: BTreeSet<Option<String>> =
        folders.iter().map(|from| std::fs::read_to_string(from.experiment()).ok()).collect();
    let text = if texts.len() == 1 { texts.into_iter().next().flatten() } else { None };
    let names = |of: fn(&SavedPlan) -> &str| -> String {
        let names: BTreeSet<&str> = plans.iter().map(of).collect();
        names.into_iter().collect::<Vec<_>>().join(", ")
    };
    let (experiment, profile) = (names(|p| &p.experiment), names(|p| &p.profile));
    let mut seen = BTreeSet::new();
    let cells = plans.iter().flat_map(|p| &p.cells).filter(|c| seen.insert(c.cell_key.clone())).cloned().collect();
    into.put_plan(text.as_deref(), &experiment, &profile, cells)
}
