//! MNIST from its original idx files: meta-train digits from the training files, meta-test digits from the test files.

use std::sync::Arc;

use zsad_core::{DataDir, DataFile, Dataset, DatasetDef, DatasetSpec, Load, PictureGeometry, Result};

use crate::digit_split::DigitSplit;
use crate::idx_classes::{self, IdxClasses};

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

const FILES: IdxClasses = IdxClasses {
    dataset: SPEC.name,
    folder: "mnist",
    names: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
    hint: "put the four original idx files of MNIST there, gzipped or not",
};

impl Load for Mnist {
    fn files(&self, data: &DataDir) -> Result<Vec<DataFile>> {
        FILES.files(&self.split, data)
    }

    fn check(&self) -> Result<()> {
        self.split.check(SPEC.name)
    }

    fn image(&self) -> Option<PictureGeometry> {
        Some(idx_classes::geometry())
    }

    fn open(&self, data: &DataDir) -> Result<Arc<dyn Dataset>> {
        Ok(Arc::new(FILES.open(&self.split, data)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::idx_classes::fixture::{self, idx};
    use crate::testing;
    use serde_json::json;
    use zsad_core::{SampleRef, Subset};

    fn folder() -> tempfile::TempDir {
        fixture::folder("mnist")
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
