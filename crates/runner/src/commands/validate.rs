//! `zsad validate`: experiment and cluster files, checked without touching data unless that is asked for.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use zsad_core::{DataDir, Environment};

use crate::config::{self, Experiment, cluster};
use crate::exit::Exit;
use crate::library::Library;
use crate::registry::Registry;

const EXAMPLES: &str = "\
Examples:
  zsad validate experiments/*.yaml
  zsad validate experiments/clusters/*.yaml
  zsad validate mine.yaml --data ~/data       are its files, columns and domains there, too?

Every mistake of every file is printed as FILE:LINE:COL: message, with a hint; exit code 2. Data are touched with --data
alone; exit code 3 where they are missing or are not what the file says.";

/// Check experiment files, all profiles included, and cluster files
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Validate {
    /// Experiment files, or cluster files for `zsad run --cluster`
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Look at the data in this folder, too
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl Validate {
    pub fn run(self, out: &mut impl Write) -> Result<Exit> {
        let mut exit = Exit::Success;
        for file in &self.files {
            // What cannot be read is said below.
            if std::fs::read_to_string(file).is_ok_and(|text| cluster::is_cluster(&text)) {
                match cluster::load(file) {
                    Ok(_) => writeln!(out, "{}: valid", file.display())?,
                    Err(mistakes) => {
                        exit = Exit::Usage;
                        writeln!(std::io::stderr(), "{mistakes}")?;
                    }
                }
                continue;
            }
            match config::load(file, &Registry::built_in(), None) {
                Ok(experiment) if self.has_data(file, &experiment) => {
                    writeln!(out, "{}: {} is valid", file.display(), experiment.name)?
                }
                Ok(_) if exit == Exit::Success => exit = Exit::Data,
                Ok(_) => {}
                Err(mistakes) => {
                    exit = Exit::Usage;
                    writeln!(std::io::stderr(), "{mistakes}")?;
                }
            }
        }
        Ok(exit)
    }

    /// Whether the data of `experiment` are what it says, as far as that is asked for; if not, that is said.
    fn has_data(&self, file: &Path, experiment: &Experiment) -> bool {
        let Some(data) = &self.data else { return true };
        let env = Environment::new(DataDir::resolve(Some(data.clone())));
        let library = Library::new(Registry::built_in());
        let mut all = true;
        for choice in &experiment.datasets {
            let dataset = library.of(choice.def.spec(), &choice.source);
            let tagged = || choice.tags.as_ref().map_or(Ok(()), |tags| tags.check(dataset.open(&env)?.as_ref()));
            if let Err(e) = dataset.describe(&env).and_then(|_| tagged()) {
                super::note(format_args!("{}: {}: {e}", file.display(), choice.label));
                all = false;
            }
        }
        all
    }
}
