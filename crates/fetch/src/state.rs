//! How much of an item is there, at a glance: by names and sizes, without reading files.

use std::fmt;
use std::fs;
use std::path::Path;

use zsad_core::Result;
use zsad_data::manifest::{Manifest, ManifestFile};

use crate::claim::part_of;
use crate::receipt::Receipt;
use crate::{Lock, expected::Expected};

/// How much is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// All of it.
    Here,
    /// Nothing.
    Missing,
    /// Something: a file on its way, some files of several, some parts of an archive.
    Partial,
    /// A file is not what it should be.
    Damaged,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            State::Here => "here",
            State::Missing => "missing",
            State::Partial => "partial",
            State::Damaged => "damaged",
        })
    }
}

/// How much of `manifest` is there.
///
/// # Errors
/// Where receipts or the lock file cannot be read.
pub fn of_item(data: &Path, manifest: &Manifest) -> Result<State> {
    let lock = Lock::read(data)?;
    let states: Result<Vec<State>> = manifest.files.iter().map(|file| of_file(data, file, &[], &lock)).collect();
    let states = states?;
    let all = |state| states.iter().all(|s| *s == state);
    Ok(match () {
        () if states.contains(&State::Damaged) => State::Damaged,
        () if all(State::Here) => State::Here,
        () if all(State::Missing) => State::Missing,
        () => State::Partial,
    })
}

/// How much of a file is there: of `parts` of an archive, or all where they are empty.
///
/// # Errors
/// Where its receipt cannot be read.
pub fn of_file(data: &Path, file: &ManifestFile, parts: &[String], lock: &Lock) -> Result<State> {
    let target = data.join(&file.path);
    let on_its_way = fs::metadata(part_of(&target)).is_ok_and(|m| m.len() > 0);
    if file.unpacking().is_some() {
        // Of parts, their receipt alone says what there is: what the whole provides need not be there.
        let provided = !parts.is_empty() || file.provides().iter().all(|path| data.join(path).exists());
        return Ok(match Receipt::read(data, file)? {
            Some(receipt) if provided && receipt.covers(parts) => State::Here,
            Some(receipt) if !receipt.parts.is_empty() => State::Partial,
            // A person unpacked it.
            None if provided && parts.is_empty() => State::Here,
            _ if on_its_way || target.exists() => State::Partial,
            _ => State::Missing,
        });
    }
    Ok(match fs::metadata(&target) {
        Ok(about) if Expected::of(file, lock.files.get(&file.path)).size_fits(about.len()).is_ok() => State::Here,
        Ok(_) => State::Damaged,
        Err(_) if on_its_way => State::Partial,
        Err(_) => State::Missing,
    })
}
