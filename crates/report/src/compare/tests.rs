//! Against numbers that are worked out by hand.

use zsad_core::MetricSpec;
use zsad_store::Row;

use super::*;
use crate::export::Terminal;
use crate::testing::{Flat, metrics, omniglot, row};

fn metric(name: &str) -> &'static MetricSpec {
    &zsad_metrics::find(name).unwrap().spec
}

fn asked(name: &str) -> Question {
    Question { metric: metric(name), methods: vec![], ours: None, rope: 0.01 }
}

/// Rows of AUROC and false-positive rate: method, data set, domain, seed, AUROC.
fn rows(values: &[(&str, &str, &str, u64, f64)]) -> Vec<Row> {
    let one = |&(method, dataset, domain, seed, auroc): &(&str, &str, &str, u64, f64)| Flat {
        method: method.into(),
        params: "{}".into(),
        dataset: dataset.into(),
        domain: domain.into(),
        seed,
        metrics: metrics(&[("auroc", auroc), ("fpr95", 1.0 - auroc)]),
        cell_key: format!("{method}{dataset}{seed}"),
        ..row()
    };
    values.iter().map(one).map(Row::from).collect()
}

/// Two seeds on three domains of two data sets; `a` was not run with seed 1 on `z`.
fn three_domains() -> Vec<Row> {
    rows(&[
        ("a", "s", "x", 0, 0.9),
        ("a", "s", "x", 1, 0.8),
        ("a", "s", "y", 0, 0.7),
        ("a", "s", "y", 1, 0.7),
        ("a", "t", "z", 0, 0.5),
        ("b", "s", "x", 0, 0.6),
        ("b", "s", "x", 1, 0.7),
        ("b", "s", "y", 0, 0.6),
        ("b", "s", "y", 1, 0.6),
        ("b", "t", "z", 0, 0.6),
        ("b", "t", "z", 1, 0.1),
    ])
}

#[test]
fn everything_but_the_domain_is_averaged_over_what_both_have() {
    let found = compare(&three_domains(), &asked("auroc")).unwrap();
    let [pair] = &found.pairs[..] else { panic!("{found:?}") };
    // x: (0.3 + 0.1) / 2, y: 0.1, z: −0.1 of seed 0 alone.
    assert!((pair.mean_difference - 0.2 / 3.0).abs() < 1e-12, "{pair:?}");
    assert_eq!((pair.a.as_str(), pair.b.as_str(), pair.n, pair.n_seeds), ("a", "b", 3, 2));
    assert_eq!((pair.wins, pair.ties, pair.losses), (2, 0, 1));
    // |d| = 0.2, 0.1, 0.1: ranks 3, 1.5, 1.5; a rank sum of at most 1.5 has 3 of 8 signs.
    assert_eq!((pair.wilcoxon_p, pair.holm_p), (Some(0.75), Some(0.75)));
    assert_eq!(found.n, 3);
    assert!((found.ranks["a"] - 4.0 / 3.0).abs() < 1e-12 && (found.ranks["b"] - 5.0 / 3.0).abs() < 1e-12);
    assert!(found.friedman.is_none(), "two methods");
    let page = found.print(&Terminal);
    for said in ["s 2, t 1; most of the weight is s's", "below 0.250", "It takes 6 domains"] {
        assert!(page.contains(said), "{said} in\n{page}");
    }
}

#[test]
fn less_is_better_where_the_metric_says_so() {
    let found = compare(&three_domains(), &asked("fpr95")).unwrap();
    let pair = &found.pairs[0];
    assert!((pair.mean_difference + 0.2 / 3.0).abs() < 1e-12, "{pair:?}");
    assert_eq!((pair.wins, pair.losses), (2, 1));
    assert!(pair.p_a_better > pair.p_b_better && found.ranks["a"] < found.ranks["b"]);
}

#[test]
fn ours_is_compared_with_each_and_the_others_are_not() {
    let rows = omniglot();
    let ours = Question { ours: Some("knn".into()), ..asked("auroc") };
    let found = compare(&rows, &ours).unwrap();
    assert!(found.pairs.iter().all(|p| p.a == "knn"), "{found:?}");
    assert_eq!(found.pairs.len(), 4);
    let all = compare(&rows, &asked("auroc")).unwrap();
    assert_eq!(all.pairs.len(), 10);
    let same = |p: &&Pair| p.a == "iforest" && p.b == "knn" || p.a == "knn" && p.b == "iforest";
    let (one, other) = (found.pairs.iter().find(same).unwrap(), all.pairs.iter().find(same).unwrap());
    assert_eq!(one.wilcoxon_p, other.wilcoxon_p);
    // Fewer are looked at.
    assert!(one.holm_p <= other.holm_p);
    let friedman = all.friedman.unwrap();
    assert!(friedman.p > 0.0 && friedman.p < 1.0 && friedman.critical_difference > 0.0);
}

#[test]
fn what_is_not_there_is_said() {
    let rows = three_domains();
    let unknown = Question { methods: vec!["aa".into()], ..asked("auroc") };
    let said = compare(&rows, &unknown).unwrap_err().to_string();
    assert!(said.contains("no method `aa` here"), "{said}");
    let said = compare(&rows, &asked("aupro")).unwrap_err().to_string();
    assert!(said.contains("no method has a value of `aupro`"), "{said}");
    let alone = Question { methods: vec!["a".into()], ..asked("auroc") };
    assert!(compare(&rows, &alone).is_err());
}
