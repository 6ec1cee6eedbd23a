//! The binary format: records of a coarse label, a fine label and 3,072 bytes (32×32 red, then green, then blue).

use std::fs;
use std::path::Path;

use zsad_core::{Error, Result};

use super::{CLASSES, HINT};
use crate::corruptions::LEN;
use crate::files;

const RECORD: usize = 2 + LEN;
const COARSE_CLASSES: u8 = 20;

/// The records of one file.
pub struct Records {
    /// A fine label per record.
    pub labels: Vec<u8>,
    /// The images one after the other, each `[3, 32, 32]`.
    pub pixels: Vec<u8>,
}

impl Records {
    /// Reads a file of any number of records, keeping one copy of its bytes.
    ///
    /// # Errors
    /// [`Error::Data`] where it is no whole number of records, or a label is out of range.
    pub fn read(path: &Path) -> Result<Self> {
        let mut bytes = fs::read(path).map_err(|e| Error::io(path, &e))?;
        if bytes.is_empty() || bytes.len() % RECORD != 0 {
            let message = format!("{} bytes are no whole number of records of {RECORD} bytes", bytes.len());
            return Err(Error::data(path, message, HINT));
        }
        let n = bytes.len() / RECORD;
        let mut labels = Vec::with_capacity(n);
        for i in 0..n {
            let (coarse, fine) = (bytes[i * RECORD], bytes[i * RECORD + 1]);
            if coarse >= COARSE_CLASSES || usize::from(fine) >= CLASSES {
                let message = format!("record {i}: coarse label {coarse}, fine label {fine} are not below 20 and 100");
                return Err(Error::data(path, message, HINT));
            }
            labels.push(fine);
            bytes.copy_within(i * RECORD + 2..(i + 1) * RECORD, i * LEN);
        }
        bytes.truncate(n * LEN);
        Ok(Records { labels, pixels: bytes })
    }
}

/// The numbers of the first `limit` images of `class`.
pub fn of_class(labels: &[u8], class: u8, limit: usize) -> Vec<u32> {
    (0..).zip(labels).filter(|(_, label)| **label == class).map(|(i, _)| i).take(limit).collect()
}

/// The names of the 100 fine classes, one a line.
///
/// # Errors
/// [`Error::Data`] where there are more, fewer or repeated names.
pub fn class_names(path: &Path) -> Result<Vec<String>> {
    let names: Vec<String> =
        files::text(path)?.lines().map(|l| l.trim().to_owned()).filter(|l| !l.is_empty()).collect();
    let mut different = names.clone();
    different.sort_unstable();
    different.dedup();
    if names.len() != CLASSES || different.len() != CLASSES {
        let message = format!("{} names, {} of them different, instead of {CLASSES}", names.len(), different.len());
        return Err(Error::data(path, message, HINT));
    }
    Ok(names)
}
