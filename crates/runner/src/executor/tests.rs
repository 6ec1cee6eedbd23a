use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use zsad_core::{BatchSize, DataDir, Environment};
use zsad_store::{CellRecord, ModelStore, Row, RunFolder, Status};

use super::fit::Bench;
use super::local::Local;
use super::{Event, Executor};
use crate::config;
use crate::library::Library;
use crate::plan::{Plan, State, Wanted};
use crate::registry::Registry;
use crate::results;
use crate::testing::{Fault, FaultInjection, registry, registry_with};

const PROTOCOL: &str = "protocol: {batch_size: [10], contamination: [0.1, 0.2], n_batches: 3}\nseeds: [0, 1]\n";

/// A folder with an experiment over `methods` (YAML) and what a run of it leaves.
struct Folder {
    dir: tempfile::TempDir,
    registry: Registry,
}

impl Folder {
    fn new(registry: Registry) -> Self {
        Folder { dir: tempfile::tempdir().unwrap(), registry }
    }

    fn folder(&self) -> RunFolder {
        RunFolder::new(self.dir.path().join("out"))
    }

    fn store(&self) -> ModelStore {
        ModelStore::new(self.dir.path().join("store"))
    }

    fn env(&self) -> Environment {
        Environment::new(DataDir { path: "/nowhere".into(), chosen_by: "--data" })
    }

    fn plan(&self, yaml: &str) -> Plan {
        let file = self.dir.path().join("x.yaml");
        // Whole at every moment: several threads may plan at once.
        zsad_core::file::write(&file, format!("experiment: x\n{yaml}\n").as_bytes()).unwrap();
        let experiment = config::load(&file, &self.registry, None).unwrap_or_else(|e| panic!("{e}"));
        let folder = self.folder();
        Wanted::new(&experiment, &Library::new(self.registry), &self.env()).diff(
            &experiment,
            &folder,
            &folder.records().unwrap(),
        )
    }

    fn run_with(&self, yaml: &str, jobs: usize, threads: usize) -> (Plan, Vec<Row>) {
        let (folder, store) = (self.folder(), self.store());
        folder.prepare().unwrap();
        let plan = self.plan(yaml);
        let before = folder.records().unwrap();
        let env = Environment { threads, ..self.env() };
        let library = Library::new(self.registry);
        let (registry, checkpoint_every) = (&self.registry, Duration::MAX);
        let bench = Bench { registry, library: &library, env: &env, folder: &folder, store: &store, checkpoint_every };
        let wanted: Vec<_> = plan.fits.iter().filter_map(|f| f.to_run()).collect();
        Local { bench, jobs, before: &before }.run(&wanted, &|_| ()).unwrap();
        let records = folder.records().unwrap();
        results::compute_later(records.values(), &self.registry.measured(), &folder).unwrap();
        let rows = results::rows(&plan, &records, &self.registry, &folder).unwrap();
        (plan, rows)
    }

    fn run(&self, yaml: &str) -> (Plan, Vec<Row>) {
        self.run_with(yaml, 2, 1)
    }

    fn records(&self) -> BTreeMap<String, CellRecord> {
        self.folder().records().unwrap()
    }

    /// Name, bytes and time of every file of a part of the folder.
    fn files(&self, part: &str) -> Vec<(PathBuf, Vec<u8>, SystemTime)> {
        let mut files = Vec::new();
        for entry in fs::read_dir(self.folder().root().join(part)).unwrap() {
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
    let trained = FaultInjection::new("trained", 1, Fault::Score, true);
    let bench = Folder::new(registry(&[trained]));
    let (plan, rows) = bench.run(&experiment("trained"));
    // Two seeds; two points, two domains and three batches each.
    assert_eq!(trained.counts(), (2, 2 * 2 * 2 * 3));
    assert_eq!(rows.len(), 2 * 2 * 2);
    let records = bench.records();
    assert!(plan.cells().all(|c| records[&c.key].status == Status::Ok));
    for row in &rows {
        assert_eq!(
            (row.result.n_batches, row.point().size, row.batch_total(), row.result.n_undefined),
            (3, BatchSize::Total(10), Some(10), 0)
        );
        assert_eq!(row.result.n_anomalous, if row.point().contamination.ratio() == Some(0.1) { 3 } else { 6 });
        assert_eq!(row.contamination_realised(), row.point().contamination.ratio());
        assert_eq!(row.metric("auroc"), Some(1.0));
        assert!(row.record.fit_seconds.is_some() && row.metric("f1_max").is_none());
    }
}

#[test]
fn a_second_run_computes_nothing_and_touches_nothing() {
    let trained = FaultInjection::new("trained", 1, Fault::Score, true);
    let bench = Folder::new(registry(&[trained]));
    let (_, first) = bench.run(&experiment("trained"));
    let (files, counts) = (bench.files("records"), trained.counts());
    let (_, second) = bench.run(&experiment("trained"));
    assert_eq!(first, second);
    assert_eq!(bench.files("records"), files);
    assert_eq!(trained.counts(), counts);
}

#[test]
fn a_stored_fit_is_loaded_and_a_damaged_one_trained_again() {
    let trained = FaultInjection::new("trained", 1, Fault::Score, true);
    let bench = Folder::new(registry(&[trained]));
    let (plan, first) = bench.run(&experiment("trained"));
    let remove_records = || fs::remove_dir_all(bench.folder().root().join("records")).unwrap();
    remove_records();
    let (_, again) = bench.run(&experiment("trained"));
    assert_eq!(trained.counts().0, 2);
    let metrics = |rows: &[Row]| {
        rows.iter().map(|r| (r.record.cell_key.clone(), r.metric("auroc"), r.record.fit_seconds)).collect::<Vec<_>>()
    };
    assert_eq!(metrics(&first), metrics(&again));

    remove_records();
    fs::write(bench.store().model_path(&plan.fits[0].job.key), "damaged").unwrap();
    bench.run(&experiment("trained"));
    assert_eq!(trained.counts().0, 3);
}

#[test]
fn planted_failures_are_recorded_and_the_rest_ends() {
    let registry = registry(&[
        FaultInjection::new("good", 1, Fault::Score, false),
        FaultInjection::new("panics", 1, Fault::Panic, true),
        FaultInjection::new("nan", 1, Fault::Nan, false),
        FaultInjection::new("short", 1, Fault::TooFew, false),
        FaultInjection::new("refuses", 1, Fault::Refuse, false),
    ]);
    let bench = Folder::new(registry);
    let (_, rows) = bench.run(&experiment("panics, nan, short, refuses, good"));
    let of = |method: &str| rows.iter().filter(|r| r.fit().method.name == method).collect::<Vec<_>>();
    assert!(of("good").iter().all(|r| r.record.status == Status::Ok && r.metric("auroc") == Some(1.0)));
    for (method, status, error) in [
        ("panics", Status::Failed, "panicked: planted panic"),
        ("nan", Status::Failed, "1 of 10 scores are not finite; the first, of sample 1, is NaN"),
        ("short", Status::Failed, "9 scores for 10 samples"),
        ("refuses", Status::Refused, "planted refusal"),
    ] {
        let rows = of(method);
        // One row a cell, without a domain.
        assert_eq!(rows.len(), 4, "{method}");
        for row in rows {
            assert_eq!((row.record.status, row.result.domain.as_str(), row.metric("auroc")), (status, "", None));
            assert!(row.record.error.as_ref().unwrap().contains(error), "{:?}", row.record.error);
            assert_eq!(row.point().size, BatchSize::Total(10));
        }
    }
}

#[test]
fn a_damaged_data_set_fails_its_cells_alone_and_they_are_tried_again() {
    let good = FaultInjection::new("good", 1, Fault::Score, false);
    let bench = Folder::new(registry(&[good]));
    let both = experiment("good").replace("[line]", "[line, {name: line, params: {damaged: true}}]");
    let (plan, rows) = bench.run(&both);
    let failed: Vec<_> = rows.iter().filter(|r| r.record.status == Status::Failed).collect();
    assert_eq!((failed.len(), rows.len()), (4, 4 + 8));
    assert!(
        failed.iter().all(|r| r
            .record
            .error
            .as_ref()
            .unwrap()
            .contains("line.bin: cut off after 3 bytes; hint: fetch it again"))
    );
    assert_eq!(plan.unusable.len(), 1);
    let again = bench.plan(&both);
    assert_eq!(again.outstanding(), 4);
}

#[test]
fn workers_threads_and_order_do_not_change_a_record() {
    let methods =
        || [FaultInjection::new("a", 1, Fault::Score, true), FaultInjection::new("b", 1, Fault::Score, false)];
    let keys = |rows: &[Row]| {
        let mut all: Vec<_> = rows
            .iter()
            .map(|r| (r.record.cell_key.clone(), r.result.domain.clone(), r.metric("auroc"), r.metric("aupr")))
            .collect();
        all.sort_by(|x, y| (&x.0, &x.1).cmp(&(&y.0, &y.1)));
        all
    };
    let reference = Folder::new(registry(&methods())).run_with(&experiment("a, b"), 1, 1).1;
    assert_eq!(reference.len(), 16);
    for (jobs, threads) in [(2, 1), (1, 2), (3, 2)] {
        let shuffled = experiment("b, a")
            .replace("contamination: [0.1, 0.2]", "contamination: [0.2, 0.1, 0.2]")
            .replace("[0, 1]", "[1, 0]");
        let other = Folder::new(registry(&methods())).run_with(&shuffled, jobs, threads).1;
        assert_eq!(keys(&other), keys(&reference));
    }
}

#[test]
fn a_new_metric_comes_from_the_stored_scores_alone() {
    let good = FaultInjection::new("good", 1, Fault::Score, false);
    let mut bench = Folder::new(registry_with(&[good], &["auroc"]));
    bench.run(&experiment("good"));
    let (files, counts) = (bench.files("records"), good.counts());
    bench.registry = registry_with(&[good], &["auroc", "f1_max"]);
    let plan = bench.plan(&experiment("good"));
    assert_eq!(plan.fits[0].states[0], State::Cached);
    let record = &bench.records()[&plan.fits[0].job.cells[0].key];
    assert_eq!(results::later_metrics(record, &bench.registry.measured(), &bench.folder()).unwrap().len(), 1);
    let (_, rows) = bench.run(&experiment("good"));
    assert!(rows.iter().all(|r| r.metric("f1_max") == Some(1.0) && r.metric("auroc") == Some(1.0)));
    assert_eq!((bench.files("records"), good.counts()), (files, counts));
    assert_eq!(bench.files("metrics").len(), 4);
    // Once is enough.
    let metrics = bench.files("metrics");
    bench.run(&experiment("good"));
    assert_eq!(bench.files("metrics"), metrics);
}

#[test]
fn one_changed_parameter_reruns_the_cells_of_that_method_and_says_why() {
    let (a, b) = (FaultInjection::new("a", 1, Fault::Score, false), FaultInjection::new("b", 1, Fault::Score, false));
    let bench = Folder::new(registry(&[a, b]));
    bench.run(&experiment("a, b"));
    let counts = (a.counts().1, b.counts().1);
    let changed = experiment("a, {name: b, params: {k: 7}}");
    let plan = bench.plan(&changed);
    let reasons = reasons(&plan);
    assert_eq!(reasons, vec![State::Stale("params.k 5 -> 7".into()); 4]);
    let (_, rows) = bench.run(&changed);
    assert_eq!((a.counts().1, b.counts().1), (counts.0, 2 * counts.1));
    // The old cells stay on the disk and leave the tables.
    assert_eq!(rows.len(), 16);
    assert_eq!(bench.files("records").len(), 2 * (8 + 4));
}

#[test]
fn a_new_version_of_a_method_is_another_key() {
    let mut bench = Folder::new(registry(&[FaultInjection::new("a", 1, Fault::Score, true)]));
    assert_eq!(reasons(&bench.plan(&experiment("a")))[0], State::Outstanding("new".into()));
    bench.run(&experiment("a"));
    bench.registry = registry(&[FaultInjection::new("a", 2, Fault::Score, true)]);
    let plan = bench.plan(&experiment("a"));
    let reasons = reasons(&plan);
    assert_eq!(reasons, vec![State::Stale("method version 1 -> 2".into()); 4]);
}

#[test]
fn a_new_default_of_a_parameter_is_another_key() {
    let mut bench = Folder::new(registry(&[FaultInjection::new("a", 1, Fault::Score, true)]));
    bench.run(&experiment("a"));
    bench.registry = registry(&[FaultInjection::with_default("a", 6)]);
    assert_eq!(reasons(&bench.plan(&experiment("a"))), vec![State::Stale("params.k 5 -> 6".into()); 4]);
    assert!(reasons(&bench.plan(&experiment("{name: a, params: {k: 5}}"))).is_empty(), "the same value, said or not");
}

#[test]
fn what_a_killed_run_left_half_written_is_cleaned_up() {
    let bench = Folder::new(registry(&[FaultInjection::new("a", 1, Fault::Score, true)]));
    let (plan, _) = bench.run(&experiment("a"));
    let records = bench.folder().root().join("records");
    let fit = bench.store().model_path(&plan.fits[1].job.key);
    // Of a process that runs no more.
    let temporary = |name: &str| format!(".{name}.{}.{}-0.tmp", zsad_core::file::host(), u32::MAX);
    let leftovers = [records.join(temporary("abc.json")), fit.with_file_name(temporary("model.safetensors"))];
    leftovers.iter().for_each(|path: &PathBuf| fs::write(path, "half").unwrap());
    fs::remove_file(fit.with_file_name("fit.json")).unwrap();
    // A record cut in the middle, as a full disk may leave it, is run again.
    let damaged = records.join(format!("{}.json", plan.fits[1].job.cells[0].key));
    let text = fs::read(&damaged).unwrap();
    fs::write(&damaged, &text[..text.len() / 2]).unwrap();
    assert_eq!(bench.plan(&experiment("a")).outstanding(), 1);
    bench.run(&experiment("a"));
    assert!(leftovers.iter().all(|path: &PathBuf| !Path::new(path).exists()));
    assert_eq!(bench.plan(&experiment("a")).outstanding(), 0);
}

#[test]
fn runs_share_a_folder_and_a_store() {
    let a = FaultInjection::new("a", 1, Fault::Score, true);
    let bench = Folder::new(registry(&[a]));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(bench.run(&experiment("a")).1.len(), 8));
        }
    });
    // Each fit was trained by one of them, and each cell scored by one.
    assert_eq!(a.counts(), (2, 2 * 2 * 2 * 3));
}

#[test]
fn what_differs_only_in_its_test_trains_once() {
    let a = FaultInjection::new("a", 1, Fault::Score, true);
    let bench = Folder::new(registry(&[a]));
    let shifted = "line, {name: line, params: {shift: 1}}, {name: line, params: {shift: 2}}";
    let (plan, rows) = bench.run(&experiment("a").replace("line", shifted));
    assert_eq!((a.counts().0, rows.len()), (2, 3 * 8));
    assert_eq!(plan.fits.len(), 2, "one fit a seed, with the cells of all three");
    // Another folder finds the trained models in the store.
    fs::remove_dir_all(bench.folder().root()).unwrap();
    bench.run(&experiment("a"));
    assert_eq!(a.counts().0, 2);
}

#[test]
fn with_one_seed_of_training_the_others_draw_tests_from_its_model() {
    let a = FaultInjection::new("a", 1, Fault::Score, true);
    let bench = Folder::new(registry(&[a]));
    let yaml = experiment("a").replace("n_batches: 3", "n_batches: 3, training_seed: 1");
    let (plan, rows) = bench.run(&yaml);
    assert_eq!((plan.fits.len(), plan.fits[0].job.id.seed, a.counts().0, rows.len()), (1, 1, 1, 8));
    let seeds: BTreeSet<u64> = rows.iter().map(Row::seed).collect();
    assert_eq!(seeds, [0, 1].into());
    // With its own seed's draw the model scores as where every seed trains.
    let own =
        |rows: &[Row]| -> Vec<_> { rows.iter().filter(|r| r.seed() == 1).map(|r| r.result.metrics.clone()).collect() };
    assert_eq!(own(&rows), own(&bench.run(&experiment("a")).1));
}

#[test]
fn one_fit_runs_alone_and_its_events_are_heard() {
    let bench = Folder::new(registry(&[FaultInjection::new("a", 1, Fault::Score, true)]));
    let mut plan = bench.plan(&experiment("a"));
    assert!(plan.only("nothing").is_err());
    let mut plan = {
        plan = bench.plan(&experiment("a"));
        let key = plan.fits[1].job.key.clone();
        plan.only(&key).unwrap();
        plan
    };
    let job = plan.fits.remove(0).job;
    // A job is whole in itself: it goes through a file.
    let job: zsad_core::job::FitJob = serde_json::from_str(&serde_json::to_string(&job).unwrap()).unwrap();
    let (folder, store, env, library) = (bench.folder(), bench.store(), bench.env(), Library::new(bench.registry));
    folder.prepare().unwrap();
    let heard = Mutex::new(Vec::new());
    let on = |event: Event| {
        heard.lock().unwrap().push(match event {
            Event::Started(_) => "started",
            Event::Tick { .. } => "tick",
            Event::Cell { failure, .. } => {
                if failure.is_none() {
                    "cell"
                } else {
                    "failed"
                }
            }
            Event::Finished { .. } => "finished",
            Event::FinishedElsewhere(_) => "elsewhere",
            Event::Note(_) => "note",
        });
    };
    let (registry, checkpoint_every) = (&bench.registry, Duration::MAX);
    let bench_of = Bench { registry, library: &library, env: &env, folder: &folder, store: &store, checkpoint_every };
    let local = Local { bench: bench_of, jobs: 2, before: &BTreeMap::new() };
    local.run(std::slice::from_ref(&job), &on).unwrap();
    // A training tells of its steps, a cell of its batches.
    heard.lock().unwrap().dedup();
    assert_eq!(*heard.lock().unwrap(), ["started", "tick", "cell", "tick", "cell", "finished"]);
    assert_eq!(bench.records().len(), 2);
    local.run(&[job], &on).unwrap();
    assert_eq!(heard.lock().unwrap()[6..], ["elsewhere"]);
}

/// What is left of every cell that is not cached.
fn reasons(plan: &Plan) -> Vec<State> {
    plan.fits.iter().flat_map(|f| &f.states).filter(|s| **s != State::Cached).cloned().collect()
}
