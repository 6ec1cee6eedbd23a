//! Results of earlier versions are still read; those of later ones are refused.

#![allow(clippy::disallowed_methods, reason = "fixtures may be written in any way")]

use std::fs;
use std::path::Path;

use zsad_tests::Sandbox;

/// The experiment behind `fixtures/schema_1`.
const EXPERIMENT: &str = "
experiment: schema_1
datasets: [digits]
methods: [{name: deep_svdd, params: {epochs: 1}}]
protocol: {batch_size: [20], contamination: [0, 0.1], n_batches: 2}
seeds: [0]
";

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::default();
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/schema_1"), &sandbox.path("old"));
    sandbox.write("x.yaml", EXPERIMENT);
    sandbox
}

#[test]
fn files_of_schema_1_are_read() {
    let sandbox = sandbox();
    let status = sandbox.run(&["status", "old"]).expect(0);
    assert!(status.out.contains("schema_1: 2 of 2 cells finished"), "{}", status.out);
    let table = sandbox.run(&["table", "old", "--format", "csv"]).expect(0);
    assert!(table.out.contains("deep_svdd") && table.out.contains("0.41666666"), "{}", table.out);
    // Readable, but what data and weights they were made from is not known: never cached.
    let plan = sandbox.run(&["plan", "x.yaml", "--out", "old"]).expect(0);
    assert!(plan.out.contains("2 to run") && plan.out.contains("2 × data and weights unknown"), "{}", plan.out);
    assert_eq!(plan.err, "");
}

#[test]
fn a_record_of_a_later_version_is_refused_and_left_alone() {
    let sandbox = sandbox();
    let record = sandbox.path("old/records/28122ff36b53ccf345aaf43865eaf392.json");
    let text = fs::read_to_string(&record).unwrap().replacen("\"schema\": 1", "\"schema\": 3", 1);
    fs::write(&record, &text).unwrap();
    for args in [&["plan", "x.yaml", "--out", "old"][..], &["run", "x.yaml", "--out", "old"], &["status", "old"]] {
        let done = sandbox.run(args).expect(3);
        assert!(
            done.err.contains("28122ff36b53ccf345aaf43865eaf392.json: written by a newer zsad (schema 3"),
            "{}",
            done.err
        );
    }
    assert_eq!(fs::read_to_string(&record).unwrap(), text);
}
