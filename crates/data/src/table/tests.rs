use polars_core::prelude::*;
use polars_io::prelude::*;
use serde_json::{Value, json};
use zsad_core::{AnomalySource, Modality, Samples, Subset};

use super::*;
use crate::testing;

const CSV: &str =
    "year,kind,x,y,bad\n2009,a,1.5,1,0\n2010,b,2.5,2,1\n2009,b,-1,3,false\n998,c,4,4,TRUE\n998,a,5,5,normal\n";

fn folder(csv: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("t.csv"), csv).unwrap();
    dir
}

fn given(more: Value) -> Value {
    let mut all = json!({"file": "t.csv", "domain": "year", "label": "bad"});
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    all
}

fn rows(set: &dyn Dataset, domain: usize, subset: Subset) -> Vec<f64> {
    set.gather(&testing::subset(set, domain, subset)).map(|s: Samples| s.to_f64().into_owned()).unwrap()
}

#[test]
fn a_csv_file_splits_into_domains_labels_and_one_hot_features() {
    let set = testing::open(&DEF, given(json!({})), folder(CSV).path()).unwrap();
    let info = set.info();
    let sizes: Vec<_> = info.domains.iter().map(|d| (d.name.as_str(), d.normal, d.anomalous)).collect();
    assert_eq!(sizes, [("998", 1, 1), ("2009", 2, 0), ("2010", 0, 1)], "numbers sort as numbers");
    assert_eq!((&info.folds[0].meta_train, &info.folds[0].meta_test), (&vec![0, 1], &vec![2]));
    assert_eq!((&info.modality, info.anomalies), (&Modality::rows(5), AnomalySource::Genuine));
    assert_eq!(rows(&*set, 1, Subset::Normal), [1.5, 1.0, 1.0, 0.0, 0.0, -1.0, 3.0, 0.0, 1.0, 0.0]);
    assert_eq!(rows(&*set, 0, Subset::Anomalous), [4.0, 4.0, 0.0, 0.0, 1.0]);
}

#[test]
fn features_categories_and_domains_can_be_chosen() {
    let dir = folder(CSV);
    let params = given(json!({"features": ["y", "kind"], "categorical": ["y"], "meta_test": 998}));
    let message = testing::open(&DEF, params, dir.path()).err().unwrap().to_string();
    assert!(message.contains("column `kind`: `a` is not a number"), "{message}");
    let params = json!({"file": "t.csv", "domain": "year", "features": ["y"], "categorical": "y", "meta_test": 998});
    let set = testing::open(&DEF, params, dir.path()).unwrap();
    assert_eq!(rows(&*set, 2, Subset::Normal), [0.0, 1.0, 0.0], "the categories of the years that train");
    assert_eq!(rows(&*set, 0, Subset::Normal), [0.0; 6], "neither row of the year tested has a category that is known");
    assert_eq!(set.info().anomalies, AnomalySource::OtherDomains, "there is no label column");
    assert_eq!((&set.info().folds[0].meta_train, &set.info().folds[0].meta_test), (&vec![1, 2], &vec![0]));
}

#[test]
fn parquet_reads_like_csv() {
    let dir = folder(CSV);
    let mut frame = df!(
        "year" => [2009i64, 2010, 2009, 998, 998],
        "kind" => ["a", "b", "b", "c", "a"],
        "x" => [1.5f32, 2.5, -1.0, 4.0, 5.0],
        "y" => [1i32, 2, 3, 4, 5],
        "bad" => [false, true, false, true, false],
    )
    .unwrap();
    ParquetWriter::new(std::fs::File::create(dir.path().join("t.parquet")).unwrap()).finish(&mut frame).unwrap();
    let csv = testing::open(&DEF, given(json!({})), dir.path()).unwrap();
    let parquet = testing::open(&DEF, given(json!({"file": "t.parquet"})), dir.path()).unwrap();
    assert_eq!(csv.info(), parquet.info());
    for d in 0..3 {
        for pool in [Subset::Normal, Subset::Anomalous] {
            assert_eq!(rows(&*csv, d, pool), rows(&*parquet, d, pool));
        }
    }
}

#[test]
fn mistakes_are_named_with_their_place() {
    let fails = |csv: &str, more| testing::open(&DEF, given(more), folder(csv).path()).err().unwrap().to_string();
    let message = fails(CSV, json!({"file": "absent.csv"}));
    assert!(message.contains("absent.csv: not found") && message.contains("chosen by --data"), "{message}");
    let message = fails(CSV, json!({"domain": "yaer"}));
    assert!(message.contains("t.csv: no column `yaer`; hint: did you mean `year`?"), "{message}");
    assert!(fails(CSV, json!({"features": ["x", "bad"]})).contains("the label column `bad` cannot be a feature too"));
    assert!(fails(CSV, json!({"meta_test": [2011]})).contains("there is no domain `2011`"));
    assert!(fails(CSV, json!({"meta_test": [998], "meta_train": [998]})).contains("`998` is in both"));
    let message = fails(&CSV.replace("-1,3", ",3"), json!({}));
    assert!(message.contains("t.csv: no value: x 1 (first in row 3)"), "{message}");
    assert!(fails(&CSV.replace("2.5", "NaN"), json!({})).contains("no value: x 1 (first in row 2)"));
    assert!(fails(&CSV.replace("2.5", "inf"), json!({})).contains("column `x`: infinite"));
    assert!(fails(&CSV.replace("TRUE", "maybe"), json!({})).contains("row 4 (the first is 1), column `bad`: `maybe`"));
    assert!(fails("year,x,bad\n", json!({})).contains("t.csv: no rows"));
    let many: String = (0..1001).map(|i| format!("\n1,id{i},0")).collect();
    assert!(fails(&format!("year,id,bad{many}"), json!({})).contains("1001 different values are too many"));
}

#[test]
fn the_last_third_is_tested_by_default() {
    let names: Vec<String> = (0..7).map(|i| i.to_string()).collect();
    let f = fold(&names, &[], &[]).unwrap();
    assert_eq!((f.meta_train.len(), f.meta_test), (4, vec![4, 5, 6]));
    let f = fold(&names[..1], &[], &[]).unwrap();
    assert_eq!((f.meta_train.len(), f.meta_test), (0, vec![0]));
    assert_eq!(fold(&names, &["2".into()], &[]).unwrap().meta_test, [0, 1, 3, 4, 5, 6]);
}

#[test]
fn text_in_a_column_of_numbers_is_named_and_never_made_categories() {
    let dir = folder("year,x,kind\n1,2,a\n1,3,1\n2,n/a,b\n2,5,b\n");
    let params = json!({"file": "t.csv", "domain": "year"});
    let message = testing::open(&DEF, params, dir.path()).err().unwrap().to_string();
    assert!(message.contains("row 3 (the first is 1), column `x`: `n/a` is not a number"), "{message}");
    let params = json!({"file": "t.csv", "domain": "year", "categorical": ["x", "kind"]});
    assert_eq!(
        testing::open(&DEF, params, dir.path()).unwrap().info().modality,
        Modality::rows(2 + 2),
        "x and kind of domain 1"
    );
}

#[test]
fn it_knows_the_files_that_its_samples_depend_on() {
    let dir = folder(CSV);
    testing::knows_its_files(&DEF, json!({"file": "t.csv", "domain": "year"}), dir.path());
}

/// Two days of training, one of tests; the test day has a service of its own, and a value is missing in each column.
const LOG: &str = "day;id;bytes;service;kind\n1;a;1;http;benign\n1;b;NA;dns;benign\n2;c;5;?;attack\n2;d;8;http;benign\n\
                   3;e;;ssh;benign\n3;f;100;;attack\n";

fn log(more: Value) -> Value {
    let mut all = json!({
        "file": "t.csv", "domain": "day", "label": "kind", "label_map": {"benign": 0, "attack": 1}, "exclude": ["id"],
    });
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    all
}

#[test]
fn categories_and_medians_are_those_of_the_training_rows() {
    let dir = folder(LOG);
    let set = testing::open(&DEF, log(json!({"missing": "indicator"})), dir.path()).unwrap();
    let layout = set.layout().unwrap();
    assert_eq!(layout.features(), ["bytes", "bytes is missing", "service is missing", "service=dns", "service=http"]);
    // numpy.median([1, 8]): the normal rows of days 1 and 2.
    assert_eq!(rows(&*set, 0, Subset::Normal), [1.0, 0.0, 0.0, 0.0, 1.0, 4.5, 1.0, 0.0, 1.0, 0.0]);
    assert_eq!(rows(&*set, 2, Subset::Normal), [4.5, 1.0, 0.0, 0.0, 0.0], "`ssh` is unknown");
    let notes: Vec<_> = set.info().notes.iter().map(|(_, said)| said.as_str()).collect();
    assert_eq!(notes, ["column `service`: 1 rows hold what the training rows do not: `ssh`"]);
    let sample = testing::subset(&*set, 2, Subset::Anomalous)[0];
    assert_eq!(set.source_row(&sample), Some(5), "rows count from 0");

    let message = testing::open(&DEF, log(json!({})), dir.path()).err().unwrap().to_string();
    assert!(message.contains("no value: bytes 2 (first in row 2), service 2 (first in row 3)"), "{message}");
    let median = testing::open(&DEF, log(json!({"missing": "median"})), dir.path()).unwrap();
    assert_eq!(median.info().modality, Modality::rows(4));
}

#[test]
fn labels_and_separators_can_be_said() {
    let dir = folder(LOG);
    let fails = |more| testing::open(&DEF, log(more), dir.path()).err().unwrap().to_string();
    let message = fails(json!({"label_map": {"benign": 0}, "missing": "median"}));
    assert!(
        message.contains("row 3 (the first is 1), column `kind`: `attack` is not in label_map: benign"),
        "{message}"
    );
    assert!(fails(json!({"label_map": {}})).contains("others with `label_map: {word: 0}`"));
    assert!(fails(json!({"separator": ","})).contains("no column"));
    assert!(fails(json!({"exclude": ["idd"]})).contains("did you mean `id`?"));
    assert!(fails(json!({"features": ["id"]})).contains("`id` is in both features and exclude"));
    testing::open(&DEF, log(json!({"separator": ";", "missing": "median"})), dir.path()).unwrap();
    let given = |value: Value| serde_json::from_value(log(value)).unwrap();
    assert!(DEF.configure(&given(json!({"separator": "::"}))).is_err());
    let problem = DEF.configure(&given(json!({"label_map": {"benign": 2}}))).err().unwrap().remove(0);
    assert!(problem.hint.contains("mapping of texts to 0 or 1"), "{problem:?}");
}

#[test]
fn without_labels_the_source_of_anomalies_is_noted() {
    let given = json!({"file": "t.csv", "domain": "year", "features": ["x", "y"]});
    let set = testing::open(&DEF, given, folder(CSV).path()).unwrap();
    assert_eq!(set.info().notes, [("anomalies".to_owned(), "rows of other domains".to_owned())]);
}
