//! CIFAR-100 from its binary files: unseen classes as unseen domains.

use std::sync::Arc;

use zsad_core::params::All;
use zsad_core::{DataDir, DataFile, Dataset, DatasetDef, DatasetSpec, Load, OrWord, PictureGeometry, ReadBy, Result};

use crate::cifar::images::{self, Store};
use crate::cifar::{Chosen, Release};
use crate::folds;

/// The registry's entry.
pub const DEF: DatasetDef = DatasetDef::new::<Cifar100>(&SPEC);

static SPEC: DatasetSpec = DatasetSpec {
    name: "cifar100",
    version: 1,
    summary: "CIFAR-100, colour images of 32×32; each fine class a domain, 80 for meta-training (their training images) \
              and 20 for testing (their test images; reference = their training images)",
    citation: "Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009; no explicit licence",
    files: "cifar100/cifar-100-binary/train.bin, test.bin (any number of records), fine_label_names.txt",
    test_params: &[],
};

pub(crate) static RELEASE: Release = Release {
    folder: "cifar100/cifar-100-binary",
    hint: "extract cifar-100-binary.tar.gz of the CIFAR page in cifar100/",
    train: &["train.bin"],
    test: "test.bin",
    names: "fine_label_names.txt",
    classes: 100,
    coarse: 20,
    scale: [(0.5074, 0.2011), (0.4867, 0.1987), (0.4411, 0.2025)],
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

impl Load for Cifar100 {
    fn files(&self, data: &DataDir) -> Result<Vec<DataFile>> {
        let mut all = RELEASE.training_files(data)?;
        all.extend(DataFile::list([RELEASE.file(data, RELEASE.test)?], ReadBy::Tests));
        Ok(all)
    }

    fn image(&self) -> Option<PictureGeometry> {
        Some(images::spec(self.normalise.then_some(RELEASE.scale)))
    }

    fn tags(&self) -> &'static [&'static str] {
        images::TAGS
    }

    fn open(&self, data: &DataDir) -> Result<Arc<dyn Dataset>> {
        let test = RELEASE.test(data)?;
        let chosen = self.chosen(SPEC.name);
        Ok(Arc::new(chosen.unseen_classes(data, (Store::Plain(test.pixels), &test.labels), true, vec![])?))
    }
}

impl Cifar100 {
    /// What these parameters ask for, in the data set of that name. The split is always the same for the same
    /// parameters, part of the protocol, and that of CIFAR-100 whether or not the test images are corrupted.
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
