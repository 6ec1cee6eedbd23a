//! A tree of PNG files, extracted or in a zip archive, read in any order by several threads.

use std::fs;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zip::ZipArchive;
use zsad_core::{Error, Result};

use crate::files::damaged;

/// Where the files lie. Clones share the bytes of an archive.
#[derive(Clone)]
pub enum ImageTree {
    /// A zip archive, in memory.
    Zip(PathBuf, ZipArchive<Cursor<Arc<[u8]>>>),
    /// A folder.
    Folder(PathBuf),
}

impl ImageTree {
    /// The tree in `path`: a folder, or else a zip archive.
    ///
    /// # Errors
    /// [`Error::Data`] where it cannot be read.
    pub fn open(path: &Path) -> Result<Self> {
        if path.is_dir() {
            return Ok(ImageTree::Folder(path.to_owned()));
        }
        let bytes: Arc<[u8]> = fs::read(path).map_err(|e| Error::io(path, &e))?.into();
        let archive = ZipArchive::new(Cursor::new(bytes)).map_err(|e| damaged(path, e))?;
        Ok(ImageTree::Zip(path.to_owned(), archive))
    }

    /// The names of its PNG files with `/` between folders, sorted; hidden files and folders such as `__MACOSX` do not count.
    ///
    /// # Errors
    /// [`Error::Data`] where a folder or the archive's list cannot be read.
    pub fn names(&self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        match self {
            ImageTree::Zip(path, archive) => {
                for name in archive.file_names() {
                    names.push(name.map_err(|e| damaged(path, e))?.into_owned());
                }
            }
            ImageTree::Folder(path) => walk(path, "", &mut names)?,
        }
        names.retain(|n| n.ends_with(".png") && n.split('/').all(|p| !p.starts_with('.') && !p.starts_with("__")));
        names.sort_unstable();
        Ok(names)
    }

    /// The files on the disk: the archive, or every picture.
    ///
    /// # Errors
    /// As [`ImageTree::names`].
    pub fn files(&self) -> Result<Vec<PathBuf>> {
        match self {
            ImageTree::Zip(path, _) => Ok(vec![path.clone()]),
            ImageTree::Folder(path) => Ok(self.names()?.iter().map(|name| path.join(name)).collect()),
        }
    }

    /// The bytes of the file `name`.
    ///
    /// # Errors
    /// [`Error::Data`] where it cannot be read or fails its checksum.
    pub fn read(&mut self, name: &str) -> Result<Vec<u8>> {
        match self {
            ImageTree::Folder(path) => {
                let file = path.join(name);
                fs::read(&file).map_err(|e| Error::io(&file, &e))
            }
            ImageTree::Zip(path, archive) => {
                let entry = archive.by_name(name).map_err(|e| damaged(path, format!("{name}: {e}")))?;
                let mut bytes = Vec::new();
                { entry }.read_to_end(&mut bytes).map_err(|e| damaged(path, format!("{name}: {e}")))?;
                Ok(bytes)
            }
        }
    }

    /// The folder or the archive.
    pub fn path(&self) -> &Path {
        match self {
            ImageTree::Zip(path, _) | ImageTree::Folder(path) => path,
        }
    }
}

fn walk(root: &Path, below: &str, names: &mut Vec<String>) -> Result<()> {
    let folder = root.join(below);
    for entry in fs::read_dir(&folder).map_err(|e| Error::io(&folder, &e))? {
        let entry = entry.map_err(|e| Error::io(&folder, &e))?;
        let name = entry.file_name();
        let name = name.to_str().ok_or_else(|| Error::data(entry.path(), "the name is not UTF-8", "rename it"))?;
        let name = if below.is_empty() { name.to_owned() } else { format!("{below}/{name}") };
        if entry.path().is_dir() {
            walk(root, &name, names)?;
        } else {
            names.push(name);
        }
    }
    Ok(())
}
