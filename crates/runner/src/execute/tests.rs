use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use zsad_core::record::{Row, Status};
use zsad_core::{DataDir, Device};

use super::{Options, execute};
use crate::config;
use crate::plan::{Plan, State};
use crate::registry::Registry;
use crate::rows;
use crate::store::Store;
use crate::testing::{Deed, Planted, registry, registry_with};

const PROTOCOL: &str = "protocol: {batch_size: [10], contamination: [0.1, 0.2], n_batches: 3}\nseeds: [0, 1]\n";

/// A folder with an experiment over `methods` (YAML) and what a run of it leaves.
struct Bench {
    dir: tempfile::TempDir,
    registry: Registry,
}

impl Bench {
    fn new(registry: Registry) -> Self {
        Bench { dir: tempfile::tempdir().unwrap(), registry }
    }

    fn store(&self) -> Store {
        Store::new(self.dir.path().join("out"))
    }

    fn plan(&self, yaml: &str) -> Plan {
        let file = self.dir.path().join("x.yaml");
        fs::write(&file, format!("experiment: x\n{yaml}\n")).unwrap();
        let experiment = config::load(&file, &self.registry, None).unwrap_or_else(|e| panic!("{e}"));
        let data = DataDir { path: "/nowhere".into(), chosen_by: "--data" };
        Plan::new(&experiment, &self.registry, &data, &self.store()).unwrap()
    }

    fn run_with(&self, yaml: &str, jobs: usize, threads: usize) -> (Plan, Vec<Row>) {
        let store = self.store();
        let _lock = store.lock().unwrap();
        let mut plan = self.plan(yaml);
        let options = Options { jobs, threads, device: Device::Cpu, cache: None };
        execute(&mut plan, &self.registry, &store, &options).unwrap();
        let rows = rows::build(&plan, &self.registry, &store).unwrap();
        (plan, rows)
    }

    fn run(&self, yaml: &str) -> (Plan, Vec<Row>) {
        self.run_with(yaml, 2, 1)
    }

    /// Name, bytes and time of every file of a part of the folder.
    fn files(&self, part: &str) -> Vec<(PathBuf, Vec<u8>, SystemTime)> {
        let mut files = Vec::new();
        for entry in fs::read_dir(self.store().root().join(part)).unwrap() {
            let path = entry.unwrap().path();
            files.push((path.clone(), fs::read(&path).unwrap(), fs::metadata(&path).unwrap().modified().unwrap()));
        }
        files.sort();
        files
    }
}

fn experiment(methods: &str) -> String {
    format!("datasets: [line]\nmethods: [{methods}]\n{PROTOCOL}")
}

#[test]
fn a_fit_is_trained_once_and_scores_all_its_points() {
    let trained = Planted::new("trained", 1, Deed::Score, true);
    let bench = Bench::new(registry(&[trained]));
    let (plan, rows) = bench.run(&experiment("trained"));
    // Two seeds; two points, two domains and three batches each.
    assert_eq!(trained.counts(), (2, 2 * 2 * 2 * 3));
    assert_eq!(rows.len(), 2 * 2 * 2);
    assert!(plan.cells().all(|c| plan.status(c) == Some(Status::Ok)));
    for row in &rows {
        assert_eq!((row.n_batches, row.batch_size, row.n_undefined), (3, Some(10), 0));
        assert_eq!(row.n_anomalous, if row.contamination == Some(0.1) { 3 } else { 6 });
        assert_eq!(row.contamination_realised, row.contamination);
        assert_eq!(row.auroc, Some(1.0));
        assert!(row.fit_seconds.is_some() && row.f1_max.is_none());
    }
}

#[test]
fn a_second_run_computes_nothing_and_touches_nothing() {
    let trained = Planted::new("trained", 1, Deed::Score, true);
    let bench = Bench::new(registry(&[trained]));
    let (_, first) = bench.run(&experiment("trained"));
    let (files, counts) = (bench.files("records"), trained.counts());
    let (_, second) = bench.run(&experiment("trained"));
    assert_eq!(first, second);
    assert_eq!(bench.files("records"), files);
    assert_eq!(trained.counts(), counts);
}

#[test]
fn a_stored_fit_is_loaded_and_a_damaged_one_trained_again() {
    let trained = Planted::new("trained", 1, Deed::Score, true);
    let bench = Bench::new(registry(&[trained]));
    let (plan, first) = bench.run(&experiment("trained"));
    let remove_records = || fs::remove_dir_all(bench.store().root().join("records")).unwrap();
    remove_records();
    let (_, again) = bench.run(&experiment("trained"));
    assert_eq!(trained.counts().0, 2);
    let metrics = |rows: &[Row]| rows.iter().map(|r| (r.cell_key.clone(), r.auroc, r.fit_seconds)).collect::<Vec<_>>();
    assert_eq!(metrics(&first), metrics(&again));

    remove_records();
    fs::write(bench.store().model_path(&plan.fits[0].key), "damaged").unwrap();
    bench.run(&experiment("trained"));
    assert_eq!(trained.counts().0, 3);
}

#[test]
fn planted_failures_are_recorded_and_the_rest_ends() {
    let registry = registry(&[
        Planted::new("good", 1, Deed::Score, false),
        Planted::new("panics", 1, Deed::Panic, true),
        Planted::new("nan", 1, Deed::Nan, false),
        Planted::new("short", 1, Deed::TooFew, false),
        Planted::new("refuses", 1, Deed::Refuse, false),
    ]);
    let bench = Bench::new(registry);
    let (_, rows) = bench.run(&experiment("panics, nan, short, refuses, good"));
    let of = |method: &str| rows.iter().filter(|r| r.method == method).collect::<Vec<_>>();
    assert!(of("good").iter().all(|r| r.status == "ok" && r.auroc == Some(1.0)));
    for (method, status, error) in [
        ("panics", "failed", "panicked: planted panic"),
        ("nan", "failed", "1 of 10 scores are not finite; the first, of sample 1, is NaN"),
        ("short", "failed", "9 scores for 10 samples"),
        ("refuses", "refused", "planted refusal"),
    ] {
        let rows = of(method);
        // One row a cell, without a domain.
        assert_eq!(rows.len(), 4, "{method}");
        for row in rows {
            assert_eq!((row.status.as_str(), row.domain.as_str(), row.auroc), (status, "", None));
            assert!(row.error.contains(error), "{}", row.error);
            assert_eq!(row.batch_size, Some(10));
        }
    }
}

#[test]
fn a_damaged_data_set_fails_its_cells_alone_and_they_are_tried_again() {
    let good = Planted::new("good", 1, Deed::Score, false);
    let bench = Bench::new(registry(&[good]));
    let both = experiment("good").replace("[line]", "[line, {name: line, params: {damaged: true}}]");
    let (plan, rows) = bench.run(&both);
    let failed: Vec<_> = rows.iter().filter(|r| r.status == "failed").collect();
    assert_eq!((failed.len(), rows.len()), (4, 4 + 8));
    assert!(failed.iter().all(|r| r.error.contains("line.bin: cut off after 3 bytes (fetch it again)")));
    assert_eq!(plan.data_errors().count(), 1);
    let again = bench.plan(&both);
    assert_eq!(again.outstanding(), 4);
}

#[test]
fn workers_threads_and_order_do_not_change_a_record() {
    let methods = || [Planted::new("a", 1, Deed::Score, true), Planted::new("b", 1, Deed::Score, false)];
    let keys = |rows: &[Row]| {
        let mut all: Vec<_> = rows.iter().map(|r| (r.cell_key.clone(), r.domain.clone(), r.auroc, r.aupr)).collect();
        all.sort_by(|x, y| (&x.0, &x.1).cmp(&(&y.0, &y.1)));
        all
    };
    let reference = Bench::new(registry(&methods())).run_with(&experiment("a, b"), 1, 1).1;
    assert_eq!(reference.len(), 16);
    for (jobs, threads) in [(2, 1), (1, 2), (3, 2)] {
        let shuffled = experiment("b, a")
            .replace("contamination: [0.1, 0.2]", "contamination: [0.2, 0.1, 0.2]")
            .replace("[0, 1]", "[1, 0]");
        let other = Bench::new(registry(&methods())).run_with(&shuffled, jobs, threads).1;
        assert_eq!(keys(&other), keys(&reference));
    }
}

#[test]
fn a_new_metric_comes_from_the_stored_scores_alone() {
    let good = Planted::new("good", 1, Deed::Score, false);
    let mut bench = Bench::new(registry_with(&[good], &["auroc"]));
    bench.run(&experiment("good"));
    let (files, counts) = (bench.files("records"), good.counts());
    bench.registry = registry_with(&[good], &["auroc", "f1_max"]);
    let State::Cached(later) = &bench.plan(&experiment("good")).fits[0].cells[0].state else { panic!("cached") };
    assert_eq!(later.len(), 1);
    let (_, rows) = bench.run(&experiment("good"));
    assert!(rows.iter().all(|r| r.f1_max == Some(1.0) && r.auroc == Some(1.0)));
    assert_eq!((bench.files("records"), good.counts()), (files, counts));
    assert_eq!(bench.files("metrics").len(), 4);
    // Once is enough.
    let metrics = bench.files("metrics");
    bench.run(&experiment("good"));
    assert_eq!(bench.files("metrics"), metrics);
}

#[test]
fn one_changed_parameter_reruns_the_cells_of_that_method_and_says_why() {
    let (a, b) = (Planted::new("a", 1, Deed::Score, false), Planted::new("b", 1, Deed::Score, false));
    let bench = Bench::new(registry(&[a, b]));
    bench.run(&experiment("a, b"));
    let counts = (a.counts().1, b.counts().1);
    let changed = experiment("a, {name: b, params: {k: 7}}");
    let plan = bench.plan(&changed);
    let reasons: Vec<_> = plan.cells().filter_map(|c| reason(&c.state)).collect();
    assert_eq!(reasons, ["params.k 5 -> 7"; 4]);
    let (_, rows) = bench.run(&changed);
    assert_eq!((a.counts().1, b.counts().1), (counts.0, 2 * counts.1));
    // The old cells stay on the disk and leave the tables.
    assert_eq!(rows.len(), 16);
    assert_eq!(bench.files("records").len(), 2 * (8 + 4));
}

#[test]
fn a_new_version_of_a_method_is_another_key() {
    let mut bench = Bench::new(registry(&[Planted::new("a", 1, Deed::Score, true)]));
    assert_eq!(bench.plan(&experiment("a")).cells().filter_map(|c| reason(&c.state)).next(), Some("new"));
    bench.run(&experiment("a"));
    bench.registry = registry(&[Planted::new("a", 2, Deed::Score, true)]);
    let plan = bench.plan(&experiment("a"));
    let reasons: Vec<_> = plan.cells().filter_map(|c| reason(&c.state)).collect();
    assert_eq!(reasons, ["method version 1 -> 2"; 4]);
}

#[test]
fn what_a_killed_run_left_half_written_is_cleaned_up() {
    let bench = Bench::new(registry(&[Planted::new("a", 1, Deed::Score, true)]));
    let (plan, _) = bench.run(&experiment("a"));
    let records = bench.store().root().join("records");
    let fit = bench.store().model_path(&plan.fits[0].key);
    let leftovers = [records.join(".abc.json.tmp"), fit.with_file_name(".model.safetensors.tmp")];
    leftovers.iter().for_each(|path: &PathBuf| fs::write(path, "half").unwrap());
    // A record cut in the middle, as a full disk may leave it, is run again.
    let damaged = records.join(format!("{}.json", plan.fits[1].cells[0].key));
    let text = fs::read(&damaged).unwrap();
    fs::write(&damaged, &text[..text.len() / 2]).unwrap();
    assert_eq!(bench.plan(&experiment("a")).outstanding(), 1);
    bench.run(&experiment("a"));
    assert!(leftovers.iter().all(|path: &PathBuf| !Path::new(path).exists()));
    assert_eq!(bench.plan(&experiment("a")).outstanding(), 0);
}

#[test]
fn two_runs_do_not_share_a_folder() {
    let bench = Bench::new(registry(&[Planted::new("a", 1, Deed::Score, true)]));
    let (store, other) = (bench.store(), bench.store());
    let lock = store.lock().unwrap();
    assert!(other.is_locked());
    let message = other.lock().unwrap_err().to_string();
    assert!(message.contains("another run") && message.contains("--out"), "{message}");
    drop(lock);
    assert!(!other.is_locked());
    other.lock().unwrap();
}

fn reason(state: &State) -> Option<&str> {
    match state {
        State::Outstanding(why) => Some(why),
        State::Cached(_) => None,
    }
}
