//! Receipts: which files came out of an archive, so that they can be verified and removed when the archive is gone.
//!
//! A receipt is what `sha256sum` writes, relative to the data folder, with the wanted parts as a comment in front:
//! `cd data && sha256sum -c .zsad/cifar100/cifar-100-binary.tar.gz.sums`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use zsad_core::{Error, Result, Stop, file};
use zsad_data::manifest::ManifestFile;

use crate::lock::own_folder;
use crate::sums;

const PARTS: &str = "# parts: ";
const ALL: &str = "*";

/// What came out of an archive.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// The parts that were unpacked; `*`: all.
    pub parts: BTreeSet<String>,
    /// SHA-256 by path below the data folder.
    pub files: BTreeMap<String, String>,
}

impl Receipt {
    /// Where the receipt of `file` lies.
    pub fn path(data: &Path, file: &ManifestFile) -> PathBuf {
        own_folder(data).join(format!("{}.sums", file.path))
    }

    /// The receipt of `file`; `None` where it was not unpacked here.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn read(data: &Path, file: &ManifestFile) -> Result<Option<Receipt>> {
        let path = Receipt::path(data, file);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::io(&path, &e)),
        };
        let mut receipt = Receipt::default();
        for line in text.lines() {
            if let Some(parts) = line.strip_prefix(PARTS) {
                receipt.parts.extend(parts.split_whitespace().map(str::to_owned));
            } else if let Some((sum, name)) = line.split_once("  ") {
                receipt.files.insert(name.to_owned(), sum.to_owned());
            }
        }
        Ok(Some(receipt))
    }

    /// Notes that `file` is being unpacked: a receipt of nothing, where there is none. Whoever is killed meanwhile leaves it,
    /// so that what lies there is not taken for whole. Whether it was written.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn begin(data: &Path, file: &ManifestFile) -> Result<bool> {
        let path = Receipt::path(data, file);
        if path.exists() {
            return Ok(false);
        }
        file::write(&path, b"").map(|()| true)
    }

    /// Hashes `files` (relative to the data folder) on all cores and adds them to the receipt of `file`, as `parts` (all
    /// where it is empty).
    ///
    /// # Errors
    /// Where a file cannot be read or the receipt not be written.
    pub fn add(data: &Path, file: &ManifestFile, parts: &[String], files: &[String], stop: &Stop) -> Result<()> {
        let mut receipt = Receipt::read(data, file)?.unwrap_or_default();
        let hashed: Result<Vec<_>> = files
            .par_iter()
            .map(|name| Ok((name.clone(), sums::of_file(&data.join(name), &[], stop, &mut |_| ())?.sha256)))
            .collect();
        receipt.files.extend(hashed?);
        receipt.parts.extend(parts.iter().cloned());
        if parts.is_empty() {
            receipt.parts.insert(ALL.into());
        }
        let parts: Vec<&str> = receipt.parts.iter().map(String::as_str).collect();
        let mut text = format!("{PARTS}{}\n", parts.join(" "));
        for (name, sum) in &receipt.files {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{sum}  {name}");
        }
        file::write(&Receipt::path(data, file), text.as_bytes())
    }

    /// Whether the wanted parts (all where `parts` is empty) were unpacked.
    pub fn covers(&self, parts: &[String]) -> bool {
        self.parts.contains(ALL) || (!parts.is_empty() && parts.iter().all(|p| self.parts.contains(p)))
    }
}
