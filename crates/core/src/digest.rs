//! Digests of files: BLAKE3 of their content. A file is hashed once and remembered by path, size, times and inode.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::data_file::DataFile;
use crate::error::{Error, Result};
use crate::file;

/// A file that changed less than this before it was hashed may change again within one tick of its clock, unseen.
const RECENT: Duration = Duration::from_secs(2);

/// Hexadecimal digits of a digest: 128 bits.
const DIGITS: usize = 32;

/// Hashes files and remembers what it found. Clones share the memory.
#[derive(Debug, Clone, Default)]
pub struct Digester {
    memory: Arc<Mutex<BTreeMap<String, Known>>>,
    /// Where digests are kept between runs.
    kept_in: Option<PathBuf>,
}

/// A file as it was when it was hashed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    stamp: Stamp,
    digest: String,
}

/// What tells that a file was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    size: u64,
    /// Nanoseconds since 1970.
    modified: u128,
    inode: u64,
}

impl Stamp {
    fn of(about: &Metadata) -> Self {
        let since = |t: SystemTime| t.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
        let modified = about.modified().map_or(0, since);
        #[cfg(unix)]
        let inode = std::os::unix::fs::MetadataExt::ino(about);
        #[cfg(not(unix))]
        let inode = 0;
        Stamp { size: about.len(), modified, inode }
    }

    fn is_recent(&self) -> bool {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        now.as_nanos().saturating_sub(self.modified) < RECENT.as_nanos()
    }
}

/// The digest of some bytes.
pub fn of_bytes(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex()[..DIGITS].to_owned()
}

impl Digester {
    /// One that remembers between runs in the file `kept_in`; with `rehash`, it begins with an empty memory.
    pub fn new(kept_in: Option<PathBuf>, rehash: bool) -> Self {
        // A missing or damaged memory is an empty one: everything is hashed again.
        let known = kept_in.as_ref().filter(|_| !rehash).and_then(|path| fs::read(path).ok());
        let memory = known.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        Digester { memory: Arc::new(Mutex::new(memory)), kept_in }
    }

    /// The digest of the file at `path`, 32 hexadecimal digits.
    ///
    /// # Errors
    /// [`Error::Data`] where it cannot be read.
    pub fn file(&self, path: &Path) -> Result<String> {
        let io = |e: std::io::Error| Error::io(path, &e);
        let stamp = Stamp::of(&fs::metadata(path).map_err(io)?);
        let name = std::path::absolute(path).map_err(io)?.to_string_lossy().into_owned();
        let memory = || self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = memory().get(&name).filter(|k| k.stamp == stamp) {
            return Ok(known.digest.clone());
        }
        let digest = hash(path)?;
        if !stamp.is_recent() {
            memory().insert(name, Known { stamp, digest: digest.clone() });
        }
        Ok(digest)
    }

    /// The digests of a data set's files, in their order, hashed in parallel.
    ///
    /// # Errors
    /// [`Error::Data`] of the first that cannot be read.
    pub fn files(&self, files: &[DataFile]) -> Result<Vec<String>> {
        let digest = |file: &DataFile| match file.embedded {
            Some(bytes) => Ok(of_bytes(bytes)),
            None => self.file(&file.path),
        };
        let digests: Vec<Result<String>> = files.par_iter().map(digest).collect();
        digests.into_iter().collect()
    }

    /// Keeps what was learned for later runs, beside what other runs learned meanwhile.
    pub fn keep(&self) {
        let Some(path) = &self.kept_in else { return };
        let disk = || -> Option<BTreeMap<String, Known>> { serde_json::from_slice(&fs::read(path).ok()?).ok() };
        let mut all = disk().unwrap_or_default();
        let before = all.clone();
        all.extend(self.memory.lock().unwrap_or_else(PoisonError::into_inner).clone());
        if all != before
            && let Ok(text) = serde_json::to_vec(&all)
            && let Err(e) = file::write(path, &text)
        {
            tracing::warn!("digests of files are not remembered: {e}");
        }
    }
}

fn hash(path: &Path) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    let hashed = File::open(path).and_then(|file| hasher.update_reader(file).map(|h| h.finalize().to_hex()));
    Ok(hashed.map_err(|e| Error::io(path, &e))?[..DIGITS].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data_file::ReadBy;

    fn age(path: &Path, seconds: u64) {
        let file = File::options().write(true).open(path).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
    }

    #[test]
    fn a_changed_file_is_hashed_again_and_an_old_one_is_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let (path, memory) = (dir.path().join("a"), dir.path().join("digests.json"));
        fs::write(&path, b"one").unwrap();
        let digester = Digester::new(Some(memory.clone()), false);
        assert_eq!(digester.file(&path).unwrap(), of_bytes(b"one"));
        // Written within the same tick of the clock, perhaps.
        fs::write(&path, b"two").unwrap();
        assert_eq!(digester.file(&path).unwrap(), of_bytes(b"two"));
        age(&path, 60);
        assert_eq!(digester.file(&path).unwrap(), of_bytes(b"two"));
        digester.keep();

        // A memory is trusted as long as the stamp is the same; `rehash` does not trust it.
        let text = fs::read_to_string(&memory).unwrap().replace(&of_bytes(b"two"), "remembered");
        fs::write(&memory, text).unwrap();
        assert_eq!(Digester::new(Some(memory.clone()), false).file(&path).unwrap(), "remembered");
        assert_eq!(Digester::new(Some(memory.clone()), true).file(&path).unwrap(), of_bytes(b"two"));
        age(&path, 50);
        let both = [DataFile::new(path, ReadBy::Both), DataFile::embedded("in the program", b"three")];
        let found = Digester::new(Some(memory), false).files(&both).unwrap();
        assert_eq!(found, [of_bytes(b"two"), of_bytes(b"three")]);
        assert!(matches!(digester.file(&dir.path().join("none")), Err(Error::Data { .. })));
    }
}
