//! What `zsad run --cluster` submits, finds again and cancels, with a scheduler that only remembers. What a real Slurm makes
//! of it is tested in `cluster.rs`.

#![cfg(unix)]
#![allow(clippy::disallowed_methods, reason = "fixtures may be written in any way")]

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;
use zsad_tests::scheduler::Scheduler;
use zsad_tests::{Sandbox, finished, results};

const SWEEP: &str = "experiment: x\ndatasets: [digits]\nmethods: [knn, copod]\n\
                     protocol: {batch_size: [20, 30], contamination: [0.1], n_batches: 2}\nseeds: [0, 1, 2]\n";
/// One fit a task, whatever it is thought to take.
const CLUSTER: &str = "engine: slurm\npartition: cpu\ntime: 60\npack_minutes: 0.0001\nmax_tasks: 4\n";
const RUN: [&str; 6] = ["run", "x.yaml", "--cluster", "c.yaml", "--out", "o"];

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::default();
    sandbox.write("x.yaml", SWEEP);
    sandbox.write("c.yaml", CLUSTER);
    sandbox
}

fn bundles(sandbox: &Sandbox, submission: usize) -> Vec<Vec<String>> {
    let text = fs::read_to_string(sandbox.path(&format!("o/cluster/{submission}/bundles.json"))).unwrap();
    let value: Value = serde_json::from_str(&text).unwrap();
    serde_json::from_value(value["fits"].clone()).unwrap()
}

fn task(scheduler: &Scheduler, submission: &str, task: &str, of: &str) -> i32 {
    let mut command = scheduler.command(&["work", "o", "--submission", submission, "--from-env"]);
    command.env("SLURM_ARRAY_JOB_ID", "1").env("SLURM_ARRAY_TASK_ID", task).env("SLURM_ARRAY_TASK_COUNT", of);
    command.output().unwrap().status.code().unwrap()
}

fn status(scheduler: &Scheduler) -> Value {
    serde_json::from_str(&scheduler.run(&["status", "o", "--json"]).expect(0).out).unwrap()
}

fn counts(status: &Value) -> [u64; 5] {
    ["queued", "running", "done", "failed", "outstanding"].map(|name| status[name].as_u64().unwrap())
}

#[test]
fn what_is_outstanding_and_not_queued_is_submitted_once() {
    let sandbox = sandbox();
    let scheduler = Scheduler::of(&sandbox);
    let first = scheduler.run(&RUN).expect(0);
    assert!(first.out.contains("job 1, 6 tasks with 6 fits (12 cells)"), "{}", first.out);
    assert!(first.out.contains("-collect: job 2"), "{}", first.out);
    let array = scheduler.read("sbatch.1");
    for option in
        ["--array=0-5%4", "--partition=cpu", "--time=60", "--signal=B:USR1@120", "--requeue", "--open-mode=append"]
    {
        assert!(array.lines().any(|line| line == option), "{option}: {array}");
    }
    assert!(scheduler.read("sbatch.2").contains("--dependency=afterany:1\n"));
    let script = fs::read_to_string(sandbox.path("o/cluster/1/task.sh")).unwrap();
    assert!(
        script.contains("work ") && script.contains(" --submission 1 ") && script.contains(" --from-env"),
        "{script}"
    );
    assert_eq!(counts(&status(&scheduler)), [12, 0, 0, 0, 0]);

    let again = scheduler.run(&RUN).expect(0);
    assert!(again.out.contains("nothing to submit: what is not recorded is queued"), "{}", again.out);
    // The scheduler does not answer: nothing is submitted at a venture.
    scheduler.put("down", "");
    let down = scheduler.run(&RUN).expect(1);
    assert!(down.err.contains("Unable to contact slurm controller"), "{}", down.err);
    scheduler.remove("down");
    assert_eq!(scheduler.read("last"), "2\n");

    // Two tasks end well, one of them without its record being whole; then the scheduler forgets the array and the rest.
    assert_eq!((task(&scheduler, "1", "0", "6"), task(&scheduler, "1", "5", "6")), (0, 0));
    let before = finished(&sandbox.path("o"));
    assert_eq!(counts(&status(&scheduler)), [8, 0, 4, 0, 0]);
    for name in ["job.1", "job.2"] {
        scheduler.remove(name);
    }
    assert_eq!(counts(&status(&scheduler)), [0, 0, 4, 0, 8]);
    let third = scheduler.run(&RUN).expect(0);
    assert!(third.out.contains("job 3, 4 tasks with 4 fits (8 cells)"), "{}", third.out);
    let (old, new) = (bundles(&sandbox, 1), bundles(&sandbox, 2));
    assert_eq!(old.len(), 6);
    let done: BTreeSet<&String> = [&old[0], &old[5]].into_iter().flatten().collect();
    assert!(new.iter().flatten().all(|fit| !done.contains(fit)), "what is recorded is not submitted again");

    // A task's number means the same in its submission for ever.
    for i in 0..4 {
        assert_eq!(task(&scheduler, "2", &i.to_string(), "4"), 0);
        scheduler.put(&format!("ended.3_{i}"), "");
    }
    assert_eq!(task(&scheduler, "1", "0", "6"), 0);
    let after = finished(&sandbox.path("o"));
    assert!(before.iter().all(|(name, file)| after.get(name) == Some(file)), "no record is written twice");
    assert_eq!(task(&scheduler, "1", "0", "7"), 2, "another number of tasks is another array");

    // The job that writes the tables was lost: it alone is submitted again, and once it has run nothing is.
    scheduler.remove("job.4");
    let collect = scheduler.run(&RUN).expect(0);
    assert!(collect.out.contains("-collect: job 5") && !collect.out.contains("tasks with"), "{}", collect.out);
    scheduler.run(&["work", "o", "--collect"]).expect(0);
    scheduler.remove("job.5");
    let nothing = scheduler.run(&RUN).expect(0);
    assert!(nothing.out.contains("nothing to submit: all cells are recorded, and the tables"), "{}", nothing.out);
    assert_eq!(scheduler.read("last"), "5\n");

    sandbox.run(&["run", "x.yaml", "--out", "here"]).expect(0);
    assert_eq!(results(&sandbox.path("o")), results(&sandbox.path("here")));
    let table = |out: &str| fs::read_to_string(sandbox.path(out).join("table.md")).unwrap();
    assert_eq!(table("o"), table("here"));
    // The diary has every task that computed something, and no more.
    let diary: Value = serde_json::from_slice(&fs::read(sandbox.path("o/provenance.json")).unwrap()).unwrap();
    assert_eq!(diary["runs"].as_array().unwrap().len(), 6);
}

#[test]
fn of_two_calls_at_once_one_submits() {
    let sandbox = sandbox();
    let scheduler = Scheduler::of(&sandbox);
    let mut calls: Vec<_> = (0..4).map(|_| scheduler.command(&RUN).spawn().unwrap()).collect();
    assert!(calls.iter_mut().all(|call| call.wait().unwrap().success()));
    assert_eq!(scheduler.read("last"), "2\n", "one array and one job after it");
    // A submission whose answer was lost is found by its name.
    for name in ["job.1", "job.2"] {
        scheduler.remove(name);
    }
    scheduler.put("mute", "");
    scheduler.run(&RUN).expect(2);
    scheduler.remove("mute");
    let found = scheduler.run(&RUN).expect(0);
    assert!(found.out.contains("queued before: 12 cells") && found.out.contains("-collect: job 4"), "{}", found.out);
    assert_eq!(scheduler.read("last"), "4\n");
}

#[test]
fn cells_that_failed_are_submitted_again() {
    let sandbox = sandbox();
    let scheduler = Scheduler::of(&sandbox);
    let failing = SWEEP.replace("knn, copod", "knn, {name: external, params: {command: ['false']}}");
    sandbox.write("x.yaml", failing);
    scheduler.run(&RUN).expect(0);
    for i in 0..6 {
        task(&scheduler, "1", &i.to_string(), "6");
    }
    scheduler.remove("job.1");
    assert_eq!(counts(&status(&scheduler)), [0, 0, 6, 6, 0]);
    let again = scheduler.run(&RUN).expect(0);
    assert!(again.out.contains("3 tasks with 3 fits (6 cells)"), "{}", again.out);
}

#[test]
fn status_and_cancel_speak_of_the_queue_and_do_without_it() {
    let sandbox = sandbox();
    let scheduler = Scheduler::of(&sandbox);
    sandbox.run(&["run", "x.yaml", "--out", "o", "--plan-only"]).expect(0);
    let none = scheduler.run(&["cancel", "o"]).expect(2);
    assert!(none.err.contains("no jobs were submitted for this folder"), "{}", none.err);
    scheduler.run(&RUN).expect(0);
    scheduler.put("runs.1_0", "");
    let text = scheduler.run(&["status", "o"]).expect(0).out;
    assert!(text.contains("1 running (node7), 5 waiting (Priority)"), "{text}");
    let knn = text.lines().find(|line| line.contains("knn")).unwrap();
    assert_eq!(knn.split_whitespace().collect::<Vec<_>>(), ["digits", "knn", "0", "0", "0", "0", "6", "0", "1"]);

    // Slurm hangs, and is not there at all.
    scheduler.put("hang", "");
    let silent = status(&scheduler);
    assert_eq!(counts(&silent), [0, 0, 0, 0, 12]);
    assert!(silent["scheduler"].as_str().unwrap().contains("no answer"), "{silent}");
    scheduler.remove("hang");
    let absent = sandbox.run(&["status", "o"]).expect(0).out;
    assert!(absent.contains("0 of 12 cells finished"), "{absent}");

    // The job after the array first.
    let cancelled = scheduler.run(&["cancel", "o"]).expect(0);
    assert!(cancelled.out.contains("cancelled 6 tasks: 2, 1"), "{}", cancelled.out);
    assert_eq!(scheduler.read("cancelled"), "2\n1\n");
    assert!(scheduler.run(&["cancel", "o"]).expect(0).out.contains("no job of this run"));
}

#[test]
fn why_tasks_were_lost_is_said() {
    let sandbox = sandbox();
    let scheduler = Scheduler::of(&sandbox);
    scheduler.run(&RUN).expect(0);
    scheduler.remove("job.1");
    let past = [("0", "OUT_OF_MEMORY"), ("1", "TIMEOUT"), ("2", "NODE_FAIL"), ("3", "CANCELLED"), ("4", "FAILED")];
    let line = |(task, state): (&str, &str)| {
        format!("JobId=1{task} ArrayJobId=1 ArrayTaskId={task} JobState={state} NodeList=n{task}\n")
    };
    scheduler.put("past", &past.map(line).concat());
    // The last one's data are others than those that it was planned with: here, its processor.
    let mut other = scheduler.command(&["--simd", "portable", "work", "o", "--submission", "1", "--shard", "5/6"]);
    let other = zsad_tests::Done::of(other.output().unwrap()).expect(3);
    assert!(other.err.contains("1 of the 1 fits of this task are others"), "{}", other.err);
    let text = scheduler.run(&["status", "o"]).expect(0).out;
    for reason in [
        "1_0: 2 cells without a record: out of memory on n0; hint: more `memory`",
        "1_1: 2 cells without a record: its time ran out on n1; hint: a longer `time`",
        "1_2: 2 cells without a record: the node failed on n2",
        "1_3: 2 cells without a record: cancelled",
        "1_4: 2 cells without a record: FAILED on n4; its log: ",
        "fits of this task are others",
        "submits what is outstanding again",
    ] {
        assert!(text.contains(reason), "{reason}: {text}");
    }
    let lost = status(&scheduler);
    assert_eq!(lost["lost"].as_array().unwrap().len(), 6);
}

#[test]
fn a_warned_task_stops_and_queues_itself_again() {
    let sandbox = sandbox();
    let scheduler = Scheduler::of(&sandbox);
    // One task with many cells.
    sandbox.write(
        "x.yaml",
        SWEEP.replace("n_batches: 2", "n_batches: 200").replace("[0, 1, 2]", "[0, 1, 2, 3, 4, 5, 6, 7]"),
    );
    sandbox.write("c.yaml", CLUSTER.replace("0.0001", "600"));
    scheduler.run(&RUN).expect(0);
    assert_eq!(bundles(&sandbox, 1).len(), 1);
    let mut command = scheduler.command(&["work", "o", "--submission", "1", "--from-env", "--jobs", "1"]);
    command.env("SLURM_ARRAY_JOB_ID", "1").env("SLURM_ARRAY_TASK_ID", "0").env("SLURM_ARRAY_TASK_COUNT", "1");
    let mut child = command.spawn().unwrap();
    while finished(&sandbox.path("o")).is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let sent = std::process::Command::new("kill").args(["-USR1", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    assert_eq!(child.wait().unwrap().code(), Some(1));
    let half = counts(&status(&scheduler))[2];
    assert!(half > 0 && half < 32, "{half}");
    assert_eq!(scheduler.read("requeued"), "1_0\n");
    // Started again it goes on, and is done.
    let before = finished(&sandbox.path("o"));
    assert_eq!(task(&scheduler, "1", "0", "1"), 0);
    assert_eq!(counts(&status(&scheduler)), [0, 0, 32, 0, 0]);
    let after = finished(&sandbox.path("o"));
    assert!(before.iter().all(|(name, file)| after.get(name) == Some(file)));
    assert_eq!(scheduler.read("requeued"), "1_0\n");
}

#[test]
fn a_training_that_outlasts_its_task_goes_on_from_its_checkpoint() {
    let sandbox = sandbox();
    let scheduler = Scheduler::of(&sandbox);
    let method = "methods: [{name: acr_dsvdd, params: {steps: 2000}}]";
    sandbox.write("x.yaml", SWEEP.replace("methods: [knn, copod]", method).replace("[0, 1, 2]", "[0]"));
    scheduler.run(&[&RUN[..], &["--store", "s"]].concat()).expect(0);
    let script = fs::read_to_string(sandbox.path("o/cluster/1/task.sh")).unwrap();
    assert!(script.contains(" --checkpoint-minutes 10 "), "{script}");
    let fit = &bundles(&sandbox, 1)[0][0];
    let mut command = scheduler.command(&["work", "o", "--submission", "1", "--from-env", "--store", "s"]);
    command.env("SLURM_ARRAY_JOB_ID", "1").env("SLURM_ARRAY_TASK_ID", "0").env("SLURM_ARRAY_TASK_COUNT", "1");
    let mut child = command.spawn().unwrap();
    while !sandbox.path(&format!("s/{fit}/lease")).exists() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    std::thread::sleep(std::time::Duration::from_millis(500));
    let sent = std::process::Command::new("kill").args(["-USR1", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    assert_eq!(child.wait().unwrap().code(), Some(1));
    // No cell was recorded: the checkpoint alone is progress enough to queue the task again.
    assert_eq!(counts(&status(&scheduler)), [2, 0, 0, 0, 0]);
    assert_eq!(scheduler.read("requeued"), "1_0\n");
    assert!(sandbox.path(&format!("s/{fit}/checkpoint.safetensors")).exists());
    let again = zsad_tests::Done::of(command.output().unwrap()).expect(0);
    assert!(again.err.contains("goes on after step"), "{}", again.err);
    sandbox.run(&["run", "x.yaml", "--out", "here", "--store", "t"]).expect(0);
    sandbox.run(&["work", "o", "--collect", "--store", "s"]).expect(0);
    assert_eq!(results(&sandbox.path("o")), results(&sandbox.path("here")));
}

#[test]
fn there_are_no_more_tasks_than_the_cluster_allows() {
    let sandbox = sandbox();
    let scheduler = Scheduler::of(&sandbox);
    let mut command = scheduler.command(&RUN);
    let done = zsad_tests::Done::of(command.env("MAX_ARRAY", "4").output().unwrap()).expect(0);
    assert!(done.out.contains("4 tasks with 6 fits (12 cells)"), "{}", done.out);
    assert_eq!(bundles(&sandbox, 1).iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1, 1]);
}

#[test]
fn a_task_with_a_gpu_works_on_it_and_the_one_who_submits_needs_none() {
    let sandbox = sandbox();
    let scheduler = Scheduler::of(&sandbox);
    // What computes on a GPU: classical methods stay on the processor, and are the same fits there.
    sandbox.write("x.yaml", SWEEP.replace("[knn, copod]", "[{name: acr_dsvdd, params: {steps: 2}}]"));
    sandbox.write("c.yaml", format!("{CLUSTER}gpus: 1\ncpus: 3\n"));
    scheduler.run(&RUN).expect(0);
    assert!(scheduler.read("sbatch.1").contains("--gres=gpu:1\n"));
    // The tables need none.
    assert!(!scheduler.read("sbatch.2").contains("--gres"));
    let script = |name: &str| fs::read_to_string(sandbox.path("o/cluster").join(name)).unwrap();
    assert!(script("1/task.sh").contains(" --jobs 1 --threads 3 "), "{}", script("1/task.sh"));
    assert!(script("1/task.sh").contains(" --device cuda:0"));
    let gpu: BTreeSet<String> = bundles(&sandbox, 1).into_iter().flatten().collect();
    // Its fits are others than those of processors: where there is no GPU they are not run under a wrong name.
    sandbox.write("c.yaml", CLUSTER);
    scheduler.run(&RUN).expect(0);
    assert!(gpu.is_disjoint(&bundles(&sandbox, 2).into_iter().flatten().collect()));
    assert_eq!(task(&scheduler, "1", "0", "3"), 3);
    scheduler.run(&["work", "o", "--collect", "--device", "cuda:0"]).expect(1);
}

#[test]
fn mistakes_are_said_before_anything_is_submitted() {
    let sandbox = sandbox();
    let scheduler = Scheduler::of(&sandbox);
    sandbox.write("c.yaml", "engine: slurm\npartitoin: cpu\ntime: soon\n");
    for args in [&["validate", "c.yaml"][..], &RUN] {
        let done = scheduler.run(args).expect(2);
        assert!(done.err.contains("c.yaml:2:1: unknown key `partitoin` in a cluster file"), "{}", done.err);
        assert!(done.err.contains("c.yaml:3:7: `time` cannot be \"soon\""), "{}", done.err);
        assert!(done.err.contains("hint: did you mean `partition`?"), "{}", done.err);
    }
    sandbox.write("c.yaml", CLUSTER);
    assert_eq!(scheduler.run(&["validate", "c.yaml"]).expect(0).out, "c.yaml: valid\n");
    // The scheduler refuses, is not there, and has no GPU.
    scheduler.put("refuse", "");
    let refused = scheduler.run(&RUN).expect(2);
    assert!(refused.err.contains("sbatch: error: invalid partition specified: nowhere"), "{}", refused.err);
    let mut absent = sandbox.zsad(&RUN);
    let absent = zsad_tests::Done::of(absent.env("PATH", "/nonexistent").output().unwrap()).expect(2);
    assert!(absent.err.contains("Slurm's commands have to be on this machine"), "{}", absent.err);
    let gpu = scheduler.run(&[&RUN[..], &["--device", "cuda:0"]].concat()).expect(2);
    assert!(gpu.err.contains("hint: write `gpus: 1` in the cluster file"), "{}", gpu.err);
    scheduler.run(&["run", "x.yaml", "--wait"]).expect(2);
    scheduler.run(&[&RUN[..], &["--jobs", "2"]].concat()).expect(2);
    scheduler.run(&["work", "o", "--submission", "1"]).expect(2);
}
