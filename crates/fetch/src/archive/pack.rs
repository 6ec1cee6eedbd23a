//! The other way: files as a tape archive compressed with zstd, which has the same bytes for the same files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tar::{Builder, EntryType, Header};
use zsad_core::{Error, Result, file};

/// How hard zstd tries; higher levels take many times as long for a few per cent.
const LEVEL: i32 = 9;

/// What a member holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// What a file holds.
    File(PathBuf),
    /// These bytes.
    Bytes(Vec<u8>),
}

impl Content {
    /// The bytes.
    ///
    /// # Errors
    /// [`Error::Data`] where the file cannot be read.
    pub fn bytes(&self) -> Result<Vec<u8>> {
        match self {
            Content::File(path) => fs::read(path).map_err(|e| Error::io(path, &e)),
            Content::Bytes(bytes) => Ok(bytes.clone()),
        }
    }
}

/// Writes `members`, by their paths, to the archive at `path`: whole, or not at all. Owners, rights and times of the files are
/// not in it.
///
/// # Errors
/// [`Error::Data`] where a file cannot be read, or the archive not be written.
pub fn pack(path: &Path, members: &BTreeMap<String, Content>) -> Result<()> {
    let io = |e: std::io::Error| Error::io(path, &e);
    file::write_with(path, |out| {
        let mut encoder = zstd::Encoder::new(out, LEVEL).map_err(io)?;
        // A changed byte is then found when it is unpacked.
        encoder.include_checksum(true).map_err(io)?;
        let mut archive = Builder::new(encoder);
        for (name, content) in members {
            let bytes = content.bytes()?;
            let mut header = Header::new_gnu();
            header.set_entry_type(EntryType::Regular);
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            header.set_mtime(0);
            header.set_uid(0);
            header.set_gid(0);
            archive.append_data(&mut header, name, bytes.as_slice()).map_err(io)?;
        }
        archive.into_inner().and_then(zstd::Encoder::finish).map_err(io)?;
        Ok(())
    })
}
