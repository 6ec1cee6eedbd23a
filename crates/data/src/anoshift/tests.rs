use std::path::PathBuf;

use polars_core::prelude::*;
use polars_io::prelude::*;
use serde_json::json;
use zsad_core::Subset;

use super::*;
use crate::testing;

/// The twenty columns of the released files, all of them text; row `i` is made by `cell(column, i)`.
fn write(path: &Path, rows: usize, cell: impl Fn(usize, usize) -> String) {
    let columns: Vec<Column> = (0..20)
        .map(|c| Column::new(c.to_string().into(), (0..rows).map(|i| cell(c, i)).collect::<Vec<String>>()))
        .collect();
    let mut frame = DataFrame::new_infer_height(columns).unwrap();
    ParquetWriter::new(std::fs::File::create(path).unwrap()).finish(&mut frame).unwrap();
}

/// Row `i` of a year's file: every third row is an attack; the service is new in `far`.
fn cell(c: usize, i: usize, year: u32) -> String {
    match c {
        0 | 2 | 3 => format!("c{c}{}", i % 2),
        1 if year >= 2014 => "new".into(),
        1 => ["ssh", "http", "dns"][i % 3].into(),
        13 => "SF".into(),
        18 => if i % 3 == 2 { ["-1", "-2"][i % 2] } else { "1" }.into(),
        4..=12 => format!("{}.5", c * 1000 + i),
        _ => "x".into(),
    }
}

fn folder(below: &str, rows: usize) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let subset = dir.path().join(below);
    std::fs::create_dir_all(&subset).unwrap();
    for year in 2006..=2015 {
        write(&subset.join(format!("{year}_subset.parquet")), rows, |c, i| cell(c, i, year));
        if year <= 2010 {
            write(&subset.join(format!("{year}_subset_valid.parquet")), 6, |c, i| cell(c, i, year));
        }
    }
    (dir, subset)
}

#[test]
fn years_become_domains_with_the_loaders_features() {
    let (dir, _) = folder("anoshift/Kyoto-2016_AnoShift/subset", 9);
    let set = testing::open(&DEF, json!({}), dir.path()).unwrap();
    let info = set.info();
    let names: Vec<_> = info.domains.iter().map(|d| d.name.as_str()).collect();
    assert_eq!(
        names[..7],
        ["train_2006", "train_2007", "train_2008", "train_2009", "train_2010", "iid_2006", "iid_2007"]
    );
    assert_eq!(names[10..], ["near_2011", "near_2012", "near_2013", "far_2014", "far_2015"]);
    assert_eq!(info.folds[0].meta_train, [0, 1, 2, 3, 4]);
    assert_eq!(info.folds[0].meta_test, (5..15).collect::<Vec<_>>());
    assert_eq!((info.domains[0].normal, info.domains[0].anomalous), (6, 3));
    assert_eq!((info.domains[5].normal, info.domains[5].anomalous), (4, 2));
    // 9 numbers, 2 categories of "0", 3 of "1", 2 of "2", 2 of "3", 1 of "13"
    assert_eq!(info.modality, zsad_core::Modality::rows(9 + 2 + 3 + 2 + 2 + 1));
    assert_eq!(info.notes, [("features".to_owned(), "9 numeric, 10 one-hot".to_owned())]);
    // Row 1 of 2006: services sort as dns, http, ssh.
    let x = set.gather(&testing::subset(&*set, 0, Subset::Normal)[1..2]).unwrap().to_f64().into_owned();
    assert_eq!(x[..9], [4001.5, 5001.5, 6001.5, 7001.5, 8001.5, 9001.5, 10001.5, 11001.5, 12001.5]);
    assert_eq!(x[9..], [0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0]);
    // Row 0 of 2014: its service was never seen in training.
    let x = set.gather(&testing::subset(&*set, 13, Subset::Normal)[..1]).unwrap().to_f64().into_owned();
    assert_eq!(x[9..], [1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0]);
}

#[test]
fn a_training_year_is_thinned_at_random_but_always_alike_and_keeps_its_share_of_anomalies() {
    let (dir, _) = folder("anoshift/subset", 90);
    let open = || testing::open(&DEF, json!({"normals_per_year": 20, "groups": "far"}), dir.path()).unwrap();
    let (a, b) = (open(), open());
    assert_eq!(a.info().domains.len(), 7);
    assert_eq!((a.info().domains[4].normal, a.info().domains[4].anomalous), (20, 10));
    assert_eq!((a.info().domains[6].normal, a.info().domains[6].anomalous), (60, 30), "tests are whole");
    let rows = |set: &dyn Dataset, d| set.gather(&testing::subset(set, d, Subset::Normal)).unwrap();
    assert_eq!(rows(&*a, 4), rows(&*b, 4));
    assert_ne!(rows(&*a, 3), rows(&*a, 4), "every file has its own draw");
}

#[test]
fn missing_numbers_count_as_zero_and_are_noted() {
    let (dir, subset) = folder("anoshift/subset", 9);
    write(
        &subset.join("2008_subset.parquet"),
        3,
        |c, i| if (c, i) == (7, 0) { "nan".into() } else { cell(c, i, 2008) },
    );
    let set = testing::open(&DEF, json!({}), dir.path()).unwrap();
    let x = set.gather(&testing::subset(&*set, 2, Subset::Normal)[..1]).unwrap().to_f64().into_owned();
    assert_eq!(x[..5], [4000.5, 5000.5, 6000.5, 0.0, 8000.5]);
    assert_eq!(set.info().notes[1], ("missing numbers taken as 0".to_owned(), "1".to_owned()));
}

#[test]
fn mistakes_are_named_with_their_place() {
    let (dir, subset) = folder("anoshift/subset", 9);
    let fails = |given| testing::open(&DEF, given, dir.path()).err().unwrap().to_string();
    assert!(fails(json!({"groups": ["fare"]})).contains("there is no group `fare`"));
    let year = subset.join("2007_subset.parquet");
    write(&year, 3, |c, i| if c == 18 { "0".into() } else { cell(c, i, 2007) });
    let message = fails(json!({}));
    assert!(message.contains("2007_subset.parquet: row 1 (the first is 1), column `18`: label 0 instead"), "{message}");
    write(&year, 3, |c, i| if (c, i) == (5, 1) { "many".into() } else { cell(c, i, 2007) });
    let message = fails(json!({}));
    assert!(message.contains("row 2 (the first is 1), column `5`: `many` is not a number"), "{message}");
    let bytes = std::fs::read(&year).unwrap();
    std::fs::write(&year, &bytes[..bytes.len() / 2]).unwrap();
    assert!(fails(json!({})).contains("2007_subset.parquet: "));
    std::fs::remove_file(&year).unwrap();
    let message = fails(json!({}));
    assert!(message.contains("2007_subset.parquet: not found") && message.contains("unpack it there"), "{message}");
}

#[test]
fn files_as_pandas_writes_them_read_alike() {
    // pandas 3: DataFrame of 20 text columns "0" … "19" with a shuffled index, to_parquet(): Snappy, dictionaries, and
    // the index as a further column.
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/anoshift_pandas.parquet");
    let (dir, subset) = folder("anoshift/subset", 9);
    std::fs::copy(path, subset.join("2009_subset.parquet")).unwrap();
    let set = testing::open(&DEF, json!({}), dir.path()).unwrap();
    assert_eq!((set.info().domains[3].normal, set.info().domains[3].anomalous), (2, 2));
    // "2" has the categories c20, c21 of the other years, and c22, c23; "3" has c30, c31.
    assert_eq!(set.info().modality, zsad_core::Modality::rows(9 + 2 + 3 + 4 + 2 + 1));
    let x = set.gather(&testing::subset(&*set, 3, Subset::Normal)[1..]).unwrap().to_f64().into_owned();
    assert_eq!(x[..3], [4.25, 5.25, 6.25]);
    assert_eq!(x[9..], [0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0]);
}

#[test]
fn it_knows_the_files_that_its_samples_depend_on() {
    let (dir, _) = folder("anoshift/Kyoto-2016_AnoShift/subset", 9);
    testing::knows_its_files(&DEF, json!({}), dir.path());
}
