//! Where members go: what is wanted is written, what is refused is named.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use glob::Pattern;
use zsad_core::{Error, Result};
use zsad_data::manifest::Unpack;

use super::{AGAIN, Limits, Progress, Unpacked, name};

/// What a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Member {
    /// A file of so many bytes, as its header says.
    File(u64),
    /// A folder.
    Folder,
    /// Something else, by its name for people.
    Other(&'static str),
}

/// A folder that members are written to.
pub struct Sink<'a> {
    archive: &'a Path,
    folder: &'a Path,
    wanted: Vec<Pattern>,
    strip: u32,
    limits: Limits,
    progress: Progress<'a>,
    members: usize,
    seen: HashSet<PathBuf>,
    unpacked: Unpacked,
}

impl<'a> Sink<'a> {
    /// One that writes to `folder`.
    ///
    /// # Errors
    /// [`Error::Config`] where a glob of the wanted members is none.
    pub fn new(
        archive: &'a Path,
        spec: &Unpack,
        limits: &Limits,
        folder: &'a Path,
        progress: Progress<'a>,
    ) -> Result<Self> {
        let bad = |glob: &str, e| Error::Config(format!("{}: members: `{glob}`: {e}", archive.display()));
        let wanted = spec.members.iter().map(|glob| Pattern::new(glob).map_err(|e| bad(glob, e)));
        Ok(Sink {
            archive,
            folder,
            wanted: wanted.collect::<Result<_>>()?,
            strip: spec.strip,
            limits: *limits,
            progress,
            members: 0,
            seen: HashSet::new(),
            unpacked: Unpacked::default(),
        })
    }

    /// How much may be unpacked.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The error of an archive that breaks off or does not decode.
    pub fn damaged(&self, why: impl std::fmt::Display) -> Error {
        Error::data(self.archive, format!("damaged or truncated: {why}"), AGAIN)
    }

    /// The error of a member that must not be.
    pub fn refused(&self, name: &[u8], why: impl std::fmt::Display) -> Error {
        let message = format!("holds `{}`, which is refused: {why}", name::shown(name));
        Error::data(self.archive, message, "do not use this archive; nothing was unpacked")
    }

    /// Takes the next member: writes it where it is a file that is wanted.
    ///
    /// # Errors
    /// That of the progress; [`Error::Data`] where it is refused, by its name, or cannot be read or written.
    pub fn take(&mut self, name: &[u8], member: Member, reader: &mut dyn Read) -> Result<()> {
        self.members += 1;
        (self.progress)(self.unpacked.bytes)?;
        if self.members > self.limits.members {
            let message = format!("holds more than {} members", self.limits.members);
            return Err(Error::data(self.archive, message, "do not use this archive; nothing was unpacked"));
        }
        let parts = name::parts(name).map_err(|why| self.refused(name, why))?;
        let path = parts.join("/");
        if !self.wanted.is_empty() && !self.wanted.iter().any(|glob| glob.matches(&path)) {
            return Ok(());
        }
        let size = match member {
            Member::Folder => return Ok(()),
            Member::Other(what) => return Err(self.refused(name, format_args!("it is {what}"))),
            Member::File(size) => size,
        };
        let Some(relative) = name::stripped(&parts, self.strip) else { return Ok(()) };
        if !self.seen.insert(relative.clone()) {
            return Err(self.refused(name, "it is there twice"));
        }
        self.write(name, size, &relative, reader)?;
        self.unpacked.files.push(relative);
        Ok(())
    }

    /// Writes what `reader` gives to a new file: as many bytes as the header said, and no more than the limit leaves.
    fn write(&mut self, name: &[u8], size: u64, relative: &Path, reader: &mut dyn Read) -> Result<()> {
        let path = self.folder.join(relative);
        let io = |e: std::io::Error| Error::io(&path, &e);
        // A name that is a file and a folder at once fails here.
        fs::create_dir_all(path.parent().unwrap_or(self.folder)).map_err(|e| self.refused(name, e))?;
        let mut file = File::create_new(&path).map_err(|e| self.refused(name, e))?;
        let (mut written, mut buffer) = (0, vec![0; 1 << 16]);
        loop {
            let n = reader.read(&mut buffer).map_err(|e| self.damaged(format_args!("`{}`: {e}", name::shown(name))))?;
            if n == 0 {
                break;
            }
            written += n as u64;
            self.unpacked.bytes += n as u64;
            if written > size {
                return Err(self.refused(name, format_args!("it is larger than the {size} bytes that it says")));
            }
            if self.unpacked.bytes > self.limits.bytes {
                let limit = self.limits.bytes;
                return Err(self.refused(name, format_args!("with it, more than {limit} bytes would be unpacked")));
            }
            file.write_all(&buffer[..n]).map_err(io)?;
            (self.progress)(self.unpacked.bytes)?;
        }
        if written < size {
            return Err(self.damaged(format_args!("`{}` has {written} of {size} bytes", name::shown(name))));
        }
        Ok(())
    }

    /// What was written.
    pub fn finish(mut self) -> Unpacked {
        self.unpacked.files.sort();
        self.unpacked
    }
}
