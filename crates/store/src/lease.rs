//! Leases: who works on a fit. Several runs, on one machine or on several with one file system, share a folder this way.
//!
//! A lease is a file that its holder keeps locked and touches from time to time. The lock goes with the process, so on
//! one machine a killed holder's lease is free at once; where locks do not reach (another machine), one that was not
//! touched for [`EXPIRES`] counts as left behind.

use std::fs::{self, File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use zsad_core::{Error, Result, file};

/// A lease whose holder has not touched it for this long is left behind.
pub const EXPIRES: Duration = Duration::from_secs(60);
/// How often a holder touches it.
const BEAT: Duration = Duration::from_secs(10);

/// A held lease; dropping it gives it back.
pub struct Lease {
    path: PathBuf,
    file: Option<File>,
    stop: Arc<(Mutex<bool>, Condvar)>,
    beating: Option<JoinHandle<()>>,
}

impl Lease {
    /// Takes the lease `path`, if nobody holds it. Folders are made.
    ///
    /// # Errors
    /// [`Error::Data`] where the folder cannot be written.
    pub fn try_take(path: &Path) -> Result<Option<Lease>> {
        let io = |e: std::io::Error| Error::io(path, &e);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|e| Error::io(folder, &e))?;
        }
        let mut file = File::options().read(true).write(true).create(true).truncate(false).open(path).map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(e)) => return Err(io(e)),
        }
        // Whoever gave it back before we had the lock has removed it: then this is no lease any more.
        if !is_the_file(&file, path) || is_held_elsewhere(&mut file).map_err(io)? {
            return Ok(None);
        }
        file.set_len(0).and_then(|()| file.rewind()).map_err(io)?;
        writeln!(file, "{} {}", file::host(), std::process::id()).and_then(|()| file.sync_all()).map_err(io)?;
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let beating = beat(file.try_clone().map_err(io)?, stop.clone());
        Ok(Some(Lease { path: path.to_owned(), file: Some(file), stop, beating: Some(beating) }))
    }

    /// Whether somebody holds the lease `path`.
    pub fn is_held(path: &Path) -> bool {
        let Ok(mut file) = File::open(path) else { return false };
        match file.try_lock_shared() {
            Ok(()) => is_held_elsewhere(&mut file).unwrap_or(false),
            Err(TryLockError::WouldBlock) => true,
            Err(TryLockError::Error(_)) => false,
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        *self.stop.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stop.1.notify_all();
        if let Some(beating) = self.beating.take() {
            // It ends at once, and what it says does not matter.
            let _ = beating.join();
        }
        // Removed while it is locked: nobody can have taken it meanwhile. If it is gone already, so much the better.
        let _ = fs::remove_file(&self.path);
        self.file = None;
    }
}

/// Touches the file until told to stop.
fn beat(file: File, stop: Arc<(Mutex<bool>, Condvar)>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut stopped = stop.0.lock().unwrap_or_else(PoisonError::into_inner);
        while !*stopped {
            stopped = stop.1.wait_timeout(stopped, BEAT).unwrap_or_else(PoisonError::into_inner).0;
            // A beat that fails is made up for by the next one.
            let _ = file.set_modified(SystemTime::now());
        }
    })
}

/// Whether the opened file is the one that the path names now.
fn is_the_file(file: &File, path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        matches!((file.metadata(), fs::metadata(path)), (Ok(a), Ok(b)) if (a.dev(), a.ino()) == (b.dev(), b.ino()))
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        path.exists()
    }
}

/// Whether a locked lease belongs to another machine, whose locks this one may not see, and was touched lately.
fn is_held_elsewhere(file: &mut File) -> std::io::Result<bool> {
    let mut holder = String::new();
    file.rewind()?;
    // A holder that is no text is none.
    let _ = file.read_to_string(&mut holder);
    let machine = holder.split_whitespace().next();
    let age = file.metadata()?.modified()?.elapsed().unwrap_or_default();
    Ok(machine.is_some_and(|m| m != file::host()) && age < EXPIRES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holds_it_and_the_next_one_takes_it_when_it_is_given_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("leases/a");
        let first = Lease::try_take(&path).unwrap().unwrap();
        assert!(Lease::is_held(&path) && Lease::try_take(&path).unwrap().is_none());
        drop(first);
        assert!(!path.exists() && !Lease::is_held(&path));
        assert!(Lease::try_take(&path).unwrap().is_some());
    }

    #[test]
    fn a_lease_left_behind_is_taken_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        // A killed process of this machine: its lock went with it.
        fs::write(&path, format!("{} 1\n", file::host())).unwrap();
        assert!(Lease::try_take(&path).unwrap().is_some());
        // Another machine's lease is respected while it is touched, and no longer.
        fs::write(&path, "another_machine 1\n").unwrap();
        assert!(Lease::is_held(&path) && Lease::try_take(&path).unwrap().is_none());
        let old = SystemTime::now() - 2 * EXPIRES;
        File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
        assert!(!Lease::is_held(&path) && Lease::try_take(&path).unwrap().is_some());
        assert!(Lease::try_take(&path).unwrap().is_some());
    }

    #[test]
    fn of_many_who_ask_one_gets_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let holders = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        if let Some(_lease) = Lease::try_take(&path).unwrap() {
                            assert_eq!(holders.fetch_add(1, std::sync::atomic::Ordering::SeqCst), 0);
                            std::thread::yield_now();
                            holders.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                        }
                    }
                });
            }
        });
    }
}
