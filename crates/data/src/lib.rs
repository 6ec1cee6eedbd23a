//! Data sets of zsad: one file each, file formats, corruptions and the sampler of tasks and test batches.
//!
//! A new data set is one file with a `DEF` and one line in [`DATASETS`].

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "fixtures may be written in any way"))]

use zsad_core::DatasetDef;

pub mod adbench;
pub mod adbench_features;
pub mod anoshift;
pub mod btad;
mod cifar;
pub mod cifar10;
pub mod cifar100;
pub mod cifar100c;
pub mod cifar10c;
mod cifar_c;
pub mod columns;
pub mod copies;
pub mod corruptions;
mod digit_split;
pub mod digits;
pub mod fashion_mnist;
pub mod files;
mod folds;
pub mod formats;
pub mod gas_drift;
mod idx_classes;
mod image_file;
pub mod image_folder;
mod images;
pub mod kolektor;
pub mod manifest;
pub mod memory;
pub mod mnist;
pub mod mvtec;
mod npz_tables;
pub mod nsl_kdd;
pub mod omniglot;
pub mod organa;
pub mod query;
pub mod resize;
pub mod sampler;
pub mod shift;
pub mod standardise;
pub mod synthetic;
pub mod table;
pub mod tabular;
#[cfg(test)]
mod testing;
pub mod visa;

/// Every data set, sorted by name.
pub const DATASETS: &[&DatasetDef] = &[
    &adbench::DEF,
    &adbench_features::DEF,
    &anoshift::DEF,
    &btad::DEF,
    &cifar10::DEF,
    &cifar100::DEF,
    &cifar100c::DEF,
    &cifar10c::DEF,
    &digits::DEF,
    &fashion_mnist::DEF,
    &gas_drift::DEF,
    &kolektor::DEF,
    &mnist::DEF,
    &mvtec::DEF,
    &nsl_kdd::DEF,
    &omniglot::DEF,
    &organa::DEF,
    &table::DEF,
    &visa::DEF,
];

/// The data set of that name.
pub fn find(name: &str) -> Option<&'static DatasetDef> {
    DATASETS.iter().copied().find(|d| d.spec().name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_is_sorted_and_every_entry_is_complete() {
        let names: Vec<_> = DATASETS.iter().map(|d| d.spec().name).collect();
        assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
        for def in DATASETS {
            let spec = def.spec();
            assert!(spec.version >= 1 && !spec.summary.is_empty() && !spec.citation.is_empty(), "{}", spec.name);
            let params = def.params();
            assert!(params.iter().all(|p| !p.doc.is_empty()), "{}", spec.name);
            let known = |name: &&str| params.iter().any(|p| p.name == *name);
            assert!(spec.test_params.iter().all(known), "{}", spec.name);
            assert_eq!(find(spec.name).map(|d| d.spec().name), Some(spec.name));
        }
        assert!(find("no_such_set").is_none());
    }
}
