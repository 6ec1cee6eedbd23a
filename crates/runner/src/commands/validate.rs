//! `zsad validate`: experiment files, checked without touching data.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;

use crate::config;
use crate::exit::Exit;
use crate::registry::Registry;

const EXAMPLES: &str = "\
Examples:
  zsad validate experiments/*.yaml

Every mistake of every file is printed as FILE:LINE:COL: message, with a hint; exit code 2. Data are not touched.";

/// Check experiment files, all profiles included
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Validate {
    /// Experiment files
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

impl Validate {
    pub fn run(self, out: &mut impl Write) -> Result<Exit> {
        let mut exit = Exit::Success;
        for file in &self.files {
            match config::load(file, &Registry::built_in(), None) {
                Ok(experiment) => writeln!(out, "{}: {} is valid", file.display(), experiment.name)?,
                Err(mistakes) => {
                    exit = Exit::Usage;
                    writeln!(std::io::stderr(), "{mistakes}")?;
                }
            }
        }
        Ok(exit)
    }
}
