use std::path::Path;

use serde_json::json;
use zsad_core::{Kind, Pool, Values};

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
        *set.gather(&testing::pool(&*set, 0, Pool::Normal)).unwrap().values(),
        Values::F64(vec![1.0, 2.0, 5.0, 6.0])
    );
    let set = testing::open(&DEF, json!({"root": "mixed"}), dir.path()).unwrap();
    assert_eq!((&set.info().kind, set.info().folds.len()), (&Kind::Tabular { dim: 3 }, 1));
    assert!(set.info().folds[0].meta_train.is_empty());
    assert_eq!(set.gather(&testing::pool(&*set, 2, Pool::Normal)).unwrap().to_f64()[..], [7.0, 8.0, 9.0]);
    let one = testing::open(&DEF, json!({"file": "same/a.npz"}), dir.path()).unwrap();
    assert_eq!((one.info().domains.len(), &one.info().folds[0].meta_test), (1, &vec![0]));
}

#[test]
fn the_revision_follows_the_content_of_every_table() {
    let dir = folder();
    let at = DataDir { path: dir.path().to_owned(), chosen_by: "--data" };
    let revision = |given| {
        let given = serde_json::from_value(given).unwrap();
        DEF.revision(&Params::validate(SPEC.params, &given).unwrap(), &at)
    };
    let (same, file) = (revision(json!({"root": "same"})), revision(json!({"file": "same/a.npz"})));
    assert!(same.starts_with("1-") && same != file && same != revision(json!({"root": "mixed"})));
    write(&dir.path().join("same/b.npz"), 2, Numbers::F64(vec![0.5, 2.5]), &[0]);
    assert_ne!(revision(json!({"root": "same"})), same);
    assert_eq!(revision(json!({"file": "same/a.npz"})), file);
    assert_eq!(revision(json!({"root": "absent"})), "1");
}

#[test]
fn mistakes_are_named_with_their_place() {
    let dir = folder();
    let path = dir.path().join("same/a.npz");
    let fails = |given| testing::open(&DEF, given, dir.path()).err().unwrap().to_string();
    assert!(fails(json!({})).contains("adbench_classical: not found"));
    assert!(fails(json!({"root": "mixed", "standardise": "pool"})).contains("needs meta-train domains"));
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
    write(&root.join("MVTec-AD_pill.npz"), 511, Numbers::F32(vec![1.0; 511]), &[0]);
    assert!(fails().contains("511 features an image instead of 512"));
}

#[test]
fn the_real_tables_have_their_known_sizes() {
    let Some(dir) = testing::real_data("adbench_classical") else { return };
    let set = testing::open(&DEF, json!({}), &dir).unwrap();
    let info = set.info();
    assert_eq!((info.domains.len(), info.folds.len()), (33, 1));
    // numpy: rows, features, y.sum(), X.mean() of some of them, with every X dtype
    for (name, rows, d, anomalies, mean) in [
        ("4_breastw", 683, 9, 239, 3.148_365_056_124_939),
        ("32_shuttle", 49097, 9, 3511, 29.776_428_973_935_93),
        ("17_InternetAds", 1966, 1555, 368, 0.009_053_589_477_712_757),
        ("16_http", 567_498, 3, 2211, 3.592_788_840_718_586_4),
    ] {
        let i = info.domains.iter().position(|d| d.name == name).unwrap();
        let domain = &info.domains[i];
        assert_eq!((domain.normal + domain.anomalous, domain.anomalous), (rows, anomalies), "{name}");
        let refs = [testing::pool(&*set, i, Pool::Normal), testing::pool(&*set, i, Pool::Anomalous)].concat();
        let x = set.gather(&refs).unwrap();
        assert_eq!(x.dim(), d);
        let found = x.to_f64().iter().sum::<f64>() / (rows * d) as f64;
        assert!((found - mean).abs() < 1e-9 * mean.max(1.0), "{name}: {found}");
    }
}

#[test]
fn the_real_features_have_their_known_sizes() {
    let Some(dir) = testing::real_data("adbench_mvtec_resnet18") else { return };
    let set = testing::open(&adbench_features::DEF, json!({}), &dir).unwrap();
    let info = set.info();
    let sizes: Vec<_> = info.domains.iter().map(|d| (d.normal + d.anomalous, d.anomalous)).collect();
    let wanted = [
        (292, 63),
        (374, 92),
        (351, 109),
        (397, 89),
        (342, 57),
        (501, 70),
        (369, 92),
        (335, 93),
        (434, 141),
        (480, 119),
        (347, 84),
        (102, 30),
        (313, 40),
        (326, 60),
        (391, 119),
    ];
    assert_eq!(sizes, wanted);
    assert_eq!((info.folds.len(), info.folds[3].name.as_str(), info.folds[3].meta_test[0]), (15, "carpet", 3));
    assert_eq!(info.folds[3].meta_train.len(), 14);
    let x = set.gather(&testing::pool(&*set, 11, Pool::Anomalous)).unwrap();
    assert!(matches!(x.values(), Values::F32(_)));
    // numpy.load("MVTec-AD_toothbrush.npz"): X[y == 1].mean(dtype="f8")
    let mean = x.to_f64().iter().sum::<f64>() / (30.0 * 512.0);
    assert!((mean - 0.384_102_741_941).abs() < 1e-9, "{mean}");
}
