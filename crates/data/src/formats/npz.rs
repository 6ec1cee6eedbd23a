//! NumPy archives: npy arrays in a zip file, stored or deflated.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};
use zsad_core::{Error, Result};

use super::npy::{self, Array};
use crate::files::damaged;

/// What NumPy adds to an array's name in the archive.
const EXTENSION: &str = ".npy";

/// An opened `.npz` file.
pub struct Npz {
    path: PathBuf,
    archive: ZipArchive<BufReader<File>>,
}

impl Npz {
    /// Opens `path`.
    ///
    /// # Errors
    /// [`Error::Data`] where it cannot be read or is no zip archive.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|e| Error::io(path, &e))?;
        let archive = ZipArchive::new(BufReader::new(file)).map_err(|e| damaged(path, e))?;
        Ok(Npz { path: path.to_owned(), archive })
    }

    /// The names of its arrays, sorted.
    pub fn names(&self) -> Vec<String> {
        let names = self.archive.file_names().filter_map(std::result::Result::ok);
        let mut names: Vec<_> = names.filter_map(|n| n.strip_suffix(EXTENSION).map(str::to_owned)).collect();
        names.sort();
        names
    }

    /// The array `name`.
    ///
    /// # Errors
    /// [`Error::Data`] where there is none of that name, naming those there are, or it is damaged.
    pub fn array(&mut self, name: &str) -> Result<Array> {
        let file = format!("{name}{EXTENSION}");
        let Some(i) = self.archive.index_for_name(&file) else {
            let message = format!("holds no array `{name}`, but {}", self.names().join(", "));
            return Err(Error::data(&self.path, message, ""));
        };
        let entry = self.archive.by_index(i).map_err(|e| damaged(&self.path, format!("array `{name}`: {e}")))?;
        let bytes = entry.size();
        npy::read(entry, bytes).map_err(|e| damaged(&self.path, format!("array `{name}`: {e}")))
    }
}

/// Writes `arrays` to `path`, not compressed (as `numpy.savez` does).
///
/// # Errors
/// [`Error::Data`] where the file cannot be written.
pub fn write(path: &Path, arrays: &[(&str, &Array)]) -> Result<()> {
    let failed = |e: zip::result::ZipError| Error::data(path, e, "");
    let file = File::create(path).map_err(|e| Error::io(path, &e))?;
    let mut zip = ZipWriter::new(BufWriter::new(file));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored).large_file(true);
    for (name, array) in arrays {
        zip.start_file(format!("{name}{EXTENSION}"), options).map_err(failed)?;
        npy::write(&mut zip, array).map_err(|e| Error::io(path, &e))?;
    }
    let mut writer = zip.finish().map_err(failed)?;
    std::io::Write::flush(&mut writer).map_err(|e| Error::io(path, &e))
}
