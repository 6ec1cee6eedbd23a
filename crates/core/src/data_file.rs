//! The files of a data set, and who reads them.

use std::path::PathBuf;

/// Who reads a file: what only tests read is in the keys of cells and not in those of fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadBy {
    /// Training and tests.
    Both,
    /// Training alone, or in tests what training has read as well.
    Training,
    /// Tests alone.
    Tests,
    /// Whoever works on the domain of this name, in the fold at hand.
    Domain(String),
}

/// A file that a data set reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFile {
    /// Where it is; a name alone, where it is in the program.
    pub path: PathBuf,
    /// Who reads it.
    pub read_by: ReadBy,
    /// Its bytes, where it is in the program.
    pub embedded: Option<&'static [u8]>,
}

impl DataFile {
    /// A file on the disk.
    pub fn new(path: PathBuf, read_by: ReadBy) -> Self {
        DataFile { path, read_by, embedded: None }
    }

    /// A file that comes with the program, which training and tests read.
    pub fn embedded(name: &str, bytes: &'static [u8]) -> Self {
        DataFile { path: name.into(), read_by: ReadBy::Both, embedded: Some(bytes) }
    }

    /// Files that are all read by the same.
    pub fn list(paths: impl IntoIterator<Item = PathBuf>, read_by: ReadBy) -> Vec<DataFile> {
        paths.into_iter().map(|path| DataFile::new(path, read_by.clone())).collect()
    }
}
