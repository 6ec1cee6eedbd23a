//! A small set made here, in the layout of the binary archive.

use std::fs;

use serde_json::json;
use zsad_core::Subset;

use super::*;
use crate::cifar::fixture;
use crate::testing;

fn small() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fixture::write(&RELEASE, dir.path());
    dir
}

#[test]
fn training_images_of_all_five_files_are_one_pool() {
    let dir = small();
    let set = testing::open(&DEF, json!({"normalise": false}), dir.path()).unwrap();
    let fold = &set.info().folds[0];
    assert_eq!((fold.meta_train.len(), fold.meta_test.len()), (6, 4));
    for (i, domain) in set.info().domains.iter().enumerate() {
        let sizes = if fold.meta_train.contains(&i) { (3, 0) } else { (2, 3) };
        assert_eq!((domain.normal, domain.reference), sizes, "{}", domain.name);
    }
    let class = fold.meta_test[1];
    let x = set.gather(&testing::subset(&*set, class, Subset::Reference)[2..]).unwrap();
    for i in [0, 1023, 1024, 3071] {
        assert_eq!(x.to_f32()[i], f32::from(fixture::pixel(class, 2, i)) / 255.0);
    }
}

#[test]
fn damaged_files_are_named() {
    let dir = small();
    let file = dir.path().join(RELEASE.folder).join("data_batch_4.bin");
    let mut whole = fs::read(&file).unwrap();
    whole[3073] = 10;
    fs::write(&file, whole).unwrap();
    let fails = || testing::open(&DEF, json!({}), dir.path()).err().unwrap().to_string();
    assert!(fails().contains("data_batch_4.bin: record 1: label 10 is not below 10"), "{}", fails());
    fs::remove_file(&file).unwrap();
    assert!(fails().contains("data_batch_4.bin: not found"), "{}", fails());
}

#[test]
fn it_knows_the_files_that_its_samples_depend_on() {
    testing::knows_its_files(&DEF, json!({}), small().path());
}
