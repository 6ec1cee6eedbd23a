//! `zsad pack`: a run as one file to hand on.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use zsad_store::{ModelStore, RunFolder};

use crate::exit::Exit;
use crate::pack;
use crate::registry::Registry;

const EXAMPLES: &str = "\
Examples:
  zsad pack results/runs/quickstart -o quickstart.tar.zst
  zsad pack quickstart -o quickstart.tar.zst --licence CC-BY-4.0 --models

The file holds records, scores, results, tables, figures, the experiment and where it ran: an RO-Crate 1.1, with a page for people
(ro-crate-preview.html). The same run gives the same bytes. Of the folders of this machine the provenance keeps names alone. The
line that is printed at last, the identity, is the SHA-256 of the list of all files: print it in a paper, and
`zsad verify FILE --identity HEX` shows that nothing was changed.";

/// Pack a run into one file that others can check
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Pack {
    /// The folder of a run, or its name under results/runs
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// The file to write
    #[arg(short, long, value_name = "FILE.tar.zst")]
    output: PathBuf,
    /// Trained models, too
    #[arg(long)]
    models: bool,
    /// Where trained models are kept [default: $ZSAD_STORE, else results/store/]
    #[arg(long, value_name = "DIR", requires = "models")]
    store: Option<PathBuf>,
    /// Licence of the results: an SPDX identifier such as CC-BY-4.0, or a URL
    #[arg(long, value_name = "LICENCE")]
    licence: Option<String>,
}

impl Pack {
    pub fn run(self, out: &mut impl Write) -> Result<Exit> {
        let folder = RunFolder::new(super::run_folder(&self.dir)?);
        let store = self.models.then(|| ModelStore::resolve(self.store));
        let packed =
            pack::write(&folder, store.as_ref(), self.licence.as_deref(), &Registry::built_in(), &self.output)?;
        let size = std::fs::metadata(&self.output).map_or(0, |about| about.len());
        let (files, size) = (super::counted(packed.files, "file"), zsad_fetch::human(size));
        writeln!(out, "{}: {files}, {size}\nidentity: {}", self.output.display(), packed.identity)?;
        Ok(Exit::Success)
    }
}
