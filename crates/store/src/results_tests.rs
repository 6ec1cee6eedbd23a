use proptest::prelude::*;

use serde_json::Value;
use zsad_core::BatchSize;

use super::*;
use crate::record::{CellRecord, Status};

/// A row as it is read back, changed by `change`.
fn changed(change: impl FnOnce(&mut CellRecord, &mut DomainResult)) -> Row {
    let mut record = CellRecord { score_seconds: Some(0.25), cell_key: "0123".into(), ..CellRecord::default() };
    record.asked.dataset = "digits".into();
    record.asked.params = serde_json::json!({"k": 5});
    (record.asked.method, record.cell.fit.method.name) = ("ours".into(), "knn".into());
    record.cell.fit.method.version = 1;
    record.cell.point.size = BatchSize::Normals(18);
    record.cell.point.contamination = Some(0.1).into();
    (record.provenance.device, record.provenance.threads) = ("cpu".into(), 1);
    let metrics = [("auroc".to_owned(), Some(0.75)), ("aupr".to_owned(), Some(0.5))].into();
    let (n_batches, n_undefined, n_normal, n_anomalous) = (2, 0, 36, 4);
    let mut result = DomainResult { domain: "7".into(), n_batches, n_undefined, n_normal, n_anomalous, metrics };
    change(&mut record, &mut result);
    Row { record: Arc::new(record), result }
}

fn row() -> Row {
    changed(|_, _| ())
}

/// All columns, in their order.
fn columns() -> Vec<&'static str> {
    FIXED.split(',').collect()
}

/// Columns as the interface fixes them.
const FIXED: &str = "experiment,profile,dataset,domain,method,method_version,setting,params,seed,contamination,\
contamination_realised,batch_size,pooling,n_batches,n_undefined,n_normal,n_anomalous,auroc,aupr,f1_max,fpr95,\
pixel_auroc,pixel_aupr,aupro,fit_seconds,score_seconds,status,error,fit_key,cell_key,git_sha,device,threads,batch_total,params_used,\
pixel_f1_max,method_name,shift,labels,query";

#[test]
fn the_columns_are_the_fields_of_a_row_in_the_fixed_order() {
    let dir = tempfile::tempdir().unwrap();
    write_results(dir.path(), &[row()]).unwrap();
    let csv = std::fs::read_to_string(dir.path().join("results.csv")).unwrap();
    assert_eq!(csv.lines().next().unwrap(), FIXED);
    assert_eq!(frame::read_parquet(&dir.path().join("results.parquet")).unwrap().get_column_names(), columns());
}

#[test]
fn a_missing_metric_is_an_empty_field_and_nothing_else_is_left_in_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    let empty = changed(|record, result| {
        record.cell.point.contamination = None.into();
        *result =
            DomainResult { domain: "7".into(), metrics: [("aupr".to_owned(), Some(0.0))].into(), ..Default::default() };
    });
    write_results(dir.path(), std::slice::from_ref(&empty)).unwrap();
    let csv = std::fs::read_to_string(dir.path().join("results.csv")).unwrap();
    let fields: Vec<&str> = csv.lines().nth(1).unwrap().rsplit(',').collect();
    let of = |name: &str| fields[columns().len() - 1 - columns().iter().position(|c| *c == name).unwrap()];
    assert_eq!((of("auroc"), of("aupr"), of("batch_size"), of("batch_total")), ("", "0.0", "normals=18", ""));
    let mut files: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|f| f.unwrap().file_name()).collect();
    files.sort();
    assert_eq!(files, ["results.csv", "results.parquet"]);
    assert_eq!(read_results(dir.path()).unwrap(), [empty]);
}

#[test]
fn nothing_undefined_is_written_as_nan() {
    let dir = tempfile::tempdir().unwrap();
    let message =
        write_results(dir.path(), &[changed(|_, r| r.metrics = [("aupr".to_owned(), Some(f64::NAN))].into())])
            .unwrap_err()
            .to_string();
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

#[test]
fn results_of_earlier_versions_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let old = |status| changed(|record, _| (record.cell.point.size, record.status) = (BatchSize::Total(20), status));
    write_results(dir.path(), &[old(Status::Ok), old(Status::Failed)]).unwrap();
    std::fs::remove_file(dir.path().join("results.parquet")).unwrap();
    // Without the columns that came later, and totals alone, none where nothing was scored.
    let path = dir.path().join("results.csv");
    let csv = std::fs::read_to_string(&path).unwrap();
    let cut: Vec<&str> = csv.lines().map(|l| l.rsplitn(7, ',').last().unwrap()).collect();
    let cut = cut
        .join("\n")
        .replace(",20,batch,2,0,36,4,0.75,0.5,,,,,,,0.25,failed", ",,batch,2,0,36,4,0.75,0.5,,,,,,,0.25,failed");
    std::fs::write(&path, cut + "\n").unwrap();
    let read = read_results(dir.path()).unwrap();
    assert_eq!(read.iter().map(|r| r.point().size).collect::<Vec<_>>(), [BatchSize::Total(20), BatchSize::All]);
    let one_name = |record: &mut CellRecord| record.cell.fit.method.name = record.asked.method.clone();
    let mut wanted = old(Status::Ok);
    one_name(Arc::make_mut(&mut wanted.record));
    assert_eq!(read[0], wanted);
}

fn float() -> impl Strategy<Value = Option<f64>> {
    prop_oneof![Just(None), (0.0..=1.0f64).prop_map(Some), any::<f64>().prop_map(|v| Some(v).filter(|v| v.is_finite())),]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z_]{0,8}", Just("a \"quoted\", line\nand | another".to_owned()), Just("{\"k\":5}".to_owned())]
}

fn size() -> impl Strategy<Value = BatchSize> {
    prop_oneof![
        (1usize..300).prop_map(BatchSize::Total),
        (1usize..300).prop_map(BatchSize::Normals),
        Just(BatchSize::All)
    ]
}

prop_compose! {
    fn any_row()(
        names in (text(), text(), text(), text(), text(), "[a-z_]{1,8}"),
        floats in (float(), float(), float(), float()),
        counts in (any::<u64>(), 0u64..9, 0usize..9, any::<u32>()),
        error in text(),
        size in size(),
    ) -> Row {
        changed(|record, result| {
            (record.asked.dataset, record.cell.fit.method.name, record.cell_key) = (names.0, names.2, names.4);
            record.asked.method = names.5;
            record.asked.params = if names.3.is_empty() { Value::Null } else { names.3.into() };
            record.cell.fit.method.version = counts.3;
            record.cell.fit.seed = counts.0;
            record.cell.point.size = size;
            record.cell.point.contamination = floats.0.into();
            let query = zsad_core::Query::ALL[counts.2 % zsad_core::Query::ALL.len()];
            record.cell.point.labels = (counts.2 > 4).then_some(zsad_core::Budget { labels: counts.2, query });
            record.fit_seconds = floats.3;
            record.error = Some(error).filter(|e| !e.is_empty());
            (result.domain, result.n_undefined) = (names.1, counts.2);
            let metrics = [("auroc", floats.1), ("aupro", floats.2)].into_iter();
            result.metrics = metrics.filter(|(_, v)| v.is_some()).map(|(n, v)| (n.to_owned(), v)).collect();
        })
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
            sorted.sort_by_cached_key(sort_key);
            sorted
        };
        // Rows that agree in every key column keep their given order: keys are unique in a real run.
        let unique = total(&rows).windows(2).all(|w| sort_key(&w[0]) != sort_key(&w[1]));
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
