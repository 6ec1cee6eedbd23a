//! Tape archives, compressed or not.
//!
//! Headers are taken one by one as they stand: the crate would read the long names of a header that lies about their
//! length into memory whole.

use std::io::{self, Read};

use tar::{Archive, EntryType, PaxExtensions};
use zsad_core::Result;

use super::sink::{Member, Sink};

const BLOCK: usize = 512;
/// What a long name or a list of extended attributes may take.
const LONGEST_HEADER: u64 = 1 << 16;
/// Bytes that a member may take beside its content: headers and filling.
const PER_MEMBER: u64 = 8 * BLOCK as u64;

/// Gives every member of the archive in `reader` to `sink`, and reads to the very end, so that all checksums are
/// checked.
///
/// # Errors
/// That of the sink; [`zsad_core::Error::Data`] where the archive is damaged or breaks off.
pub fn read(reader: impl Read, sink: &mut Sink) -> Result<()> {
    let limits = sink.limits();
    let most = limits.bytes.saturating_add((limits.members as u64).saturating_mul(PER_MEMBER));
    let mut archive = Archive::new(Tail { reader, left: most, last: [1; BLOCK] });
    let entries = archive.entries().map_err(|e| sink.damaged(e))?;
    let mut long_name: Option<Vec<u8>> = None;
    for entry in entries.raw(true) {
        let mut entry = entry.map_err(|e| sink.damaged(e))?;
        let kind = entry.header().entry_type();
        match kind {
            EntryType::GNULongName | EntryType::XHeader => {
                let mut text = Vec::new();
                (&mut entry).take(LONGEST_HEADER + 1).read_to_end(&mut text).map_err(|e| sink.damaged(e))?;
                if text.len() as u64 > LONGEST_HEADER {
                    return Err(sink.refused(&text[..text.len().min(80)], "a header of it is longer than 64 KiB"));
                }
                let name = if kind == EntryType::XHeader { of_pax(&text) } else { Ok(Some(until_zero(&text))) };
                long_name = name.map_err(|e| sink.damaged(e))?.or(long_name);
                continue;
            }
            // Attributes of all members, and the long target of a link, which is refused for what it is.
            EntryType::XGlobalHeader | EntryType::GNULongLink => continue,
            _ => {}
        }
        let name = long_name.take().unwrap_or_else(|| entry.path_bytes().into_owned());
        let size = entry.header().entry_size().map_err(|e| sink.damaged(e))?;
        let folder = kind == EntryType::Directory || name.ends_with(b"/");
        let member = match kind {
            _ if folder => Member::Folder,
            EntryType::Regular | EntryType::Continuous => Member::File(size),
            other => Member::Other(what(other)),
        };
        sink.take(&name, member, &mut entry)?;
    }
    let mut tail = archive.into_inner();
    io::copy(&mut tail, &mut io::sink()).map_err(|e| sink.damaged(e))?;
    if tail.last != [0; BLOCK] {
        return Err(sink.damaged("it does not end as a tape archive does"));
    }
    Ok(())
}

fn what(kind: EntryType) -> &'static str {
    match kind {
        EntryType::Symlink => "a symbolic link",
        EntryType::Link => "a hard link",
        EntryType::Char | EntryType::Block => "a device",
        EntryType::Fifo => "a pipe",
        EntryType::GNUSparse => "a sparse file",
        _ => "of an unknown kind",
    }
}

/// The path among extended attributes, if it is there. A size among them (of files over 8 GiB, in this format) is not
/// read: such an archive is found damaged.
fn of_pax(text: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let mut path = None;
    for attribute in PaxExtensions::new(text) {
        let attribute = attribute?;
        if attribute.key_bytes() == b"path" {
            path = Some(attribute.value_bytes().to_vec());
        }
    }
    Ok(path)
}

fn until_zero(text: &[u8]) -> Vec<u8> {
    text.iter().copied().take_while(|b| *b != 0).collect()
}

/// A reader that gives up after so many bytes, and remembers the last block.
struct Tail<R> {
    reader: R,
    left: u64,
    last: [u8; BLOCK],
}

impl<R: Read> Read for Tail<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.reader.read(out)?;
        self.left = self.left.checked_sub(n as u64).ok_or_else(|| io::Error::other("it grows beyond its limit"))?;
        let new = &out[n.saturating_sub(BLOCK)..n];
        self.last.rotate_left(new.len());
        self.last[BLOCK - new.len()..].copy_from_slice(new);
        Ok(n)
    }
}
