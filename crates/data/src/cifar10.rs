//! CIFAR-10 from its binary files: unseen classes as unseen domains.

use std::sync::Arc;

use zsad_core::params::All;
use zsad_core::{DataDir, DataFile, Dataset, DatasetDef, DatasetSpec, Load, OrWord, PictureGeometry, ReadBy, Result};

use crate::cifar::images::{self, Store};
use crate::cifar::{Chosen, Release};
use crate::folds;

/// The registry's entry.
pub const DEF: DatasetDef = DatasetDef::new::<Cifar10>(&SPEC);

static SPEC: DatasetSpec = DatasetSpec {
    name: "cifar10",
    version: 1,
    summary: "CIFAR-10, colour images of 32×32; each class a domain, six for meta-training (their training images) and four \
              for testing (their test images; reference = their training images)",
    citation: "Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009; no explicit licence",
    files: "cifar10/cifar-10-batches-bin/data_batch_1.bin … data_batch_5.bin, test_batch.bin (any number of records), \
            batches.meta.txt",
    test_params: &[],
};

pub(crate) static RELEASE: Release = Release {
    folder: "cifar10/cifar-10-batches-bin",
    hint: "extract cifar-10-binary.tar.gz of the CIFAR page in cifar10/",
    train: &["data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"],
    test: "test_batch.bin",
    names: "batches.meta.txt",
    classes: 10,
    coarse: 0,
    scale: [(0.4914, 0.2023), (0.4822, 0.1994), (0.4465, 0.2010)],
};

zsad_core::params! {
    /// Parameters of CIFAR-10, shared with `cifar10c`.
    pub struct Cifar10 {
        /// subtract (.4914, .4822, .4465) and divide by (.2023, .1994, .2010) per channel, as is common; else values are
        /// 0 … 1
        pub normalise: bool = true;
        /// use only the first so many training images of each class
        pub train_images: OrWord<All> = OrWord::default(), in 2..=5000;
        /// classes for meta-training, drawn at random but always the same; the others are tested
        pub meta_train_classes: usize = 6, in 1..=8;
        /// another number draws another split of the classes
        pub split_seed: u64 = 0, in 0..;
    }
}

impl Load for Cifar10 {
    fn files(&self, data: &DataDir) -> Result<Vec<DataFile>> {
        let mut all = RELEASE.training_files(data)?;
        all.extend(DataFile::list([RELEASE.file(data, RELEASE.test)?], ReadBy::Tests));
        Ok(all)
    }

    fn image(&self) -> Option<PictureGeometry> {
        Some(images::spec(self.normalise.then_some(RELEASE.scale)))
    }

    fn open(&self, data: &DataDir) -> Result<Arc<dyn Dataset>> {
        let test = RELEASE.test(data)?;
        let chosen = self.chosen(SPEC.name);
        Ok(Arc::new(chosen.unseen_classes(data, (Store::Plain(test.pixels), &test.labels), true, vec![])?))
    }
}

impl Cifar10 {
    /// What these parameters ask for, in the data set of that name. The split is always the same for the same
    /// parameters, part of the protocol, and that of CIFAR-10 whether or not the test images are corrupted.
    pub(crate) fn chosen(&self, dataset: &'static str) -> Chosen {
        Chosen {
            dataset,
            release: &RELEASE,
            normalise: self.normalise,
            limit: self.train_images.number().unwrap_or(usize::MAX),
            split: folds::shuffled(SPEC.name, RELEASE.classes, self.meta_train_classes, self.split_seed),
        }
    }
}

#[cfg(test)]
mod tests;
