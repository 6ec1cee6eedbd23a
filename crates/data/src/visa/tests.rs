//! A small folder in the layout of the archive.

use std::fs;
use std::path::Path;

use serde_json::json;
use zsad_core::Subset;

use super::*;
use crate::testing::{self, save_mask, save_plain, sizes};

const SIZE: (u32, u32) = (40, 32);

/// Two categories: three and two normals, two and one anomalies. Of the anomalies, one has a mask of 1, not of 255.
pub fn write(root: &Path) {
    let mut table = "object,split,label,image,mask\n".to_owned();
    for (category, normals, anomalies) in [("candle", 3, 2), ("pcb1", 2, 1)] {
        let data = root.join(category).join("Data");
        for i in 0..normals {
            save_plain(&data.join(format!("Images/Normal/{i:04}.JPG")), SIZE, 10 * i as u8);
            let split = if i == 1 { "test" } else { "train" };
            table += &format!("{category},{split},normal,{category}/Data/Images/Normal/{i:04}.JPG,\n");
        }
        for i in 0..anomalies {
            save_plain(&data.join(format!("Images/Anomaly/{i:03}.JPG")), SIZE, 200 + i as u8);
            save_mask(&data.join(format!("Masks/Anomaly/{i:03}.png")), SIZE, (20, 16), 1);
            let path = format!("{category}/Data");
            table +=
                &format!("{category},test,anomaly,{path}/Images/Anomaly/{i:03}.JPG,{path}/Masks/Anomaly/{i:03}.png\n");
        }
    }
    fs::create_dir_all(root.join("split_csv")).unwrap();
    fs::write(root.join("split_csv/1cls.csv"), table).unwrap();
}

fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("visa"));
    dir
}

fn small() -> serde_json::Value {
    json!({"resize": 32, "crop": 32})
}

#[test]
fn the_table_says_which_pictures_train() {
    let dir = folder();
    let set = testing::open(&DEF, small(), dir.path()).unwrap();
    assert_eq!(sizes(&*set), [("candle".into(), 2, 1, 2), ("pcb1".into(), 1, 1, 1)]);
    let folds: Vec<_> = set.info().folds.iter().map(|f| (f.name.as_str(), &f.meta_train[..])).collect();
    assert_eq!(folds, [("candle", &[1][..]), ("pcb1", &[0])]);
    let tested = testing::subset(&*set, 0, Subset::Normal)[0];
    assert_eq!(set.sample_name(&tested).unwrap(), "Normal/0001");
    let grey = set.gather(&[tested]).unwrap().to_f32()[0] * 255.0;
    assert!((grey - 10.0).abs() < 3.0, "{grey}");
}

#[test]
fn a_mask_of_small_values_counts() {
    let dir = folder();
    let set = testing::open(&DEF, small(), dir.path()).unwrap();
    let masks = set.masks(&testing::subset(&*set, 0, Subset::Anomalous)).unwrap().unwrap();
    let ones: Vec<_> = masks.values.iter().enumerate().filter(|(_, v)| **v == 1).map(|(i, _)| i).collect();
    // The middle 32 of 40 columns: column 20 becomes 16.
    assert_eq!(ones, [16 * 32 + 16, 32 * 32 + 16 * 32 + 16]);
}

#[test]
fn mvtec_takes_the_same_folder_as_a_root() {
    let dir = folder();
    for file in ["train/good/0.png", "test/good/0.png"] {
        save_plain(&dir.path().join("mvtec_ad/bottle").join(file), SIZE, 5);
    }
    let given = json!({"roots": ["mvtec_ad"], "train_roots": ["visa"], "resize": 32, "crop": 32});
    let set = testing::open(&crate::mvtec::DEF, given, dir.path()).unwrap();
    assert_eq!(sizes(&*set), [("bottle".into(), 1, 1, 0), ("candle".into(), 2, 1, 2), ("pcb1".into(), 1, 1, 1)]);
    assert_eq!(set.info().folds[0].meta_train, [1, 2]);
}

#[test]
fn a_table_that_is_none_is_named() {
    let dir = folder();
    let table = dir.path().join("visa/split_csv/1cls.csv");
    let whole = fs::read_to_string(&table).unwrap();
    let fails = |text: &str| {
        fs::write(&table, text).unwrap();
        testing::open(&DEF, small(), dir.path()).err().unwrap().to_string()
    };
    assert!(fails("a,b\n").contains("1cls.csv: does not begin with `object,split,label,image,mask`"));
    assert!(fails(&whole.replace("candle,train", "candle,holdout")).contains("1cls.csv: line 2: `candle,holdout"));
    assert!(fails(&whole.replace("candle,train", "candle,test")).contains("names no picture of `candle` to train on"));
    assert!(fails(&whole.replace("Normal/0001", "Normal/0009")).contains("0009.JPG"));
}

#[test]
fn it_knows_the_files_that_its_samples_depend_on() {
    testing::knows_its_files(&DEF, small(), folder().path());
}
