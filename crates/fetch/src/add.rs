//! Takes files that a person got elsewhere: recognised, checked, put in place or unpacked.

use std::fs;
use std::path::{Path, PathBuf};

use zsad_core::{Error, Result};
use zsad_data::manifest::{Checksum, Manifest, ManifestFile};

use crate::claim::{self, claim};
use crate::event::{Event, Observer};
use crate::expected::Expected;
use crate::place::{copy, unpack};
use crate::settings::Settings;
use crate::state::{self, State};
use crate::sums::{self, Sums};
use crate::{Lock, Seen};

/// Puts `given` in place as a file of `manifest`, of which only `parts` are unpacked where it is an archive (all where
/// they are empty): the file's path below the data folder, and whether anything was done.
///
/// # Errors
/// [`Error::Data`] where it is none of the item's files, with what was expected and what was found.
pub fn add(
    manifest: &Manifest,
    parts: &[String],
    given: &Path,
    settings: &Settings,
    hear: Observer,
) -> Result<(String, bool)> {
    let data = &settings.data.path;
    let lock = Lock::read(data)?;
    let wanted: Vec<Checksum> = manifest.files.iter().flat_map(ManifestFile::checksums).collect();
    hear(Event::Said(&format!("{}: reading", given.display())));
    let sums = sums::of_file(given, &wanted, &settings.stop, &mut |_| ())?;
    let (file, expected) = recognise(manifest, given, &sums, &lock)?;
    let target = data.join(&file.path);
    let is_here = || Ok(state::of_file(data, file, parts, &lock)? == State::Here);
    if file.unpacking().is_none() && target.exists() {
        return match expected.check(&target, &settings.stop, &mut |_| ())? {
            Ok(_) => Ok((file.path.clone(), false)),
            Err(mismatch) => {
                let hint = "move it away, or remove it with zsad data remove, and add it again";
                Err(Error::data(&target, format!("another file is here: {mismatch}"), hint))
            }
        };
    }
    let mut waits = || hear(Event::Said(&format!("{}: another process is at it; waiting for it", file.path)));
    let Some(part) = claim(&target, &is_here, &mut waits, &settings.stop)? else {
        return Ok((file.path.clone(), false));
    };
    let put = (|| {
        let is_it = fs::canonicalize(given).ok() == fs::canonicalize(&target).ok();
        let keeps = file.unpacking().is_none() || file.keep || settings.keep;
        if file.unpacking().is_some() {
            unpack(settings, hear, file, parts, given)?;
        }
        if keeps && !is_it {
            copy(given, &part)?;
            // The copy is what is used, so the copy is what must fit.
            let copied = sums::of_file(&part.path, &[], &settings.stop, &mut |_| ())?;
            if copied.sha256 != sums.sha256 {
                return Err(Error::data(given, "changed while it was copied", "add it again"));
            }
            claim::put(&part, &target)?;
        }
        if expected.trusts_first_use() {
            let from = given.display().to_string();
            let seen = Seen { size: sums.size, sha256: sums.sha256.clone(), from, vouched: false };
            Lock::change(data, |lock| drop(lock.files.insert(file.path.clone(), seen)))?;
        }
        Ok((file.path.clone(), true))
    })();
    if put.is_err() {
        // The person still has the file: half a copy is nothing to go on with.
        let _ = part.file.set_len(0);
    }
    put
}

/// Which file of the item it is: by its checksum, or by its name where none is known.
fn recognise<'a>(
    manifest: &'a Manifest,
    given: &Path,
    sums: &Sums,
    lock: &Lock,
) -> Result<(&'a ManifestFile, Expected)> {
    let known = || manifest.files.iter().map(|f| (f, Expected::of(f, lock.files.get(&f.path))));
    let by_sum = known().find(|(_, e)| !e.trusts_first_use() && e.fits(sums).is_ok());
    if let Some(found) = by_sum {
        return Ok(found);
    }
    let name = given.file_name().unwrap_or_default().to_string_lossy();
    let Some((file, expected)) = known().find(|(f, _)| f.file_name() == name) else {
        let names: Vec<_> = manifest.files.iter().map(ManifestFile::file_name).take(8).collect();
        let message = format!(
            "none of the files of {}: neither by its name nor by its SHA-256, {}…",
            manifest.name,
            &sums.sha256[..16]
        );
        return Err(Error::data(given, message, format!("wanted: {}", names.join(", "))));
    };
    match expected.fits(sums) {
        Err(mismatch) if !expected.unconfirmed || expected.size_fits(sums.size).is_err() => {
            Err(Error::data(given, format!("not the {} that is known: {mismatch}", file.path), ""))
        }
        _ => Ok((file, expected)),
    }
}

/// The files of a folder, for a person who names one; else the path itself.
///
/// # Errors
/// Where the folder cannot be read.
pub fn spread(given: &Path) -> Result<Vec<PathBuf>> {
    if !given.is_dir() {
        return Ok(vec![given.to_owned()]);
    }
    let entries = fs::read_dir(given).map_err(|e| Error::io(given, &e))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|e| e.path()).filter(|p| p.is_file()).collect();
    files.sort();
    Ok(files)
}
