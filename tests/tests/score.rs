//! A person's own batch: scored, and measured.

use serde_json::Value;
use zsad_data::formats::npy::{Array, Numbers};
use zsad_data::formats::npz;
use zsad_tests::Sandbox;

/// 40 points near the origin in three dimensions, and two far from it (the last two).
fn batch() -> Array {
    let wave = |i: usize| ((i * 37 % 101) as f64 / 101.0 - 0.5) * 2.0;
    let mut values: Vec<f64> = (0..120).map(wave).collect();
    values.extend([6.0, -6.0, 6.0, -7.0, 5.0, 6.0]);
    Array { shape: vec![42, 3], numbers: Numbers::F64(values) }
}

fn scores(sandbox: &Sandbox, name: &str) -> Vec<f64> {
    let text = std::fs::read_to_string(sandbox.path(name)).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("index,score"));
    lines
        .enumerate()
        .map(|(i, line)| {
            let (index, score) = line.split_once(',').unwrap();
            assert_eq!(index.parse::<usize>().unwrap(), i);
            score.parse().unwrap()
        })
        .collect()
}

#[test]
fn training_free_methods_fit_on_the_batch_itself() {
    let sandbox = Sandbox::default();
    npz::write(&sandbox.path("x.npz"), &[("X", &batch())]).unwrap();
    for method in ["bn_distance", "iforest", "knn", "mahalanobis"] {
        let args = ["score", "--method", method, "--input", "x.npz", "--out", "y.csv", "--seed", "3"];
        let done = sandbox.run(&args).expect(0);
        assert_eq!(done.err, "", "{method}");
        let scores = scores(&sandbox, "y.csv");
        assert_eq!(scores.len(), 42);
        let greatest_normal = scores[..40].iter().copied().fold(f64::MIN, f64::max);
        assert!(scores[40..].iter().all(|&s| s > greatest_normal), "{method}: {scores:?}");
    }
}

#[test]
fn knn_scores_are_distances_at_full_precision() {
    let sandbox = Sandbox::default();
    let points = Array { shape: vec![4, 1], numbers: Numbers::F64(vec![0.0, 0.1, 0.3, 1.0]) };
    npz::write(&sandbox.path("x.npz"), &[("X", &points)]).unwrap();
    let args = ["score", "--method", "knn", "--param", "k=2", "--input", "x.npz", "--out", "y.csv"];
    let done = sandbox.run(&args).expect(0);
    assert!(done.err.contains("warning: 4 samples are a small batch"), "{}", done.err);
    let expected = [0.3, 0.3 - 0.1, 0.3, 1.0 - 0.1];
    for (score, expected) in scores(&sandbox, "y.csv").iter().zip(expected) {
        assert!((score - expected).abs() < 1e-12, "{score} {expected}");
    }
}

#[test]
fn explain_names_what_stands_out() {
    let sandbox = Sandbox::default();
    npz::write(&sandbox.path("x.npz"), &[("X", &batch())]).unwrap();
    let args = ["score", "--method", "mahalanobis", "--input", "x.npz", "--out", "y.csv", "--explain"];
    let done = sandbox.run(&args).expect(0);
    assert!(done.out.contains("in_batch") && done.out.contains("sample 41") && done.out.contains("sd"), "{}", done.out);
}

#[test]
fn a_table_gives_the_same_scores_as_an_array() {
    let sandbox = Sandbox::default();
    let array = batch();
    npz::write(&sandbox.path("x.npz"), &[("X", &array)]).unwrap();
    let values = array.into_f64();
    let rows: String = values.chunks(3).map(|r| format!("{},{},{}\n", r[0], r[1], r[2])).collect();
    sandbox.write("x.csv", format!("a,b,c\n{rows}"));
    for input in ["x.npz", "x.csv"] {
        sandbox.run(&["score", "--method", "knn", "--input", input, "--out", &format!("{input}.out")]).expect(0);
    }
    assert_eq!(scores(&sandbox, "x.npz.out"), scores(&sandbox, "x.csv.out"));
}

#[test]
fn a_stored_checkpoint_scores_a_batch() {
    let sandbox = Sandbox::default();
    let text = "experiment: x\ndatasets: [digits]\nmethods: [{name: acr_dsvdd, params: {steps: 5}}]\nprotocol: {batch_size: 20, \
                contamination: 0.1, n_batches: 1}\nseeds: 0\n";
    sandbox.write("x.yaml", text);
    sandbox.run(&["run", "x.yaml", "--out", "out"]).expect(0);
    let fit = std::fs::read_dir(sandbox.path("results/store")).unwrap().next().unwrap().unwrap().path();
    let model = fit.join("model.safetensors");
    let images: Vec<f32> = (0..20 * 64).map(|i| ((i * 29) % 17) as f32 / 16.0).collect();
    let batch = Array { shape: vec![20, 8, 8], numbers: Numbers::F32(images) };
    npz::write(&sandbox.path("x.npz"), &[("X", &batch)]).unwrap();
    let mut args = vec!["score", "--method", "acr_dsvdd", "--input", "x.npz", "--out", "y.csv", "--checkpoint"];
    args.push(model.to_str().unwrap());
    sandbox.run(&args).expect(0);
    let first = scores(&sandbox, "y.csv");
    assert!(first.len() == 20 && first.iter().any(|&s| s != first[0]), "{first:?}");
    sandbox.run(&args).expect(0);
    assert_eq!(scores(&sandbox, "y.csv"), first);

    sandbox.write("broken.safetensors", b"\x08\0\0\0\0\0\0\0{}");
    *args.last_mut().unwrap() = "broken.safetensors";
    let done = sandbox.run(&args).expect(3);
    assert!(done.err.contains("broken.safetensors"), "{}", done.err);
}

#[test]
fn damaged_input_is_named_with_its_place() {
    let sandbox = Sandbox::default();
    let mut bad = batch();
    if let Numbers::F64(values) = &mut bad.numbers {
        values[7] = f64::NAN;
    }
    npz::write(&sandbox.path("nan.npz"), &[("X", &bad)]).unwrap();
    npz::write(&sandbox.path("other.npz"), &[("Y", &batch())]).unwrap();
    sandbox.write("broken.npz", "not a zip");
    for (input, part) in
        [("nan.npz", "sample 2, value 1"), ("other.npz", "X"), ("broken.npz", "broken.npz"), ("no.npz", "no.npz")]
    {
        let done = sandbox.run(&["score", "--method", "knn", "--input", input, "--out", "y.csv"]).expect(3);
        assert!(done.err.contains(input) && done.err.contains(part), "{}", done.err);
    }
    assert!(!sandbox.path("y.csv").exists());
}

#[test]
fn metrics_of_scores_and_labels() {
    let sandbox = Sandbox::default();
    // With scikit-learn: roc_auc_score 0.75, average_precision_score 0.8333…
    let scores = Array { shape: vec![4], numbers: Numbers::F64(vec![0.1, 0.4, 0.35, 0.8]) };
    let labels = Array { shape: vec![4], numbers: Numbers::U8(vec![0, 0, 1, 1]) };
    npz::write(&sandbox.path("m.npz"), &[("scores", &scores), ("labels", &labels)]).unwrap();
    let values: Value =
        serde_json::from_str(&sandbox.run(&["metrics", "--input", "m.npz", "--json"]).expect(0).out).unwrap();
    assert_eq!(values["auroc"], 0.75);
    assert!((values["aupr"].as_f64().unwrap() - 5.0 / 6.0).abs() < 1e-15);
    assert!((values["f1_max"].as_f64().unwrap() - 0.8).abs() < 1e-15);
    assert_eq!(values["fpr95"], 0.5);
    assert_eq!(values.as_object().unwrap().len(), 4);

    let one = Array { shape: vec![4], numbers: Numbers::U8(vec![0; 4]) };
    npz::write(&sandbox.path("one.npz"), &[("scores", &scores), ("labels", &one)]).unwrap();
    let values: Value =
        serde_json::from_str(&sandbox.run(&["metrics", "--input", "one.npz", "--json"]).expect(0).out).unwrap();
    assert!(values.as_object().unwrap().values().all(Value::is_null), "{values}");
    assert!(sandbox.run(&["metrics", "--input", "one.npz"]).expect(0).out.contains("undefined: only one class"));
}

#[test]
fn metrics_of_maps_and_masks() {
    let sandbox = Sandbox::default();
    let maps = Array { shape: vec![2, 2, 2], numbers: Numbers::F32(vec![0.0, 0.1, 0.9, 0.2, 0.0, 0.1, 0.3, 0.2]) };
    let masks = Array { shape: vec![2, 2, 2], numbers: Numbers::U8(vec![0, 0, 1, 0, 0, 0, 0, 0]) };
    npz::write(&sandbox.path("m.npz"), &[("scores", &maps), ("masks", &masks)]).unwrap();
    let values: Value =
        serde_json::from_str(&sandbox.run(&["metrics", "--input", "m.npz", "--json"]).expect(0).out).unwrap();
    for metric in ["auroc", "aupr", "f1_max", "pixel_auroc", "pixel_aupr", "aupro"] {
        assert_eq!(values[metric], 1.0, "{metric}");
    }
    assert_eq!(values["fpr95"], 0.0);
}
