//! A run as one file to hand on: a tape archive that is an RO-Crate 1.1, and the check of such a file.

mod again;
pub mod check;
mod contents;
mod metadata;
mod preview;
mod rows;

use std::collections::BTreeMap;
use std::path::Path;

use sha2::{Digest, Sha256};
use zsad_core::{Error, Result};
use zsad_fetch::archive::{Content, pack};
use zsad_store::{ModelStore, RunFolder, findings, read_results};

use crate::registry::Registry;
use crate::used;

/// The crate's description of itself, which lists every other file with its digest.
const METADATA: &str = "ro-crate-metadata.json";
/// The same for people.
const PREVIEW: &str = "ro-crate-preview.html";

/// What was packed.
pub struct Packed {
    /// Files in the archive.
    pub files: usize,
    /// SHA-256 of the list of all files with their digests: who has it can tell that nothing was changed.
    pub identity: String,
}

/// Writes the pack of a run: its files under a folder of its name, the crate's own description, and the trained models of
/// `models`, if they are wanted. `licence` is that of the results.
///
/// # Errors
/// Where the folder has no finished cells, or a file cannot be read or written.
pub fn write(
    folder: &RunFolder,
    models: Option<&ModelStore>,
    licence: Option<&str>,
    registry: &Registry,
    to: &Path,
) -> Result<Packed> {
    let rows = read_results(folder.root())?;
    let mut members = contents::of(folder, &rows, models)?;
    let facts = metadata::Facts {
        plan: folder.plan()?,
        description: contents::description(folder),
        runs: contents::runs(&members)?,
        used: used::by_run(folder, registry)?,
        licence: licence.map(str::to_owned),
    };
    let paths: Vec<&str> = members.keys().map(String::as_str).collect();
    let page = preview::page(&facts, &paths, &rows, &findings::read(folder.root())?);
    members.insert(PREVIEW.to_owned(), Content::Bytes(page.into_bytes()));
    let mut files = BTreeMap::new();
    for (path, content) in &members {
        let bytes = content.bytes()?;
        files.insert(path.clone(), (bytes.len() as u64, sha256(&bytes)));
    }
    let list = metadata::describe(&facts, &files);
    let mut list = serde_json::to_vec_pretty(&list).map_err(Error::failed)?;
    list.push(b'\n');
    let identity = sha256(&list);
    members.insert(METADATA.to_owned(), Content::Bytes(list));
    let name = facts.name();
    let files = members.len();
    pack(to, &members.into_iter().map(|(path, content)| (format!("{name}/{path}"), content)).collect())?;
    Ok(Packed { files, identity })
}

/// SHA-256 in hexadecimal digits.
fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}
