//! What an experiment needs and what of it is not there, by the manifests that would bring it.

use std::collections::BTreeSet;
use std::path::Path;

use zsad_core::{DataDir, DataFile, Environment, Error, Given, ReadBy, Result};
use zsad_data::manifest::{Kind, Manifest, ManifestFile};
use zsad_fetch::fetch::{Outcome, Wanted, fetch};
use zsad_fetch::{Lock, Settings};

use super::bars::Bars;
use crate::commands::note;
use crate::config::Experiment;
use crate::plan::Plan;

/// The items that an experiment's data sets and backbones read.
pub fn needs<'a>(experiment: &Experiment, manifests: &'a [Manifest], env: &Environment) -> Vec<&'a Manifest> {
    let data = experiment.datasets.iter().flat_map(|d| {
        let name = d.def.spec().name;
        let files = match d.source.files(&env.data) {
            Ok(files) => files,
            Err(Error::Data { path, .. }) => vec![DataFile::new(path, ReadBy::Both)],
            Err(_) => Vec::new(),
        };
        // What comes with the program stands for files of the item of its name.
        let item = |f: &DataFile| match f.embedded {
            Some(_) => manifests.iter().find(|m| m.name == name),
            None => bringing(manifests, &env.data, &f.path, Some(name)),
        };
        let read: BTreeSet<&str> = files.iter().filter_map(item).map(|m| m.name.as_str()).collect();
        manifests.iter().filter(move |m| read.contains(m.name.as_str()))
    });
    let weights = experiment.methods.iter().flat_map(|m| {
        let paths = match m.method.artifacts(env) {
            Ok(paths) => paths,
            Err(Error::Data { path, .. }) => vec![path],
            Err(_) => Vec::new(),
        };
        paths.into_iter().filter_map(|path| bringing(manifests, &env.data, &path, None)).collect::<Vec<_>>()
    });
    let mut seen = BTreeSet::new();
    data.chain(weights).filter(|m| seen.insert(&m.name)).collect()
}

/// The items that would bring what an experiment lacks.
pub fn missing<'a>(experiment: &Experiment, manifests: &'a [Manifest], env: &Environment) -> Vec<&'a Manifest> {
    let data = experiment.datasets.iter().filter_map(|d| match d.source.files(&env.data) {
        Err(Error::Data { path, .. }) => bringing(manifests, &env.data, &path, Some(d.def.spec().name)),
        _ => None,
    });
    let weights = experiment.methods.iter().filter_map(|m| match m.method.artifacts(env) {
        Err(Error::Data { path, .. }) => bringing(manifests, &env.data, &path, None),
        _ => None,
    });
    let mut seen = BTreeSet::new();
    data.chain(weights).filter(|m| seen.insert(&m.name)).collect()
}

/// What the data set of an item's name reads where the item itself is not here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instead {
    /// Something in its place: unpacked or packed by a person, or another edition.
    Other,
    /// What comes with the program.
    Embedded,
}

/// What the data set of the item's name reads instead of what the manifest describes, if anything.
pub fn instead(manifest: &Manifest, data: &DataDir) -> Option<Instead> {
    let files = zsad_data::find(&manifest.name)?.configure(&Given::new()).ok()?.files(data).ok()?;
    let all = std::slice::from_ref(manifest);
    if files.iter().any(|f| f.embedded.is_some()) {
        return Some(Instead::Embedded);
    }
    files.iter().any(|f| bringing(all, data, &f.path, None).is_some()).then_some(Instead::Other)
}

/// Fetches what an experiment lacks, until nothing more is missing that a manifest would bring.
///
/// # Errors
/// That of the first file that could not be brought.
pub fn fetch_all(
    experiment: &Experiment,
    manifests: &[Manifest],
    env: &Environment,
    settings: &Settings,
) -> Result<Vec<Outcome>> {
    let (bars, mut all, mut tried) = (Bars::new(), Vec::new(), BTreeSet::new());
    loop {
        // A data set says one missing file at a time.
        let missing: Vec<_> =
            missing(experiment, manifests, env).into_iter().filter(|m| tried.insert(&m.name)).collect();
        if missing.is_empty() {
            return Ok(all);
        }
        let wanted: Vec<_> = missing.into_iter().map(|manifest| Wanted { manifest, parts: Vec::new() }).collect();
        for outcome in fetch(&wanted, settings, &|event| bars.hear(event))? {
            if let Err(error) = &outcome.result {
                return Err(error.clone());
            }
            all.push(outcome);
        }
    }
}

/// Says how to fetch what an experiment lacks, where manifests would bring it.
pub fn tell(experiment: &Experiment, manifests: &[Manifest], env: &Environment) {
    let missing = missing(experiment, manifests, env);
    if !missing.is_empty() {
        note(format_args!("to fetch what is missing: {}", command(missing, &env.data)));
    }
}

/// The line that fetches `items` into `data`.
pub fn command<'a>(items: impl IntoIterator<Item = &'a Manifest>, data: &DataDir) -> String {
    let names: Vec<&str> = items.into_iter().map(|m| m.name.as_str()).collect();
    let folder = match data.chosen_by {
        "--data" => format!(" --data {}", data.path.display()),
        _ => String::new(),
    };
    format!("zsad data fetch {}{folder}", names.join(" "))
}

/// The same error; where a manifest would bring the missing file, with the line that fetches it as its hint.
pub fn with_hint(error: anyhow::Error, data: &DataDir) -> anyhow::Error {
    let Some(Error::Data { path, message, .. }) = error.downcast_ref::<Error>() else { return error };
    let Ok(manifests) = zsad_data::manifest::all() else { return error };
    match bringing(&manifests, data, path, None) {
        Some(manifest) if !path.exists() => Error::data(path, message, command([manifest], data)).into(),
        _ => error,
    }
}

/// The files behind a plan whose checksum nobody publishes, or the archives that they came out of: trusted on first use.
///
/// # Errors
/// Where the lock file is damaged.
pub fn first_use(plan: &Plan, env: &Environment) -> Result<Vec<String>> {
    let lock = Lock::read(&env.data.path)?;
    if lock.files.is_empty() {
        return Ok(Vec::new());
    }
    let data = plan.files.values().flat_map(|list| list.keys());
    let read: BTreeSet<&String> = data.chain(plan.fits.iter().flat_map(|f| f.job.id.method.artifacts.keys())).collect();
    let manifests = zsad_data::manifest::all()?;
    let archives = manifests.iter().flat_map(|m| &m.files).filter_map(|f| Some((f.path.as_str(), f.unpacking()?.1)));
    let used: BTreeSet<&str> = archives
        .filter(|(_, into)| read.iter().any(|p| Path::new(p).starts_with(into)))
        .map(|(path, _)| path)
        .collect();
    let paths = used.into_iter().chain(read.into_iter().map(String::as_str));
    Ok(lock.first_use(paths).into_iter().map(str::to_owned).collect())
}

/// The item that brings the file or folder at `path`: of those that `reader` reads, where one is given.
fn bringing<'a>(manifests: &'a [Manifest], data: &DataDir, path: &Path, reader: Option<&str>) -> Option<&'a Manifest> {
    let relative = path.strip_prefix(&data.path).ok()?;
    let is_read = |m: &&Manifest| match reader {
        Some(reader) => m.used_by.iter().any(|used| used == reader),
        None => true,
    };
    let brings = |file: &ManifestFile| file.provides().iter().any(|p| within(Path::new(p), relative));
    let by_path = manifests.iter().filter(is_read).find(|m| m.files.iter().any(brings));
    // A data set may look for its files in several layouts, and name another than the archive's.
    let unpacks_there =
        |file: &ManifestFile| file.unpacking().is_some_and(|(_, into)| relative.starts_with(into)) && reader.is_some();
    let by_folder = || manifests.iter().filter(is_read).find(|m| m.files.iter().any(unpacks_there));
    // Weights are looked for by the backbone's name, with whichever ending is there.
    let stem = relative.file_stem()?.to_string_lossy().into_owned();
    let by_name = || {
        let weights = relative.starts_with("weights") && reader.is_none();
        manifests.iter().find(|m| weights && m.kind == Kind::Weights && m.used_by.contains(&stem))
    };
    by_path.or_else(by_folder).or_else(by_name)
}

/// Whether one of two paths leads to the other.
fn within(a: &Path, b: &Path) -> bool {
    let plain = |p: &Path| if p.extension().is_some_and(|e| e == "gz") { p.with_extension("") } else { p.to_owned() };
    a.starts_with(b) || b.starts_with(a) || plain(a) == plain(b)
}
