//! What an archive is, told by its first bytes.

use std::io::{self, Read};

use zsad_data::manifest::ArchiveKind;

/// The place of `ustar` in the first header.
const USTAR: usize = 257;

/// The kind of what `reader` begins with; or how it begins, for people, where that is no archive. What is inside a
/// compressed stream is found out when it is unpacked.
///
/// # Errors
/// Where nothing can be read.
pub fn of(reader: &mut impl Read) -> io::Result<Result<ArchiveKind, String>> {
    let mut head = Vec::new();
    reader.take(512).read_to_end(&mut head)?;
    let zip = [&b"PK\x03\x04"[..], b"PK\x05\x06"];
    Ok(if zip.iter().any(|magic| head.starts_with(magic)) {
        Ok(ArchiveKind::Zip)
    } else if head.starts_with(b"\x1f\x8b\x08") {
        Ok(ArchiveKind::TarGz)
    } else if head.starts_with(b"\xfd7zXZ\0") {
        Ok(ArchiveKind::TarXz)
    } else if head.starts_with(b"\x28\xb5\x2f\xfd") {
        Ok(ArchiveKind::TarZst)
    } else if head.len() == 512 && head[USTAR..].starts_with(b"ustar") {
        Ok(ArchiveKind::Tar)
    } else {
        let beginning = &head[..head.len().min(16)];
        Err(if beginning.is_empty() { "nothing".into() } else { format!("`{}`", beginning.escape_ascii()) })
    })
}
