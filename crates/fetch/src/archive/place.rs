//! The folder beside the target that an archive is unpacked in, and the way from there to the target.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use zsad_core::{Error, Result};

/// A folder that is gone when this is dropped, whatever is in it then.
pub struct Staging(PathBuf);

impl Staging {
    /// An empty folder beside `into`, for `archive` alone. What an interrupted call left there is cleared.
    ///
    /// # Errors
    /// [`Error::Data`] where it cannot be made.
    pub fn new(into: &Path, archive: &Path) -> Result<Self> {
        let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let path = into.with_file_name(format!(".{}.{}.unpacking", name(into), name(archive)));
        clear(&path)?;
        fs::create_dir_all(&path).map_err(|e| Error::io(&path, &e))?;
        Ok(Staging(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Brings `files` to the disk and moves them to `into`. A folder that is not there yet appears at once; where it is,
    /// files of the same names are replaced, each at once.
    ///
    /// # Errors
    /// [`Error::Data`] where a file cannot be written or moved.
    pub fn publish(self, into: &Path, files: &[PathBuf]) -> Result<()> {
        let folders: BTreeSet<&Path> = files.iter().flat_map(|f| f.ancestors().skip(1)).collect();
        let all: Vec<&Path> = files.iter().map(PathBuf::as_path).chain(folders).collect();
        let synced = all.into_par_iter().map(|path| sync(&self.0.join(path))).collect::<Vec<_>>();
        synced.into_iter().collect::<Result<()>>()?;
        if !files.is_empty() {
            merge(&self.0, into)?;
            sync(into.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")))?;
        }
        Ok(())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // The error that matters is the one on its way to the caller; the next call clears it again.
        let _ = clear(&self.0);
    }
}

fn clear(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io(path, &e)),
        _ => Ok(()),
    }
}

/// Moves what is at `from` to `to`, folder by folder where both are there.
fn merge(from: &Path, to: &Path) -> Result<()> {
    if !(from.is_dir() && to.is_dir()) {
        return fs::rename(from, to).map_err(|e| Error::io(to, &e));
    }
    for entry in fs::read_dir(from).map_err(|e| Error::io(from, &e))? {
        let entry = entry.map_err(|e| Error::io(from, &e))?;
        merge(&entry.path(), &to.join(entry.file_name()))?;
    }
    sync(to)
}

fn sync(path: &Path) -> Result<()> {
    File::open(path).and_then(|f| f.sync_all()).map_err(|e| Error::io(path, &e))
}
