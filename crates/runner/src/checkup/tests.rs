//! Tables written here, each with one thing that is odd.

use zsad_core::{DataDir, Fold, Values};
use zsad_data::memory::{InMemory, MemoryDomain};

use super::*;

/// `n` rows of `d` columns around `centre`, spread by a formula.
fn rows(n: usize, d: usize, centre: f64, seed: usize) -> Vec<Vec<f64>> {
    let value = |i: usize, j: usize| ((i * 7919 + j * 104_729 + seed * 31) % 997) as f64 / 997.0 + centre;
    (0..n).map(|i| (0..d).map(|j| value(i, j)).collect()).collect()
}

/// A table of one domain that is tested.
fn table(normal: &[Vec<f64>], anomalous: &[Vec<f64>]) -> InMemory {
    let dim = normal[0].len();
    let samples = |rows: &[Vec<f64>]| Samples::new(vec![dim], Values::F64(rows.concat()));
    let domain = MemoryDomain {
        anomalous: (!anomalous.is_empty()).then(|| samples(anomalous)),
        ..MemoryDomain::normals("d", samples(normal))
    };
    let modality = Modality::Tabular { dim, features: false };
    InMemory::new("own", modality, vec![domain], vec![Fold::single([], [0])], AnomalySource::Genuine).unwrap()
}

fn env() -> Environment {
    Environment::new(DataDir { path: "none".into(), chosen_by: "--data" })
}

fn odd(normal: &[Vec<f64>], anomalous: &[Vec<f64>]) -> Vec<String> {
    checkup(&table(normal, anomalous), None, &env()).unwrap()
}

#[test]
fn a_sound_table_has_nothing_odd() {
    assert_eq!(odd(&rows(60, 3, 0.0, 1), &rows(6, 3, 5.0, 2)), [""; 0]);
}

#[test]
fn a_table_of_one_class_is_named() {
    let found = odd(&rows(60, 3, 0.0, 1), &[]);
    assert!(found.iter().any(|line| line.contains("one class only: normals, and no anomalous sample")), "{found:?}");
}

#[test]
fn constant_features_are_counted() {
    let with = |mut rows: Vec<Vec<f64>>| {
        rows.iter_mut().for_each(|row| row.push(3.5));
        rows
    };
    let found = odd(&with(rows(60, 3, 0.0, 1)), &with(rows(6, 3, 5.0, 2)));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].ends_with("1 of 4 features are constant in the 66 samples looked at"), "{found:?}");
}

#[test]
fn repeated_rows_are_counted_and_those_with_both_labels_named() {
    let normal = rows(30, 3, 0.0, 1);
    let anomalous = [rows(6, 3, 5.0, 2), vec![normal[4].clone()]].concat();
    let twice = [normal.clone(), normal[..12].to_vec()].concat();
    let found = odd(&twice, &anomalous);
    assert!(found[0].ends_with("13 of 49 samples looked at (27 %) repeat another"), "{found:?}");
    assert!(found[1].ends_with("1 sample is both normal and anomalous"), "{found:?}");
}

#[test]
fn inverted_labels_are_suspected() {
    let found = odd(&rows(6, 3, 5.0, 2), &rows(60, 3, 0.0, 1));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("labels may be inverted: AUROC of all floors is below 0.4 (ecod 0."), "{found:?}");
}

#[test]
fn counts_are_compared_with_what_is_known() {
    let set = table(&rows(60, 3, 0.0, 1), &rows(6, 3, 5.0, 2));
    let expect = |samples| Expect { samples: Some(samples), domains: Some(1) };
    assert_eq!(checkup(&set, Some(&expect(66)), &env()).unwrap(), [""; 0]);
    assert_eq!(checkup(&set, Some(&expect(70)), &env()).unwrap(), ["66 samples instead of 70"]);
}
