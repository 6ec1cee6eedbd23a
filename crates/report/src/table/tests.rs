use super::*;
use zsad_core::BatchSize;

use crate::export::Terminal;
use crate::testing::{Flat, metrics, omniglot, row};

#[test]
fn a_run_with_holes_is_printed_with_every_hole_named() {
    let rows = omniglot();
    let table = comparison(&rows, &default_metrics(&rows));
    insta::assert_snapshot!("markdown", table.print(&Markdown));
    insta::assert_snapshot!("tex", table.print(&Latex));
    insta::assert_snapshot!("terminal", table.print(&Terminal));
    insta::assert_snapshot!("csv", table.to_csv().unwrap());
}

#[test]
fn batch_sizes_are_columns_where_there_is_one_contamination() {
    let at = |batch: u64, method: &str, auroc: f64| Flat {
        batch_size: BatchSize::Total(batch as usize),
        method: method.into(),
        metrics: metrics(&[("auroc", auroc)]),
        cell_key: format!("{batch}{method}"),
        // Two samples, one of them anomalous: half of the batch, and not a tenth.
        n_normal: if batch == 2 { 10 } else { 180 },
        n_anomalous: if batch == 2 { 10 } else { 20 },
        ..row()
    };
    let rows = [at(2, "knn", 0.5), at(2, "lof", 0.6), at(16, "knn", 0.8), at(16, "lof", 0.8)].map(Row::from);
    let table = comparison(&rows, &default_metrics(&rows));
    assert_eq!(table.sheet.blocks.len(), 1);
    assert_eq!(table.sheet.blocks[0].header, ["method", "setting", "domains", "seeds", "2 (realised 50.0 %)", "16"]);
    assert!(table.print(&Markdown).contains("contamination 10 %; columns: batch size"));
    let best: Vec<bool> = table.sheet.blocks[0].lines.iter().flatten().map(|t| t.bold).collect();
    // Lines knn and lof: lof wins at 2, both win at 16.
    assert_eq!(best, [false, false, false, false, false, true, false, false, false, false, true, true]);
}

#[test]
fn data_sets_are_columns_of_bare_numbers_where_a_paper_wants_it() {
    let at = |dataset: &str, method: &str, seed: u64, auroc: f64| Flat {
        dataset: dataset.into(),
        method: method.into(),
        seed,
        metrics: metrics(&[("auroc", auroc)]),
        cell_key: format!("{dataset}{method}{seed}"),
        ..row()
    };
    let mut rows = Vec::new();
    for (dataset, value) in [("digits", 0.5), ("omniglot", 0.75)] {
        rows.extend([at(dataset, "knn", 0, value), at(dataset, "knn", 1, value), at(dataset, "lof", 0, value - 0.25)]);
    }
    let rows: Vec<Row> = rows.into_iter().map(Row::from).collect();
    let style = Style { compact: true, no_interval: true, by_dataset: true, ..Style::default() };
    let table = styled(&rows, &default_metrics(&rows), &[], &style);
    assert_eq!(table.sheet.blocks.len(), 1);
    let block = &table.sheet.blocks[0];
    assert_eq!(block.header, ["method", "digits", "omniglot"]);
    let lines: Vec<Vec<&str>> = block.lines.iter().map(|l| l.iter().map(|t| t.plain.as_str()).collect()).collect();
    assert_eq!(lines, [["knn", "50.0 ± 0.0", "75.0 ± 0.0"], ["lof", "25.0", "50.0"]]);
    let own = Style { caption: Some("Ours.".into()), label: Some("tab:a".into()), ..style };
    let tex = styled(&rows, &default_metrics(&rows), &[], &own).print(&Latex);
    assert!(tex.contains("\\caption{Ours.}\n\\label{tab:a}") && !tex.contains("par\\footnotesize"), "{tex}");
}

#[test]
fn a_lower_metric_is_better_where_it_should_be() {
    let at = |method: &str, fpr95: f64| Flat {
        method: method.into(),
        metrics: metrics(&[("fpr95", fpr95)]),
        cell_key: method.into(),
        ..row()
    };
    let rows = [at("knn", 0.5), at("lof", 0.25)].map(Row::from);
    let table = comparison(&rows, &[&zsad_metrics::find("fpr95").unwrap().spec]);
    assert_eq!(table.entries.iter().map(|e| e.best).collect::<Vec<_>>(), [false, true]);
}

/// Four methods over twelve domains that differ widely: `a` and `b` by less than their own wobble, `c` by more, `d` by far.
#[test]
fn methods_that_a_paired_test_cannot_part_are_one_tie() {
    let at = |method: &str, domain: usize, auroc: f64| Flat {
        method: method.into(),
        domain: format!("{domain:02}"),
        metrics: metrics(&[("auroc", auroc)]),
        cell_key: method.into(),
        ..row()
    };
    let mut rows = Vec::new();
    for d in 0..12 {
        let level = 0.6 + 0.03 * d as f64;
        let wobble = if d % 2 == 0 { 0.01 } else { -0.01 };
        rows.extend([at("a", d, level), at("b", d, level + wobble - 0.001)]);
        rows.extend([at("c", d, level - 0.02 + wobble), at("d", d, level - 0.3)]);
    }
    let rows: Vec<Row> = rows.into_iter().map(Row::from).collect();
    let table = comparison(&rows, &default_metrics(&rows));
    let of = |name: &str| table.entries.iter().find(|e| e.method.method == name).unwrap();
    assert_eq!(["a", "b", "c", "d"].map(|m| of(m).rank), [Some(1), Some(2), Some(3), Some(4)]);
    assert_eq!(
        ["a", "b", "c", "d"].map(|m| (of(m).best, of(m).tied)),
        [(true, false), (false, true), (false, false), (false, false)]
    );
    assert_eq!(ties::groups(&table.entries.iter().collect::<Vec<_>>()), [[1, 2].into()]);
    // The wobble's deviation is 0.01 * sqrt(12 / 11), its standard error that / sqrt(12); t(11) = 2.200_985_160_091_64.
    // It is the half-width of a-b, a-c and b-d, c-d; the differences a-d and b-c are constant.
    let half = 2.200_985_160_091_64 * 0.01 * (12.0f64 / 11.0).sqrt() / 12.0f64.sqrt();
    assert!((of("a").resolution.unwrap() - half).abs() < 1e-9, "{:?}", of("a").resolution);
    let page = table.print(&Markdown);
    assert!(page.contains("| ranks not told apart |  |  |  | 1–2 |"), "{page}");
    assert_eq!(ties::ranks(&[1, 2, 3, 5, 8, 9].into()), "1–3, 5, 8–9");
}

#[test]
fn two_cells_of_one_name_are_never_averaged() {
    let rows = [
        Flat { cell_key: "a".into(), metrics: metrics(&[("auroc", 0.1)]), ..row() },
        Flat { cell_key: "b".into(), ..row() },
    ]
    .map(Row::from);
    let table = comparison(&rows, &default_metrics(&rows));
    assert_eq!(table.entries[0].outcome, Outcome::Ambiguous);
    assert!(table.print(&Markdown).contains("ambiguous"));
}

#[test]
fn the_files_are_written_and_do_not_depend_on_the_order_of_rows() {
    let mut rows = omniglot();
    let write = |rows: &[Row]| {
        let dir = tempfile::tempdir().unwrap();
        write_all(dir.path(), rows, &[]).unwrap();
        ["table.md", "table.tex", "table.csv"].map(|f| std::fs::read_to_string(dir.path().join(f)).unwrap())
    };
    let first = write(&rows);
    rows.reverse();
    assert_eq!(first, write(&rows));
    assert!(first[2].lines().count() > 10 && first[2].contains(",fpr95,") | first[2].contains("fpr95,"));
}
