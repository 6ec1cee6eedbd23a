//! A small folder in the layout of the archive.

use serde_json::json;
use zsad_core::Subset;

use super::*;
use crate::testing::{self, save_mask, save_plain, sizes};

const SIZE: (u32, u32) = (32, 32);

/// Products 01 and 03, one with masks in the format of its pictures and one with masks in another.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("btad/BTech_Dataset_transformed");
    for (product, mask) in [("01", "bmp"), ("03", "png")] {
        let folder = root.join(product);
        for (file, colour) in
            [("train/ok/0000.bmp", 1), ("train/ok/0001.bmp", 2), ("test/ok/0000.bmp", 3), ("test/ko/0000.bmp", 4)]
        {
            save_plain(&folder.join(file), SIZE, colour);
        }
        save_mask(&folder.join("ground_truth/ko/0000").with_extension(mask), SIZE, (3, 5), 255);
    }
    dir
}

fn small() -> serde_json::Value {
    json!({"resize": 32, "crop": 32})
}

#[test]
fn products_are_domains_and_masks_are_found_whatever_their_format() {
    let dir = folder();
    let set = testing::open(&DEF, small(), dir.path()).unwrap();
    assert_eq!(sizes(&*set), [("01".into(), 2, 1, 1), ("03".into(), 2, 1, 1)]);
    for domain in 0..2 {
        let defect = testing::subset(&*set, domain, Subset::Anomalous);
        let mask = set.masks(&defect).unwrap().unwrap().values;
        assert_eq!((mask[5 * 32 + 3], mask.iter().map(|&v| u32::from(v)).sum::<u32>()), (1, 1));
        assert_eq!(set.gather(&defect).unwrap().to_f32()[0], 4.0 / 255.0);
    }
}

#[test]
fn it_knows_the_files_that_its_samples_depend_on() {
    testing::knows_its_files(&DEF, small(), folder().path());
}
