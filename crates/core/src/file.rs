//! Files that are whole or not there, also after a crash: temporary file, fsync, rename, fsync of the folder.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Error, Result};

/// Lets `fill` write a temporary file beside `path` and renames it to `path` once it is on the disk. Folders are made.
///
/// # Errors
/// That of `fill`; [`Error::Data`] where the folder cannot be written. `path` is then as it was.
pub fn write_with(path: &Path, fill: impl FnOnce(&mut BufWriter<File>) -> Result<()>) -> Result<()> {
    let io = |e: std::io::Error| Error::io(path, &e);
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(io)?;
    let temporary = temporary(path);
    let written = (|| {
        let mut out = BufWriter::new(File::create(&temporary).map_err(io)?);
        fill(&mut out)?;
        out.into_inner().map_err(|e| io(e.into_error()))?.sync_all().map_err(io)?;
        fs::rename(&temporary, path).map_err(io)
    })();
    if written.is_err() {
        // It may not exist; the error that matters is the one on its way to the caller.
        let _ = fs::remove_file(&temporary);
    }
    // The rename itself lasts once the folder is on the disk.
    written.and_then(|()| File::open(folder).and_then(|f| f.sync_all()).map_err(io))
}

/// Writes `bytes` to `path`; see [`write_with`].
///
/// # Errors
/// [`Error::Data`] where the folder cannot be written.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    write_with(path, |out| out.write_all(bytes).map_err(|e| Error::io(path, &e)))
}

/// Removes what killed writers left half written in `folder` (and with `deep` in the folders in it); no writer may be
/// at work there.
///
/// # Errors
/// [`Error::Data`] where a folder cannot be read or a file not be removed.
pub fn clean(folder: &Path, deep: bool) -> Result<()> {
    for entry in fs::read_dir(folder).map_err(|e| Error::io(folder, &e))? {
        let entry = entry.map_err(|e| Error::io(folder, &e))?;
        let path = entry.path();
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            if deep {
                clean(&path, deep)?;
            }
        } else if name.starts_with('.') && name.ends_with(".tmp") {
            fs::remove_file(&path).map_err(|e| Error::io(&path, &e))?;
        }
    }
    Ok(())
}

/// `.NAME.PROCESS-COUNT.tmp` in the same folder: no two writers of a file share it.
fn temporary(path: &Path) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    path.with_file_name(format!(".{name}.{}-{count}.tmp", std::process::id()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_failed_write_leaves_the_old_file_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/a.json");
        write(&path, b"old").unwrap();
        let failing = write_with(&path, |out| {
            out.write_all(b"half").unwrap();
            Err(Error::failed("given up"))
        });
        assert!(failing.unwrap_err().to_string().contains("given up"));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(&dir.path().join("deep")), ["a.json"]);
    }

    #[test]
    fn what_a_killed_writer_left_is_removed_at_any_depth() {
        let dir = tempfile::tempdir().unwrap();
        for file in ["results.csv", "plots/loss.png"] {
            let path = dir.path().join(file);
            write(&path, b"whole").unwrap();
            fs::write(temporary(&path), b"half").unwrap();
        }
        clean(dir.path(), false).unwrap();
        assert_eq!(names(&dir.path().join("plots")).len(), 2);
        clean(dir.path(), true).unwrap();
        let mut left = names(dir.path());
        left.sort();
        assert_eq!(left, ["plots", "results.csv"]);
        assert_eq!(names(&dir.path().join("plots")), ["loss.png"]);
    }
}
