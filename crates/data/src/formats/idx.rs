//! The idx format of MNIST: a big-endian header and unsigned bytes, read item by item.
//!
//! Magic number `0x0000_08NN`: unsigned bytes in `NN` dimensions, followed by `NN` sizes of 32 bits.

use std::io::Read;
use std::path::{Path, PathBuf};

use zsad_core::{Error, Result};

use crate::files;

/// A reader of one idx file of unsigned bytes, gzipped or not.
pub struct Idx {
    path: PathBuf,
    reader: Box<dyn Read>,
    shape: Vec<usize>,
}

impl Idx {
    /// Opens `path`, which must have `dims ≥ 1` dimensions: 1 for labels, 3 for images.
    ///
    /// # Errors
    /// [`Error::Data`] for a wrong magic number or a header that breaks off.
    pub fn open(path: &Path, dims: u8) -> Result<Self> {
        let mut reader = files::reader(path)?;
        let mut word = || -> Result<u32> {
            let mut bytes = [0; 4];
            reader.read_exact(&mut bytes).map_err(|e| files::damaged(path, e))?;
            Ok(u32::from_be_bytes(bytes))
        };
        let (magic, wanted) = (word()?, 0x0800 + u32::from(dims));
        if magic != wanted {
            let message = format!("magic number {magic} instead of {wanted} (unsigned bytes in {dims} dimensions)");
            return Err(Error::data(path, message, "this is not the idx file that its name says; fetch it again"));
        }
        let shape = (0..dims).map(|_| word().map(|n| n as usize)).collect::<Result<_>>()?;
        Ok(Idx { path: path.to_owned(), reader, shape })
    }

    /// The sizes of all dimensions; the first is the number of items.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Calls `f` with the number and the bytes of every item, in order.
    ///
    /// # Errors
    /// [`Error::Data`] where the file ends early, holds more than its header says, or fails its checksum.
    pub fn for_each(mut self, mut f: impl FnMut(usize, &[u8]) -> Result<()>) -> Result<()> {
        let mut item = vec![0; self.shape[1..].iter().product()];
        for i in 0..self.shape[0] {
            let n = self.shape[0];
            self.reader
                .read_exact(&mut item)
                .map_err(|e| files::damaged(&self.path, format!("item {i} of {n}: {e}")))?;
            f(i, &item)?;
        }
        // Reading to the very end also makes gzip check its checksum.
        match self.reader.read(&mut [0]) {
            Ok(0) => Ok(()),
            Ok(_) => {
                Err(files::damaged(&self.path, format!("more bytes than the {} items of its header", self.shape[0])))
            }
            Err(e) => Err(files::damaged(&self.path, e)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn idx(magic: u32, sizes: &[u32], bytes: &[u8]) -> Vec<u8> {
        let mut out = magic.to_be_bytes().to_vec();
        sizes.iter().for_each(|n| out.extend(n.to_be_bytes()));
        out.extend(bytes);
        out
    }

    fn read(name: &str, bytes: &[u8], dims: u8) -> Result<(Vec<usize>, Vec<Vec<u8>>), String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let idx = Idx::open(&path, dims).map_err(|e| e.to_string())?;
        let (shape, mut items) = (idx.shape().to_vec(), Vec::new());
        idx.for_each(|i, item| {
            assert_eq!(i, items.len());
            items.push(item.to_vec());
            Ok(())
        })
        .map_err(|e| e.to_string())?;
        Ok((shape, items))
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(bytes).unwrap();
        gz.finish().unwrap()
    }

    #[test]
    fn images_and_labels_read_plain_and_gzipped() {
        let images = idx(2051, &[2, 2, 3], &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
        let wanted = (vec![2, 2, 3], vec![vec![1, 2, 3, 4, 5, 6], vec![7, 8, 9, 10, 11, 12]]);
        assert_eq!(read("a", &images, 3), Ok(wanted.clone()));
        assert_eq!(read("a.gz", &gzip(&images), 3), Ok(wanted));
        assert_eq!(read("l", &idx(2049, &[3], &[7, 0, 9]), 1), Ok((vec![3], vec![vec![7], vec![0], vec![9]])));
    }

    #[test]
    fn damage_is_named_with_its_place() {
        let images = idx(2051, &[2, 1, 2], &[1, 2, 3, 4]);
        let fails = |name, bytes: &[u8], dims| read(name, bytes, dims).unwrap_err();
        let wrong = fails("a", &images, 1);
        assert!(wrong.contains("magic number 2051 instead of 2049"), "{wrong}");
        assert!(fails("a", &images[..images.len() - 1], 3).contains("item 1 of 2"));
        assert!(fails("a", &images[..7], 3).contains("damaged or truncated"));
        assert!(fails("a", &[images.clone(), vec![0]].concat(), 3).contains("more bytes than the 2 items"));
        let mut gz = gzip(&images);
        let end = gz.len();
        assert!(fails("a.gz", &gz[..end - 4], 3).contains("damaged or truncated"));
        gz[end - 8] ^= 1; // the checksum
        assert!(fails("a.gz", &gz, 3).contains("damaged or truncated"));
    }
}
