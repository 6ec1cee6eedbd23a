//! What is finished is not done again, and what is not says why.

#![allow(clippy::disallowed_methods, reason = "fixtures may be written in any way")]

use std::fs;

use serde_json::Value;
use zsad_tests::{Sandbox, column, files, results};

fn experiment(methods: &str) -> String {
    format!(
        "experiment: small\ndatasets: [digits]\nmethods: [{methods}]\nprotocol: {{batch_size: [20], contamination: [0.1, 0.2], \
         n_batches: 4}}\nseeds: [0, 1]\n"
    )
}

#[test]
fn a_second_run_is_all_cached() {
    let sandbox = Sandbox::default();
    sandbox.write("x.yaml", experiment("knn, bn_distance"));
    let first = sandbox.run(&["run", "x.yaml"]).expect(0);
    assert!(first.out.contains("knn") && first.out.contains("bn_distance"), "{}", first.out);
    assert!(first.out.trim_end().ends_with("results/runs/small"), "{}", first.out);
    let out = sandbox.path("results/runs/small");
    for name in ["results.csv", "results.parquet", "table.md", "table.tex", "table.csv", "provenance.json"] {
        assert!(out.join(name).exists(), "{name}");
    }
    let png = |name: &String| name.ends_with(".png");
    assert!(files(&out.join("plots")).keys().any(png));
    let (before, all) = (files(&out.join("records")), fs::read(out.join("results.csv")).unwrap());
    sandbox.run(&["run", "x.yaml"]).expect(0);
    assert_eq!(files(&out.join("records")), before);
    assert_eq!(fs::read(out.join("results.csv")).unwrap(), all);
    let plan = sandbox.run(&["plan", "x.yaml"]).expect(0);
    assert!(plan.out.contains("8 cells: 8 cached, 0 to run"), "{}", plan.out);
    let status = sandbox.run(&["status", "small"]).expect(0);
    assert!(status.out.contains("8 of 8 cells finished"), "{}", status.out);
}

#[test]
fn changing_one_parameter_reruns_exactly_that_methods_cells() {
    let sandbox = Sandbox::default();
    sandbox.write("x.yaml", experiment("knn, mahalanobis"));
    sandbox.run(&["run", "x.yaml", "--out", "out"]).expect(0);
    let before = files(&sandbox.path("out/records"));
    let old = results(&sandbox.path("out"));

    sandbox.write("x.yaml", experiment("{name: knn, params: {k: 7}}, mahalanobis"));
    let plan = sandbox.run(&["plan", "x.yaml", "--out", "out"]).expect(0);
    assert!(plan.out.contains("8 cells: 4 cached, 4 to run"), "{}", plan.out);
    assert!(plan.out.contains("params.k 5 -> 7"), "{}", plan.out);
    assert_eq!(sandbox.run(&["run", "x.yaml", "--out", "out", "--dry-run"]).expect(0).out, plan.out);
    assert_eq!(files(&sandbox.path("out/records")), before);

    sandbox.run(&["run", "x.yaml", "--out", "out"]).expect(0);
    let after = files(&sandbox.path("out/records"));
    assert!(before.iter().all(|(name, file)| after.get(name) == Some(file)));
    // Four records and their scores.
    assert_eq!(after.len() - before.len(), 4 * 2);
    let new = results(&sandbox.path("out"));
    let of = |lines: &[Vec<String>], method: &str| -> Vec<Vec<String>> {
        lines.iter().filter(|line| line.iter().any(|field| field == method)).cloned().collect()
    };
    assert_eq!(of(&old, "mahalanobis"), of(&new, "mahalanobis"));
    assert_ne!(of(&old, "knn"), of(&new, "knn"));
    assert_eq!(old.len(), new.len());
}

#[test]
fn a_metric_added_later_is_computed_from_the_stored_scores() {
    let sandbox = Sandbox::default();
    sandbox.write("x.yaml", experiment("knn"));
    sandbox.run(&["run", "x.yaml", "--out", "out"]).expect(0);
    let expected = results(&sandbox.path("out"));
    // Records as a zsad without `f1_max` would have left them.
    let records = sandbox.path("out/records");
    for name in files(&records).into_keys().filter(|n| n.ends_with(".json")) {
        let path = records.join(name);
        let mut record: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let metrics = record["metrics"].as_array_mut().unwrap();
        let n = metrics.len();
        metrics.retain(|m| m != "f1_max@1");
        assert_eq!(metrics.len() + 1, n);
        for domain in record["domains"].as_array_mut().unwrap() {
            domain["metrics"].as_object_mut().unwrap().remove("f1_max").unwrap();
        }
        fs::write(&path, record.to_string()).unwrap();
    }
    let before = files(&records);
    let plan = sandbox.run(&["plan", "x.yaml", "--out", "out"]).expect(0);
    assert!(plan.out.contains("4 cached, 0 to run"), "{}", plan.out);
    assert!(plan.out.contains("metric f1_max from the stored scores of 4 cells"), "{}", plan.out);
    sandbox.run(&["run", "x.yaml", "--out", "out"]).expect(0);
    assert_eq!(files(&records), before);
    assert_eq!(files(&sandbox.path("out/metrics")).len(), 4);
    assert_eq!(results(&sandbox.path("out")), expected);
    assert!(column(&sandbox.path("out"), "f1_max").iter().all(|v| v.parse::<f64>().is_ok()));
}
