//! `zsad clean`: trained models that no run needs any more.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use zsad_store::{ModelStore, RunFolder};

use crate::exit::Exit;

const EXAMPLES: &str = "\
Examples:
  zsad clean                              what would be removed
  zsad clean --yes                        remove it
  zsad clean --runs /scratch/runs --yes   results of other folders count as well

A trained model is kept as long as a run under results/runs, or under a folder given with --runs, has a cell of its fit,
or a run trains it now.";

/// Remove trained models from the store that no run needs any more
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Clean {
    /// Where trained models are kept for all runs [default: $ZSAD_STORE, else results/store/]
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// A folder of runs, or one run, beside results/runs; may be repeated
    #[arg(long, value_name = "DIR")]
    runs: Vec<PathBuf>,
    /// Remove, instead of saying what would be removed
    #[arg(long)]
    yes: bool,
}

impl Clean {
    pub fn run(self, out: &mut impl Write) -> Result<Exit> {
        let store = ModelStore::resolve(self.store);
        let mut needed = BTreeSet::new();
        for folder in self.runs.iter().map(PathBuf::as_path).chain([Path::new(super::RUNS)]) {
            collect(folder, &mut needed)?;
        }
        let (mut models, mut bytes) = (0, 0);
        for key in store.keys() {
            if needed.contains(&key) || store.is_leased(&key) {
                continue;
            }
            let size = store.size(&key);
            let unfinished = match store.checkpoint_path(&key).exists() {
                true => "unfinished, with a checkpoint from which it would go on",
                false => "unfinished",
            };
            let what = store.fit(&key)?.map_or(unfinished.to_owned(), |fit| {
                format!("{} on {}, seed {}", fit.fit.method.name, fit.fit.data.name, fit.fit.seed)
            });
            writeln!(out, "{key}  {:>9.1} KB  {what}", size as f64 / 1e3)?;
            if self.yes {
                store.remove(&key)?;
            }
            (models, bytes) = (models + 1, bytes + size);
        }
        let done = if self.yes { "removed" } else { "would be removed (--yes removes them)" };
        writeln!(out, "{models} trained models, {:.1} MB, {done}; {} kept", bytes as f64 / 1e6, store.keys().len())?;
        Ok(Exit::Success)
    }
}

/// The fits of the runs in `folder`, or of `folder` if it is a run.
fn collect(folder: &Path, needed: &mut BTreeSet<String>) -> Result<()> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(()) };
    let runs = entries.flatten().map(|e| e.path()).chain([folder.to_owned()]);
    for run in runs.filter(|r| r.join("records").is_dir()) {
        needed.extend(RunFolder::new(run).records()?.into_values().map(|r| r.fit_key));
    }
    Ok(())
}
