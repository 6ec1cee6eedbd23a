//! A sweep over several machines: shares that are run apart and merged are the run that was never split.

#![allow(clippy::disallowed_methods, reason = "fixtures may be written in any way")]

use std::collections::BTreeSet;
use std::fs;

use zsad_tests::{Sandbox, files, results};

const SWEEP: &str = "experiment: x\ndatasets: [digits]\nmethods: [{name: acr_dsvdd, params: {steps: 5}}, knn, {name: lof, \
                     grid: {k: [5, 10]}}]\nprotocol: {batch_size: [20, 30], contamination: [0.1], n_batches: 2}\n\
                     seeds: [0, 1, 2]\n";

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::default();
    sandbox.write("x.yaml", SWEEP);
    sandbox
}

fn keys(sandbox: &Sandbox, out: &str) -> BTreeSet<String> {
    files(&sandbox.path(out).join("records")).into_keys().filter(|name| name.ends_with(".json")).collect()
}

#[test]
fn shares_in_folders_of_their_own_are_merged_to_the_whole() {
    let sandbox = sandbox();
    sandbox.run(&["run", "x.yaml", "--out", "whole", "--store", "s"]).expect(0);
    let mut all = BTreeSet::new();
    for (share, out) in [("0/3", "a"), ("1/3", "b"), ("2/3", "c")] {
        // Each machine has a store of its own.
        sandbox.run(&["run", "x.yaml", "--out", out, "--store", out, "--shard", share]).expect(0);
        let own = keys(&sandbox, out);
        assert!(!own.is_empty() && all.is_disjoint(&own), "{share}: fits are run once");
        all.extend(own);
        let status = sandbox.run(&["status", out]).expect(0).out;
        assert!(status.contains("of 24 cells finished"), "{status}");
    }
    assert_eq!(all, keys(&sandbox, "whole"));

    let merged = sandbox.run(&["merge", "a", "b", "c", "--into", "m"]).expect(0);
    assert!(merged.err.contains("24 of 24 cells finished"), "{}", merged.err);
    assert_eq!(results(&sandbox.path("m")), results(&sandbox.path("whole")));
    let table = |out: &str| fs::read_to_string(sandbox.path(out).join("table.md")).unwrap();
    assert_eq!(table("m"), table("whole"));
    // Scores came along, and the experiment: the merged folder is a run like any other.
    assert!(sandbox.run(&["run", "x.yaml", "--out", "m"]).expect(0).err.contains("24 finished before, 0 to run"));
    assert!(sandbox.run(&["work", "m"]).expect(0).err.contains("24 finished before, 0 to run"));
    // Merging again changes nothing.
    let again = sandbox.run(&["merge", "a", "b", "--into", "m"]).expect(0);
    assert!(again.err.contains("a: 0 cells taken"), "{}", again.err);
    assert_eq!(table("m"), table("whole"));
}

#[test]
fn workers_carry_out_a_plan_that_lies_on_a_shared_disk() {
    let sandbox = sandbox();
    sandbox.run(&["run", "x.yaml", "--out", "whole"]).expect(0);
    let planned = sandbox.run(&["run", "x.yaml", "--out", "o", "--plan-only"]).expect(0);
    assert!(planned.out.contains("24 to run"), "{}", planned.out);
    assert!(keys(&sandbox, "o").is_empty());
    // The file may be gone: the folder holds it.
    fs::remove_file(sandbox.path("x.yaml")).unwrap();
    let task = |id: &str, count: &str| {
        let mut command = sandbox.zsad(&["work", "o", "--from-env"]);
        for (name, value) in
            [("SLURM_ARRAY_TASK_ID", id), ("SLURM_ARRAY_TASK_MIN", "7"), ("SLURM_ARRAY_TASK_COUNT", count)]
        {
            command.env(name, value);
        }
        command.output().unwrap()
    };
    assert_eq!(task("8", "2").status.code(), Some(0));
    let half = keys(&sandbox, "o").len();
    assert!(half > 0 && half < 24, "{half}");
    // Outside the array, and in none.
    assert_eq!(task("9", "2").status.code(), Some(2));
    sandbox.run(&["work", "o", "--from-env"]).expect(2);
    // Whoever comes without a share takes what is left.
    sandbox.run(&["work", "o"]).expect(0);
    sandbox.write("x.yaml", SWEEP);
    let last = sandbox.run(&["run", "x.yaml", "--out", "o"]).expect(0);
    assert!(last.err.contains("24 finished before, 0 to run"), "{}", last.err);
    assert_eq!(results(&sandbox.path("o")), results(&sandbox.path("whole")));
}

#[test]
fn pods_that_start_at_once_share_the_work_and_one_that_is_killed_is_started_again() {
    let sandbox = sandbox();
    sandbox.run(&["run", "x.yaml", "--out", "whole"]).expect(0);
    // As in scripts/cluster/kubernetes_job.yaml: each pod plans, and then works on its share.
    let pod = |index: usize| {
        let script = "\"$ZSAD\" run x.yaml --plan-only --out o && exec \"$ZSAD\" work o --from-env --jobs 1";
        let mut command = std::process::Command::new("sh");
        command.args(["-c", script]).current_dir(sandbox.path("")).env("ZSAD", zsad_tests::program());
        command.env("ZSAD_CACHE", sandbox.path("cache")).env("ZSAD_SHARDS", "5");
        command.env("JOB_COMPLETION_INDEX", index.to_string()).env_remove("ZSAD_STORE").env_remove("ZSAD_DATA");
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap()
    };
    let mut pods: Vec<_> = (0..5).map(pod).collect();
    pods[2].kill().unwrap();
    pods[2].wait().unwrap();
    pods.push(pod(2));
    for (i, pod) in pods.iter_mut().enumerate().filter(|(i, _)| *i != 2) {
        assert!(pod.wait().unwrap().success(), "{i}");
    }
    let records = files(&sandbox.path("o/records"));
    let collected = sandbox.run(&["work", "o", "--collect"]).expect(0);
    assert!(collected.err.contains("24 cells ok"), "{}", collected.err);
    assert_eq!(files(&sandbox.path("o/records")), records, "tables are made from records, which stay what they are");
    assert_eq!(results(&sandbox.path("o")), results(&sandbox.path("whole")));
    let table = |out: &str| fs::read_to_string(sandbox.path(out).join("table.md")).unwrap();
    assert_eq!(table("o"), table("whole"));
}

#[test]
fn what_does_not_fit_together_is_said_and_kept() {
    let sandbox = sandbox();
    sandbox.write("x.yaml", SWEEP.replace("acr_dsvdd, params: {steps: 5}", "copod"));
    for out in ["a", "b"] {
        sandbox.run(&["run", "x.yaml", "--out", out]).expect(0);
    }
    // One record says something else, as one of another processor might.
    let name = keys(&sandbox, "b").into_iter().next().unwrap();
    let path = sandbox.path("b").join("records").join(&name);
    let text = fs::read_to_string(&path).unwrap();
    let (before, after) = text.split_once("\"auroc\": ").unwrap();
    let (_, after) = after.split_once(',').unwrap();
    fs::write(&path, format!("{before}\"auroc\": 0.123,{after}")).unwrap();
    let merged = sandbox.run(&["merge", "a", "b", "--into", "m"]).expect(1);
    assert!(
        merged.err.contains(&name[..32]) && merged.err.contains("other results than the one kept"),
        "{}",
        merged.err
    );
    assert_eq!(results(&sandbox.path("m")), results(&sandbox.path("a")));

    sandbox.run(&["merge", "a", "--into", "a"]).expect(2);
    sandbox.run(&["merge", "a", "nowhere", "--into", "m"]).expect(2);
    let wrong = sandbox.run(&["run", "x.yaml", "--shard", "3/3"]).expect(2);
    assert!(wrong.err.contains("shares count from 0"), "{}", wrong.err);
    let empty = sandbox.run(&["work", "nowhere"]).expect(2);
    assert!(empty.err.contains("nowhere"), "{}", empty.err);
}
