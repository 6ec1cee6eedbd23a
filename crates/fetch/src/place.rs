//! Puts what was checked where it belongs.

use std::fs;
use std::io::{Seek, SeekFrom};
use std::path::{Path, PathBuf};

use zsad_core::{Error, Result};
use zsad_data::manifest::ManifestFile;

use crate::archive::{self, Limits};
use crate::claim::Part;
use crate::event::{Event, Observer};
use crate::receipt::Receipt;
use crate::settings::Settings;

/// Writes what is at `from` into a part, from its beginning.
///
/// # Errors
/// Where one cannot be read or the other not be written.
pub fn copy(from: &Path, part: &Part) -> Result<()> {
    let io = |e: std::io::Error| Error::io(&part.path, &e);
    let mut source = fs::File::open(from).map_err(|e| Error::io(from, &e))?;
    let mut to = &part.file;
    to.set_len(0).map_err(io)?;
    to.seek(SeekFrom::Start(0)).map_err(io)?;
    std::io::copy(&mut source, &mut to).map_err(io)?;
    Ok(())
}

/// Unpacks the archive at `from`, which was checked, and leaves a receipt.
///
/// # Errors
/// Where it is damaged, hostile, or holds nothing that is wanted.
pub fn unpack(settings: &Settings, hear: Observer, file: &ManifestFile, parts: &[String], from: &Path) -> Result<()> {
    let Some((mut spec, into)) = file.unpacking() else { return Ok(()) };
    if !parts.is_empty() {
        let above = "*/".repeat(spec.strip as usize);
        spec.members = parts.iter().map(|part| format!("{above}{part}/*")).collect();
    }
    let data = &settings.data.path;
    let size = fs::metadata(from).map_err(|e| Error::io(from, &e))?.len();
    let limits = Limits::of_archive(size);
    hear(Event::Said(&format!("{}: unpacking into {into}", file.path)));
    let is_new = Receipt::begin(data, file)?;
    let unpacked = archive::unpack(from, &spec, &data.join(into), &limits, &mut |_| settings.stop.check());
    let unpacked = unpacked.and_then(|unpacked| match (unpacked.files.is_empty(), parts) {
        (false, _) => Ok(unpacked),
        (true, []) => Err(Error::data(from, "nothing that is wanted is in it", "")),
        (true, parts) => Err(Error::data(from, format!("no {} is in it", parts.join(", ")), "")),
    });
    if unpacked.is_err() && is_new {
        // Nothing was put there: what a person unpacked is again what it was.
        let _ = fs::remove_file(Receipt::path(data, file));
    }
    let below = |name: &PathBuf| format!("{into}/{}", name.to_string_lossy().replace('\\', "/"));
    let files: Vec<String> = unpacked?.files.iter().map(below).collect();
    Receipt::add(data, file, parts, &files, &settings.stop)
}
