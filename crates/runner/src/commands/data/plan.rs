//! `zsad data plan`: what another tool needs to fetch an item.

use std::io::Write;

use anyhow::Result;
use zsad_data::manifest::Access;
use zsad_fetch::plan::{For, plan};
use zsad_fetch::state::{self, State};
use zsad_fetch::{HubSettings, Lock};

use super::{Place, whole};
use crate::exit::Exit;

const EXAMPLES: &str = "\
Examples:
  zsad data plan mvtec
  zsad data plan mnist omniglot --as curl | sh
  zsad data plan mnist --as aria2 > mnist.txt && aria2c -i mnist.txt

What is here already is left out; --all lists it as well. Afterwards `zsad data fetch NAME --offline` verifies what came, and
unpacks it where that is needed.";

/// Say what would be fetched from where, for a person, curl or aria2
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Plan {
    /// What, as in `zsad data list`
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
    /// For whom
    #[arg(long = "as", value_name = "HOW", value_enum, default_value = "list")]
    whom: Whom,
    /// What is here as well
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    place: Place,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Whom {
    List,
    Curl,
    Aria2,
}

impl Plan {
    pub fn run(self, out: &mut impl Write) -> Result<Exit> {
        let (data, manifests) = (self.place.data(), self.place.manifests()?);
        let (lock, hub) = (Lock::read(&data.path)?, HubSettings::from_environment());
        for manifest in whole(&manifests, &self.names)? {
            let mut files = Vec::new();
            for file in &manifest.files {
                if self.all || state::of_file(&data.path, file, &[], &lock)? != State::Here {
                    files.push(file);
                }
            }
            if files.is_empty() {
                crate::commands::note(format_args!("{}: all of it is here", manifest.name));
                continue;
            }
            if manifest.access != Access::Open {
                let steps = manifest.steps.as_deref().map_or(String::new(), |s| format!("\n{}", s.trim()));
                let (title, licence) = (&manifest.title, &manifest.licence);
                crate::commands::note(format_args!("{title}: licence {licence}; see {}{steps}", manifest.homepage));
            }
            let whom = match self.whom {
                Whom::List => For::List,
                Whom::Curl => For::Curl,
                Whom::Aria2 => For::Aria2,
            };
            write!(out, "{}", plan(&data.path, &hub, manifest, &files, whom))?;
        }
        Ok(Exit::Success)
    }
}
