//! Fetches what is missing of some items.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use zsad_core::{Error, Result};
use zsad_data::manifest::{Access, Manifest, ManifestFile};

use crate::client::Client;
use crate::event::Observer;
use crate::obtain::Fetcher;
use crate::settings::Settings;
use crate::state::{self, State};

/// Files that are fetched at the same time; at most two of them from one host.
const WORKERS: usize = 4;

/// An item, or parts of it.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// The item.
    pub manifest: &'a Manifest,
    /// The wanted top folders of its archives; empty: all.
    pub parts: Vec<String>,
}

/// How a file came to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// It was, and is what it should be.
    Already,
    /// From a URL, with so many bytes in all.
    Fetched(String, u64),
    /// From the hub's cache of this machine, without a network.
    Cached(PathBuf),
    /// Another process brought it meanwhile.
    Waited,
    /// It had been fetched before, and was unpacked now.
    Unpacked,
}

/// What became of a file.
#[derive(Debug)]
pub struct Outcome {
    /// The item's name.
    pub item: String,
    /// The file, relative to the data folder.
    pub path: String,
    /// How it came, or why it did not.
    pub result: Result<How>,
}

/// Fetches what is missing of `wanted`, verifies what is there, and says what became of every file, in their order.
///
/// # Errors
/// [`Error::Config`] where a licence must be accepted first or parts are asked of what has none; what concerns one file
/// stands in its outcome.
pub fn fetch(wanted: &[Wanted], settings: &Settings, hear: Observer) -> Result<Vec<Outcome>> {
    wanted.iter().try_for_each(|w| may_fetch(w, settings))?;
    let client = (!settings.offline).then(|| Client::new(settings)).transpose()?;
    let fetcher = Fetcher { settings, hear, client };
    let all: Vec<(&Wanted, &ManifestFile)> =
        wanted.iter().flat_map(|w| w.manifest.files.iter().map(move |file| (w, file))).collect();
    let next = AtomicUsize::new(0);
    let results: Vec<OnceLock<Result<How>>> = all.iter().map(|_| OnceLock::new()).collect();
    std::thread::scope(|scope| {
        for _ in 0..WORKERS.min(all.len()) {
            scope.spawn(|| {
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    let Some((wanted, file)) = all.get(i) else { break };
                    // Each number is drawn once, so nothing is there yet.
                    let _ = results[i].set(fetcher.obtain(wanted, file));
                }
            });
        }
    });
    let outcome = |((wanted, file), result): ((&Wanted, &ManifestFile), OnceLock<Result<How>>)| Outcome {
        item: wanted.manifest.name.clone(),
        path: file.path.clone(),
        // Every number was drawn before the scope ended.
        result: result.into_inner().unwrap_or(Err(Error::Stopped)),
    };
    Ok(all.into_iter().zip(results).map(outcome).collect())
}

/// Whether a program may fetch the item, and parts of it.
fn may_fetch(wanted: &Wanted, settings: &Settings) -> Result<()> {
    let Wanted { manifest, parts } = wanted;
    let name = &manifest.name;
    if !parts.is_empty() && manifest.files.iter().all(|f| f.unpacking().is_none()) {
        return Err(Error::Config(format!("`{name}/{}`: {name} is no archive with parts", parts[0])));
    }
    if state::of_item(&settings.data.path, manifest)? == State::Here {
        return Ok(());
    }
    match manifest.access {
        Access::Manual => {
            let steps = manifest.steps.as_deref().unwrap_or_default().trim();
            let hint = format!("then: zsad data add {name} FILE…");
            let message = format!("{} has to be fetched by a person:\n{steps}\n", manifest.title);
            Err(Error::data(settings.data.path.join(&manifest.files[0].path), message, hint))
        }
        Access::AcceptLicence if !settings.accept_licence && !settings.offline => Err(Error::Config(format!(
            "{}: its licence is {}; see {}; hint: --accept-licence says that you accept it",
            manifest.title, manifest.licence, manifest.homepage
        ))),
        _ => Ok(()),
    }
}
