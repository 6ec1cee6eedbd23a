//! What a person meets: help, lists, descriptions, mistakes.

use std::process::Stdio;

use serde_json::Value;
use zsad_tests::{Done, Sandbox};

#[test]
fn every_subcommand_has_help_with_an_example() {
    let sandbox = Sandbox::default();
    for command in [
        "run",
        "work",
        "merge",
        "cancel",
        "plan",
        "status",
        "table",
        "plot",
        "cite",
        "pack",
        "verify",
        "clean",
        "validate",
        "list",
        "describe",
        "score",
        "metrics",
        "analyse",
        "bench",
        "completions",
    ] {
        let done = sandbox.run(&[command, "--help"]).expect(0);
        assert!(done.out.contains("Examples:") && done.out.contains(&format!("zsad {command}")), "{}", done.out);
    }
}

#[test]
fn wrong_usage_ends_with_2_and_suggests() {
    let sandbox = Sandbox::default();
    let suggested = |args: &[&str], part: &str| {
        let done = sandbox.run(args).expect(2);
        assert!(done.out.is_empty() && done.err.contains(part), "{args:?}: {}", done.err);
    };
    suggested(&["rum", "x.yaml"], "run");
    suggested(&["run", "x.yaml", "--job", "3"], "--jobs");
    suggested(&["run", "x.yaml", "--jobs", "0"], "--jobs");
    suggested(&["run", "x.yaml"], "x.yaml");
    suggested(&["describe", "mahalanobi"], "did you mean `mahalanobis`?");
    suggested(&["score", "--method", "knnn", "--input", "x.npz", "--out", "y.csv"], "did you mean `knn`?");
    suggested(
        &["score", "--method", "knn", "--input", "x.npz", "--out", "y.csv", "--param", "kk=3"],
        "did you mean `k`?",
    );
    suggested(&["score", "--method", "acr_dsvdd", "--input", "x.npz", "--out", "y.csv"], "--checkpoint");
    suggested(&["table", "no_such_run"], "no_such_run");
    suggested(&["run", "x.yaml", "--device", "gpu"], "cpu:composed or cuda:0");
    suggested(&["list", "methods", "--simd", "sse"], "portable, avx2, avx512");
    sandbox.write(
        "y.yaml",
        "experiment: y\ndatasets: digits\nmethods: knn\nprotocol: {batch_size: 9, contamination: 0}\nseeds: 0\n",
    );
    suggested(&["run", "y.yaml", "--device", "cuda:99"], "device cuda:99");
}

#[test]
fn mistakes_are_all_reported_with_places_before_data_are_touched() {
    let sandbox = Sandbox::default();
    let text = "experiment: Bad\ndatasets: [mnst]\nmethods: [knn, {name: iforest, params: {n_tree: 3}}, acr_dsvd]\n\
                protocol: {batch_size: [20, small], contamination: [0.7], n_batch: 3}\nseeds: []\n";
    sandbox.write("bad.yaml", text);
    sandbox.write("good.yaml", "experiment: good\ndatasets: [mnist]\nmethods: [knn]\nprotocol: {batch_size: 9, contamination: 0.1}\nseeds: 1\n");
    let done = sandbox.run(&["validate", "bad.yaml", "good.yaml"]).expect(2);
    assert_eq!(done.out, "good.yaml: good is valid\n");
    let places: Vec<&str> = done.err.lines().filter(|l| l.starts_with("bad.yaml:")).collect();
    let expected = [
        "bad.yaml:1:13: `Bad` is not a name",
        "bad.yaml:2:12: unknown data set `mnst`",
        "bad.yaml:3:41: iforest: unknown parameter `n_tree`",
        "bad.yaml:3:54: unknown method `acr_dsvd`",
        "bad.yaml:4:29: `batch_size` cannot be \"small\"",
        "bad.yaml:4:53: `contamination` cannot be 0.7",
        "bad.yaml:4:59: unknown key `n_batch` in `protocol`",
        "bad.yaml:5:8: `seeds` is empty",
    ];
    assert_eq!(places, expected, "{}", done.err);
    for hint in ["did you mean `mnist`?", "did you mean `acr_dsvdd`?", "did you mean `n_batches`?", "integers from 0"] {
        assert!(done.err.contains(&format!("  hint: {hint}")) || done.err.contains(hint), "{hint}: {}", done.err);
    }
    // `run` says the same and leaves no folder.
    let run = sandbox.run(&["run", "bad.yaml"]).expect(2);
    assert!(expected.iter().all(|e| run.err.contains(e)), "{}", run.err);
    assert!(!sandbox.path("results").exists());
}

#[test]
fn lists_and_descriptions_come_from_the_registries() {
    let sandbox = Sandbox::default();
    for (what, names) in [
        ("methods", &["acr_dsvdd", "bn_distance", "deep_svdd", "iforest", "knn", "mahalanobis"][..]),
        ("datasets", &["adbench", "digits", "mnist", "omniglot", "table"]),
        ("metrics", &["aupr", "auroc", "f1_max", "fpr95"]),
        ("analyses", &["drop", "rejection", "severity", "slices"]),
    ] {
        let text = sandbox.run(&["list", what]).expect(0).out;
        let json: Vec<Value> = serde_json::from_str(&sandbox.run(&["list", what, "--json"]).expect(0).out).unwrap();
        assert_eq!(text.lines().count(), json.len());
        for name in names {
            assert!(text.lines().any(|l| l.split(' ').next() == Some(name)), "{name}: {text}");
            assert!(json.iter().any(|item| item["name"] == *name && item["summary"].is_string()), "{name}");
        }
        for item in &json {
            let name = item["name"].as_str().unwrap();
            let description = sandbox.run(&["describe", name]).expect(0).out;
            assert!(description.contains(item["summary"].as_str().unwrap()), "{description}");
        }
    }
    let digits = sandbox.run(&["describe", "digits"]).expect(0).out;
    assert!(digits.contains("meta_train: 6 domains: 0 (") && digits.contains("meta_test: 4 domains: 6 ("), "{digits}");
}

#[test]
fn completions_know_the_subcommands_and_the_names_of_methods() {
    let sandbox = Sandbox::default();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = sandbox.run(&["completions", shell]).expect(0).out;
        assert!(script.contains("validate") && script.contains("completions"), "{shell}");
        // The other two complete no values.
        let names = ["bash", "zsh", "fish"].contains(&shell);
        assert!(!names || script.contains("acr_dsvdd") && script.contains("residual_norm"), "{shell}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let sandbox = Sandbox::default();
    for args in [&["list", "methods", "--json"][..], &["completions", "bash"], &["describe", "digits"]] {
        let mut child = sandbox.zsad(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let done = Done::of(child.wait_with_output().unwrap()).expect(0);
        assert_eq!(done.err, "");
    }
}

#[test]
fn a_method_says_what_it_computes_where() {
    let sandbox = Sandbox::default();
    let said = |method: &str| sandbox.run(&["describe", method]).expect(0).out;
    assert!(said("knn").contains("computes on the processor, whatever --device says"));
    let trained = said("acr_dsvdd");
    assert!(
        trained.contains("conv2d, norm, pool, squared_distance, adam: on --device (cpu: fused; cuda: composed)"),
        "{trained}"
    );
    let features = said("resad");
    for part in ["frozen network: on the processor", "coupling", "own: on --device (cpu: composed; cuda: composed)"] {
        assert!(features.contains(part), "{part}: {features}");
    }
    assert!(said("patchcore").contains("computes on the processor, whatever --device says"));
}
