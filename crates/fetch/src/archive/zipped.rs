//! Zip archives, stored or deflated.

use std::io::{Read, Seek};

use zip::ZipArchive;
use zsad_core::Result;

use super::sink::{Member, Sink};

/// Bits of a Unix mode that say what a file is.
const TYPE: u32 = 0o170_000;
const REGULAR: u32 = 0o100_000;
const FOLDER: u32 = 0o040_000;
const LINK: u32 = 0o120_000;

/// Gives every member of the archive in `reader` to `sink`.
///
/// # Errors
/// That of the sink; [`zsad_core::Error::Data`] where the archive is damaged or breaks off.
pub fn read(reader: impl Read + Seek, sink: &mut Sink) -> Result<()> {
    let mut archive = ZipArchive::new(reader).map_err(|e| sink.damaged(e))?;
    if archive.has_duplicate_names() {
        return Err(sink.refused(b"a member", "it is there twice"));
    }
    // A bomb of the newer kind: many members share the same bytes.
    if archive.len() <= sink.limits().members && archive.has_overlapping_files().map_err(|e| sink.damaged(e))? {
        return Err(sink.refused(b"a member", "it shares its bytes with another"));
    }
    for i in 0..archive.len() {
        let mut file = archive.by_index(i).map_err(|e| sink.damaged(e))?;
        let name = file.name_raw().to_vec();
        let kind = file.unix_mode().map_or(0, |mode| mode & TYPE);
        let member = match kind {
            LINK => Member::Other("a symbolic link"),
            0 | REGULAR | FOLDER if file.is_dir() => Member::Folder,
            0 | REGULAR => Member::File(file.size()),
            _ => Member::Other("no plain file"),
        };
        sink.take(&name, member, &mut file)?;
    }
    Ok(())
}
