//! Labels of test batches from outside: cells without them are those of before, what is told in results, and what is refused
//! before anything runs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use zsad_tests::{Sandbox, column, finished};

/// An experiment whose protocol says this as well.
fn experiment(more: &str, analyses: &str) -> String {
    format!(
        "experiment: labelled\ndatasets: [digits]\nmethods: [knn, mahalanobis, iforest]\nprotocol: {{batch_size: [40], \
         contamination: [0.2], n_batches: 6{more}}}\nseeds: [0]\n{analyses}"
    )
}

const LABELS: &str = ", labels: [0, 8], query: [random, positive, k_diverse]";

#[test]
fn cells_without_labels_are_those_of_before_and_the_others_stand_beside_them() {
    let sandbox = Sandbox::default();
    sandbox.write("x.yaml", experiment("", ""));
    sandbox.run(&["run", "x.yaml", "--out", "out"]).expect(0);
    let before = finished(&sandbox.path("out"));
    sandbox.write("x.yaml", experiment(LABELS, "analyses: [labels]\n"));
    let plan = sandbox.run(&["plan", "x.yaml", "--out", "out", "--json"]).expect(0).out;
    assert_eq!((plan.matches("\"cached\"").count() > 0, plan.matches("\"stale\"").count()), (true, 0), "{plan}");
    sandbox.run(&["run", "x.yaml", "--out", "out"]).expect(0);
    let out = sandbox.path("out");
    let after = finished(&out);
    assert!(before.iter().all(|(name, file)| after.get(name) == Some(file)), "nothing is scored again");

    let [methods, names, labels, queries, settings, rest] =
        ["method", "method_name", "labels", "query", "setting", "auroc_rest"].map(|name| column(&out, name));
    let told: BTreeSet<(&str, &str, &str, &str, bool)> = (0..methods.len())
        .filter(|&i| names[i] == "knn")
        .map(|i| (&*methods[i], &*labels[i], &*queries[i], &*settings[i], rest[i].is_empty()))
        .collect();
    let wanted = [
        ("knn", "0", "", "in_batch", true),
        ("knn(labels=8, query=k_diverse)", "8", "k_diverse", "few_label", false),
        ("knn(labels=8, query=positive)", "8", "positive", "few_label", false),
        ("knn(labels=8, query=random)", "8", "random", "few_label", false),
    ];
    assert_eq!(told, wanted.into());
    let table = fs::read_to_string(out.join("table.md")).unwrap();
    assert!(table.contains("few_label: the test batch and the labels of so many of its samples"), "{table}");

    // The same bits on one thread.
    sandbox.run(&["run", "x.yaml", "--out", "one", "--threads", "1", "--jobs", "1"]).expect(0);
    let scores = |files: &BTreeMap<String, (Vec<u8>, std::time::SystemTime)>| -> BTreeMap<String, Vec<u8>> {
        let of_scores = files.iter().filter(|(name, _)| name.ends_with(".parquet"));
        of_scores.map(|(name, (bytes, _))| (name.clone(), bytes.clone())).collect()
    };
    assert_eq!(scores(&finished(&sandbox.path("one"))), scores(&after));
}

#[test]
fn labels_are_worth_something_and_the_page_says_what() {
    let sandbox = Sandbox::default();
    sandbox.write("x.yaml", experiment(LABELS, "analyses: [labels]\n"));
    sandbox.run(&["run", "x.yaml", "--out", "out"]).expect(0);
    let text = fs::read_to_string(sandbox.path("out/analyses/labels.csv")).unwrap();
    let mut lines = text.lines().map(|l| l.split(',').collect::<Vec<_>>());
    let header = lines.next().unwrap();
    let lines: Vec<BTreeMap<&str, &str>> = lines.map(|l| header.iter().copied().zip(l).collect()).collect();
    assert_eq!(lines.len(), 9, "three methods, three ways");
    let number = |line: &BTreeMap<&str, &str>, name: &str| line[name].parse::<f64>().unwrap();
    for line in &lines {
        assert_eq!(line["labels"], "8");
        let (found, query) = (number(line, "found"), line["query"]);
        // Of eight anomalies in forty, eight random labels find 1.6, and the eight highest scores most.
        match query {
            "positive" => assert!(found > 3.0, "{line:?}"),
            "random" => assert!((0.8..2.4).contains(&found), "{line:?}"),
            _ => assert!(found > 1.6, "{line:?}"),
        }
        assert!(number(line, "auroc") >= number(line, "auroc_before"), "{line:?}");
        assert_eq!(line["over_random"].is_empty(), query == "random");
        if line["method"] != "iforest" {
            assert!(number(line, "gain") > 0.0, "known anomalies show others: {line:?}");
        }
        assert!((0.0..=0.5).contains(&number(line, "contamination_est")), "{line:?}");
    }
    let page = fs::read_to_string(sandbox.path("out/analyses/labels.md")).unwrap();
    assert!(page.contains("over random"), "{page}");
}

#[test]
fn what_labels_cannot_do_is_refused_with_its_place() {
    let sandbox = Sandbox::default();
    let refused = |text: String, wants: &[&str]| {
        sandbox.write("x.yaml", text);
        let done = sandbox.run(&["run", "x.yaml", "--out", "out"]).expect(2);
        for want in wants {
            assert!(done.err.contains(want), "{want}: {}", done.err);
        }
    };
    let with = |methods: &str| experiment(", labels: [0, 5]", "").replace("knn, mahalanobis, iforest", methods);
    refused(
        with("deep_svdd, {name: reference_distance, params: {shots: 5}}"),
        &["x.yaml:4:", "`deep_svdd` scores each sample by itself", "`reference_distance`"],
    );
    refused(with("{name: knn, params: {fit: pool}}"), &["x.yaml:4:", "`knn` scores each sample"]);
    refused(experiment(", labels: [40]", ""), &["x.yaml:4:", "40 labels of a batch of 40 leave nothing to find"]);
    refused(experiment(", labels: [5], query: farthest", ""), &["x.yaml:4:", "`query` cannot be", "k_diverse"]);
    refused(experiment(", query: random", ""), &["`query` without `labels`"]);
    refused(experiment(", labels: [5], anomaly_kinds: [1]", ""), &["not both"]);
    refused(
        experiment(", labels: [5], query: margin", "").replace("[0.2]", "[natural]"),
        &["`query: margin` asks around the share of anomalies"],
    );
    refused(experiment("", "analyses: [labels]\n"), &["labels: [0, 5, 10]"]);

    // What is measured while a batch is scored is not computed later.
    sandbox.write("x.yaml", experiment("", ""));
    sandbox.run(&["run", "x.yaml", "--out", "done"]).expect(0);
    let later = sandbox.run(&["metrics", "--append", "auroc_rest", "done"]).expect(2);
    assert!(later.err.contains("of which labels are given"), "{}", later.err);
}
