//! `zsad cite`: BibTeX of what a run rests on.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use zsad_report::citations::{Used, bibtex};
use zsad_store::RunFolder;

use crate::exit::Exit;
use crate::registry::Registry;
use crate::used;

const EXAMPLES: &str = "\
Examples:
  zsad cite results/runs/quickstart > quickstart.bib
  zsad cite acr_omniglot-small
  zsad cite acr_dsvdd";

/// Print BibTeX of the methods, data sets and metrics that a run used
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Cite {
    /// The folder of a run, a run's name under results/runs or results/published, or the name of a method, data set or metric
    #[arg(value_name = "DIR|NAME")]
    what: PathBuf,
}

impl Cite {
    pub fn run(self, out: &mut impl Write) -> Result<Exit> {
        let registry = Registry::built_in();
        let used: Vec<Used> = match super::run_folder(&self.what) {
            Ok(folder) => used::by_run(&RunFolder::new(folder), &registry)?,
            Err(no_run) => {
                let named = used::by_name(&self.what.to_string_lossy(), &registry);
                vec![named.ok_or(no_run)?]
            }
        };
        write!(out, "{}", bibtex(&used))?;
        Ok(Exit::Success)
    }
}
