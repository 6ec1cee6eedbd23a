//! What was seen of files that came without a checksum: `lock.yaml` in the data folder. What comes later must match.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use zsad_core::{Error, Result, file};

const NAME: &str = "lock.yaml";
const HEAD: &str = "# Written by zsad: files whose checksum nobody publishes, as they were when they first came.\n";

/// All of them, by path below the data folder.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// What was seen.
    #[serde(default)]
    pub files: BTreeMap<String, Seen>,
}

/// A file as it first came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// Bytes.
    pub size: u64,
    /// 64 hex digits.
    pub sha256: String,
    /// The URL, or the path of the file that a person gave.
    pub from: String,
    /// Whether the hub vouched for it; else it is trusted on first use.
    #[serde(default)]
    pub vouched: bool,
}

impl Lock {
    /// Reads that of a data folder; empty where there is none.
    ///
    /// # Errors
    /// [`Error::Data`] where it is damaged: what it held back must not be forgotten silently.
    pub fn read(data: &Path) -> Result<Lock> {
        let path = data.join(NAME);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Lock::default()),
            Err(e) => return Err(Error::io(&path, &e)),
        };
        let hint = "mend it, or remove it to trust what is there now";
        serde_yaml::from_str(&text).map_err(|e| Error::data(&path, e, hint))
    }

    /// Changes that of a data folder; one process at a time.
    ///
    /// # Errors
    /// Where it cannot be read or written.
    pub fn change(data: &Path, how: impl FnOnce(&mut Lock)) -> Result<()> {
        let _guard = guard(data)?;
        let mut lock = Lock::read(data)?;
        how(&mut lock);
        let text = serde_yaml::to_string(&lock).map_err(Error::failed)?;
        file::write(&data.join(NAME), format!("{HEAD}{text}").as_bytes())
    }

    /// Those of `paths` that are trusted on first use.
    pub fn first_use<'a>(&self, paths: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
        paths.filter(|path| self.files.get(*path).is_some_and(|seen| !seen.vouched)).collect()
    }
}

/// The house's own folder in the data folder: receipts and locks.
pub(crate) fn own_folder(data: &Path) -> PathBuf {
    data.join(".zsad")
}

fn guard(data: &Path) -> Result<File> {
    let path = own_folder(data).join("guard");
    let io = |e: std::io::Error| Error::io(&path, &e);
    fs::create_dir_all(own_folder(data)).map_err(io)?;
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(io)?;
    match file.lock() {
        Err(e) if e.kind() != ErrorKind::Unsupported => Err(io(e)),
        _ => Ok(file),
    }
}
