//! CIFAR-100 from its binary files: unseen classes as unseen domains.

pub(crate) mod pictures;
pub(crate) mod records;

use std::path::PathBuf;
use std::sync::Arc;

use rand::seq::SliceRandom;
use zsad_core::rng::stream;
use zsad_core::{
    DataDir, Dataset, DatasetDef, DatasetSpec, Domain, Fold, ParamDefault, ParamKind, ParamSpec, Params, PictureSpec,
    Result,
};

use crate::files;
use pictures::{Pictures, Pool, Store};
use records::Records;

/// The registry's entry.
pub const DEF: Cifar100 = Cifar100;

/// CIFAR-100; see [`DEF`].
pub struct Cifar100;

/// Fine classes.
pub(crate) const CLASSES: usize = 100;

static SPEC: DatasetSpec = DatasetSpec {
    name: "cifar100",
    version: 1,
    summary: "CIFAR-100, colour images of 32×32; each fine class a domain, 80 for meta-training (their training images) \
              and 20 for testing (their test images; reference = their training images)",
    citation: "Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009; no explicit licence",
    files: "cifar100/cifar-100-binary/train.bin, test.bin (any number of records), fine_label_names.txt",
    params: &[NORMALISE, TRAIN_IMAGES, META_TRAIN_CLASSES, SPLIT_SEED],
};

/// Shared with `cifar100c`, likewise the next ones.
pub(crate) const NORMALISE: ParamSpec = ParamSpec {
    name: "normalise",
    doc: "subtract (.5074, .4867, .4411) and divide by (.2011, .1987, .2025) per channel, as the ACR release does; else \
          values are 0 … 1",
    kind: ParamKind::Bool,
    default: ParamDefault::Bool(true),
};
pub(crate) const TRAIN_IMAGES: ParamSpec = ParamSpec {
    name: "train_images",
    doc: "use only the first so many training images of each class (the ACR release: 100); default: all",
    kind: ParamKind::Int { min: 2, max: 500 },
    default: ParamDefault::Auto,
};
pub(crate) const META_TRAIN_CLASSES: ParamSpec = ParamSpec {
    name: "meta_train_classes",
    doc: "classes for meta-training, drawn at random but always the same; the others are tested",
    kind: ParamKind::Int { min: 1, max: 98 },
    default: ParamDefault::Int(80),
};
pub(crate) const SPLIT_SEED: ParamSpec = ParamSpec {
    name: "split_seed",
    doc: "another number draws another split of the classes",
    kind: ParamKind::Int { min: 0, max: i64::MAX },
    default: ParamDefault::Int(0),
};

const FOLDER: &str = "cifar100/cifar-100-binary";
const REMEDY: &str = "extract cifar-100-binary.tar.gz of the CIFAR page in cifar100/";

impl DatasetDef for Cifar100 {
    fn spec(&self) -> &'static DatasetSpec {
        &SPEC
    }

    /// The version and the numbers of records in both files.
    fn revision(&self, _params: &Params, dir: &DataDir) -> String {
        format!("{}-{}", SPEC.version, records::counts(dir))
    }

    fn picture(&self, params: &Params) -> Option<PictureSpec> {
        Some(pictures::spec(params.bool("normalise")))
    }

    fn open(&self, params: &Params, dir: &DataDir) -> Result<Arc<dyn Dataset>> {
        let test = Records::read(&file(dir, "test.bin")?)?;
        Ok(Arc::new(unseen_classes(SPEC.name, params, dir, (Store::Plain(test.pixels), &test.labels), true, vec![])?))
    }
}

/// A file of CIFAR-100.
pub(crate) fn file(dir: &DataDir, name: &str) -> Result<PathBuf> {
    files::require(dir, &format!("{FOLDER}/{name}"), REMEDY)
}

/// Some classes train, with their clean training images, and the others test, with the images of `test` (a store and
/// its labels). Reference images are those of the test classes in the training file, where the test images are `clean`
/// as well.
pub(crate) fn unseen_classes(
    dataset: &str,
    params: &Params,
    dir: &DataDir,
    test: (Store, &[u8]),
    clean: bool,
    notes: Vec<(String, String)>,
) -> Result<Pictures> {
    let names = records::class_names(&file(dir, "fine_label_names.txt")?)?;
    let train = Records::read(&file(dir, "train.bin")?)?;
    let fold = split(params);
    let limit = params.opt_int("train_images").map_or(usize::MAX, |n| n as usize);
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
    Ok(Pictures::new(dataset, domains, fold, notes, params.bool("normalise"), stores, pools))
}

/// Which classes train and which test. Always the same for the same parameters: part of the protocol.
fn split(params: &Params) -> Fold {
    let mut order: Vec<usize> = (0..CLASSES).collect();
    // The split is that of CIFAR-100 whether or not the test images are corrupted.
    let axes = [("purpose", "split"), ("dataset", SPEC.name)];
    order.shuffle(&mut stream(params.int("split_seed").unsigned_abs(), &axes));
    let mut meta_test = order.split_off(params.size("meta_train_classes"));
    order.sort_unstable();
    meta_test.sort_unstable();
    Fold { name: String::new(), meta_train: order, meta_test }
}

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;
