//! The binary format: records of a label (before it a coarse one, in CIFAR-100) and 3,072 bytes (32×32 red, then green,
//! then blue).

use std::fs;
use std::path::{Path, PathBuf};

use zsad_core::{Error, Result};

use super::Release;
use crate::corruptions::LEN;
use crate::files;

/// The records of some files.
#[derive(Default)]
pub struct Records {
    /// A label per record: in CIFAR-100 the fine one.
    pub labels: Vec<u8>,
    /// A coarse label per record; empty where there is none.
    pub coarse: Vec<u8>,
    /// The images one after the other, each `[3, 32, 32]`.
    pub pixels: Vec<u8>,
}

impl Records {
    /// Reads files of any number of records, one after the other.
    ///
    /// # Errors
    /// [`Error::Data`] where one is no whole number of records, or a label is out of range.
    pub fn read(release: &Release, paths: &[PathBuf]) -> Result<Self> {
        let mut all = Records::default();
        for path in paths {
            all.append(release, path)?;
        }
        Ok(all)
    }

    fn append(&mut self, release: &Release, path: &Path) -> Result<()> {
        let head = if release.coarse > 0 { 2 } else { 1 };
        let record = head + LEN;
        let bytes = fs::read(path).map_err(|e| Error::io(path, &e))?;
        if bytes.is_empty() || bytes.len() % record != 0 {
            let message = format!("{} bytes are no whole number of records of {record} bytes", bytes.len());
            return Err(Error::data(path, message, release.hint));
        }
        self.pixels.reserve(bytes.len() / record * LEN);
        for (i, record) in bytes.chunks_exact(record).enumerate() {
            let (labels, image) = record.split_at(head);
            if let Some(wrong) = wrong(release, labels) {
                return Err(Error::data(path, format!("record {i}: {wrong}"), release.hint));
            }
            self.labels.push(labels[head - 1]);
            self.coarse.extend(&labels[..head - 1]);
            self.pixels.extend_from_slice(image);
        }
        Ok(())
    }
}

/// What is wrong with the labels of a record.
fn wrong(release: &Release, labels: &[u8]) -> Option<String> {
    let Release { classes, coarse, .. } = release;
    match *labels {
        [label] if usize::from(label) >= *classes => Some(format!("label {label} is not below {classes}")),
        [first, fine] if first >= *coarse || usize::from(fine) >= *classes => {
            Some(format!("coarse label {first}, fine label {fine} are not below {coarse} and {classes}"))
        }
        _ => None,
    }
}

/// The numbers of the first `limit` images of `class`.
pub fn of_class(labels: &[u8], class: u8, limit: usize) -> Vec<u32> {
    (0..).zip(labels).filter(|(_, label)| **label == class).map(|(i, _)| i).take(limit).collect()
}

/// The names of all classes, one a line.
///
/// # Errors
/// [`Error::Data`] where there are more, fewer or repeated names.
pub fn class_names(release: &Release, path: &Path) -> Result<Vec<String>> {
    let names: Vec<String> =
        files::text(path)?.lines().map(|l| l.trim().to_owned()).filter(|l| !l.is_empty()).collect();
    let mut different = names.clone();
    different.sort_unstable();
    different.dedup();
    let classes = release.classes;
    if names.len() != classes || different.len() != classes {
        let message = format!("{} names, {} of them different, instead of {classes}", names.len(), different.len());
        return Err(Error::data(path, message, release.hint));
    }
    Ok(names)
}
