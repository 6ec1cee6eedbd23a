//! Archives, unpacked into a folder of the data. An archive is taken for hostile: it can write nothing outside of the
//! folder, make nothing but files, and grow no further than its limits.
//!
//! Decoders are Rust alone (`zip` and `flate2` are here anyway, `tar`, `lzma-rust2`), so that what reads bytes of strangers is
//! memory-safe; but for zstd: it is the C library that every Parquet file goes through, too.

mod kind;
mod name;
mod pack;
mod place;
mod sink;
mod tape;
mod zipped;

use std::fs::File;
use std::io::{BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use zsad_core::{Error, Result};
use zsad_data::manifest::{ArchiveKind, Unpack};

pub use pack::{Content, pack};
use place::Staging;
use sink::Sink;

/// Told of the bytes written so far; its error ends the work.
pub type Progress<'a> = &'a mut dyn FnMut(u64) -> Result<()>;

/// How much an archive may become.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of all its members together.
    pub bytes: u64,
    /// Members.
    pub members: usize,
}

/// What an archive may become however small it is: logs and tables of digits shrink to a tenth and less.
const FLOOR: u64 = 8 << 30;

impl Limits {
    /// Those of an archive of `size` bytes: four times as many, where that is more than 8 GiB.
    pub fn of_archive(size: u64) -> Self {
        Limits { bytes: size.saturating_mul(4).max(FLOOR), ..Limits::default() }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits { bytes: FLOOR, members: 500_000 }
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

/// Puts the wanted members of `archive` into the folder `into`: all of them, or none where the archive is refused. They
/// are unpacked beside `into`, brought to the disk, and renamed; what an interrupted call left there is cleared by the
/// next. `progress` hears of the bytes written so far, often, and may end it. One call at a time an archive.
///
/// # Errors
/// That of `progress`; [`Error::Data`] where the archive is damaged, is not of its kind, or holds what it must not.
pub fn unpack(archive: &Path, spec: &Unpack, into: &Path, limits: &Limits, progress: Progress) -> Result<Unpacked> {
    let mut file = File::open(archive).map_err(|e| Error::io(archive, &e))?;
    let found = kind::of(&mut file).map_err(|e| Error::io(archive, &e))?;
    if found != Ok(spec.kind) {
        let what = found.map_or_else(|begins| format!("no archive: it begins with {begins}"), |k| format!("a {k}"));
        return Err(Error::data(archive, format!("is {what}, not the {} that was expected", spec.kind), AGAIN));
    }
    file.seek(SeekFrom::Start(0)).map_err(|e| Error::io(archive, &e))?;
    let file = BufReader::with_capacity(1 << 16, file);
    // A folder that is a link to a larger disk: what is unpacked has to lie on that disk to be renamed.
    let real = into.canonicalize().unwrap_or_else(|_| into.to_owned());
    let staging = Staging::new(&real, archive)?;
    let mut sink = Sink::new(archive, spec, limits, staging.path(), progress)?;
    match spec.kind {
        ArchiveKind::Zip => zipped::read(file, &mut sink)?,
        ArchiveKind::Tar => tape::read(file, &mut sink)?,
        ArchiveKind::TarGz => tape::read(flate2::bufread::MultiGzDecoder::new(file), &mut sink)?,
        ArchiveKind::TarXz => tape::read(lzma_rust2::XzReader::new_mem_limit(file, true, XZ_MEMORY), &mut sink)?,
        ArchiveKind::TarZst => {
            let reader = zstd::Decoder::with_buffer(file).map_err(|e| sink.damaged(e))?;
            tape::read(reader, &mut sink)?
        }
    }
    let unpacked = sink.finish();
    staging.publish(&real, &unpacked.files)?;
    Ok(unpacked)
}

const AGAIN: &str = "fetch it again; nothing was unpacked";

/// KiB that a dictionary may take: xz's own best preset takes 64 MiB, the largest that its authors name 1.5 GiB.
const XZ_MEMORY: u32 = 1 << 20;

#[cfg(test)]
mod tests;
