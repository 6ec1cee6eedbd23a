//! `zsad data list`: what there is, what is here.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use zsad_core::Environment;
use zsad_fetch::state::{self, State};

use super::missing::Instead;
use super::{Place, markdown, missing, size, whole};
use crate::config;
use crate::exit::Exit;
use crate::registry::Registry;

const EXAMPLES: &str = "\
Examples:
  zsad data list
  zsad data list --for experiments/acr_omniglot.yaml
  zsad data list mnist omniglot --data ~/data
  zsad data list --format md > data.md

here: all of it, by names and sizes (zsad data verify reads it); partial: something of it; damaged: a file of another size;
other: not what is served, but a copy that the data set reads; embedded: what comes with the program is read. A size with +
is that of the files whose size is known. Experiments are those of the folder experiments/ that need it.";

/// Where the experiments lie that are looked at.
const EXPERIMENTS: &str = "experiments";

/// List data sets and weights: what is here, sizes, licences, who needs them
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct List {
    /// Only these
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Only what this experiment needs
    #[arg(long = "for", value_name = "FILE", conflicts_with = "names")]
    experiment: Option<PathBuf>,
    /// text, with the state of each; md: a table for documents, with commands
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    place: Place,
}

/// How a list is printed.
#[derive(Clone, Copy, Default, PartialEq, clap::ValueEnum)]
enum Format {
    #[default]
    Text,
    Md,
}

impl List {
    pub fn run(self, out: &mut impl Write) -> Result<Exit> {
        let (data, manifests) = (self.place.data(), self.place.manifests()?);
        let env = Environment::new(data.clone());
        let shown = match &self.experiment {
            Some(file) => {
                let experiment = config::load(file, &Registry::built_in(), None)?;
                missing::needs(&experiment, &manifests, &env)
            }
            None if self.names.is_empty() => manifests.iter().collect(),
            None => whole(&manifests, &self.names)?,
        };
        if self.format == Format::Md {
            write!(out, "{}", markdown::table(shown))?;
            return Ok(Exit::Success);
        }
        let mut needed: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for file in experiments() {
            // One that is wrong says so where it is run.
            let Ok(experiment) = config::load(&file, &Registry::built_in(), None) else { continue };
            for manifest in missing::needs(&experiment, &manifests, &env) {
                needed.entry(&manifest.name).or_default().push(experiment.name.clone());
            }
        }
        let width = shown.iter().map(|m| m.name.len()).max().unwrap_or(0).max(4);
        writeln!(out, "{:width$}  {:8} {:>10}  {:24} needed by", "name", "state", "size", "licence")?;
        for manifest in shown {
            let state = match state::of_item(&data.path, manifest)? {
                State::Here => State::Here.to_string(),
                state => match missing::instead(manifest, &data) {
                    Some(Instead::Other) => "other".into(),
                    Some(Instead::Embedded) => "embedded".into(),
                    None => state.to_string(),
                },
            };
            let size = size(manifest);
            let by = needed.get(manifest.name.as_str()).map_or(String::new(), |by| by.join(", "));
            let line = format!("{:width$}  {state:8} {size:>10}  {:24} {by}", manifest.name, manifest.licence);
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(Exit::Success)
    }
}

/// The experiment files of the current folder's `experiments`, sorted.
fn experiments() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(Path::new(EXPERIMENTS)).into_iter().flatten().flatten().map(|e| e.path());
    let mut files: Vec<PathBuf> = entries.filter(|p| p.extension().is_some_and(|e| e == "yaml")).collect();
    files.sort();
    files
}
