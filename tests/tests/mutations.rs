//! Damaged files of every kind that a person hands over or a run leaves: an error, or another result, and never a panic.

#![allow(clippy::disallowed_methods, reason = "fixtures may be written in any way")]

use std::fs;
use std::path::{Path, PathBuf};

use zsad_data::formats::npy::{Array, Numbers};
use zsad_data::formats::npz;
use zsad_tests::Sandbox;

/// Damaged versions of each file.
const TIMES: u64 = 24;

/// A simple generator: the same damage every time.
struct Draws(u64);

impl Draws {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % n.max(1)
    }
}

/// A few bytes changed, a piece cut out, cleared, doubled, or the end lost.
fn damaged(bytes: &[u8], draw: &mut Draws) -> Vec<u8> {
    let mut out = bytes.to_vec();
    let (at, n) = (draw.below(out.len()), 1 + draw.below(16));
    let end = (at + n).min(out.len());
    match draw.below(6) {
        0 => out.truncate(at),
        1 => drop(out.drain(at..end)),
        2 => out[at..end].fill(0),
        3 => out[at..end].fill(0xff),
        4 => {
            let piece = out[at..end].to_vec();
            out.splice(at..at, piece);
        }
        _ => (0..n).for_each(|_| {
            let i = draw.below(out.len());
            out[i] ^= 1 << draw.below(8);
        }),
    }
    out
}

/// Damages `file` again and again and calls the program with each of `calls`.
fn survives(sandbox: &Sandbox, file: &Path, calls: &[&[&str]]) {
    let whole = fs::read(file).unwrap();
    for call in calls {
        let done = sandbox.run(call);
        assert_eq!(done.code, 0, "{call:?} with {} as it should be: {}", file.display(), done.err);
    }
    fs::write(file, &whole).unwrap();
    let mut draw = Draws(whole.len() as u64);
    for time in 0..TIMES {
        let bytes = damaged(&whole, &mut draw);
        for call in calls {
            fs::write(file, &bytes).unwrap();
            let done = sandbox.run(call);
            let place = format!("{call:?} with {}, damage {time}: {}", file.display(), done.err);
            assert!((0..=3).contains(&done.code), "ended by {}: {place}", done.code);
            assert!(!done.err.contains("panicked at") && !done.err.contains("mistake in zsad"), "{place}");
            assert!(done.code == 0 || !done.err.is_empty(), "{place}");
        }
    }
    fs::write(file, &whole).unwrap();
}

fn first(folder: PathBuf, ending: &str) -> PathBuf {
    let files = fs::read_dir(folder).unwrap().flatten().map(|e| e.path());
    files.filter(|p| p.to_string_lossy().ends_with(ending)).min().unwrap()
}

#[test]
fn files_that_a_person_hands_over() {
    let sandbox = Sandbox::default();
    let values: Vec<f64> = (0..90).map(|i| f64::from(i * 37 % 101) / 7.0).collect();
    let x = Array { shape: vec![30, 3], numbers: Numbers::F64(values.clone()) };
    npz::write(&sandbox.path("x.npz"), &[("X", &x)]).unwrap();
    survives(&sandbox, &sandbox.path("x.npz"), &[&["score", "--method", "knn", "--input", "x.npz", "--out", "y.csv"]]);

    let scores = Array { shape: vec![30], numbers: Numbers::F64(values[..30].to_vec()) };
    let labels = Array { shape: vec![30], numbers: Numbers::U8((0..30).map(|i| u8::from(i % 3 == 0)).collect()) };
    npz::write(&sandbox.path("m.npz"), &[("scores", &scores), ("labels", &labels)]).unwrap();
    survives(&sandbox, &sandbox.path("m.npz"), &[&["metrics", "--input", "m.npz"]]);

    let rows: String = values.chunks(3).enumerate().map(|(i, r)| format!("{},{},{}\n", i / 10, r[0], r[1])).collect();
    let csv = sandbox.write("data/t.csv", format!("year,a,b\n{rows}"));
    let experiment = |file: &str| {
        format!(
            "experiment: x\ndatasets: [{{name: table, params: {{file: {file}, domain: year, meta_test: [1, 2]}}}}]\nmethods: [knn]\n\
             protocol: {{batch_size: 5, contamination: 0.1, n_batches: 1}}\nseeds: 0\n"
        )
    };
    let yaml = sandbox.write("x.yaml", experiment("t.csv"));
    let score = ["score", "--method", "knn", "--input", "data/t.csv", "--out", "y.csv"];
    survives(&sandbox, &csv, &[&score, &["plan", "x.yaml", "--data", "data"]]);
    survives(&sandbox, &yaml, &[&["validate", "x.yaml"]]);

    // A table in Parquet: the results of a run are one.
    sandbox.run(&["run", "x.yaml", "--data", "data", "--out", "out"]).expect(0);
    fs::copy(sandbox.path("out/results.parquet"), sandbox.path("data/t.parquet")).unwrap();
    sandbox.write(
        "p.yaml",
        experiment("t.parquet").replace("year", "domain, features: [n_normal, auroc]").replace("[1, 2]", "[2]"),
    );
    survives(&sandbox, &sandbox.path("data/t.parquet"), &[&["plan", "p.yaml", "--data", "data"]]);

    fs::create_dir(sandbox.path("pictures")).unwrap();
    for i in 0..4u32 {
        let pixel = |x: u32, y: u32| image::Luma([((x * 7 + y * 13 + i * 41) % 251) as u8]);
        image::GrayImage::from_fn(20, 20, pixel).save(sandbox.path(&format!("pictures/{i}.png"))).unwrap();
    }
    let score = ["score", "--method", "knn", "--input", "pictures", "--out", "y.csv"];
    survives(&sandbox, &sandbox.path("pictures/1.png"), &[&score]);

    let official = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/nn/tests/fixtures/official/tab_dsvdd.pt");
    fs::copy(official, sandbox.path("model.pt")).unwrap();
    let x = Array { shape: vec![20, 7], numbers: Numbers::F32((0..140).map(|i| (i as f32).sin()).collect()) };
    npz::write(&sandbox.path("seven.npz"), &[("X", &x)]).unwrap();
    let score =
        ["score", "--method", "acr_dsvdd", "--checkpoint", "model.pt", "--input", "seven.npz", "--out", "y.csv"];
    survives(&sandbox, &sandbox.path("model.pt"), &[&score]);
}

#[test]
fn files_that_a_run_leaves() {
    let sandbox = Sandbox::default();
    sandbox.write(
        "x.yaml",
        "experiment: x\ndatasets: [digits]\nmethods: [{name: acr_dsvdd, params: {steps: 2}}]\nprotocol: {batch_size: 20, \
         contamination: 0.1, n_batches: 1}\nseeds: 0\n",
    );
    sandbox.run(&["run", "x.yaml", "--out", "out"]).expect(0);
    let records = sandbox.path("out/records");
    let plan = ["plan", "x.yaml", "--out", "out"];
    let status = ["status", "out"];
    survives(&sandbox, &first(records, ".json"), &[&plan, &status]);
    survives(&sandbox, &sandbox.path("out/plan.json"), &[&status]);
    survives(&sandbox, &first(sandbox.path("out/files"), ".json"), &[&plan]);
    survives(&sandbox, &sandbox.path("out/results.parquet"), &[&["table", "out"], &["plot", "out"]]);

    // The store: a damaged model is not used, and `score` says what is wrong with it.
    let fit = fs::read_dir(sandbox.path("results/store")).unwrap().flatten().next().unwrap().path();
    let images: Vec<f32> = (0..20 * 64).map(|i| ((i * 29) % 17) as f32 / 16.0).collect();
    npz::write(&sandbox.path("x.npz"), &[("X", &Array { shape: vec![20, 8, 8], numbers: Numbers::F32(images) })])
        .unwrap();
    let model = fit.join("model.safetensors");
    let mut score = vec!["score", "--method", "acr_dsvdd", "--input", "x.npz", "--out", "y.csv", "--checkpoint"];
    score.push(model.to_str().unwrap());
    survives(&sandbox, &model, &[&score]);
    survives(&sandbox, &fit.join("fit.json"), &[&score, &["clean"], &plan]);

    // Without the Parquet file, the CSV file is read; without records, cells run again on what the store holds.
    fs::remove_file(sandbox.path("out/results.parquet")).unwrap();
    survives(&sandbox, &sandbox.path("out/results.csv"), &[&["table", "out"]]);
    sandbox.write("y.yaml", fs::read_to_string(sandbox.path("x.yaml")).unwrap().replace("0.1", "0.2"));
    survives(&sandbox, &model, &[&["run", "y.yaml", "--out", "out"]]);
}

#[test]
fn scores_that_a_later_metric_is_computed_from() {
    let sandbox = Sandbox::default();
    let yaml = "experiment: x\ndatasets: [digits]\nmethods: [knn]\nprotocol: {batch_size: 20, contamination: 0.1, n_batches: 1}\n\
                seeds: 0\n";
    sandbox.write("x.yaml", yaml);
    sandbox.run(&["run", "x.yaml", "--out", "out"]).expect(0);
    // A record as a zsad without `f1_max` would have left it.
    let record = first(sandbox.path("out/records"), ".json");
    let text = fs::read_to_string(&record).unwrap().replace("f1_max@1", "f1_max@0");
    fs::write(&record, text).unwrap();
    let scores = first(sandbox.path("out/records"), ".parquet");
    let whole = fs::read(&scores).unwrap();
    let mut draw = Draws(7);
    for time in 0..2 * TIMES {
        fs::write(&scores, damaged(&whole, &mut draw)).unwrap();
        let _ = fs::remove_dir_all(sandbox.path("out/metrics"));
        let done = sandbox.run(&["run", "x.yaml", "--out", "out"]);
        assert!((0..=3).contains(&done.code) && !done.err.contains("panicked at"), "damage {time}: {}", done.err);
    }
}
