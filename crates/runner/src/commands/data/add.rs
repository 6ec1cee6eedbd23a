//! `zsad data add`: files that a person got elsewhere.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use zsad_fetch::add::{add, spread};

use super::bars::Bars;
use super::{Network, Place, named};
use crate::exit::Exit;

const EXAMPLES: &str = "\
Examples:
  zsad data add omniglot ~/Downloads/images_background.zip ~/Downloads/images_evaluation.zip
  zsad data add mnist ~/old/mnist/                 every file of a folder
  zsad data add mvtec/bottle mvtec_anomaly_detection.tar.xz

A file is recognised by its checksum, whatever it is called; where none is known, by its name. Yours stays where it is.";

/// Take files that you have: recognise them, check them, put them in place
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Add {
    /// What they are of, as in `zsad data list`; ITEM/PART: unpack one folder of an archive
    #[arg(value_name = "NAME")]
    name: String,
    /// The files, or folders of them
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    place: Place,
    /// Keep archives in the data folder after unpacking
    #[arg(long)]
    keep: bool,
}

impl Add {
    pub fn run(self, out: &mut impl Write) -> Result<Exit> {
        let (data, manifests) = (self.place.data(), self.place.manifests()?);
        let wanted = named(&manifests, std::slice::from_ref(&self.name))?;
        let settings = Network::offline(self.keep).settings(data)?;
        let bars = Bars::new();
        let mut exit = Exit::Success;
        let files: zsad_core::Result<Vec<Vec<PathBuf>>> = self.files.iter().map(|f| spread(f)).collect();
        for given in files?.into_iter().flatten() {
            match add(wanted[0].manifest, &wanted[0].parts, &given, &settings, &|event| bars.hear(event)) {
                Ok((path, true)) => writeln!(out, "{}: taken as {path}", given.display())?,
                Ok((path, false)) => writeln!(out, "{}: {path} was here before", given.display())?,
                Err(error) => {
                    crate::commands::note(format_args!("error: {error}"));
                    exit = Exit::Data;
                }
            }
        }
        Ok(exit)
    }
}
