//! Files that are whole or not there, also after a crash: temporary file, fsync, rename, fsync of the folder.

use std::fs::{self, File};
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

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

/// Removes what killed writers left half written in `folder` (and with `deep` in the folders in it). What belongs to a
/// process that is alive is left alone, and so is what another machine has written lately.
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
        } else if name.starts_with('.') && name.ends_with(".tmp") && is_abandoned(&name, &path) {
            match fs::remove_file(&path) {
                // Another run was faster.
                Err(e) if e.kind() != ErrorKind::NotFound => return Err(Error::io(&path, &e)),
                _ => {}
            }
        }
    }
    Ok(())
}

/// `.NAME.HOST.PROCESS-COUNT.tmp` in the same folder: no two writers of a file share it.
fn temporary(path: &Path) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    path.with_file_name(format!(".{name}.{}.{}-{count}.tmp", host(), std::process::id()))
}

/// Whether the writer of a temporary file is gone: it was a process of this machine that runs no more, or of another
/// one and has not written for an hour.
fn is_abandoned(name: &str, path: &Path) -> bool {
    let mut parts = name.trim_end_matches(".tmp").rsplit('.');
    let process = parts.next().and_then(|p| p.split_once('-')).and_then(|(process, _)| process.parse().ok());
    match (process, parts.next()) {
        (Some(process), Some(machine)) if machine == host() => !is_alive(process),
        _ => {
            let age = fs::metadata(path).and_then(|m| m.modified()).ok().and_then(|t| t.elapsed().ok());
            age.is_some_and(|age| age > Duration::from_secs(3600))
        }
    }
}

/// Whether a process of this machine runs; where the system does not tell, it is taken to.
pub fn is_alive(process: u32) -> bool {
    !Path::new("/proc/self").exists() || Path::new("/proc").join(process.to_string()).exists()
}

/// The machine's name, without dots.
pub fn host() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = name.or_else(|| std::env::var("HOSTNAME").ok()).unwrap_or_else(|| "localhost".into());
    name.trim().replace('.', "_")
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
            // Process numbers end before this one.
            let name = path.file_name().unwrap().to_str().unwrap();
            fs::write(path.with_file_name(format!(".{name}.{}.4194305-0.tmp", host())), b"half").unwrap();
        }
        let at_work = temporary(&dir.path().join("plots/loss.svg"));
        fs::write(&at_work, b"half").unwrap();
        clean(dir.path(), false).unwrap();
        assert_eq!(names(&dir.path().join("plots")).len(), 3);
        clean(dir.path(), true).unwrap();
        let mut left = names(dir.path());
        left.sort();
        assert_eq!(left, ["plots", "results.csv"]);
        fs::remove_file(at_work).expect("a file of a process at work is left alone");
        assert_eq!(names(&dir.path().join("plots")), ["loss.png"]);
    }
}
