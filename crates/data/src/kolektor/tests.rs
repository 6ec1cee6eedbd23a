//! Small folders in the layouts of the archives.

use std::fs;

use serde_json::json;
use zsad_core::Subset;

use super::*;
use crate::testing::{self, save_mask, save_plain, sizes};

const SIZE: (u32, u32) = (32, 32);

/// Items 1, 2, 3 and 10 with two parts each; the second part of items 2 and 10 is defective.
fn first() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for item in [1, 2, 3, 10] {
        let folder = dir.path().join(format!("kolektor/kos{item:02}"));
        for part in 0..2 {
            save_plain(&folder.join(format!("Part{part}.jpg")), SIZE, 20 * item + part);
            let mask = folder.join(format!("Part{part}_label.bmp"));
            match (item, part) {
                (2 | 10, 1) => save_mask(&mask, SIZE, (7, 9), 255),
                _ => save_plain(&mask, SIZE, 0),
            }
        }
    }
    dir
}

/// Two good and one defective training picture, one good and two defective test pictures.
fn second() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, defective) in [
        ("train/10000", false),
        ("train/10001", true),
        ("train/10002", false),
        ("test/20000", true),
        ("test/20001", false),
        ("test/20002", true),
    ] {
        let path = dir.path().join("kolektor2").join(name);
        save_plain(&path.with_extension("png"), SIZE, 100);
        let mask = dir.path().join("kolektor2").join(format!("{name}_GT.png"));
        if defective { save_mask(&mask, SIZE, (1, 2), 255) } else { save_plain(&mask, SIZE, 0) }
    }
    dir
}

fn small(version: usize) -> serde_json::Value {
    json!({"version": version, "resize": 32, "crop": 32})
}

#[test]
fn good_parts_of_the_first_items_are_references() {
    let dir = first();
    let set = testing::open(&DEF, small(1), dir.path()).unwrap();
    // Items 1 and 2: three good parts and a defective one; items 3 and 10 likewise.
    assert_eq!(sizes(&*set), [("kolektor".into(), 3, 3, 2)]);
    let names = |subset| {
        let refs = testing::subset(&*set, 0, subset);
        refs.iter().map(|r| set.sample_name(r).unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(names(Subset::Reference), ["kos01/Part0", "kos01/Part1", "kos02/Part0"]);
    assert_eq!(names(Subset::Normal), ["kos03/Part0", "kos03/Part1", "kos10/Part0"]);
    assert_eq!(names(Subset::Anomalous), ["kos02/Part1", "kos10/Part1"]);
    let masks = set.masks(&testing::subset(&*set, 0, Subset::Anomalous)).unwrap().unwrap().values;
    assert_eq!((masks[9 * 32 + 7], masks.iter().map(|&v| u32::from(v)).sum::<u32>()), (1, 2));
}

#[test]
fn the_second_set_keeps_its_split_without_defective_training_pictures() {
    let dir = second();
    let set = testing::open(&DEF, small(2), dir.path()).unwrap();
    assert_eq!(sizes(&*set), [("kolektor2".into(), 2, 1, 2)]);
}

#[test]
fn a_missing_mask_is_named() {
    let dir = first();
    fs::remove_file(dir.path().join("kolektor/kos03/Part1_label.bmp")).unwrap();
    let message = testing::open(&DEF, small(1), dir.path()).err().unwrap().to_string();
    assert!(message.contains("kos03/Part1_label.bmp: the mask of") && message.contains("is missing"), "{message}");
}

#[test]
fn it_knows_the_files_that_its_samples_depend_on() {
    testing::knows_its_files(&DEF, small(1), first().path());
    testing::knows_its_files(&DEF, small(2), second().path());
}
