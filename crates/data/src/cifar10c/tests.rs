//! The released files and the generated ones; what is shared with CIFAR-100-C is tested there.

use std::fs;

use serde_json::json;
use zsad_core::Subset;

use super::*;
use crate::cifar::fixture;
use crate::corruptions::{self, LEN};
use crate::formats::npy::{self, Array, Numbers};
use crate::testing;

fn small() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fixture::write(&RELEASE, dir.path());
    dir
}

fn given(corruption: &str) -> serde_json::Value {
    json!({"corruption": corruption, "severity": 2, "normalise": false})
}

#[test]
fn all_ten_classes_train_clean_and_test_corrupted() {
    let dir = small();
    let set = testing::open(&DEF, given("gaussian_noise"), dir.path()).unwrap();
    let fold = &set.info().folds[0];
    assert_eq!(
        (&fold.meta_train[..], &fold.meta_test[..]),
        (&(0..10).collect::<Vec<_>>()[..], &(10..20).collect::<Vec<_>>()[..])
    );
    assert_eq!(set.info().notes, [("corruptions".to_owned(), "generated".to_owned())]);
    // Record 14 of the test file is the second test image of class 4.
    let x = set.gather(&testing::subset(&*set, 14, Subset::Normal)[1..]).unwrap();
    let clean: Vec<u8> = (0..LEN).map(|i| fixture::pixel(4, fixture::SIZES[0] + 1, i % 3 * 1024 + i / 3)).collect();
    let expected = corruptions::find("gaussian_noise").unwrap().apply(&clean, 2, 14);
    assert!((0..LEN).all(|i| x.to_f32()[i % 3 * 1024 + i / 3] == f32::from(expected[i]) / 255.0));
}

#[test]
fn labels_of_released_files_are_below_ten() {
    let dir = small();
    let folder = dir.path().join("CIFAR-10-C");
    fs::create_dir(&folder).unwrap();
    let write = |name: &str, shape: Vec<usize>, numbers| {
        npy::write(fs::File::create(folder.join(name)).unwrap(), &Array { shape, numbers: Numbers::U8(numbers) })
            .unwrap();
    };
    write("frost.npy", vec![5, 32, 32, 3], (0..5 * LEN).map(|i| (i / LEN * 50) as u8).collect());
    write("labels.npy", vec![5], vec![9; 5]);
    let set = testing::open(&DEF, given("frost"), dir.path()).unwrap();
    assert_eq!(set.info().notes, [("corruptions".to_owned(), "released".to_owned())]);
    let x = set.gather(&testing::subset(&*set, 19, Subset::Normal)).unwrap();
    assert_eq!((x.len(), x.to_f32()[0]), (1, 50.0 / 255.0));
    write("labels.npy", vec![5], vec![10; 5]);
    let message = testing::open(&DEF, given("frost"), dir.path()).err().unwrap().to_string();
    assert!(message.contains("label 10 of image 0 is not one of 0 … 9"), "{message}");
}

#[test]
fn it_knows_the_files_that_its_samples_depend_on() {
    testing::knows_its_files(&DEF, given("contrast"), small().path());
}
