use std::path::Path;

use serde_json::json;
use zsad_core::{Modality, Subset, Values};

use super::*;
use crate::formats::npy::{Array, Numbers};
use crate::formats::npz;
use crate::{adbench_features, testing};

fn write(path: &Path, d: usize, x: Numbers, y: &[i64]) {
    let x = Array { shape: vec![x.len() / d, d], numbers: x };
    let y = Array { shape: vec![y.len()], numbers: Numbers::I64(y.to_vec()) };
    npz::write(path, &[("X", &x), ("y", &y)]).unwrap();
}

/// Three tables: `a` of bytes and `b` of doubles, both two wide, and `c` three wide.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for sub in ["same", "mixed"] {
        std::fs::create_dir(dir.path().join(sub)).unwrap();
        write(&dir.path().join(sub).join("a.npz"), 2, Numbers::U8(vec![1, 2, 3, 4, 5, 6]), &[0, 1, 0]);
        write(&dir.path().join(sub).join("b.npz"), 2, Numbers::F64(vec![0.5, 1.5]), &[0]);
    }
    write(&dir.path().join("mixed/c.npz"), 3, Numbers::F32(vec![7.0, 8.0, 9.0]), &[0]);
    std::fs::write(dir.path().join("same/readme.txt"), "not a table").unwrap();
    dir
}

#[test]
fn tables_of_one_width_are_left_out_in_turn_and_others_only_tested() {
    let dir = folder();
    let set = testing::open(&DEF, json!({"root": "same"}), dir.path()).unwrap();
    let sizes: Vec<_> = set.info().domains.iter().map(|d| (d.name.as_str(), d.normal, d.anomalous)).collect();
    assert_eq!(sizes, [("a", 2, 1), ("b", 1, 0)]);
    let folds: Vec<_> =
        set.info().folds.iter().map(|f| (f.name.as_str(), &f.meta_train[..], &f.meta_test[..])).collect();
    assert_eq!(folds, [("a", &[1][..], &[0][..]), ("b", &[0], &[1])]);
    assert_eq!(
        *set.gather(&testing::subset(&*set, 0, Subset::Normal)).unwrap().values(),
        Values::F64(vec![1.0, 2.0, 5.0, 6.0])
    );
    let set = testing::open(&DEF, json!({"root": "mixed"}), dir.path()).unwrap();
    assert_eq!((&set.info().modality, set.info().folds.len()), (&Modality::rows(3), 1));
    assert!(set.info().folds[0].meta_train.is_empty());
    assert_eq!(set.gather(&testing::subset(&*set, 2, Subset::Normal)).unwrap().to_f64()[..], [7.0, 8.0, 9.0]);
    let one = testing::open(&DEF, json!({"file": "same/a.npz"}), dir.path()).unwrap();
    assert_eq!((one.info().domains.len(), &one.info().folds[0].meta_test), (1, &vec![0]));
}

#[test]
fn named_tables_alone_are_read_and_an_unknown_name_is_an_error() {
    let dir = folder();
    let some = testing::open(&DEF, json!({"root": "mixed", "tables": ["c", "a"]}), dir.path()).unwrap();
    assert_eq!(some.info().domains.iter().map(|d| d.name.as_str()).collect::<Vec<_>>(), ["a", "c"]);
    let error = testing::open(&DEF, json!({"root": "mixed", "tables": ["cc"]}), dir.path()).err().unwrap().to_string();
    assert!(error.contains("no cc.npz here") && error.contains("did you mean `c`?"), "{error}");
}

#[test]
fn every_table_is_a_file_of_its_domain() {
    let dir = folder();
    let files = |given| testing::files(&DEF, given, dir.path());
    let of = |name: &str| ReadBy::Domain(name.into());
    assert_eq!(files(json!({"root": "same"})), [("a.npz".into(), of("a")), ("b.npz".into(), of("b"))]);
    assert_eq!(files(json!({"file": "same/a.npz"})), [("a.npz".into(), of("a"))]);
}

#[test]
fn mistakes_are_named_with_their_place() {
    let dir = folder();
    let path = dir.path().join("same/a.npz");
    let fails = |given| testing::open(&DEF, given, dir.path()).err().unwrap().to_string();
    assert!(fails(json!({})).contains("adbench_classical: not found"));
    let mixed = testing::open(&DEF, json!({"root": "mixed"}), dir.path()).unwrap();
    let message = crate::standardise::view(&mixed, &mixed.info().folds[0], zsad_core::Standardise::Pool).err().unwrap();
    assert!(
        message.to_string().contains("learn from meta-train domains, and there are none; hint: `standardise: batch`"),
        "{message}"
    );
    for (x, d, y, wanted) in [
        (vec![1.0, 2.0], 1, vec![0, 2], "y[1] is 2"),
        (vec![1.0, 2.0, 3.0, f64::NAN], 2, vec![0, 1], "X[1, 1] is NaN"),
        (vec![1.0, f64::INFINITY], 2, vec![0], "X[0, 1] is inf"),
        (vec![1.0, 2.0], 2, vec![0, 1], "X has the shape [1, 2] and y [2]"),
    ] {
        write(&path, d, Numbers::F64(x), &y);
        let message = fails(json!({"root": "same"}));
        assert!(message.contains("a.npz: ") && message.contains(wanted), "{message}");
    }
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    assert!(fails(json!({"root": "same"})).contains("a.npz: damaged or truncated"));
    std::fs::create_dir(dir.path().join("empty")).unwrap();
    assert!(fails(json!({"root": "empty"})).contains("holds no .npz file"));
}

#[test]
fn features_need_all_fifteen_categories() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("adbench_mvtec_resnet18");
    std::fs::create_dir(&root).unwrap();
    write(&root.join("MVTec-AD_pill.npz"), 512, Numbers::F32(vec![1.0; 512]), &[0]);
    let fails = || testing::open(&adbench_features::DEF, json!({}), dir.path()).err().unwrap().to_string();
    assert!(fails().contains("1 files MVTec-AD_<category>.npz instead of 15"), "{}", fails());
    for i in 0..15 {
        write(&root.join(format!("MVTec-AD_{i}.npz")), 512, Numbers::F32(vec![i as f32; 512]), &[0]);
    }
    std::fs::remove_file(root.join("MVTec-AD_pill.npz")).unwrap();
    testing::knows_its_files(&adbench_features::DEF, json!({}), dir.path());
    write(&root.join("MVTec-AD_7.npz"), 511, Numbers::F32(vec![1.0; 511]), &[0]);
    assert!(fails().contains("511 features an image instead of 512"));
}

#[test]
fn it_knows_the_files_that_its_samples_depend_on() {
    let dir = folder();
    testing::knows_its_files(&DEF, json!({"root": "same"}), dir.path());
}
