//! Fashion-MNIST from its idx files, in MNIST's format: classes for meta-training from the training files, the others
//! from the test files.

use std::sync::Arc;

use zsad_core::{DataDir, DataFile, Dataset, DatasetDef, DatasetSpec, Load, PictureGeometry, Result};

use crate::digit_split::DigitSplit;
use crate::idx_classes::{self, IdxClasses};

/// The registry's entry.
pub const DEF: DatasetDef = DatasetDef::new::<FashionMnist>(&SPEC);

zsad_core::params! {
    /// Which classes train and which test, by label.
    pub struct FashionMnist {
        /// see [`DigitSplit`]
        split: DigitSplit = DigitSplit::default();
    }
}

static SPEC: DatasetSpec = DatasetSpec {
    name: "fashion_mnist",
    version: 1,
    summary: "Fashion-MNIST, 70,000 images of 28×28 in 0 … 1; each of ten kinds of clothing a domain, trained on the \
              training files and tested on the test files",
    citation: "Xiao, Rasul and Vollgraf, Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning \
               Algorithms, 2017; MIT",
    files: "fashion_mnist/{train,t10k}-{images-idx3,labels-idx1}-ubyte.gz (or unpacked, without .gz)",
    test_params: &["meta_test"],
};

const FILES: IdxClasses = IdxClasses {
    dataset: SPEC.name,
    folder: "fashion_mnist",
    names: ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"],
    hint: "put the four idx files of Fashion-MNIST there, gzipped or not",
};

impl Load for FashionMnist {
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
    use crate::idx_classes::fixture;
    use crate::testing;
    use serde_json::json;

    #[test]
    fn domains_are_called_by_their_clothing() {
        let dir = fixture::folder("fashion_mnist");
        let set = testing::open(&DEF, json!({"meta_train": [0, 1], "meta_test": [9]}), dir.path()).unwrap();
        let sizes: Vec<_> = set.info().domains.iter().map(|d| (d.name.as_str(), d.normal)).collect();
        assert_eq!(sizes, [("T-shirt/top", 2), ("Trouser", 2), ("Ankle boot", 1)]);
        let boot = testing::subset(&*set, 2, zsad_core::Subset::Normal);
        assert_eq!(set.gather(&boot).unwrap().to_f32()[0], 109.0 / 255.0);
    }

    #[test]
    fn it_knows_the_files_that_its_samples_depend_on() {
        let dir = fixture::folder("fashion_mnist");
        testing::knows_its_files(&DEF, json!({"meta_train": [0, 1], "meta_test": [9]}), dir.path());
    }
}
