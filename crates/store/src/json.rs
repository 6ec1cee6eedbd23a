//! JSON files of ours: whole or not there, with a version that is looked at first.

use std::fs;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zsad_core::{Error, Result, file};

use crate::record::SCHEMA;

/// Writes `value` as indented JSON, whole or not at all.
///
/// # Errors
/// Where the folder cannot be written.
pub fn write(path: &Path, value: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(value).map_err(|e| Error::failed(format!("{}: {e}", path.display())))?;
    text.push(b'\n');
    file::write(path, &text)
}

/// Reads a file of ours: `None` where it is missing or damaged (with a warning), an error where it is too new.
///
/// # Errors
/// Where it comes from a newer zsad or cannot be read.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    read_old(path, |value| value)
}

/// What a file says of its form, if it says anything.
#[derive(Deserialize)]
struct Version {
    schema: Option<u64>,
}

/// As [`read`]; a file of schema 1 is put into today's form by `renewed`.
///
/// # Errors
/// As there.
pub fn read_old<T: DeserializeOwned>(path: &Path, renewed: fn(Value) -> Value) -> Result<Option<T>> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Error::io(path, &e)),
    };
    // The version alone at first: most of a file is numbers, and there may be a hundred thousand files.
    let schema = serde_json::from_slice::<Version>(&text).ok().and_then(|version| version.schema);
    if let Some(newer) = schema.filter(|&s| s > u64::from(SCHEMA)) {
        let message = format!("written by a newer zsad (schema {newer}; this one knows {SCHEMA})");
        return Err(Error::data(path, message, "use that version, or another folder"));
    }
    let read = match schema {
        Some(1) => serde_json::from_slice(&text).map(renewed).and_then(serde_json::from_value),
        _ => serde_json::from_slice(&text),
    };
    match read {
        Ok(read) => Ok(Some(read)),
        Err(e) => {
            tracing::warn!("{}: damaged ({e}); it will be made again", path.display());
            Ok(None)
        }
    }
}
