//! `zsad data fetch`: what is missing, from where it is served.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use zsad_core::{Environment, Error};
use zsad_fetch::fetch::{How, Outcome, fetch};
use zsad_fetch::human;

use super::bars::Bars;
use super::{Network, Place, missing, named};
use crate::config;
use crate::exit::Exit;
use crate::registry::Registry;

const EXAMPLES: &str = "\
Examples:
  zsad data fetch omniglot
  zsad data fetch --for experiments/acr_mnist.yaml --data ~/data
  zsad data fetch mvtec/bottle mvtec/screw --accept-licence

A file is used when its size and its checksum fit, and not before. What is on its way lies in <file>.part: the same command
goes on with it. Where nobody publishes a checksum, what comes first is trusted and noted in lock.yaml; later copies must
match. Files of the Hugging Face hub go through the cache that its other tools use (HF_HOME, HF_HUB_CACHE); HF_ENDPOINT and
HF_TOKEN are honoured, and the token is sent to the hub alone. SSL_CERT_FILE, HTTPS_PROXY and NO_PROXY work as elsewhere.";

/// Fetch data sets or weights, verify them, put them in place
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Fetch {
    /// What to fetch, as in `zsad data list`; ITEM/PART: one folder of an archive
    #[arg(value_name = "NAME", required_unless_present = "experiment")]
    names: Vec<String>,
    /// What this experiment lacks
    #[arg(long = "for", value_name = "FILE", conflicts_with = "names")]
    experiment: Option<PathBuf>,
    /// Only this folder of the archive; may be repeated
    #[arg(long, value_name = "PART", conflicts_with = "experiment")]
    members: Vec<String>,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    network: Network,
}

impl Fetch {
    pub fn run(self, out: &mut impl Write) -> Result<Exit> {
        let (data, manifests) = (self.place.data(), self.place.manifests()?);
        if let Some(file) = &self.experiment {
            let experiment = config::load(file, &Registry::built_in(), None)?;
            let settings = self.network.settings(data.clone())?;
            let outcomes = missing::fetch_all(&experiment, &manifests, &Environment::new(data), &settings)?;
            if outcomes.is_empty() {
                writeln!(out, "{}: nothing is missing that could be fetched", experiment.name)?;
            }
            return report(&outcomes, out);
        }
        let parts = |name: &String| match self.members.is_empty() {
            true => vec![name.clone()],
            false => self.members.iter().map(|part| format!("{name}/{part}")).collect(),
        };
        let names: Vec<String> = self.names.iter().flat_map(parts).collect();
        let wanted = named(&manifests, &names)?;
        let settings = self.network.settings(data)?;
        let bars = Bars::new();
        report(&fetch(&wanted, &settings, &|event| bars.hear(event))?, out)
    }
}

/// A line a file, errors on standard error; the exit code says whether all are there.
pub fn report(outcomes: &[Outcome], out: &mut impl Write) -> Result<Exit> {
    let mut exit = Exit::Success;
    for Outcome { path, result, .. } in outcomes {
        let how = match result {
            Ok(How::Already) => "here before, and whole".into(),
            Ok(How::Fetched(url, bytes)) => format!("{} from {url}", human(*bytes)),
            Ok(How::Cached(from)) => format!("from the hub's cache, {}", from.display()),
            Ok(How::Waited) => "fetched by another process".into(),
            Ok(How::Unpacked) => "was here, unpacked now".into(),
            Err(error) => {
                let stopped = matches!(error, Error::Stopped);
                exit = if stopped && exit == Exit::Success { Exit::SomeFailed } else { Exit::Data };
                let place = if matches!(error, Error::Data { .. }) { String::new() } else { format!("{path}: ") };
                crate::commands::note(format_args!("error: {place}{error}"));
                continue;
            }
        };
        writeln!(out, "{path}: {how}")?;
    }
    Ok(exit)
}
