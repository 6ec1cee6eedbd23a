//! Ctrl-C and SIGTERM: the running step ends, the tables are written, and the same command goes on.
#![cfg(unix)]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use zsad_tests::{Done, Sandbox, column, finished, results};

/// Quick cells, and one training that would take hours.
const LONG: &str = "
experiment: long
datasets: [digits]
methods: [knn, {name: acr_dsvdd, params: {steps: STEPS}}]
protocol: {batch_size: 20, contamination: 0.1, n_batches: 2}
seeds: [0, 1]
";

fn signal(name: &str, process: u32) {
    assert!(Command::new("kill").args([name, &process.to_string()]).status().unwrap().success());
}

/// Waits until `is_so`, a minute at most.
fn wait(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_run_that_is_interrupted_writes_its_tables_and_is_gone_on_with() {
    let sandbox = Sandbox::default();
    sandbox.write("long.yaml", LONG.replace("STEPS", "1000000"));
    let out = sandbox.path("out");
    for name in ["-INT", "-TERM"] {
        let mut command = sandbox.zsad(&["run", "long.yaml", "--out", "out", "--jobs", "2"]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // Trainings come first and keep both workers busy; nothing of them is ever finished.
        wait("no lease of a fit", || out.join("leases").read_dir().is_ok_and(|mut entries| entries.next().is_some()));
        std::thread::sleep(Duration::from_millis(300));
        signal(name, child.id());
        let done = Done::of(child.wait_with_output().unwrap()).expect(1);
        assert!(done.err.contains("ending after the running step"), "{}", done.err);
        assert!(done.err.contains("of 4 cells are left; the same command goes on with them"), "{}", done.err);
        assert!(out.join("table.md").exists() && out.join("results.csv").exists());
    }
    assert!(finished(&out).is_empty());
    // What is asked for now is quick enough; the classical method's cells are the same.
    sandbox.write("long.yaml", LONG.replace("STEPS", "3"));
    sandbox.run(&["run", "long.yaml", "--out", "out"]).expect(0);
    sandbox.run(&["run", "long.yaml", "--out", "undisturbed"]).expect(0);
    assert_eq!(results(&out), results(&sandbox.path("undisturbed")));
}

#[test]
fn a_second_signal_ends_at_once() {
    let sandbox = Sandbox::default();
    // One step of this takes long, so that the first signal is still waiting for it.
    let text = "experiment: x\ndatasets: [digits]\nmethods: [{name: external, params: {command: [sh, -c, sleep 60]}}]\n\
                protocol: {batch_size: 20, contamination: 0.1, n_batches: 1}\nseeds: 0\n";
    sandbox.write("x.yaml", text);
    let mut command = sandbox.zsad(&["run", "x.yaml", "--out", "out"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait("no lease", || sandbox.path("out/leases").read_dir().is_ok_and(|mut e| e.next().is_some()));
    std::thread::sleep(Duration::from_millis(300));
    signal("-INT", child.id());
    std::thread::sleep(Duration::from_millis(300));
    assert!(child.try_wait().unwrap().is_none(), "the running step is waited for");
    signal("-INT", child.id());
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn cells_of_other_seeds_stay_and_those_of_other_parameters_are_named() {
    let sandbox = Sandbox::default();
    let write = |method: &str, seeds: &str| {
        let text = format!(
            "experiment: x\ndatasets: [digits]\nmethods: [{method}]\nprotocol: {{batch_size: 20, contamination: 0.1, \
             n_batches: 2}}\nseeds: {seeds}\n"
        );
        sandbox.write("x.yaml", text);
    };
    let out = sandbox.path("out");
    let seeds = || {
        let mut seeds = column(&out, "seed");
        seeds.dedup();
        seeds
    };
    write("knn", "[0, 1]");
    sandbox.run(&["run", "x.yaml", "--out", "out"]).expect(0);
    write("knn", "[1, 2]");
    let done = sandbox.run(&["run", "x.yaml", "--out", "out"]).expect(0);
    assert!(done.err.contains("1 stored cell of the same methods and data (seeds 0)"), "{}", done.err);
    assert_eq!(column(&out, "seed").len(), 3 * 4, "three seeds, four domains");
    // Other parameters are another method: its old cells are no part of today's table.
    write("{name: knn, params: {k: 3}}", "[0]");
    let done = sandbox.run(&["run", "x.yaml", "--out", "out"]).expect(0);
    assert!(done.err.contains("3 stored cells of other methods, parameters or data"), "{}", done.err);
    assert_eq!(seeds(), ["0"]);
    // One fit of an experiment is no smaller experiment.
    write("knn", "[0, 1]");
    let plan = sandbox.run(&["plan", "x.yaml", "--out", "out", "--json"]).expect(0);
    let plan: serde_json::Value = serde_json::from_str(&plan.out).unwrap();
    let key = plan["fits"][0]["fit_key"].as_str().unwrap();
    sandbox.run(&["run", "x.yaml", "--out", "out", "--fit", key]).expect(0);
    assert_eq!(column(&out, "seed").len(), 3 * 4);
}
