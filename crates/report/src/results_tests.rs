use proptest::prelude::*;

use super::*;
use crate::testing::row;

/// Columns as the interface fixes them.
const FIXED: &str = "experiment,profile,dataset,domain,method,method_version,setting,params,seed,contamination,\
contamination_realised,batch_size,pooling,n_batches,n_undefined,n_normal,n_anomalous,auroc,aupr,f1_max,fpr95,\
pixel_auroc,pixel_aupr,aupro,fit_seconds,score_seconds,status,error,fit_key,cell_key,git_sha,device,threads";

#[test]
fn the_columns_are_the_fields_of_a_row_in_the_fixed_order() {
    let dir = tempfile::tempdir().unwrap();
    write_results(dir.path(), &[row()]).unwrap();
    let csv = std::fs::read_to_string(dir.path().join("results.csv")).unwrap();
    assert_eq!(csv.lines().next().unwrap(), FIXED);
    assert_eq!(COLUMNS.join(","), FIXED);
    assert_eq!(frame::read_parquet(&dir.path().join("results.parquet")).unwrap().get_column_names(), COLUMNS);
}

#[test]
fn a_missing_metric_is_an_empty_field_and_nothing_else_is_left_in_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    let empty = Row { auroc: None, aupr: Some(0.0), contamination: None, batch_size: None, ..row() };
    write_results(dir.path(), std::slice::from_ref(&empty)).unwrap();
    let csv = std::fs::read_to_string(dir.path().join("results.csv")).unwrap();
    let fields: Vec<&str> = csv.lines().nth(1).unwrap().rsplit(',').collect();
    let of = |name: &str| fields[COLUMNS.len() - 1 - COLUMNS.iter().position(|c| *c == name).unwrap()];
    assert_eq!((of("auroc"), of("aupr"), of("batch_size"), of("pixel_auroc")), ("", "0.0", "", ""));
    let mut files: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|f| f.unwrap().file_name()).collect();
    files.sort();
    assert_eq!(files, ["results.csv", "results.parquet"]);
    assert_eq!(read_results(dir.path()).unwrap(), [empty]);
}

#[test]
fn nothing_undefined_is_written_as_nan() {
    let dir = tempfile::tempdir().unwrap();
    let message = write_results(dir.path(), &[Row { aupr: Some(f64::NAN), ..row() }]).unwrap_err().to_string();
    assert!(message.contains("`aupr` is NaN"), "{message}");
    assert!(!dir.path().join("results.csv").exists());
}

#[test]
fn a_folder_without_results_says_what_to_do_and_a_lost_column_is_named() {
    let dir = tempfile::tempdir().unwrap();
    assert!(read_results(dir.path()).unwrap_err().to_string().contains("`zsad run` writes them"));
    write_results(dir.path(), &[row()]).unwrap();
    std::fs::remove_file(dir.path().join("results.parquet")).unwrap();
    let path = dir.path().join("results.csv");
    let csv = std::fs::read_to_string(&path).unwrap().replacen("auroc", "auc", 1);
    std::fs::write(&path, csv).unwrap();
    let message = read_results(dir.path()).unwrap_err().to_string();
    assert!(message.contains("results.csv") && message.contains("auroc"), "{message}");
}

fn float() -> impl Strategy<Value = Option<f64>> {
    prop_oneof![Just(None), (0.0..=1.0f64).prop_map(Some), any::<f64>().prop_map(|v| Some(v).filter(|v| v.is_finite())),]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z_]{0,8}", Just("a \"quoted\", line\nand | another".to_owned()), Just("{\"k\":5}".to_owned())]
}

prop_compose! {
    fn any_row()(
        names in (text(), text(), text(), text(), text()),
        floats in (float(), float(), float(), float()),
        counts in (any::<u64>(), proptest::option::of(0u64..300), 0u64..9, any::<u32>()),
        error in text(),
    ) -> Row {
        Row {
            dataset: names.0, domain: names.1, method: names.2, params: names.3, cell_key: names.4,
            contamination: floats.0, auroc: floats.1, aupro: floats.2, fit_seconds: floats.3,
            seed: counts.0, batch_size: counts.1, n_undefined: counts.2, method_version: counts.3, error,
            ..row()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any row survives both formats bit for bit, and any order of rows gives the same bytes.
    #[test]
    fn rows_read_back_exactly_and_their_order_does_not_matter(
        (rows, shuffled) in prop::collection::vec(any_row(), 0..12)
            .prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle())),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let bytes = |rows: &[Row]| {
            write_results(dir.path(), rows).unwrap();
            ["results.csv", "results.parquet"].map(|f| std::fs::read(dir.path().join(f)).unwrap())
        };
        let total = |rows: &[Row]| {
            let mut sorted = rows.to_vec();
            sorted.sort_by(order);
            sorted
        };
        // Rows that agree in every key column keep their given order: keys are unique in a real run.
        let unique = total(&rows).windows(2).all(|w| order(&w[0], &w[1]).is_ne());
        let first = bytes(&rows);
        if unique {
            prop_assert_eq!(&first, &bytes(&shuffled));
        }
        bytes(&rows);
        let bits = |rows: &[Row]| rows.iter().map(|r| format!("{r:?}")).collect::<Vec<_>>();
        prop_assert_eq!(bits(&read_results(dir.path()).unwrap()), bits(&total(&rows)));
        std::fs::remove_file(dir.path().join("results.parquet")).unwrap();
        prop_assert_eq!(bits(&read_results(dir.path()).unwrap()), bits(&total(&rows)));
    }
}
