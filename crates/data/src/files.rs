//! Finding files in the data folder, with errors that say what was looked for, where, and what to do.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use zsad_core::{DataDir, Error, Result};

/// The file or folder `relative` of the data folder.
///
/// # Errors
/// [`Error::Data`] where it does not exist, naming the folder searched, how it was chosen, and the remedy.
pub fn require(dir: &DataDir, relative: &str, hint: &str) -> Result<PathBuf> {
    first_of(dir, &[relative], hint)
}

/// The first of `relatives` that exists in the data folder.
///
/// # Errors
/// As [`require`], naming the first.
pub fn first_of(dir: &DataDir, relatives: &[&str], hint: &str) -> Result<PathBuf> {
    let mut paths = relatives.iter().map(|r| dir.path.join(r));
    paths.find(|p| p.exists()).ok_or_else(|| {
        let folder =
            if dir.path.is_dir() { "the data folder searched" } else { "the data folder, which does not exist," };
        let message = format!("not found: {folder} is `{}`, chosen by {}", dir.path.display(), dir.chosen_by);
        let other = if dir.chosen_by == "--data" { "" } else { "; name another folder with --data" };
        Error::data(dir.path.join(relatives[0]), message, format!("{hint}{other}"))
    })
}

/// A buffered reader of `path`, decompressed where its name ends in `.gz`.
///
/// # Errors
/// Where the file cannot be opened.
pub fn reader(path: &Path) -> Result<Box<dyn Read>> {
    let file = File::open(path).map_err(|e| Error::io(path, &e))?;
    let buffered = BufReader::with_capacity(1 << 16, file);
    Ok(match path.extension() {
        Some(e) if e == "gz" => Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(buffered))),
        _ => Box::new(buffered),
    })
}

/// All of a text file, decompressed where its name ends in `.gz`.
///
/// # Errors
/// Where the file is damaged or not UTF-8.
pub fn text(path: &Path) -> Result<String> {
    let mut text = String::new();
    reader(path)?.read_to_string(&mut text).map_err(|e| damaged(path, e))?;
    Ok(text)
}

/// The error of a file that breaks off or does not decode.
pub fn damaged(path: &Path, why: impl std::fmt::Display) -> Error {
    Error::data(path, format!("damaged or truncated: {why}"), "fetch the file again")
}
