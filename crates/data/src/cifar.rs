//! What CIFAR-10 and CIFAR-100 share: binary files of small colour images, and classes as domains.

#[cfg(test)]
pub mod fixture;
pub mod images;
pub mod records;

use std::path::PathBuf;

use zsad_core::{DataDir, DataFile, Domain, Fold, ReadBy, Result};

use crate::files;
use images::{Images, Kind, Pool, Scale, Store};
use records::Records;

/// The facts of one of the two.
#[derive(Debug)]
pub struct Release {
    /// Its folder in the data folder.
    pub folder: &'static str,
    /// What a person does where a file is missing.
    pub hint: &'static str,
    /// Training files, in their order.
    pub train: &'static [&'static str],
    /// The test file.
    pub test: &'static str,
    /// The file with the names of the classes.
    pub names: &'static str,
    /// How many classes there are.
    pub classes: usize,
    /// How many coarse labels there are, a byte before the label; 0: there is no such byte.
    pub coarse: u8,
    /// Mean and standard deviation of the channels.
    pub scale: Scale,
}

impl Release {
    /// One of its files.
    ///
    /// # Errors
    /// [`zsad_core::Error::Data`] where it is missing.
    pub fn file(&self, dir: &DataDir, name: &str) -> Result<PathBuf> {
        files::require(dir, &format!("{}/{name}", self.folder), self.hint)
    }

    /// What training reads.
    ///
    /// # Errors
    /// As [`Release::file`].
    pub fn training_files(&self, data: &DataDir) -> Result<Vec<DataFile>> {
        let names = self.train.iter().chain([&self.names]);
        Ok(DataFile::list(names.map(|name| self.file(data, name)).collect::<Result<Vec<_>>>()?, ReadBy::Training))
    }

    /// The clean test images.
    ///
    /// # Errors
    /// Where the file is missing or damaged.
    pub fn test(&self, data: &DataDir) -> Result<Records> {
        Records::read(self, &[self.file(data, self.test)?])
    }

    fn train(&self, data: &DataDir) -> Result<Records> {
        let paths: Vec<PathBuf> = self.train.iter().map(|name| self.file(data, name)).collect::<Result<_>>()?;
        Records::read(self, &paths)
    }

    fn class_names(&self, data: &DataDir) -> Result<Vec<String>> {
        records::class_names(self, &self.file(data, self.names)?)
    }
}

/// What the parameters of a data set ask for.
pub struct Chosen {
    /// Its name in the registry.
    pub dataset: &'static str,
    /// CIFAR-10 or CIFAR-100.
    pub release: &'static Release,
    /// Whether mean and deviation are taken out.
    pub normalise: bool,
    /// So many training images of each class at most.
    pub limit: usize,
    /// Which classes train and which test, where they are not all used for both.
    pub split: Fold,
}

/// Class and number of the superclass of every class, as the training records have them.
fn kinds(train: &Records, names: &[String]) -> Vec<Kind> {
    let superclass = |class: usize| {
        let first = train.labels.iter().position(|&l| usize::from(l) == class)?;
        train.coarse.get(first).copied()
    };
    names.iter().enumerate().map(|(i, name)| Kind { class: name.clone(), superclass: superclass(i) }).collect()
}

/// Test images: a store and its labels.
pub type Tests<'a> = (Store, &'a [u8]);

impl Chosen {
    /// Some classes train, with their clean training images, and the others test, with the images of `test`. Reference
    /// images are those of the test classes in the training files, where the test images are `clean` as well.
    ///
    /// # Errors
    /// Where a file is missing or damaged.
    pub fn unseen_classes(
        self,
        data: &DataDir,
        test: Tests,
        clean: bool,
        notes: Vec<(String, String)>,
    ) -> Result<Images> {
        let names = self.release.class_names(data)?;
        let train = self.release.train(data)?;
        let kinds = kinds(&train, &names);
        let (mut domains, mut pools) = (Vec::new(), Vec::new());
        for (class, name) in (0..).zip(names) {
            let train = Pool { store: 0, images: records::of_class(&train.labels, class, self.limit) };
            let test = Pool { store: 1, images: records::of_class(test.1, class, usize::MAX) };
            let (normal, reference) = match (self.split.meta_train.contains(&usize::from(class)), clean) {
                (true, _) => (train, Pool::default()),
                (false, true) => (test, train),
                (false, false) => (test, Pool::default()),
            };
            domains.push(Domain { name, normal: normal.images.len(), anomalous: 0, reference: reference.images.len() });
            pools.push([normal, reference]);
        }
        let stores = vec![Store::Plain(train.pixels), test.0];
        Ok(self.images(domains, pools, stores, notes).with_kinds(kinds))
    }

    /// All classes train with clean training images (`train/<class>`) and test with the images of `test`
    /// (`test/<class>`).
    ///
    /// # Errors
    /// Where a file is missing or damaged.
    pub fn shift_only(mut self, data: &DataDir, test: Tests, notes: Vec<(String, String)>) -> Result<Images> {
        let names = self.release.class_names(data)?;
        let train = self.release.train(data)?;
        let kinds = kinds(&train, &names);
        let (mut domains, mut pools) = (Vec::new(), Vec::new());
        let parts = [(0, "train", &train.labels[..], self.limit), (1, "test", test.1, usize::MAX)];
        for (store, part, labels, limit) in parts {
            for (class, name) in (0..).zip(&names) {
                let normal = Pool { store, images: records::of_class(labels, class, limit) };
                domains.push(Domain::normals(format!("{part}/{name}"), normal.images.len()));
                pools.push([normal, Pool::default()]);
            }
        }
        let classes = self.release.classes;
        self.split = Fold::single(0..classes, classes..2 * classes);
        let stores = vec![Store::Plain(train.pixels), test.0];
        Ok(self.images(domains, pools, stores, notes).with_kinds([kinds.clone(), kinds].concat()))
    }

    fn images(
        self,
        domains: Vec<Domain>,
        pools: Vec<[Pool; 2]>,
        stores: Vec<Store>,
        notes: Vec<(String, String)>,
    ) -> Images {
        let scale = self.normalise.then_some(self.release.scale);
        Images::new(self.dataset, domains, self.split, notes, scale, stores, pools)
    }
}
