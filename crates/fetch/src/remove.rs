//! Removes an item: its files, what was unpacked from them, and what is known of them.

use std::fs;
use std::path::{Path, PathBuf};

use zsad_core::{Error, Result};
use zsad_data::manifest::Manifest;

use crate::Lock;
use crate::claim::{note_of, part_of};
use crate::receipt::Receipt;

/// What would go.
#[derive(Debug, Default)]
pub struct Found {
    /// Files, with their bytes.
    pub files: Vec<(PathBuf, u64)>,
    /// Folders that a person unpacked: they stay.
    pub others: Vec<PathBuf>,
}

/// Finds what of `manifest` is there.
///
/// # Errors
/// Where receipts cannot be read.
pub fn find(data: &Path, manifest: &Manifest) -> Result<Found> {
    let mut found = Found::default();
    let mut take = |path: PathBuf| {
        if let Some(about) = fs::symlink_metadata(&path).ok().filter(|m| !m.is_dir()) {
            found.files.push((path, about.len()));
        }
    };
    for file in &manifest.files {
        let target = data.join(&file.path);
        let receipt = Receipt::read(data, file)?;
        let unpacked = receipt.iter().flat_map(|r| r.files.keys()).map(|name| data.join(name));
        let own = [part_of(&target), note_of(&target), Receipt::path(data, file)];
        std::iter::once(target).chain(own).chain(unpacked).for_each(&mut take);
    }
    for file in manifest.files.iter().filter(|f| f.unpacking().is_some()) {
        if Receipt::read(data, file)?.is_none() {
            found.others.extend(file.provides().iter().map(|p| data.join(p)).filter(|p| p.exists()));
        }
    }
    Ok(found)
}

/// Removes what was found, and the folders that it leaves empty.
///
/// # Errors
/// Where a file cannot be removed.
pub fn remove(data: &Path, manifest: &Manifest, found: &Found) -> Result<()> {
    for (path, _) in &found.files {
        fs::remove_file(path).map_err(|e| Error::io(path, &e))?;
        let above = path.ancestors().skip(1).take_while(|folder| *folder != data);
        // A folder that still holds something stays.
        above.map(fs::remove_dir).find(std::result::Result::is_err);
    }
    let paths: Vec<&str> = manifest.files.iter().map(|f| f.path.as_str()).collect();
    if Lock::read(data)?.files.keys().any(|known| paths.contains(&known.as_str())) {
        Lock::change(data, |lock| lock.files.retain(|known, _| !paths.contains(&known.as_str())))?;
    }
    Ok(())
}
