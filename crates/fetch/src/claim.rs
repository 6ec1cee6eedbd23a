//! One process of several fetches a file; the others wait for it, and use what it brought.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use zsad_core::{Error, Result, Stop};

use crate::wait;

/// The ending of a part's note.
const NOTE: &str = ".from";
/// Time between two looks at what another process does.
const POLL: Duration = Duration::from_millis(100);

/// A file on its way, locked until this is dropped: `<target>.part`.
#[derive(Debug)]
pub struct Part {
    /// Where it lies.
    pub path: PathBuf,
    /// The same, open for reading and writing.
    pub file: File,
}

impl Drop for Part {
    /// An empty part is nothing to go on with. The lock ends after this: whoever waits for it sees that the part is gone.
    fn drop(&mut self) {
        if self.file.metadata().is_ok_and(|m| m.len() == 0) && is_same(&self.file, &self.path) {
            // What cannot be removed does no harm.
            let _ = fs::remove_file(&self.path);
            let _ = fs::remove_file(with_ending(&self.path, NOTE));
        }
    }
}

/// Where a file lies until it is checked.
pub fn part_of(target: &Path) -> PathBuf {
    with_ending(target, ".part")
}

/// Where the origin of a part is noted, to go on with it later.
pub fn note_of(target: &Path) -> PathBuf {
    with_ending(&part_of(target), NOTE)
}

fn with_ending(target: &Path, ending: &str) -> PathBuf {
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(ending);
    target.with_file_name(name)
}

/// The part of `target`, once no other process has it; `None` where `is_done` says that there is nothing left to do.
/// `waits` is called once where another process is at work.
///
/// # Errors
/// Where the folder cannot be written, or a person wants to end.
pub fn claim(
    target: &Path,
    is_done: &dyn Fn() -> Result<bool>,
    waits: &mut dyn FnMut(),
    stop: &Stop,
) -> Result<Option<Part>> {
    let path = part_of(target);
    let io = |e: std::io::Error| Error::io(&path, &e);
    let mut waited = false;
    loop {
        if is_done()? {
            return Ok(None);
        }
        // Fetched and renamed, and whoever did it unpacks it: the lock went along.
        if let Ok(there) = File::open(target)
            && matches!(there.try_lock(), Err(TryLockError::WouldBlock))
        {
            if !std::mem::replace(&mut waited, true) {
                waits();
            }
            wait::pause(POLL, stop)?;
            continue;
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|e| Error::io(folder, &e))?;
        }
        let file = File::options().create(true).truncate(false).read(true).write(true).open(&path).map_err(io)?;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) => {
                    if !std::mem::replace(&mut waited, true) {
                        waits();
                    }
                    wait::pause(POLL, stop)?;
                }
                // A file system without locks: two processes may do the same work, neither harms the other's result.
                Err(TryLockError::Error(e)) if e.kind() == std::io::ErrorKind::Unsupported => break,
                Err(TryLockError::Error(e)) => return Err(io(e)),
            }
        }
        // Whoever had the lock may have put the file in place: then this is no longer the part.
        if !is_same(&file, &path) {
            continue;
        }
        let part = Part { path, file };
        return Ok(if is_done()? { None } else { Some(part) });
    }
}

/// Whether `file` is what lies at `path`.
#[cfg(unix)]
fn is_same(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), fs::metadata(path)) {
        (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    }
}

/// Whether there is still something at `path`.
#[cfg(not(unix))]
fn is_same(_: &File, path: &Path) -> bool {
    path.exists()
}

/// Renames a checked part to `target`, for good: both the file and the folder are on the disk afterwards. The lock lasts
/// until the part is dropped.
///
/// # Errors
/// Where the folder cannot be written.
pub fn put(part: &Part, target: &Path) -> Result<()> {
    let io = |e: std::io::Error| Error::io(target, &e);
    part.file.sync_all().map_err(io)?;
    fs::rename(&part.path, target).map_err(io)?;
    // It may never have been written.
    let _ = fs::remove_file(note_of(target));
    sync_folder(target)
}

/// Makes a rename in the folder of `path` last.
///
/// # Errors
/// Where the folder cannot be opened.
pub fn sync_folder(path: &Path) -> Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|f| f.sync_all()).map_err(|e| Error::io(folder, &e))
}
