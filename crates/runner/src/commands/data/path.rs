//! `zsad data path`: where an item lies.

use std::io::Write;

use anyhow::Result;
use zsad_core::Error;
use zsad_data::manifest;

use super::{Place, missing};
use crate::exit::Exit;

/// Print where a data set or weights lie, a path a line
#[derive(clap::Args)]
pub struct Path {
    /// What, as in `zsad data list`
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    place: Place,
}

impl Path {
    pub fn run(self, out: &mut impl Write) -> Result<Exit> {
        let (data, manifests) = (self.place.data(), self.place.manifests()?);
        let manifest = manifest::find(&manifests, &self.name)?;
        let folder = std::path::absolute(&data.path)?;
        for path in manifest.files.iter().flat_map(|f| f.provides()) {
            let path = folder.join(path);
            if !path.exists() {
                return Err(Error::data(path, "not here", missing::command([manifest], &data)).into());
            }
            writeln!(out, "{}", path.display())?;
        }
        Ok(Exit::Success)
    }
}
