//! CIFAR-100 from its binary files: unseen classes as unseen domains.

pub(crate) mod images;
pub(crate) mod records;

use std::path::PathBuf;
use std::sync::Arc;

use zsad_core::params::All;
use zsad_core::{
    DataDir, DataFile, Dataset, DatasetDef, DatasetSpec, Domain, Fold, Load, OrWord, PictureGeometry, ReadBy, Result,
};

use crate::{files, folds};
use images::{Images, Pool, Store};
use records::Records;

/// The registry's entry.
pub const DEF: DatasetDef = DatasetDef::new::<Cifar100>(&SPEC);

/// Fine classes.
pub(crate) const CLASSES: usize = 100;

static SPEC: DatasetSpec = DatasetSpec {
    name: "cifar100",
    version: 1,
    summary: "CIFAR-100, colour images of 32×32; each fine class a domain, 80 for meta-training (their training images) \
              and 20 for testing (their test images; reference = their training images)",
    citation: "Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009; no explicit licence",
    files: "cifar100/cifar-100-binary/train.bin, test.bin (any number of records), fine_label_names.txt",
    test_params: &[],
};

zsad_core::params! {
    /// Parameters of CIFAR-100, shared with `cifar100c`.
    pub struct Cifar100 {
        /// subtract (.5074, .4867, .4411) and divide by (.2011, .1987, .2025) per channel, as the ACR release does; else
        /// values are 0 … 1
        pub normalise: bool = true;
        /// use only the first so many training images of each class (the ACR release: 100)
        pub train_images: OrWord<All> = OrWord::default(), in 2..=500;
        /// classes for meta-training, drawn at random but always the same; the others are tested
        pub meta_train_classes: usize = 80, in 1..=98;
        /// another number draws another split of the classes
        pub split_seed: u64 = 0, in 0..;
    }
}

const FOLDER: &str = "cifar100/cifar-100-binary";
const HINT: &str = "extract cifar-100-binary.tar.gz of the CIFAR page in cifar100/";

impl Load for Cifar100 {
    fn files(&self, data: &DataDir) -> Result<Vec<DataFile>> {
        let mut all = training_files(data)?;
        all.extend(DataFile::list([file(data, "test.bin")?], ReadBy::Tests));
        Ok(all)
    }

    fn image(&self) -> Option<PictureGeometry> {
        Some(images::spec(self.normalise))
    }

    fn open(&self, data: &DataDir) -> Result<Arc<dyn Dataset>> {
        let test = Records::read(&file(data, "test.bin")?)?;
        Ok(Arc::new(self.unseen_classes(SPEC.name, data, (Store::Plain(test.pixels), &test.labels), true, vec![])?))
    }
}

/// What training reads.
pub(crate) fn training_files(data: &DataDir) -> Result<Vec<DataFile>> {
    Ok(DataFile::list([file(data, "train.bin")?, file(data, "fine_label_names.txt")?], ReadBy::Training))
}

/// A file of CIFAR-100.
pub(crate) fn file(dir: &DataDir, name: &str) -> Result<PathBuf> {
    files::require(dir, &format!("{FOLDER}/{name}"), HINT)
}

impl Cifar100 {
    /// Some classes train, with their clean training images, and the others test, with the images of `test` (a store and
    /// its labels). Reference images are those of the test classes in the training file, where the test images are `clean`
    /// as well.
    pub(crate) fn unseen_classes(
        &self,
        dataset: &str,
        data: &DataDir,
        test: (Store, &[u8]),
        clean: bool,
        notes: Vec<(String, String)>,
    ) -> Result<Images> {
        let names = records::class_names(&file(data, "fine_label_names.txt")?)?;
        let train = Records::read(&file(data, "train.bin")?)?;
        let fold = self.split();
        let limit = self.train_images.number().unwrap_or(usize::MAX);
        let (mut domains, mut pools) = (Vec::new(), Vec::new());
        for (class, name) in (0..).zip(names) {
            let train = Pool { store: 0, images: records::of_class(&train.labels, class, limit) };
            let test = Pool { store: 1, images: records::of_class(test.1, class, usize::MAX) };
            let (normal, reference) = match (fold.meta_train.contains(&usize::from(class)), clean) {
                (true, _) => (train, Pool::default()),
                (false, true) => (test, train),
                (false, false) => (test, Pool::default()),
            };
            domains.push(Domain { name, normal: normal.images.len(), anomalous: 0, reference: reference.images.len() });
            pools.push([normal, reference]);
        }
        let stores = vec![Store::Plain(train.pixels), test.0];
        Ok(Images::new(dataset, domains, fold, notes, self.normalise, stores, pools))
    }

    /// Which classes train and which test. Always the same for the same parameters: part of the protocol.
    fn split(&self) -> Fold {
        // The split is that of CIFAR-100 whether or not the test images are corrupted.
        folds::shuffled(SPEC.name, CLASSES, self.meta_train_classes, self.split_seed)
    }
}

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;
