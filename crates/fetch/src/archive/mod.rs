//! Archives, unpacked into a folder of the data.

use std::path::{Path, PathBuf};

use zsad_core::{Error, Result};
use zsad_data::manifest::Unpack;

/// How much an archive may become.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of all its members together.
    pub bytes: u64,
    /// Members.
    pub members: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { bytes: 64 << 30, members: 1_000_000 }
    }
}

/// What an archive became.
#[derive(Debug, Default)]
pub struct Unpacked {
    /// The files, relative to the folder that they were put in, sorted.
    pub files: Vec<PathBuf>,
    /// Their bytes together.
    pub bytes: u64,
}

/// Puts the wanted members of `archive` into the folder `into`: all of them, or none. `progress` hears of the bytes
/// written so far.
///
/// # Errors
/// [`Error::Data`] where the archive is damaged, is not of its kind, or holds what it must not.
pub fn unpack(
    archive: &Path,
    spec: &Unpack,
    _into: &Path,
    _limits: &Limits,
    _progress: &mut dyn FnMut(u64),
) -> Result<Unpacked> {
    Err(Error::data(archive, format!("archives of the kind {} cannot be unpacked", spec.kind), ""))
}
