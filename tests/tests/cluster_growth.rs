//! How the cost of planning, submitting, looking at and collecting a sweep grows with its cells, whose records are simulated.
//! Ignored: it measures, and asserts no time.
//!
//! ```sh
//! ZSAD_GROWTH="1000 10000 100000" cargo test --workspace --release --test cluster_growth -- --ignored --nocapture
//! ```
//!
//! The scheduler is one that only remembers. Times are of the program as a person calls it; a hundred thousand cells take about
//! a gigabyte in the folder for temporary files.

#![cfg(unix)]

use std::time::Instant;

use zsad_core::job::{CellJob, FitJob};
use zsad_core::{DataDir, Environment, LabelledBatch};
use zsad_runner::evaluate::by_domain;
use zsad_runner::library::Library;
use zsad_runner::plan::Wanted;
use zsad_runner::registry::Registry;
use zsad_store::{CellRecord, RunFolder, SCHEMA, Status, provenance};
use zsad_tests::scheduler::Scheduler;
use zsad_tests::{Done, Sandbox};

const METHODS: usize = 10;
const POINTS: usize = 10;
const RUN: [&str; 6] = ["run", "x.yaml", "--cluster", "c.yaml", "--out", "o"];
/// Bundles of about fifty fits.
const CLUSTER: &str = "engine: slurm\npack_minutes: 0.5\n";

#[test]
#[ignore = "it measures: ZSAD_GROWTH names numbers of cells"]
fn growth() {
    let sizes = std::env::var("ZSAD_GROWTH").unwrap_or_else(|_| "1000 10000".into());
    println!("{:>8}  {:<52} {:>8}", "cells", "what", "seconds");
    for cells in sizes.split_whitespace() {
        measure(cells.parse().expect("numbers of cells"));
    }
}

fn measure(cells: usize) {
    let sandbox = Sandbox::default();
    let scheduler = Scheduler::of(&sandbox);
    sandbox.write("c.yaml", CLUSTER);
    let seeds: Vec<String> = (0..cells / METHODS / POINTS).map(|seed| seed.to_string()).collect();
    let ks: Vec<String> = (1..=METHODS).map(|k| k.to_string()).collect();
    let text = format!(
        "experiment: x\ndatasets: [digits]\nmethods: [{{name: knn, grid: {{k: [{}]}}}}]\nprotocol: {{batch_size: [12, 14, 16, \
         18, 20], contamination: [0.1, 0.2], n_batches: 1}}\nseeds: [{}]\n",
        ks.join(", "),
        seeds.join(", ")
    );
    let file = sandbox.write("x.yaml", text);
    let step = |what: &str, args: &[&str]| {
        let mut command = scheduler.command(args);
        let start = Instant::now();
        let done = Done::of(command.output().expect("the program starts"));
        println!("{cells:>8}  {what:<52} {:>8.2}", start.elapsed().as_secs_f64());
        done
    };
    let jobs = jobs(&file);
    assert_eq!(jobs.iter().map(|job| job.cells.len()).sum::<usize>(), cells);
    let folder = RunFolder::new(sandbox.path("o"));

    step("submit, nothing recorded", &RUN).expect(0);
    step("submit again, all queued", &RUN).expect(0);
    step("status, all queued", &["status", "o"]).expect(0);
    simulate(&folder, &jobs[..jobs.len() / 2]);
    step("status, half recorded", &["status", "o"]).expect(0);
    // The scheduler has forgotten all.
    for job in ["job.1", "job.2"] {
        scheduler.remove(job);
    }
    step("plan, half recorded", &["plan", "x.yaml", "--out", "o"]).expect(0);
    step("submit again, half recorded, nothing queued", &RUN).expect(0);
    simulate(&folder, &jobs[jobs.len() / 2..]);
    let bundles = std::fs::read_to_string(sandbox.path("o/cluster/1/bundles.json")).expect("a submission");
    let bundles: serde_json::Value = serde_json::from_str(&bundles).expect("JSON");
    let shard = format!("0/{}", bundles["fits"].as_array().expect("a list").len());
    step("a task, all of its bundle recorded", &["work", "o", "--submission", "1", "--shard", &shard]).expect(0);
    step("status, all recorded", &["status", "o"]).expect(0);
    step("collect: tables and plots", &["work", "o", "--collect"]).expect(0);
}

/// What the experiment comes to.
fn jobs(file: &std::path::Path) -> Vec<FitJob> {
    let experiment = zsad_runner::config::load(file, &Registry::built_in(), None).expect("it is valid");
    let env = Environment::new(DataDir::resolve(None));
    Wanted::new(&experiment, &Library::new(Registry::built_in()), &env).jobs
}

/// Records as a run would have left them, of scores that mean nothing.
fn simulate(folder: &RunFolder, jobs: &[FitJob]) {
    let metrics = Registry::built_in().measured();
    let provenance = provenance::of_record("", zsad_core::Device::Cpu, 1);
    let record = |job: &FitJob, cell: &CellJob| {
        let seed = cell.key.bytes().fold(17u64, |state, b| state.wrapping_mul(1_099_511_628_211) ^ u64::from(b));
        let batch = |domain: u64| {
            let score = |i: u64| ((seed >> (i + domain)) % 1000) as f64 + if i < 2 { 300.0 } else { 0.0 };
            let (items, labels) = ((0..12).map(score).collect(), (0..12).map(|i| i < 2).collect());
            LabelledBatch { domain: (6 + domain).to_string(), number: 0, items, labels }
        };
        let batches: Vec<LabelledBatch<f64>> = (0..4).map(batch).collect();
        let record = CellRecord {
            schema: SCHEMA,
            cell_key: cell.key.clone(),
            fit_key: job.key.clone(),
            cell: cell.id.clone(),
            asked: cell.asked.clone(),
            status: Status::Ok,
            domains: by_domain(&batches, cell.id.point.pooling, &metrics),
            metrics: metrics.iter().map(|m| m.spec.id()).collect(),
            score_seconds: Some(0.1),
            provenance: provenance.clone(),
            ..CellRecord::default()
        };
        folder.put_record(&record, &batches, &zsad_store::Facts::unknown(48)).expect("a writable folder");
    };
    // Each waits for the disk.
    std::thread::scope(|scope| {
        for part in jobs.chunks(jobs.len().div_ceil(16).max(1)) {
            let record = &record;
            scope.spawn(move || part.iter().for_each(|job| job.cells.iter().for_each(|cell| record(job, cell))));
        }
    });
}
