//! Manifests: which files a data set or a network's weights consist of, where they are served, and how to know them.
//!
//! One YAML file an item in `manifests/`, built into the program; a person's own is read the same way.

mod check;
mod item;
mod list;

use std::path::Path;

use zsad_core::{Error, Result, suggest};

pub use item::{Access, ArchiveKind, Checksum, Expect, Hub, Kind, Manifest, ManifestFile, RepoType, Strength, Unpack};

/// The manifests that come with the program, sorted by name.
///
/// # Errors
/// [`Error::Config`] where one is wrong; a test reads them all.
pub fn all() -> Result<Vec<Manifest>> {
    list::BUILT_IN.iter().map(|(name, text)| parse(text, &format!("manifests/{name}.yaml"))).collect()
}

/// The manifest of that name among `manifests`.
///
/// # Errors
/// [`Error::Config`] with the nearest name, or all of them.
pub fn find<'a>(manifests: &'a [Manifest], name: &str) -> Result<&'a Manifest> {
    manifests.iter().find(|m| m.name == name).ok_or_else(|| {
        let hint = suggest::hint(name, manifests.iter().map(|m| m.name.as_str()));
        Error::Config(format!("nothing is known as `{name}`; hint: {hint}"))
    })
}

/// A person's own manifest.
///
/// # Errors
/// [`Error::Data`] where the file cannot be read, [`Error::Config`] where it is wrong.
pub fn read(path: &Path) -> Result<Manifest> {
    let text = std::fs::read_to_string(path).map_err(|e| Error::io(path, &e))?;
    parse(&text, &path.display().to_string())
}

/// The manifest that `text` holds; `place` names it in errors.
///
/// # Errors
/// [`Error::Config`] that says where and what is wrong.
pub fn parse(text: &str, place: &str) -> Result<Manifest> {
    let manifest: Manifest = serde_yaml::from_str(text).map_err(|e| Error::Config(format!("{place}: {e}")))?;
    check::check(&manifest).map_err(|why| Error::Config(format!("{place}: {why}")))?;
    Ok(manifest)
}

#[cfg(test)]
mod tests;
