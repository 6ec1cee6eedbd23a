//! Generated and released corruptions of a small set made here.

use std::fs;
use std::path::Path;

use serde_json::json;
use zsad_core::{Choice, ReadBy, SampleRef, Subset};

use super::*;
use crate::cifar::fixture;
use crate::cifar100;
use crate::corruptions::{self, LEN};
use crate::formats::npy::{self, Array, Numbers};
use crate::testing;

fn small() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fixture::write(&RELEASE, dir.path());
    dir
}

fn bytes(set: &dyn Dataset, refs: &[SampleRef]) -> Vec<u8> {
    set.gather(refs).unwrap().to_f32().iter().map(|v| (v * 255.0).round() as u8).collect()
}

fn note(set: &dyn Dataset) -> &str {
    assert_eq!(set.info().notes[0].0, "corruptions");
    &set.info().notes[0].1
}

fn write_npy(data: &Path, name: &str, shape: &[usize], numbers: Vec<u8>) {
    fs::create_dir_all(data.join(FOLDER)).unwrap();
    let file = fs::File::create(data.join(FOLDER).join(name)).unwrap();
    npy::write(file, &Array { shape: shape.to_vec(), numbers: Numbers::U8(numbers) }).unwrap();
}

#[test]
fn every_corruption_is_known_by_name() {
    let generated = corruptions::CORRUPTIONS.iter().map(|c| c.name);
    let mut names: Vec<_> = generated.chain(["frost", "spatter"]).collect();
    names.sort_unstable();
    assert_eq!(Shift::WORDS[1..], names);
}

#[test]
fn shift_only_trains_clean_and_tests_corrupted_with_the_same_classes() {
    let dir = small();
    let given = |name: &str| json!({"corruption": name, "severity": 3, "normalise": false});
    let noisy = testing::open(&DEF, given("gaussian_noise"), dir.path()).unwrap();
    let clean = testing::open(&DEF, given("none"), dir.path()).unwrap();
    assert_eq!((note(&*noisy), note(&*clean)), ("generated", "none"));
    let info = noisy.info();
    assert_eq!((info.domains.len(), info.folds.len()), (200, 1));
    assert_eq!((info.domains[7].name.as_str(), info.domains[107].name.as_str()), ("train/class 7", "test/class 7"));
    assert_eq!((info.domains[7].normal, info.domains[107].normal), (3, 2));
    assert_eq!(info.folds[0].meta_train, (0..100).collect::<Vec<_>>());
    assert_eq!(info.folds[0].meta_test, (100..200).collect::<Vec<_>>());

    let of = |domain| testing::subset(&*noisy, domain, Subset::Normal);
    assert_eq!(bytes(&*noisy, &of(7)), bytes(&*clean, &of(7)));
    // Record 107 of test.bin, and its draws, whatever was read before.
    let number = fixture::SIZES[0] + 1;
    let image: Vec<u8> = (0..LEN).map(|i| fixture::pixel(7, number, i % 3 * 1024 + i / 3)).collect();
    let expected = corruptions::find("gaussian_noise").unwrap().apply(&image, 3, 107);
    let backwards: Vec<_> = testing::all_normals(&*noisy).into_iter().rev().collect();
    noisy.gather(&backwards).unwrap();
    let x = bytes(&*noisy, &of(107)[1..]);
    assert!((0..LEN).all(|i| x[i % 3 * 1024 + i / 3] == expected[i]));
    assert_ne!(x, bytes(&*clean, &of(107)[1..]));
}

#[test]
fn unseen_classes_keep_the_split_of_cifar100_and_corrupt_the_test_images_alone() {
    let dir = small();
    let clean = testing::open(&cifar100::DEF, json!({}), dir.path()).unwrap();
    for (corruption, reference) in [("none", 3), ("contrast", 0)] {
        let given = json!({"protocol": "unseen_classes", "corruption": corruption});
        let set = testing::open(&DEF, given, dir.path()).unwrap();
        let fold = &set.info().folds[0];
        assert_eq!(fold, &clean.info().folds[0]);
        assert!(fold.meta_test.iter().all(|&d| set.info().domains[d].reference == reference));
        let same = |d| {
            let refs = testing::subset(&*set, d, Subset::Normal);
            set.gather(&refs).unwrap() == clean.gather(&refs).unwrap()
        };
        assert!(fold.meta_train.iter().all(|&d| same(d)));
        assert!(fold.meta_test.iter().all(|&d| same(d) == (corruption == "none")));
    }
}

#[test]
fn released_files_are_read_by_severity() {
    let dir = small();
    let given = json!({"corruption": "frost", "severity": 4, "normalise": false});
    let tested = || {
        let files = testing::files(&DEF, given.clone(), dir.path()).into_iter();
        files.filter(|(_, by)| *by == ReadBy::Tests).map(|(name, _)| name).collect::<Vec<_>>()
    };
    let message = testing::open(&DEF, given.clone(), dir.path()).err().unwrap().to_string();
    assert!(message.contains("frost.npy: not found, and `frost` cannot be generated"), "{message}");
    assert_eq!(tested(), ["test.bin"]);

    // Two images a severity, of the classes 5 and 9; each byte tells severity, image and channel.
    let pixels = |all: usize| (0..all * LEN).map(|i| (i / LEN * 20 + i % 3) as u8).collect::<Vec<_>>();
    write_npy(dir.path(), "frost.npy", &[10, 32, 32, 3], pixels(10));
    write_npy(dir.path(), "labels.npy", &[10], [5, 9].repeat(5));
    let set = testing::open(&DEF, given.clone(), dir.path()).unwrap();
    assert_eq!((note(&*set), tested()), ("released", vec!["frost.npy".to_owned(), "labels.npy".into()]));
    let domains: Vec<_> = (100..200).filter(|&d| set.info().domains[d].normal > 0).collect();
    assert_eq!(domains, [105, 109]);
    let x = bytes(&*set, &testing::subset(&*set, 109, Subset::Normal));
    assert_eq!([x[0], x[1023], x[1024], x[2048], x[3071]], [140, 140, 141, 142, 142]);

    let fails = || testing::open(&DEF, given.clone(), dir.path()).err().unwrap().to_string();
    write_npy(dir.path(), "labels.npy", &[9], vec![5; 9]);
    assert!(fails().contains("labels.npy: 9 labels for the 10 images of"), "{}", fails());
    write_npy(dir.path(), "labels.npy", &[10], vec![100; 10]);
    assert!(fails().contains("labels.npy: label 100 of image 0 is not one of"), "{}", fails());
    write_npy(dir.path(), "frost.npy", &[4, 32, 32, 3], pixels(4));
    assert!(fails().contains("frost.npy: '|u1' of shape [4, 32, 32, 3] instead of"), "{}", fails());
    write_npy(dir.path(), "frost.npy", &[10, 32, 32, 3], pixels(10));
    write_npy(dir.path(), "labels.npy", &[10], vec![1; 10]);
    let file = dir.path().join(FOLDER).join("frost.npy");
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() - 3 * LEN]).unwrap();
    assert!(fails().contains("frost.npy: damaged or truncated: image 7"), "{}", fails());
}

#[test]
fn it_knows_the_files_that_its_samples_depend_on() {
    let dir = small();
    testing::knows_its_files(&DEF, json!({"corruption": "gaussian_noise", "severity": 3}), dir.path());
}
