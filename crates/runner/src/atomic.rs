//! Files that are whole or not there, also after a crash: temporary file, fsync, rename, fsync of the folder.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use zsad_core::{Error, Result};

/// Lets `write` fill a temporary file beside `path` and renames it to `path` once it is on the disk.
///
/// # Errors
/// Where `write` fails or the folder cannot be written; `path` is then as it was.
pub fn write_with(path: &Path, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let temporary = temporary(path);
    let io = |e: std::io::Error| Error::io(path, &e);
    write(&temporary)?;
    File::open(&temporary).and_then(|f| f.sync_all()).map_err(io)?;
    fs::rename(&temporary, path).map_err(io)?;
    sync_folder(path)
}

/// Writes `bytes` to `path`; see [`write_with`].
///
/// # Errors
/// Where the folder cannot be written.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    write_with(path, |temporary| fs::write(temporary, bytes).map_err(|e| Error::io(path, &e)))
}

/// Makes renames in `path`'s folder last.
///
/// # Errors
/// Where the folder cannot be opened.
pub fn sync_folder(path: &Path) -> Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|f| f.sync_all()).map_err(|e| Error::io(folder, &e))
}

/// Removes what a killed run left half written in `folder`; its writers must be gone.
///
/// # Errors
/// Where the folder cannot be read or a file not be removed.
pub fn clean(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).map_err(|e| Error::io(folder, &e))? {
        let entry = entry.map_err(|e| Error::io(folder, &e))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') && name.ends_with(".tmp") {
            fs::remove_file(entry.path()).map_err(|e| Error::io(entry.path(), &e))?;
        }
    }
    Ok(())
}

/// `.NAME.tmp` in the same folder: one writer a file, so no two share it.
fn temporary(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.tmp"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_is_cleaned_up() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        write(&path, b"old").unwrap();
        let failing = write_with(&path, |temporary| {
            fs::write(temporary, b"half").unwrap();
            Err(Error::failed("killed here"))
        });
        assert!(failing.is_err());
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
        clean(dir.path()).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
