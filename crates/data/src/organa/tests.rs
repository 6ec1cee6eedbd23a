//! Small archives made here, in the layout of the release.

use serde_json::json;
use zsad_core::Subset;

use super::*;
use crate::formats::npy::Array;
use crate::formats::npz;
use crate::testing;

/// 13 training and 12 test images with labels 0 … 10, 0, 1; image `i` is filled with `i`, or 100 + `i` in the test part.
fn folder(name: &str, side: usize) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("organa")).unwrap();
    let mut arrays = Vec::new();
    for (part, n, base) in [("train", 13, 0), ("val", 2, 50), ("test", 12, 100)] {
        let pixels = (0..n * side * side).map(|p| base + (p / (side * side)) as u8).collect();
        let labels = (0..n as u8).map(|i| i % 11).collect();
        arrays.push((format!("{part}_images"), Array { shape: vec![n, side, side], numbers: Numbers::U8(pixels) }));
        arrays.push((format!("{part}_labels"), Array { shape: vec![n, 1], numbers: Numbers::U8(labels) }));
    }
    let arrays: Vec<_> = arrays.iter().map(|(name, array)| (name.as_str(), array)).collect();
    npz::write(&dir.path().join("organa").join(name), &arrays).unwrap();
    dir
}

#[test]
fn organs_train_from_the_training_part_and_test_from_the_test_part() {
    for (name, side) in [("organamnist.npz", 28), ("organamnist_64.npz", 64)] {
        let dir = folder(name, side);
        let given = json!({"size": side, "meta_train": [0, 1, 2], "meta_test": [10]});
        let set = testing::open(&DEF, given, dir.path()).unwrap();
        let sizes: Vec<_> = set.info().domains.iter().map(|d| (d.name.as_str(), d.normal)).collect();
        assert_eq!(sizes, [("bladder", 2), ("femur-left", 2), ("femur-right", 1), ("spleen", 1)]);
        assert_eq!(
            (&set.info().folds[0].meta_train[..], &set.info().folds[0].meta_test[..]),
            (&[0, 1, 2][..], &[3][..])
        );
        let pixel = |domain, i: usize| {
            let x = set.gather(&testing::subset(&*set, domain, Subset::Normal)[i..=i]).unwrap();
            assert_eq!(x.shape(), [1, side, side]);
            x.to_f32()[side * side - 1] * 255.0
        };
        assert_eq!((pixel(1, 1), pixel(3, 0)), (12.0, 110.0));
    }
}

#[test]
fn the_record_says_which_release_it_was() {
    let dir = folder("organamnist.npz", 28);
    let set = testing::open(&DEF, json!({}), dir.path()).unwrap();
    let (key, value) = &set.info().notes[0];
    assert!(key == "release" && value.starts_with("md5 ") && value.len() == 36, "{value}");
    // $ printf zsad | md5sum
    let path = dir.path().join("four");
    std::fs::write(&path, "zsad").unwrap();
    assert_eq!(release(&path).unwrap(), "md5 521d2912f74b18878044a0ac1e3d7314");
}

#[test]
fn bad_archives_are_named() {
    let dir = folder("organamnist.npz", 27);
    let fails = |given| testing::open(&DEF, given, dir.path()).err().unwrap().to_string();
    assert!(fails(json!({})).contains("train_images of shape [13, 27, 27] beside 13 labels, wanted [n, 28, 28]"));
    assert!(fails(json!({"size": 224})).contains("organamnist_224.npz: not found"));
    assert_eq!(fails(json!({"size": 32})), "organa: size 32 is not released; 28, 64, 128 and 224 are");
    assert!(fails(json!({"meta_train": [10]})).contains("class 10 is in both meta_train and meta_test"));
}

#[test]
fn it_knows_the_files_that_its_samples_depend_on() {
    testing::knows_its_files(&DEF, json!({}), folder("organamnist.npz", 28).path());
}
