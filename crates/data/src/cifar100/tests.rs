//! A small set made here, and the real files where `$ZSAD_DATA` has them.

use std::fs;

use serde_json::json;
use zsad_core::Subset;

use super::*;
use crate::cifar::fixture;
use crate::corruptions::LEN;
use crate::testing;

fn small() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fixture::write(&RELEASE, dir.path());
    dir
}

#[test]
fn classes_split_into_80_and_20_with_their_pools() {
    let dir = small();
    let set = testing::open(&DEF, json!({}), dir.path()).unwrap();
    let fold = &set.info().folds[0];
    assert_eq!((fold.meta_train.len(), fold.meta_test.len()), (80, 20));
    assert!(fold.meta_train.iter().all(|d| !fold.meta_test.contains(d)));
    // The split is part of the protocol: it must never change within a version.
    assert_eq!(fold.meta_test[..8], [2, 3, 13, 16, 18, 21, 22, 26]);
    for (i, domain) in set.info().domains.iter().enumerate() {
        assert_eq!(domain.name, format!("class {i}"));
        let sizes = if fold.meta_train.contains(&i) { (3, 0) } else { (2, 3) };
        assert_eq!((domain.normal, domain.reference), sizes, "{}", domain.name);
    }
    let other = testing::open(&DEF, json!({"split_seed": 1, "meta_train_classes": 50, "train_images": 2}), dir.path());
    let other = other.unwrap();
    assert_eq!(other.info().folds[0].meta_test.len(), 50);
    assert!(other.info().domains.iter().all(|d| d.normal == 2 && d.reference <= 2));
}

#[test]
fn pixels_come_planar_and_normalised() {
    let dir = small();
    for normalise in [true, false] {
        let set = testing::open(&DEF, json!({"normalise": normalise}), dir.path()).unwrap();
        let class = set.info().folds[0].meta_test[3];
        let refs =
            [testing::subset(&*set, class, Subset::Normal)[1], testing::subset(&*set, class, Subset::Reference)[2]];
        let x = set.gather(&refs).unwrap();
        assert_eq!((x.len(), x.shape()), (2, &[3, 32, 32][..]));
        let scale = |channel: usize, v: f32| match normalise {
            true => (v - [0.5074, 0.4867, 0.4411][channel]) / [0.2011, 0.1987, 0.2025][channel],
            false => v,
        };
        for (image, number) in [(0, 4), (1, 2)] {
            for i in [0, 1, 1023, 1024, 2048, 3071] {
                let expected = scale(i / 1024, f32::from(fixture::pixel(class, number, i)) / 255.0);
                assert!((x.to_f32()[image * LEN + i] - expected).abs() < 1e-6);
            }
        }
    }
}

#[test]
fn damaged_files_are_named() {
    let dir = small();
    let folder = dir.path().join(RELEASE.folder);
    let fails = || testing::open(&DEF, json!({}), dir.path()).err().unwrap().to_string();
    let whole = fs::read(folder.join("train.bin")).unwrap();
    fs::write(folder.join("train.bin"), &whole[..whole.len() - 1]).unwrap();
    assert!(fails().contains("train.bin: 922199 bytes are no whole number of records of 3074"), "{}", fails());
    let mut wrong = whole.clone();
    wrong[3074 * 7 + 1] = 100;
    fs::write(folder.join("train.bin"), wrong).unwrap();
    assert!(fails().contains("record 7: coarse label 1, fine label 100"), "{}", fails());
    fs::write(folder.join("train.bin"), whole).unwrap();
    fs::write(folder.join("fine_label_names.txt"), "apple\npear\npear\n").unwrap();
    assert!(fails().contains("fine_label_names.txt: 3 names, 2 of them different"), "{}", fails());
    fs::remove_file(folder.join("test.bin")).unwrap();
    assert!(fails().contains("test.bin: not found"), "{}", fails());
}

#[test]
fn training_reads_one_file_and_tests_the_other() {
    let dir = small();
    let by = [("train.bin", ReadBy::Training), ("fine_label_names.txt", ReadBy::Training), ("test.bin", ReadBy::Tests)];
    assert_eq!(testing::files(&DEF, json!({}), dir.path()), by.map(|(name, by)| (name.to_owned(), by)));
}

#[test]
fn it_knows_the_files_that_its_samples_depend_on() {
    let dir = small();
    testing::knows_its_files(&DEF, json!({}), dir.path());
}
