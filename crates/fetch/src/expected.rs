//! What a file must be before it is used.

use std::fmt;
use std::path::Path;

use zsad_core::{Error, Result, Stop};
use zsad_data::manifest::{Checksum, ManifestFile, Strength};

use crate::sums::{self, Sums};
use crate::{Seen, human};

/// Size and checksums that are known of a file, from whoever knows.
#[derive(Debug, Clone, Default)]
pub struct Expected {
    /// Bytes.
    pub size: Option<u64>,
    /// All that must fit.
    pub checksums: Vec<Checksum>,
    /// Whether a wrong checksum is only worth a warning.
    pub unconfirmed: bool,
}

/// What does not fit, with both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    what: &'static str,
    expected: String,
    found: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}, found {}", self.what, self.expected, self.found)
    }
}

impl Expected {
    /// What the manifest says; where it has no checksum, what was `seen` when the file came first.
    pub fn of(file: &ManifestFile, seen: Option<&Seen>) -> Self {
        let mut checksums = file.checksums();
        let mut size = file.size;
        let pinned = !checksums.is_empty() && file.strength != Strength::Unconfirmed;
        if let (false, Some(seen)) = (pinned, seen) {
            checksums.push(Checksum::Sha256(seen.sha256.clone()));
            size = size.or(Some(seen.size));
        }
        Expected { size, checksums, unconfirmed: file.strength == Strength::Unconfirmed && seen.is_none() }
    }

    /// Whether no checksum that can be relied on is known: what comes first is trusted.
    pub fn trusts_first_use(&self) -> bool {
        self.checksums.is_empty() || self.unconfirmed
    }

    /// Compares sizes.
    ///
    /// # Errors
    /// Both, where they differ.
    pub fn size_fits(&self, found: u64) -> Result<(), Mismatch> {
        match self.size {
            Some(size) if size != found => {
                let text = |bytes: u64| format!("{bytes} bytes ({})", human(bytes));
                Err(Mismatch { what: "size", expected: text(size), found: text(found) })
            }
            _ => Ok(()),
        }
    }

    /// Compares all that is known.
    ///
    /// # Errors
    /// The first that differs.
    pub fn fits(&self, sums: &Sums) -> Result<(), Mismatch> {
        self.size_fits(sums.size)?;
        for sum in &self.checksums {
            let found = sums.found(sum).unwrap_or_default();
            if found != sum.hex() {
                let short = |hex: &str| if hex.len() > 16 { format!("{}…", &hex[..16]) } else { hex.to_owned() };
                return Err(Mismatch { what: sum.algorithm(), expected: short(sum.hex()), found: short(found) });
            }
        }
        Ok(())
    }

    /// Reads the file at `path` where its size fits, and compares all.
    ///
    /// # Errors
    /// Where it cannot be read; inside, what does not fit.
    pub fn check(&self, path: &Path, stop: &Stop, heard: &mut dyn FnMut(u64)) -> Result<Result<Sums, Mismatch>> {
        let size = std::fs::metadata(path).map_err(|e| Error::io(path, &e))?.len();
        if let Err(mismatch) = self.size_fits(size) {
            return Ok(Err(mismatch));
        }
        let sums = sums::of_file(path, &self.checksums, stop, heard)?;
        Ok(self.fits(&sums).map(|()| sums))
    }
}
