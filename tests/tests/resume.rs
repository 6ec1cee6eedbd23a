//! A sweep that is killed again and again ends as if nothing had happened.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use zsad_tests::{Sandbox, finished, results};

/// Two trained methods and three that are not, on the embedded digits: 2 × 5 fits, 40 cells.
const SWEEP: &str = "
experiment: sweep
datasets: [digits]
methods:
  - {name: acr_dsvdd, params: {steps: 20}}
  - {name: deep_svdd, params: {epochs: 1}}
  - knn
  - mahalanobis
  - iforest
protocol: {batch_size: [16, 40], contamination: [0.1, 0.2], n_batches: 5}
seeds: [0, 1]
";

fn run(sandbox: &Sandbox, file: &str, out: &str, extra: &[&str]) {
    let mut args = vec!["run", file, "--out", out];
    args.extend(extra);
    sandbox.run(&args).expect(0);
}

#[test]
fn twenty_kills_change_no_byte_and_no_finished_record() {
    let sandbox = Sandbox::default();
    sandbox.write("sweep.yaml", SWEEP);
    let start = Instant::now();
    run(&sandbox, "sweep.yaml", "undisturbed", &["--jobs", "2"]);
    let whole = start.elapsed();

    let out = sandbox.path("killed");
    // Delays spread over the run by the golden ratio, shorter than the whole so that something is always left.
    let delays =
        (1..=20u32).map(|i| whole.mul_f64((f64::from(i) * 0.618_034).fract() * 0.4) + Duration::from_millis(5));
    let mut at_work = 0;
    for delay in delays {
        let before = finished(&out);
        let mut child = sandbox
            .zsad(&["run", "sweep.yaml", "--out", "killed", "--jobs", "2"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(delay);
        at_work += usize::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
        let after = finished(&out);
        // What was finished before this run is as it was, bytes and time.
        assert!(before.iter().all(|(name, file)| after.get(name) == Some(file)));
    }
    assert!(at_work > 0, "no kill struck a run at work");
    let before = finished(&out);
    run(&sandbox, "sweep.yaml", "killed", &["--jobs", "2"]);
    let after = finished(&out);
    assert!(before.iter().all(|(name, file)| after.get(name) == Some(file)));
    assert_eq!(after.len(), 2 * 40, "a record and its scores a cell");
    assert_eq!(results(&out), results(&sandbox.path("undisturbed")));
    assert!(!has_leftovers(&out), "temporary files are left");
}

/// One training of each kind of network: an MLP and a CNN. With a checkpoint after every step each kill strikes beside one.
const TRAININGS: &str = "
experiment: trainings
datasets: [omniglot]
methods:
  - {name: acr_dsvdd, as: perceptron, params: {network: mlp, hidden: [32], steps: 400, tasks: 8}}
  - {name: deep_svdd, as: pooled, params: {network: mlp, hidden: [16], epochs: 1, domains: 40, batch: 8}}
  - {name: acr_dsvdd, as: convolutions, params: {hidden: [8, 8, 8, 8], steps: 60, tasks: 4}}
protocol: {normals: 20, contamination: [0.1], n_batches: 1}
seeds: [0]
";

#[test]
fn a_training_that_is_killed_goes_on_and_ends_with_the_same_bits() {
    let sandbox = Sandbox::default();
    sandbox.write("t.yaml", TRAININGS);
    let start = Instant::now();
    run(&sandbox, "t.yaml", "undisturbed", &["--store", "a", "--jobs", "1"]);
    let whole = start.elapsed();
    let mut went_on = 0;
    for i in 1..=10u32 {
        let delay = whole.mul_f64((f64::from(i) * 0.618_034).fract() * 0.4) + Duration::from_millis(50);
        let log = std::fs::File::create(sandbox.path("log")).unwrap();
        let every_step = ["--store", "b", "--jobs", "1", "--checkpoint-minutes", "0"];
        let mut child = sandbox.zsad(&[&["run", "t.yaml", "--out", "killed"], &every_step[..]].concat());
        let mut child = child.stdout(Stdio::null()).stderr(log).spawn().unwrap();
        std::thread::sleep(delay);
        child.kill().unwrap();
        child.wait().unwrap();
        let said = std::fs::read_to_string(sandbox.path("log")).unwrap();
        went_on += said.matches("goes on after step").count();
        assert!(!said.contains("from the start"), "{said}");
    }
    assert!(went_on > 0, "no kill struck a training");
    run(&sandbox, "t.yaml", "killed", &["--store", "b", "--jobs", "1"]);
    assert_eq!(results(&sandbox.path("killed")), results(&sandbox.path("undisturbed")));
    assert_eq!(models(&sandbox.path("b")), models(&sandbox.path("a")));
}

#[test]
fn a_damaged_checkpoint_is_named_and_the_training_starts_again() {
    let sandbox = Sandbox::default();
    sandbox.write("t.yaml", TRAININGS);
    run(&sandbox, "t.yaml", "whole", &["--store", "a", "--jobs", "1"]);
    for key in models(&sandbox.path("a")).keys() {
        sandbox.write(&format!("b/{key}/checkpoint.safetensors"), "half");
    }
    let again = sandbox.run(&["run", "t.yaml", "--out", "again", "--store", "b", "--jobs", "1"]).expect(0);
    assert_eq!(again.err.matches("training from the start").count(), 3, "{}", again.err);
    assert!(again.err.contains("checkpoint.safetensors"), "{}", again.err);
    assert_eq!(models(&sandbox.path("b")), models(&sandbox.path("a")), "and no checkpoint is left");
}

/// What a store holds of each fit beside its record: names of files and digests of their bytes.
fn models(store: &Path) -> BTreeMap<String, BTreeMap<String, String>> {
    let digest =
        |path: &Path| Sha256::digest(std::fs::read(path).unwrap())[..8].iter().map(|b| format!("{b:02x}")).collect();
    let files = |folder: &Path| -> BTreeMap<String, String> {
        let entries = std::fs::read_dir(folder).unwrap().flatten();
        let all = entries.map(|e| (e.file_name().into_string().unwrap(), digest(&e.path())));
        all.filter(|(name, _)| name != "fit.json" && name != "lease").collect()
    };
    let folders = std::fs::read_dir(store).unwrap().flatten();
    folders.map(|e| (e.file_name().into_string().unwrap(), files(&e.path()))).collect()
}

#[test]
fn workers_threads_order_and_folder_do_not_matter() {
    let sandbox = Sandbox::default();
    sandbox.write("sweep.yaml", SWEEP);
    run(&sandbox, "sweep.yaml", "a", &["--jobs", "1", "--threads", "1"]);
    let expected = results(&sandbox.path("a"));
    assert_eq!(expected.len(), 1 + 40 * 4, "a row a cell and meta-test digit");

    let shuffled = "
seeds: [1, 0]
protocol: {contamination: [0.2, 0.1], n_batches: 5, batch_size: [40, 16]}
methods: [iforest, {params: {epochs: 1}, name: deep_svdd}, knn, {name: acr_dsvdd, params: {steps: 20}}, mahalanobis]
datasets: [digits]
experiment: sweep
";
    sandbox.write("elsewhere/other_name.yaml", shuffled);
    run(&sandbox, "elsewhere/other_name.yaml", "deep/b", &["--jobs", "2", "--threads", "2"]);
    assert_eq!(results(&sandbox.path("deep/b")), expected);
    run(&sandbox, "sweep.yaml", "c", &["--jobs", "1", "--threads", "2"]);
    assert_eq!(results(&sandbox.path("c")), expected);
}

fn has_leftovers(folder: &Path) -> bool {
    std::fs::read_dir(folder).unwrap().flatten().any(|entry| {
        let path = entry.path();
        if path.is_dir() { has_leftovers(&path) } else { path.extension().is_some_and(|e| e == "tmp") }
    })
}
