//! `zsad import`: scores that a method elsewhere gave the batches of `zsad batches`.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use zsad_core::{Choice, Error, Supervision};
use zsad_store::RunFolder;

use super::{Locations, counted, launch, note};
use crate::exchange::import::{Maker, put};
use crate::exchange::{IMPORTED, draws};
use crate::exit::Exit;
use crate::library::Library;
use crate::plan::Wanted;
use crate::registry::Registry;
use crate::results;

const EXAMPLES: &str = "\
Examples:
  zsad batches experiments/quickstart.yaml --export batches     the batches, and how to score them: see its --help
  zsad import scores.csv --as mine --into results/runs/quickstart
  zsad import scores.jsonl --as mine --setting one_class --into results/runs/quickstart

SCORES is .csv, .tsv or .parquet with the columns draw, position and score, or .jsonl with such fields; higher is more
anomalous. Every sample of every draw has to have one: rows are made of all of them or of none. The folder holds the
experiment that the batches came from (`zsad run` writes it there, or `zsad run --plan-only`).";

/// Take the scores of a method that ran elsewhere into a run, as rows like any other
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Import {
    /// The scores
    #[arg(value_name = "SCORES")]
    scores: PathBuf,
    /// What results call the method
    #[arg(long = "as", value_name = "NAME")]
    name: String,
    /// The folder of the run
    #[arg(long, value_name = "DIR")]
    into: PathBuf,
    /// What the method saw of the target: zero_shot, in_batch, few_shot or one_class
    #[arg(long, value_name = "SETTING", default_value = "zero_shot", value_parser = setting)]
    setting: Supervision,
    #[command(flatten)]
    locations: Locations,
}

fn setting(text: &str) -> Result<Supervision, String> {
    Choice::from_word(text).ok_or_else(|| "want zero_shot, in_batch, few_shot or one_class".into())
}

impl Import {
    pub fn run(self, out: &mut impl Write) -> Result<Exit> {
        let folder = RunFolder::new(super::run_folder(&self.into)?);
        let experiment = launch::experiment_of(&folder)?;
        let (env, store) = self.locations.open(false);
        let registry = &Registry::built_in();
        let library = Library::new(Registry::built_in());
        let wanted = Wanted::new(&experiment, &library, &env);
        let draws = draws(&wanted);
        // Another method of this name, or other scores of this one.
        let taken = |r: &zsad_store::CellRecord| r.asked.method_or(&r.cell.fit.method.name) == self.name;
        let is_taken = folder.records()?.values().any(taken);
        if is_taken || registry.method(&self.name).is_some() || self.name.is_empty() || self.name == IMPORTED {
            let why = format!("`{}` is taken: it names a method here, or one that was imported before", self.name);
            return Err(Error::Config(format!("{why}; hint: another --as")).into());
        }
        let maker = Maker { name: &self.name, setting: self.setting };
        let count = put(&self.scores, &maker, &draws, &registry.measured(), (&library, &env, &folder))?;
        note(format_args!("{} of {}: {}", counted(count, "cell"), self.name, folder.root().display()));
        let records = folder.records()?;
        let plan = wanted.diff(&experiment, &folder, &records);
        let rows = results::rows(&plan, &records, registry, &folder)?;
        super::write_up(&folder, &store, registry, &rows, out)
    }
}
