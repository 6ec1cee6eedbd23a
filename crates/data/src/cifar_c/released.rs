//! The released files: `<corruption>.npy`, `[5 · n, 32, 32, 3]` bytes, severity after severity, and `labels.npy`.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use npyz::{NpyHeader, Order, TypeChar};
use zsad_core::{Error, Result};

use crate::cifar::images::planar;
use crate::corruptions::{LEN, SIDE};
use crate::files::damaged;
use crate::formats::npy;

/// Whose files they are.
pub struct Source {
    /// How many classes there are.
    pub classes: usize,
    /// What a person does where a file is not right.
    pub hint: &'static str,
}

impl Source {
    /// The images of one severity, each `[3, 32, 32]`, and their labels. Only that part of the file is read.
    ///
    /// # Errors
    /// [`Error::Data`] where a file is missing, of another shape, or breaks off, or a label is out of range.
    pub fn read(&self, path: &Path, labels: &Path, severity: usize) -> Result<(Vec<u8>, Vec<u8>)> {
        let mut file = BufReader::new(File::open(path).map_err(|e| Error::io(path, &e))?);
        let header = NpyHeader::from_reader(&mut file).map_err(|e| damaged(path, e))?;
        let bytes = match header.dtype() {
            npyz::DType::Plain(ty) => ty.type_char() == TypeChar::Uint && ty.size_field() == 1,
            _ => false,
        };
        let side = SIDE as u64;
        let n = match header.shape() {
            &[all, h, w, 3] if h == side && w == side && all > 0 && all.is_multiple_of(5) => all / 5,
            _ => 0,
        };
        if n == 0 || !bytes || header.order() != Order::C {
            let message =
                format!("{} of shape {:?} instead of bytes [5·n, 32, 32, 3]", header.dtype().descr(), header.shape());
            return Err(Error::data(path, message, self.hint));
        }
        let labels_of_all = self.read_labels(labels)?;
        if labels_of_all.len() as u64 != 5 * n {
            let message = format!("{} labels for the {} images of {}", labels_of_all.len(), 5 * n, path.display());
            return Err(Error::data(labels, message, self.hint));
        }
        let part = (severity - 1) * n as usize..severity * n as usize;
        let offset = i64::try_from(part.start * LEN).map_err(|e| damaged(path, e))?;
        file.seek(SeekFrom::Current(offset)).map_err(|e| Error::io(path, &e))?;
        let mut pixels = Vec::new();
        for i in part.clone() {
            let mut image = [0; LEN];
            file.read_exact(&mut image).map_err(|e| damaged(path, format!("image {i}: {e}")))?;
            pixels.extend(planar(&image));
        }
        Ok((pixels, labels_of_all[part].to_vec()))
    }

    fn read_labels(&self, path: &Path) -> Result<Vec<u8>> {
        let file = File::open(path).map_err(|e| Error::data(path, e, self.hint))?;
        let size = file.metadata().map_or(u64::MAX, |m| m.len());
        let array = npy::read(file, size).map_err(|e| damaged(path, e))?;
        let whole = array.to_i64().ok_or_else(|| Error::data(path, "labels that are not whole numbers", self.hint))?;
        let label = |(i, v): (usize, &i64)| match u8::try_from(*v) {
            Ok(v) if usize::from(v) < self.classes => Ok(v),
            _ => Err(Error::data(
                path,
                format!("label {v} of image {i} is not one of 0 … {}", self.classes - 1),
                self.hint,
            )),
        };
        whole.iter().enumerate().map(label).collect()
    }
}
