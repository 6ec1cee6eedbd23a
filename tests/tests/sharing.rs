//! Several runs at once, on one folder and one store: they share the work, and kills lose nothing.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use zsad_tests::{Sandbox, files, finished, results};

const SWEEP: &str = "
experiment: sweep
datasets: [digits]
methods:
  - {name: acr_dsvdd, params: {steps: 20}}
  - {name: deep_svdd, params: {epochs: 1}}
  - knn
  - iforest
protocol: {batch_size: [16, 40], contamination: [0.1, 0.2], n_batches: 5}
seeds: [0, 1, 2]
";

fn start(sandbox: &Sandbox, out: &str) -> Child {
    let mut command = sandbox.zsad(&["run", "sweep.yaml", "--out", out, "--store", "store", "--jobs", "1"]);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// The trained models of a store, with bytes and times.
fn models(store: &Path) -> Vec<(String, Vec<u8>, std::time::SystemTime)> {
    let Ok(entries) = std::fs::read_dir(store) else { return vec![] };
    let mut all = Vec::new();
    for folder in entries.flatten() {
        let key = folder.file_name().to_string_lossy().into_owned();
        let files = files(&folder.path());
        // `fit.json` is written last.
        if files.contains_key("fit.json") {
            all.extend(files.into_iter().filter(|(n, _)| n != "lease").map(|(n, (b, t))| (format!("{key}/{n}"), b, t)));
        }
    }
    all.sort();
    all
}

#[test]
fn twenty_kills_of_two_runs_on_one_folder_lose_nothing() {
    let sandbox = Sandbox::default();
    sandbox.write("sweep.yaml", SWEEP);
    let start_of_whole = Instant::now();
    sandbox.run(&["run", "sweep.yaml", "--out", "undisturbed", "--store", "other", "--jobs", "1"]).expect(0);
    let whole = start_of_whole.elapsed();

    let out = sandbox.path("shared");
    let (mut before, mut trained) = (finished(&out), models(&sandbox.path("store")));
    for i in 1..=20u32 {
        let mut pair = [start(&sandbox, "shared"), start(&sandbox, "shared")];
        let delay = whole.mul_f64((f64::from(i) * 0.618_034).fract() * 0.4) + Duration::from_millis(5);
        std::thread::sleep(delay);
        // One is killed, then the other, which has had a little longer alone.
        let first = i as usize % 2;
        pair[first].kill().unwrap();
        std::thread::sleep(delay / 4);
        pair[1 - first].kill().unwrap();
        for child in &mut pair {
            child.wait().unwrap();
        }
        // What was finished is as it was, bytes and time: nothing is done twice.
        let (after, models) = (finished(&out), models(&sandbox.path("store")));
        assert!(before.iter().all(|(name, file)| after.get(name) == Some(file)));
        assert!(trained.iter().all(|model| models.contains(model)));
        (before, trained) = (after, models);
    }
    let mut pair = [start(&sandbox, "shared"), start(&sandbox, "shared")];
    assert!(pair.iter_mut().all(|child| child.wait().unwrap().success()));
    assert_eq!(results(&out), results(&sandbox.path("undisturbed")));
    assert_eq!(finished(&out).len(), 2 * 4 * 3 * 4, "a record and its scores a cell");
    assert_eq!(models(&sandbox.path("store")).len(), 2 * 2 * 3, "a model and its record a training");
    assert!(before.iter().all(|(name, file)| finished(&out).get(name) == Some(file)));
}

#[test]
fn a_model_trained_for_one_experiment_serves_another() {
    let sandbox = Sandbox::default();
    let experiment = |name: &str, sizes: &str| {
        format!(
            "experiment: {name}\ndatasets: [digits]\nmethods: [{{name: acr_dsvdd, params: {{steps: 3}}}}]\nprotocol: \
             {{batch_size: [{sizes}], contamination: 0.1, n_batches: 2}}\nseeds: [0, 1]\n"
        )
    };
    sandbox.write("a.yaml", experiment("a", "20"));
    sandbox.write("b.yaml", experiment("b", "20, all"));
    sandbox.run(&["run", "a.yaml"]).expect(0);
    let before = models(&sandbox.path("results/store"));
    assert_eq!(before.len(), 2 * 2);
    let plan = sandbox.run(&["plan", "b.yaml"]).expect(0);
    assert!(plan.out.contains("4 to run, with 0 trainings") && plan.out.contains("trained before"), "{}", plan.out);
    sandbox.run(&["run", "b.yaml"]).expect(0);
    assert_eq!(models(&sandbox.path("results/store")), before);

    // Nothing is removed that a run needs; then what none needs.
    let clean = sandbox.run(&["clean", "--yes"]).expect(0);
    assert!(clean.out.contains("0 trained models"), "{}", clean.out);
    for run in ["a", "b"] {
        std::fs::remove_dir_all(sandbox.path("results/runs").join(run)).unwrap();
    }
    let clean = sandbox.run(&["clean"]).expect(0);
    assert!(clean.out.contains("2 trained models") && clean.out.contains("acr_dsvdd on digits"), "{}", clean.out);
    assert_eq!(models(&sandbox.path("results/store")), before);
    sandbox.run(&["clean", "--yes"]).expect(0);
    assert!(models(&sandbox.path("results/store")).is_empty());
}

#[test]
fn one_fit_of_a_plan_runs_alone() {
    let sandbox = Sandbox::default();
    sandbox.write("sweep.yaml", SWEEP);
    let plan: Value = serde_json::from_str(&sandbox.run(&["plan", "sweep.yaml", "--json"]).expect(0).out).unwrap();
    let fits = plan["fits"].as_array().unwrap();
    assert_eq!(fits.len(), 12);
    let key = fits[4]["fit_key"].as_str().unwrap();
    sandbox.run(&["run", "sweep.yaml", "--out", "out", "--fit", key]).expect(0);
    let records: Vec<Value> = files(&sandbox.path("out/records"))
        .into_iter()
        .filter(|(name, _)| name.ends_with(".json"))
        .map(|(_, (bytes, _))| serde_json::from_slice(&bytes).unwrap())
        .collect();
    assert!(records.len() == 4 && records.iter().all(|r| r["fit_key"] == key));
    let wrong = sandbox.run(&["run", "sweep.yaml", "--out", "out", "--fit", "nothing"]).expect(2);
    assert!(wrong.err.contains("zsad plan --json"), "{}", wrong.err);
    sandbox.run(&["run", "sweep.yaml", "--out", "other", "--fit", "nothing"]).expect(2);
    assert!(!sandbox.path("other").exists(), "wrong usage leaves nothing");
}
