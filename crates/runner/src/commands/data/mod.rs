//! `zsad data`: data sets and weights, from where they are served into the data folder.

mod add;
mod bars;
mod describe;
pub mod fetch;
mod list;
mod markdown;
pub mod missing;
mod path;
mod plan;
mod remove;
mod verify;

use std::io::Write;
use std::num::NonZero;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use zsad_core::{DataDir, Error};
use zsad_data::manifest::{self, Manifest};
use zsad_fetch::fetch::Wanted;
use zsad_fetch::{Settings, human};

use super::interrupt;
use crate::exit::Exit;

const EXAMPLES: &str = "\
Examples:
  zsad data list                                   what there is, what is here, under which licence
  zsad data fetch omniglot mnist                   fetch, verify, put in place
  zsad data fetch --for experiments/acr_mnist.yaml what an experiment lacks
  zsad data fetch mvtec/bottle --accept-licence    one part of an archive
  zsad data verify omniglot                        read it all and compare
  zsad data plan mvtec --as curl                   for a machine that has the network
  zsad data add mvtec mvtec_anomaly_detection.tar.xz";

/// Fetch data sets and weights, verify them, take those that you have
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Data {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    List(list::List),
    Fetch(fetch::Fetch),
    Verify(verify::Verify),
    Add(add::Add),
    Path(path::Path),
    Plan(plan::Plan),
    Remove(remove::Remove),
    Describe(describe::Describe),
}

impl Data {
    pub fn run(self, out: &mut impl Write) -> Result<Exit> {
        match self.what {
            What::List(c) => c.run(out),
            What::Fetch(c) => c.run(out),
            What::Verify(c) => c.run(out),
            What::Add(c) => c.run(out),
            What::Path(c) => c.run(out),
            What::Plan(c) => c.run(out),
            What::Remove(c) => c.run(out),
            What::Describe(c) => c.run(out),
        }
    }
}

/// Where things lie, and what is known.
#[derive(clap::Args)]
struct Place {
    /// Where the data lie [default: $ZSAD_DATA, else data/]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(flatten)]
    known: Known,
}

impl Place {
    fn data(&self) -> DataDir {
        DataDir::resolve(self.data.clone())
    }

    fn manifests(&self) -> zsad_core::Result<Vec<Manifest>> {
        self.known.manifests()
    }
}

/// What is known.
#[derive(clap::Args)]
pub struct Known {
    /// A manifest of your own, beside the built-in ones; may be repeated
    #[arg(long = "manifest", value_name = "FILE")]
    own: Vec<PathBuf>,
}

impl Known {
    /// All manifests, sorted by name; one of a person's own stands for the built-in one of its name.
    ///
    /// # Errors
    /// Where one of a person's own cannot be read, or is wrong.
    pub fn manifests(&self) -> zsad_core::Result<Vec<Manifest>> {
        let mut all = manifest::all()?;
        for path in &self.own {
            let own = manifest::read(path)?;
            all.retain(|m| m.name != own.name);
            all.push(own);
        }
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }
}

/// How to fetch.
#[derive(clap::Args)]
pub struct Network {
    /// Open no socket [also: HF_HUB_OFFLINE=1]
    #[arg(long)]
    offline: bool,
    /// Accept the licences of what is fetched
    #[arg(long)]
    accept_licence: bool,
    /// Keep archives after unpacking
    #[arg(long)]
    keep: bool,
    /// Tries in a row without a new byte before a source is given up
    #[arg(long, value_name = "N", default_value = "5", value_parser = super::from_one)]
    tries: NonZero<usize>,
    /// Wait before the second try; it doubles up to a minute
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = humantime::parse_duration)]
    retry_wait: Duration,
    /// How long a server may be silent
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = humantime::parse_duration)]
    timeout: Duration,
}

impl Network {
    /// Without any.
    fn offline(keep: bool) -> Self {
        let second = Duration::from_secs(1);
        Network {
            offline: true,
            accept_licence: true,
            keep,
            tries: NonZero::<usize>::MIN,
            retry_wait: second,
            timeout: second,
        }
    }

    /// What the flags and the environment say; Ctrl-C is listened to.
    fn settings(&self, data: DataDir) -> zsad_core::Result<Settings> {
        let settings = Settings {
            accept_licence: self.accept_licence,
            keep: self.keep,
            tries: u32::try_from(self.tries.get()).unwrap_or(u32::MAX),
            first_wait: self.retry_wait,
            timeout: self.timeout,
            ..Settings::new(data, self.offline)
        };
        interrupt::listen(&settings.stop)?;
        Ok(settings)
    }
}

/// The items that a person named, each with the parts named as `item/part`.
fn named<'a>(manifests: &'a [Manifest], names: &[String]) -> zsad_core::Result<Vec<Wanted<'a>>> {
    let mut all: Vec<Wanted> = Vec::new();
    for name in names {
        let (name, part) = name.split_once('/').map_or((name.as_str(), None), |(n, p)| (n, Some(p)));
        let part = part.map(|p| p.trim_end_matches('/')).filter(|p| !p.is_empty());
        if let Some(odd) = part.filter(|p| p.contains(['/', '*', '\\']) || *p == "..") {
            return Err(Error::Config(format!("`{name}/{odd}`: want the name of one folder after the slash")));
        }
        let manifest = manifest::find(manifests, name)?;
        let known = all.iter_mut().find(|w| w.manifest.name == name);
        match (known, part) {
            (None, part) => all.push(Wanted { manifest, parts: part.map(str::to_owned).into_iter().collect() }),
            (Some(wanted), None) => wanted.parts.clear(),
            // All was asked for before.
            (Some(wanted), Some(_)) if wanted.parts.is_empty() => {}
            (Some(wanted), Some(part)) => wanted.parts.push(part.to_owned()),
        }
    }
    Ok(all)
}

/// The same, without parts.
fn whole<'a>(manifests: &'a [Manifest], names: &[String]) -> zsad_core::Result<Vec<&'a Manifest>> {
    names.iter().map(|name| manifest::find(manifests, name)).collect()
}

/// Bytes of an item as it is served, for people: with a + where some sizes are not known, `?` where none is.
fn size(manifest: &Manifest) -> String {
    let known: u64 = manifest.files.iter().filter_map(|f| f.size).sum();
    let is_all = manifest.files.iter().all(|f| f.size.is_some());
    match known {
        0 if !is_all => "?".into(),
        _ => format!("{}{}", human(known), if is_all { "" } else { "+" }),
    }
}
