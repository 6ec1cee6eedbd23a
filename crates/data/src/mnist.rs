//! MNIST from its original idx files: meta-train digits from the training files, meta-test digits from the test files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use zsad_core::{DataDir, DataFile, Dataset, DatasetDef, DatasetSpec, Error, Load, PictureGeometry, ReadBy, Result};

use crate::digit_split::DigitSplit;
use crate::files;
use crate::formats::idx::Idx;
use crate::images::ByteImages;

/// The registry's entry.
pub const DEF: DatasetDef = DatasetDef::new::<Mnist>(&SPEC);

zsad_core::params! {
    /// Which digits train and which test.
    pub struct Mnist {
        /// see [`DigitSplit`]
        split: DigitSplit = DigitSplit::default();
    }
}

static SPEC: DatasetSpec = DatasetSpec {
    name: "mnist",
    version: 1,
    summary: "MNIST, 70,000 images of 28×28 in 0 … 1; each digit a domain, trained on the training files and tested on \
              the test files",
    citation: "LeCun, Bottou, Bengio and Haffner, Gradient-Based Learning Applied to Document Recognition, \
               Proc. IEEE 1998",
    files: "mnist/{train,t10k}-{images-idx3,labels-idx1}-ubyte.gz (or unpacked, without .gz)",
    test_params: &["meta_test"],
};

const HINT: &str = "put the four original idx files of MNIST there, gzipped or not";
const SIDE: usize = 28;

impl Mnist {
    /// The parts of the data set that are read: the beginning of their files' names, and whether it is for training.
    fn parts(&self) -> impl Iterator<Item = (&'static str, bool)> {
        let used = |train| self.split.digits().iter().any(|&d| self.split.trains(d) == train);
        [("train", true), ("t10k", false)].into_iter().filter(move |(_, train)| used(*train))
    }

    /// Labels and images of a part.
    fn find(data: &DataDir, part: &str) -> Result<[PathBuf; 2]> {
        let file = |name: String| files::first_of(data, &[&format!("{name}.gz"), &name], HINT);
        Ok([file(format!("mnist/{part}-labels-idx1-ubyte"))?, file(format!("mnist/{part}-images-idx3-ubyte"))?])
    }
}

impl Load for Mnist {
    fn files(&self, data: &DataDir) -> Result<Vec<DataFile>> {
        let mut all = Vec::new();
        for (part, train) in self.parts() {
            all.extend(DataFile::list(Self::find(data, part)?, if train { ReadBy::Training } else { ReadBy::Tests }));
        }
        Ok(all)
    }

    fn check(&self) -> Result<()> {
        self.split.check(SPEC.name)
    }

    fn image(&self) -> Option<PictureGeometry> {
        Some(PictureGeometry::stretched(1, SIDE, SIDE))
    }

    fn open(&self, data: &DataDir) -> Result<Arc<dyn Dataset>> {
        let split = &self.split;
        let digits: Vec<u8> = split.digits().into_iter().collect();
        let mut pools = vec![Vec::new(); digits.len()];
        // The domain that takes a digit's images from these files, if any.
        let domain =
            |digit: u8, train| digits.iter().position(|&d| d == digit).filter(|_| split.trains(digit) == train);
        for (part, train) in self.parts() {
            let [labels, path] = Self::find(data, part)?;
            let labels = read_labels(&labels)?;
            let images = Idx::open(&path, 3)?;
            if images.shape() != [labels.len(), SIDE, SIDE] {
                let message = format!("images of shape {:?} beside {} labels", images.shape(), labels.len());
                return Err(Error::data(&path, message, HINT));
            }
            images.for_each(|i, image| {
                if let Some(domain) = domain(labels[i], train) {
                    pools[domain].extend_from_slice(image);
                }
                Ok(())
            })?;
        }
        let domains = digits.iter().map(u8::to_string).zip(pools).collect();
        Ok(Arc::new(ByteImages::new(SPEC.name, SIDE, domains, split.fold())))
    }
}

fn read_labels(path: &Path) -> Result<Vec<u8>> {
    let file = Idx::open(path, 1)?;
    let mut labels = Vec::new();
    file.for_each(|i, label| match label[0] {
        0..=9 => {
            labels.push(label[0]);
            Ok(())
        }
        other => Err(Error::data(path, format!("label {i} is {other}, not a digit"), HINT)),
    })?;
    Ok(labels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use serde_json::json;
    use zsad_core::{SampleRef, Subset};

    fn idx(magic: u32, sizes: &[u32], bytes: &[u8]) -> Vec<u8> {
        [magic].iter().chain(sizes).flat_map(|n| n.to_be_bytes()).chain(bytes.iter().copied()).collect()
    }

    /// A folder with 12 images, labels 0 … 9, 0, 1, in both parts; image `i` is filled with `i`, or 100 + `i` in t10k.
    fn folder() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join("mnist").join(name);
        std::fs::create_dir(dir.path().join("mnist")).unwrap();
        for (part, base) in [("train", 0), ("t10k", 100)] {
            let pixels: Vec<u8> = (0..12 * 784).map(|p| base + (p / 784) as u8).collect();
            let labels: Vec<u8> = (0..12).map(|i| i % 10).collect();
            std::fs::write(at(&format!("{part}-images-idx3-ubyte")), idx(2051, &[12, 28, 28], &pixels)).unwrap();
            std::fs::write(at(&format!("{part}-labels-idx1-ubyte")), idx(2049, &[12], &labels)).unwrap();
        }
        dir
    }

    #[test]
    fn train_digits_come_from_the_training_files_and_test_digits_from_the_test_files() {
        let dir = folder();
        let set = testing::open(&DEF, json!({"meta_train": [0, 1], "meta_test": [9]}), dir.path()).unwrap();
        let sizes: Vec<_> = set.info().domains.iter().map(|d| (d.name.as_str(), d.normal)).collect();
        assert_eq!(sizes, [("0", 2), ("1", 2), ("9", 1)]);
        let refs = [(1, 1), (2, 0)].map(|(domain, index)| SampleRef { domain, subset: Subset::Normal, index });
        let x = set.gather(&refs).unwrap();
        assert_eq!(x.to_f32()[0], 11.0 / 255.0);
        assert_eq!(x.to_f32()[784], 109.0 / 255.0);
        assert!(set.gather(&[SampleRef { index: 2, ..refs[0] }]).is_err());
    }

    #[test]
    fn missing_and_damaged_files_are_named() {
        let dir = folder();
        let images = dir.path().join("mnist/t10k-images-idx3-ubyte");
        let fails = || testing::open(&DEF, json!({}), dir.path()).err().unwrap().to_string();
        let whole = std::fs::read(&images).unwrap();
        std::fs::write(&images, &whole[..whole.len() - 1]).unwrap();
        assert!(fails().contains("t10k-images-idx3-ubyte: damaged or truncated: item 11 of 12"), "{}", fails());
        std::fs::remove_file(&images).unwrap();
        let message = fails();
        assert!(message.contains("t10k-images-idx3-ubyte.gz: not found: the data folder searched is"), "{message}");
        assert!(message.contains("chosen by --data") && message.contains("four original idx files"), "{message}");
        std::fs::write(&images, whole).unwrap();
        std::fs::write(dir.path().join("mnist/t10k-labels-idx1-ubyte"), idx(2049, &[2], &[3, 10])).unwrap();
        assert!(fails().contains("label 1 is 10, not a digit"));
        std::fs::write(dir.path().join("mnist/t10k-labels-idx1-ubyte"), idx(2049, &[2], &[3, 9])).unwrap();
        assert!(fails().contains("images of shape [12, 28, 28] beside 2 labels"));
    }

    #[test]
    fn it_knows_the_files_that_its_samples_depend_on() {
        let dir = folder();
        testing::knows_its_files(&DEF, json!({"meta_train": [0, 1], "meta_test": [9]}), dir.path());
    }
}
