//! Ten classes of grey images of 28×28 in idx files, as MNIST and Fashion-MNIST come.

use std::path::{Path, PathBuf};

use zsad_core::{DataDir, DataFile, Error, PictureGeometry, ReadBy, Result};

use crate::digit_split::DigitSplit;
use crate::files;
use crate::formats::idx::Idx;
use crate::images::ByteImages;

const SIDE: usize = 28;

/// What tells one such data set from another.
pub struct IdxClasses {
    /// Its name in the registry.
    pub dataset: &'static str,
    /// Its folder in the data folder.
    pub folder: &'static str,
    /// What its classes are called as domains, by label.
    pub names: [&'static str; 10],
    /// What a person does where a file is missing.
    pub hint: &'static str,
}

/// How a picture of a person's own becomes a sample.
pub fn geometry() -> PictureGeometry {
    PictureGeometry::stretched(1, SIDE, SIDE)
}

/// The parts that are read: the beginning of their files' names, and whether it is for training.
fn parts(split: &DigitSplit) -> impl Iterator<Item = (&'static str, bool)> {
    let used = |train| split.digits().iter().any(|&d| split.trains(d) == train);
    [("train", true), ("t10k", false)].into_iter().filter(move |(_, train)| used(*train))
}

impl IdxClasses {
    /// Labels and images of a part.
    fn find(&self, data: &DataDir, part: &str) -> Result<[PathBuf; 2]> {
        let file = |name: String| files::first_of(data, &[&format!("{name}.gz"), &name], self.hint);
        let folder = self.folder;
        Ok([file(format!("{folder}/{part}-labels-idx1-ubyte"))?, file(format!("{folder}/{part}-images-idx3-ubyte"))?])
    }

    /// The files that `split` reads.
    ///
    /// # Errors
    /// [`Error::Data`] where one is missing.
    pub fn files(&self, split: &DigitSplit, data: &DataDir) -> Result<Vec<DataFile>> {
        let mut all = Vec::new();
        for (part, train) in parts(split) {
            let by = if train { ReadBy::Training } else { ReadBy::Tests };
            all.extend(DataFile::list(self.find(data, part)?, by));
        }
        Ok(all)
    }

    /// Classes that train, from the training files, and classes that test, from the test files.
    ///
    /// # Errors
    /// [`Error::Data`] where a file is missing or damaged.
    pub fn open(&self, split: &DigitSplit, data: &DataDir) -> Result<ByteImages> {
        let digits: Vec<u8> = split.digits().into_iter().collect();
        let mut pools = vec![Vec::new(); digits.len()];
        // The domain that takes a class's images from these files, if any.
        let domain =
            |digit: u8, train| digits.iter().position(|&d| d == digit).filter(|_| split.trains(digit) == train);
        for (part, train) in parts(split) {
            let [labels, path] = self.find(data, part)?;
            let labels = self.read_labels(&labels)?;
            let images = Idx::open(&path, 3)?;
            if images.shape() != [labels.len(), SIDE, SIDE] {
                let message = format!("images of shape {:?} beside {} labels", images.shape(), labels.len());
                return Err(Error::data(&path, message, self.hint));
            }
            images.for_each(|i, image| {
                if let Some(domain) = domain(labels[i], train) {
                    pools[domain].extend_from_slice(image);
                }
                Ok(())
            })?;
        }
        let domains = digits.iter().map(|&d| self.names[usize::from(d)].to_owned()).zip(pools).collect();
        Ok(ByteImages::new(self.dataset, SIDE, domains, split.fold(), vec![]))
    }

    fn read_labels(&self, path: &Path) -> Result<Vec<u8>> {
        let file = Idx::open(path, 1)?;
        let mut labels = Vec::new();
        file.for_each(|i, label| match label[0] {
            0..=9 => {
                labels.push(label[0]);
                Ok(())
            }
            other => Err(Error::data(path, format!("label {i} is {other}, not a digit"), self.hint)),
        })?;
        Ok(labels)
    }
}

#[cfg(test)]
pub mod fixture {
    //! Small files made by the tests.

    /// The bytes of an idx file.
    pub fn idx(magic: u32, sizes: &[u32], bytes: &[u8]) -> Vec<u8> {
        [magic].iter().chain(sizes).flat_map(|n| n.to_be_bytes()).chain(bytes.iter().copied()).collect()
    }

    /// A folder with 12 images, labels 0 … 9, 0, 1, in both parts; image `i` is filled with `i`, or 100 + `i` in t10k.
    pub fn folder(name: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let at = |file: &str| dir.path().join(name).join(file);
        std::fs::create_dir(dir.path().join(name)).unwrap();
        for (part, base) in [("train", 0), ("t10k", 100)] {
            let pixels: Vec<u8> = (0..12 * 784).map(|p| base + (p / 784) as u8).collect();
            let labels: Vec<u8> = (0..12).map(|i| i % 10).collect();
            std::fs::write(at(&format!("{part}-images-idx3-ubyte")), idx(2051, &[12, 28, 28], &pixels)).unwrap();
            std::fs::write(at(&format!("{part}-labels-idx1-ubyte")), idx(2049, &[12], &labels)).unwrap();
        }
        dir
    }
}
