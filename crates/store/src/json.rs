//! JSON files of ours: whole or not there, with a version that is looked at first.

use std::fs;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
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

/// The JSON of a file: `None` where it is missing or damaged (with a warning).
///
/// # Errors
/// Where it comes from a newer zsad or cannot be read.
pub fn read_value(path: &Path) -> Result<Option<Value>> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Error::io(path, &e)),
    };
    let value: Value = match serde_json::from_slice(&text) {
        Ok(value) => value,
        Err(e) => return Ok(damaged(path, &e)),
    };
    if let Some(schema) = value["schema"].as_u64().filter(|&s| s > u64::from(SCHEMA)) {
        let message = format!("written by a newer zsad (schema {schema}; this one knows {SCHEMA})");
        return Err(Error::data(path, message, "use that version, or another folder"));
    }
    Ok(Some(value))
}

/// Reads a file of ours: `None` where it is missing or damaged (with a warning), an error where it is too new.
///
/// # Errors
/// As [`read_value`].
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let Some(value) = read_value(path)? else { return Ok(None) };
    Ok(serde_json::from_value(value).map(Some).unwrap_or_else(|e| damaged(path, &e)))
}

/// Nothing, with a warning that says why.
pub fn damaged<T>(path: &Path, e: &dyn std::fmt::Display) -> Option<T> {
    tracing::warn!("{}: damaged ({e}); it will be made again", path.display());
    None
}
