//! One cache file: a header, the features of all rows of a domain as `f32`, and a checksum of both at the end.
//!
//! A file appears whole (written beside its place, fsynced, renamed) and is never changed afterwards, so any number of
//! runs may share the folder. A lock file beside it, which the system releases when its holder dies, keeps two runs
//! from computing the same features.

use std::fs::{File, TryLockError};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use memmap2::Mmap;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zsad_core::env::Memo;
use zsad_core::{Error, Result, file, key::canonical_json};

const MAGIC: &[u8; 8] = b"zsadfeat";
const VERSION: u32 = 2;
/// The values begin at a multiple of this, so that they can be used in place.
const ALIGN: usize = 64;
const CHECKSUM: usize = 32;

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Header {
    /// Everything that the values depend on.
    pub identity: Value,
    /// Rows of the domain.
    pub rows: u64,
    /// Values of one row.
    pub values: u64,
}

impl Header {
    /// Magic number, version, length of the JSON, the JSON, and zeros up to [`ALIGN`].
    fn bytes(&self) -> Result<Vec<u8>> {
        let json = canonical_json(&serde_json::to_value(self).map_err(Error::failed)?);
        let mut bytes = MAGIC.to_vec();
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend((json.len() as u32).to_le_bytes());
        bytes.extend(json.as_bytes());
        bytes.resize(bytes.len().next_multiple_of(ALIGN), 0);
        Ok(bytes)
    }
}

/// A checked, mapped file.
#[derive(Debug)]
pub(super) struct DomainFile {
    map: Mmap,
    start: usize,
    header: Header,
}

/// The file at `path`, made by `make` where it is absent or damaged; `None` while another run is making it, unless
/// `force`. `make` hands every row's values to the function that it is given, in order. Files that were checked once
/// stay mapped in `memo`: a changed file would have another name.
pub(super) fn open_or_make(
    memo: &Memo,
    path: &Path,
    header: &Header,
    force: bool,
    make: impl FnOnce(&mut dyn FnMut(&[f32]) -> Result<()>) -> Result<()>,
) -> Result<Option<Arc<DomainFile>>> {
    let name = path.to_string_lossy();
    if let Some(file) = memo.get(&name) {
        return Ok(Some(file));
    }
    let register = |file: DomainFile| Ok(Some(memo.keep(&name, file)));
    if let Some(file) = DomainFile::open(path, header)? {
        return register(file);
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, &e))?;
    }
    let lock_path = path.with_extension("lock");
    let lock = File::create(&lock_path).map_err(|e| Error::io(&lock_path, &e))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) if !force => return Ok(None),
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(e)) => return Err(Error::io(&lock_path, &e)),
    }
    // Another run may have finished between the first look and the lock.
    if let Some(file) = DomainFile::open(path, header)? {
        return register(file);
    }
    write(path, header, make)?;
    match DomainFile::open(path, header)? {
        Some(file) => register(file),
        None => Err(Error::data(path, "cannot be read back after it was written", "check the disk")),
    }
}

fn write(
    path: &Path,
    header: &Header,
    make: impl FnOnce(&mut dyn FnMut(&[f32]) -> Result<()>) -> Result<()>,
) -> Result<()> {
    let start = header.bytes()?;
    let io = |e: std::io::Error| Error::io(path, &e);
    file::write_with(path, |out| {
        let mut hasher = blake3::Hasher::new();
        let mut put = |bytes: &[u8]| {
            hasher.update(bytes);
            out.write_all(bytes).map_err(io)
        };
        put(&start)?;
        make(&mut |sample| {
            if sample.len() as u64 != header.values {
                return Err(Error::failed(format!("{} features instead of {}", sample.len(), header.values)));
            }
            let bytes: Vec<u8> = sample.iter().flat_map(|v| v.to_le_bytes()).collect();
            put(&bytes)
        })?;
        out.write_all(hasher.finalize().as_bytes()).map_err(io)
    })
}

impl DomainFile {
    /// Maps and checks the file; `None` where it is absent, or damaged (which is logged: it is made again).
    fn open(path: &Path, header: &Header) -> Result<Option<Self>> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::io(path, &e)),
        };
        // SAFETY: the bytes behind a map must not change. Files of the cache are written beside their place and renamed
        // to it, and never opened for writing afterwards; one that is replaced lives on behind this map. (Somebody who
        // truncates a file of the cache by hand ends the program with SIGBUS, as with any mapped file.)
        let map = unsafe { Mmap::map(&file) }.map_err(|e| Error::io(path, &e))?;
        let start = header.bytes()?;
        let values = header.rows as usize * header.values as usize;
        let damaged = |what: &str| {
            tracing::warn!("{}: {what}; computing these features again", path.display());
            Ok(None)
        };
        if map.len() != start.len() + 4 * values + CHECKSUM {
            return damaged("has not the length that its contents want");
        }
        let (contents, checksum) = map.split_at(map.len() - CHECKSUM);
        if !contents.starts_with(&start) || blake3::hash(contents).as_bytes() != checksum {
            return damaged("is damaged");
        }
        Ok(Some(DomainFile { start: start.len(), map, header: header.clone() }))
    }

    /// The values of one row.
    pub fn row(&self, row: u32) -> Option<&[f32]> {
        let (row, values) = (row as usize, self.header.values as usize);
        let at = self.start + 4 * values * row;
        let bytes = self.map.get(at..at + 4 * values).filter(|_| row < self.header.rows as usize)?;
        // SAFETY: any bits are an f32; the map begins at a page, `start` is a multiple of 64, `at - start` of 4.
        Some(unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast(), values) })
    }
}

#[cfg(target_endian = "big")]
compile_error!("feature files are used in place and hold little-endian values");
