//! Methods under names of one's own: `as` in every table, plot and message.

#![allow(clippy::disallowed_methods, reason = "fixtures may be written in any way")]

use serde_json::Value;
use zsad_tests::{Sandbox, column, results};

fn experiment(methods: &str) -> String {
    format!(
        "experiment: x\ndatasets: [digits]\nmethods: [{methods}]\nprotocol: {{batch_size: 20, contamination: 0.1, \
         n_batches: 1}}\nseeds: 0\nprofiles:\n  small: {{params: {{ours: {{k: 2}}}}}}\n"
    )
}

#[test]
fn a_label_stands_in_results_tables_plans_and_messages_beside_the_registered_name() {
    let sandbox = Sandbox::default();
    let failing = "{name: external, as: lame duck, params: {command: [/no/such/program]}}";
    sandbox.write("x.yaml", experiment(&format!("knn, {{name: knn, as: ours, params: {{k: 3}}}}, {failing}")));
    let done = sandbox.run(&["run", "x.yaml", "--out", "out"]).expect(1);
    assert!(done.err.contains("lame duck on digits, seed 0: failed: "), "{}", done.err);
    let out = sandbox.path("out");
    // New columns are appended.
    assert_eq!(results(&out)[0].iter().rev().take(4).collect::<Vec<_>>(), ["query", "labels", "shift", "method_name"]);
    let pairs: Vec<_> = column(&out, "method").into_iter().zip(column(&out, "method_name")).collect();
    for pair in [("knn", "knn"), ("ours", "knn"), ("lame duck", "external")] {
        assert!(pairs.contains(&(pair.0.into(), pair.1.into())), "{pairs:?}");
    }
    for file in ["table.md", "table.tex", "table.csv"] {
        let table = std::fs::read_to_string(out.join(file)).unwrap();
        assert!(table.contains("ours") && table.contains("lame duck") && !table.contains("external"), "{table}");
        assert!(!table.contains("k=3"), "names tell them apart: {table}");
    }
    let plan: Value =
        serde_json::from_str(&sandbox.run(&["plan", "x.yaml", "--out", "out", "--json"]).expect(0).out).unwrap();
    assert!(
        plan["fits"].as_array().unwrap().iter().any(|f| f["method"] == "ours" && f["method_name"] == "knn"),
        "{plan}"
    );
    assert!(sandbox.run(&["status", "out"]).out.contains("lame duck"));
    // The table again, from the files alone.
    assert!(sandbox.run(&["table", "out", "--format", "md"]).expect(0).out.contains("| ours |"));
}

#[test]
fn another_label_is_no_other_result_and_a_profile_may_speak_of_it() {
    let sandbox = Sandbox::default();
    sandbox.write("x.yaml", experiment("{name: knn, as: ours, params: {k: 3}}"));
    sandbox.run(&["run", "x.yaml", "--out", "out"]).expect(0);
    sandbox.write("x.yaml", experiment("{name: knn, as: ours, params: {k: 3}}").replace("ours", "theirs"));
    let done = sandbox.run(&["run", "x.yaml", "--out", "out"]).expect(0);
    assert!(done.err.contains("4 finished before") || done.err.contains("1 finished before"), "{}", done.err);
    assert!(column(&sandbox.path("out"), "method").iter().all(|m| m == "theirs"));
    sandbox.write("x.yaml", experiment("{name: knn, as: ours, params: {k: 3}}"));
    let plan = sandbox.run(&["plan", "x.yaml", "--profile", "small", "--out", "other"]).expect(0);
    assert!(plan.out.contains("ours {k: 2}"), "{}", plan.out);
}

#[test]
fn labels_that_tell_nothing_apart_are_mistakes() {
    let sandbox = Sandbox::default();
    for (methods, said) in [
        ("{name: knn, as: a, params: {k: 3}}, {name: lof, as: a}", "another method is called `a` already"),
        ("{name: knn, as: lof}", "`lof` is the name of another method"),
        ("{name: knn, as: 'a|b'}", "a method cannot be called `a|b`"),
        ("{name: knn, as: ' '}", "a method cannot be called ` `"),
        ("knn, {name: knn, as: a}", "`a` is the same as `knn`"),
        ("{name: knn, as: [a]}", "`as` cannot be a list"),
        ("{name: external, params: {command: python3 kde.py}}", "hint: write a list: [python3, kde.py]"),
    ] {
        sandbox.write("x.yaml", experiment(methods).replace("{ours: ", "{knn: "));
        let done = sandbox.run(&["validate", "x.yaml"]).expect(2);
        assert!(done.err.contains(said) || done.out.contains(said), "{methods}: {}{}", done.out, done.err);
    }
}
