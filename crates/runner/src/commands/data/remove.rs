//! `zsad data remove`: what was fetched, away.

use std::io::Write;

use anyhow::Result;
use zsad_fetch::{human, remove};

use super::{Place, whole};
use crate::commands::counted;
use crate::exit::Exit;

const EXAMPLES: &str = "\
Examples:
  zsad data remove omniglot                what would be removed
  zsad data remove omniglot --yes          remove it

Of an archive, what came out of it goes; a folder that you unpacked yourself stays. The hub's cache is left alone.";

/// Remove data sets or weights from the data folder
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Remove {
    /// What, as in `zsad data list`
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
    /// Remove, instead of saying what would be removed
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    place: Place,
}

impl Remove {
    pub fn run(self, out: &mut impl Write) -> Result<Exit> {
        let (data, manifests) = (self.place.data(), self.place.manifests()?);
        for manifest in whole(&manifests, &self.names)? {
            let found = remove::find(&data.path, manifest)?;
            let bytes: u64 = found.files.iter().map(|(_, bytes)| bytes).sum();
            for (path, _) in found.files.iter().take(8) {
                writeln!(out, "{}", path.display())?;
            }
            for path in &found.others {
                writeln!(out, "{}: stays, it was not unpacked by zsad", path.display())?;
            }
            if self.yes {
                remove::remove(&data.path, manifest, &found)?;
            }
            let done = if self.yes { "removed" } else { "would be removed (--yes removes them)" };
            let files = counted(found.files.len(), "file");
            writeln!(out, "{}: {files}, {}, {done}", manifest.name, human(bytes))?;
        }
        Ok(Exit::Success)
    }
}
