//! Trained models on a person's own batch: official ACR files, pictures, references, and batches that do not fit.

use std::path::{Path, PathBuf};

use serde_json::Value;
use zsad_data::formats::npy::{Array, Numbers};
use zsad_data::formats::npz;
use zsad_tests::{Done, Sandbox};

/// A file that PyTorch wrote, made by `scripts/make_official_acr_fixtures.py`.
fn official(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/nn/tests/fixtures/official").join(name)
}

fn score(sandbox: &Sandbox, method: &str, model: Option<&Path>, input: &str, more: &[&str]) -> Done {
    let mut args = vec!["score", "--method", method, "--input", input, "--out", "y.csv"];
    if let Some(model) = model {
        args.extend(["--checkpoint", model.to_str().unwrap()]);
    }
    args.extend(more);
    sandbox.run(&args)
}

fn scores(sandbox: &Sandbox) -> Vec<f64> {
    let text = std::fs::read_to_string(sandbox.path("y.csv")).unwrap();
    text.lines().skip(1).map(|line| line.split(',').nth(1).unwrap().parse().unwrap()).collect()
}

fn save(sandbox: &Sandbox, name: &str, shape: &[usize], values: Vec<f32>) {
    npz::write(&sandbox.path(name), &[("X", &Array { shape: shape.to_vec(), numbers: Numbers::F32(values) })]).unwrap();
}

/// A grey PNG of `side`² pixels.
fn picture(path: &Path, side: u32, seed: u32) {
    let pixel = |x: u32, y: u32| image::Luma([((x * 7 + y * 13 + seed * 41) * (x + seed) % 251) as u8]);
    image::GrayImage::from_fn(side, side, pixel).save(path).unwrap();
}

#[test]
fn official_models_give_pytorchs_scores() {
    let sandbox = Sandbox::default();
    let text = std::fs::read_to_string(official("expected.json")).unwrap();
    let expected: Value = serde_json::from_str(&text).unwrap();
    for (name, case) in expected.as_object().unwrap() {
        let numbers = |key: &str| case[key].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect::<Vec<_>>();
        let shape: Vec<usize> = numbers("shape").iter().map(|&n| n as usize).collect();
        // torch.sin(torch.arange(n, dtype=torch.float64) * 0.37).float()
        let values = (0..shape.iter().product()).map(|i: usize| (i as f64 * 0.37).sin() as f32).collect();
        save(&sandbox, "x.npz", &shape, values);
        let method = if name == "tab_neutralad" { "acr_ntl" } else { "acr_dsvdd" };
        score(&sandbox, method, Some(&official(&format!("{name}.pt"))), "x.npz", &[]).expect(0);
        let (wanted, found) = (numbers("scores"), scores(&sandbox));
        assert_eq!(found.len(), wanted.len());
        for (a, b) in found.iter().zip(&wanted) {
            assert!((a / b - 1.0).abs() < 1e-4, "{name}: {a} instead of {b}");
        }
    }
}

#[test]
fn pictures_are_brought_to_what_the_model_was_trained_on() {
    let sandbox = Sandbox::default();
    std::fs::create_dir(sandbox.path("pictures")).unwrap();
    for i in 0..20 {
        picture(&sandbox.path(&format!("pictures/{i:02}.png")), 20 + i, i);
    }
    let omniglot = official("omniglot_dsvdd_cuda.pt");
    let done = score(&sandbox, "acr_dsvdd", Some(&omniglot), "pictures", &["--explain"]).expect(0);
    assert!(done.out.contains("20 samples of shape [1, 28, 28]"), "{}", done.out);
    assert!(done.out.contains("batch statistics of channel 0: mean 0.4"), "values 0 … 1: {}", done.out);
    assert_eq!(scores(&sandbox).len(), 20);
    let cifar = official("cifar100_dsvdd.pt");
    let done = score(&sandbox, "acr_dsvdd", Some(&cifar), "pictures", &["--explain"]).expect(0);
    // Normalised as the data set was: grey 0.48 comes to (0.48 − 0.5074) / 0.2011.
    assert!(done.out.contains("shape [3, 32, 32]") && done.out.contains("channel 0: mean -0."), "{}", done.out);

    // A model that a run trained says itself which data set it knows.
    let text = "experiment: x\ndatasets: [digits]\nmethods: [{name: acr_dsvdd, params: {steps: 2}}]\n\
                protocol: {batch_size: 20, contamination: 0.1, n_batches: 1}\nseeds: 0\n";
    sandbox.write("x.yaml", text);
    sandbox.run(&["run", "x.yaml", "--out", "out"]).expect(0);
    let fit = std::fs::read_dir(sandbox.path("results/store")).unwrap().next().unwrap().unwrap().path();
    let model = fit.join("model.safetensors");
    let done = score(&sandbox, "acr_dsvdd", Some(&model), "pictures", &["--explain"]).expect(0);
    assert!(done.out.contains("20 samples of shape [1, 8, 8]"), "{}", done.out);

    // Without a model, they are all stretched to one size; one of rows takes none.
    let done = score(&sandbox, "knn", None, "pictures", &["--explain"]).expect(0);
    assert!(done.out.contains("20 samples of shape [1, 224, 224]"), "{}", done.out);
    let done = score(&sandbox, "acr_dsvdd", Some(&official("tab_dsvdd.pt")), "pictures", &[]).expect(3);
    assert!(done.err.contains("shape [1, 224, 224], and the model was trained on [7]"), "{}", done.err);
}

#[test]
fn a_batch_that_does_not_fit_is_named() {
    let sandbox = Sandbox::default();
    let model = official("tab_dsvdd.pt");
    save(&sandbox, "wide.npz", &[20, 9], (0..180).map(|i| (i as f32).sin()).collect());
    save(&sandbox, "one.npz", &[1, 7], (0..7).map(|i| i as f32).collect());
    sandbox.write("text.csv", "a,b\n1,2\n3,x\n");
    sandbox.write("hole.csv", "a,b\n1,2\n3,\n");
    sandbox.write("header.csv", "a,b\n");
    std::fs::create_dir(sandbox.path("empty")).unwrap();
    for (input, code, part) in [
        ("wide.npz", 3, "wide.npz: samples of shape [9], and the model was trained on [7]"),
        ("one.npz", 1, "two samples at least"),
        ("text.csv", 3, "text.csv: row 2 (the first is 1), column `b`: `x` is not a number"),
        ("hole.csv", 3, "hole.csv: no value: b 1 (first in row 2)"),
        ("header.csv", 3, "header.csv: no rows"),
        ("empty", 3, "empty: no pictures here"),
        ("nowhere", 3, "nowhere: no such file or folder"),
    ] {
        let done = score(&sandbox, "acr_dsvdd", Some(&model), input, &[]).expect(code);
        assert!(done.err.contains(part) && !done.err.contains("panicked"), "{input}: {}", done.err);
    }
    let done = score(&sandbox, "acr_ntl", Some(&model), "wide.npz", &[]).expect(3);
    assert!(done.err.contains("name the method acr_dsvdd"), "{}", done.err);
    assert!(!sandbox.path("y.csv").exists());
}

#[test]
fn a_doubtful_batch_brings_a_warning() {
    let sandbox = Sandbox::default();
    let wave = |i: usize| ((i * 37 % 101) as f32 / 101.0 - 0.5) * 2.0;
    let batch = |anomalies: usize| (0..120).map(|i| wave(i) + if i / 3 < anomalies { 9.0 } else { 0.0 }).collect();
    for (anomalies, warned) in [(0, false), (4, false), (17, true)] {
        save(&sandbox, "x.npz", &[40, 3], batch(anomalies));
        let done = score(&sandbox, "mahalanobis", None, "x.npz", &[]).expect(0);
        assert_eq!(done.err.contains("too contaminated"), warned, "{anomalies}: {}", done.err);
    }
    save(&sandbox, "x.npz", &[40, 3], vec![1.0; 120]);
    let done = score(&sandbox, "bn_distance", None, "x.npz", &[]).expect(0);
    assert!(done.err.contains("all samples have one score"), "{}", done.err);
}

#[test]
fn references_belong_to_methods_that_compare() {
    let sandbox = Sandbox::default();
    std::fs::create_dir(sandbox.path("pictures")).unwrap();
    picture(&sandbox.path("pictures/0.png"), 20, 0);
    let done = score(&sandbox, "padim", None, "pictures", &[]).expect(2);
    assert!(done.err.contains("give some with --references"), "{}", done.err);
    let done = score(&sandbox, "knn", None, "pictures", &["--references", "pictures"]).expect(2);
    assert!(done.err.contains("drop --references"), "{}", done.err);
    // With both, what is missing are the weights of the frozen network.
    let done = score(&sandbox, "padim", None, "pictures", &["--references", "pictures", "--data", "no"]).expect(3);
    assert!(done.err.contains("no/weights"), "{}", done.err);
}
