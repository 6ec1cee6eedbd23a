//! A method that runs elsewhere: batches out, scores in, rows like any other.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use zsad_data::formats::npz::Npz;
use zsad_tests::{Sandbox, column};

const EXPERIMENT: &str = "experiment: x\ndatasets: [digits]\nmethods: [bn_distance, knn]\nprotocol: {batch_size: [20, 30], \
                          contamination: [0.1], n_batches: 3}\nseeds: [0, 1]\n";

/// A sandbox with the batches, and the lines of a file of scores: the norm of a sample standardised by its batch, computed
/// here.
fn exported() -> (Sandbox, Vec<(String, usize, f64)>) {
    let sandbox = Sandbox::default();
    sandbox.write("x.yaml", EXPERIMENT);
    sandbox.run(&["batches", "x.yaml", "--export", "batches"]).expect(0);
    let index = std::fs::read_to_string(sandbox.path("batches/batches.csv")).unwrap();
    let draws: BTreeSet<&str> = index.lines().skip(1).filter_map(|line| line.split(',').next()).collect();
    assert_eq!(
        (draws.len(), index.lines().count() - 1),
        (4, 4 * 4 * 3),
        "two sizes, two seeds; four digits, three batches"
    );
    let mut lines = Vec::new();
    for draw in draws {
        let mut file = Npz::open(&sandbox.path(&format!("batches/{draw}.npz"))).unwrap();
        assert_eq!(file.names(), ["X", "batch"], "no label");
        let (x, batch) = (file.array("X").unwrap(), file.array("batch").unwrap().to_i64().unwrap());
        let d: usize = x.shape[1..].iter().product();
        let x = x.into_f64();
        for number in batch.iter().collect::<BTreeSet<_>>() {
            let members: Vec<usize> = (0..batch.len()).filter(|i| batch[*i] == *number).collect();
            let n = members.len() as f64;
            let mut squares = vec![0.0; members.len()];
            for feature in 0..d {
                let values: Vec<f64> = members.iter().map(|i| x[i * d + feature]).collect();
                let mean = values.iter().sum::<f64>() / n;
                let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
                for (square, value) in squares.iter_mut().zip(values) {
                    *square += (value - mean).powi(2) / (variance + 1e-5);
                }
            }
            lines.extend(members.into_iter().zip(squares).map(|(i, s)| (draw.to_owned(), i, s.sqrt())));
        }
    }
    (sandbox, lines)
}

fn csv(lines: &[(String, usize, f64)]) -> String {
    let mut text = "draw,position,score\n".to_owned();
    for (draw, position, score) in lines {
        writeln!(text, "{draw},{position},{score}").unwrap();
    }
    text
}

#[test]
fn scores_of_the_same_mathematics_elsewhere_give_the_same_rows() {
    let (sandbox, lines) = exported();
    sandbox.run(&["run", "x.yaml", "--out", "out"]).expect(0);
    sandbox.write("scores.csv", csv(&lines));
    let done =
        sandbox.run(&["import", "scores.csv", "--as", "mine", "--setting", "in_batch", "--into", "out"]).expect(0);
    assert!(done.out.contains("mine"), "{}", done.out);

    let folder = sandbox.path("out");
    let rows = || {
        let [methods, domains, seeds, sizes, aurocs] =
            ["method", "domain", "seed", "batch_size", "auroc"].map(|name| column(&folder, name));
        let mut rows: BTreeMap<String, BTreeMap<String, f64>> = BTreeMap::new();
        for i in 0..methods.len() {
            let place = format!("{} {} {}", domains[i], seeds[i], sizes[i]);
            rows.entry(methods[i].clone()).or_default().insert(place, aurocs[i].parse().unwrap());
        }
        rows
    };
    let found = rows();
    assert_eq!(found["mine"].len(), 16);
    for (place, auroc) in &found["bn_distance"] {
        assert!((found["mine"][place] - auroc).abs() < 1e-12, "{place}: {auroc} and {}", found["mine"][place]);
    }
    // The rows stay when the run goes on, and take part in comparisons.
    sandbox.run(&["run", "x.yaml", "--out", "out"]).expect(0);
    assert_eq!(rows()["mine"].len(), 16);
    sandbox.run(&["compare", "out", "--ours", "mine"]).expect(0);
    // A metric that no run measures, of all of them.
    sandbox.run(&["metrics", "--append", "precision_at_n", "out"]).expect(0);
    assert!(column(&folder, "precision_at_n").iter().all(|v| v.parse::<f64>().is_ok()));

    let json: String = lines
        .iter()
        .map(|(draw, position, score)| {
            format!("{{\"draw\": \"{draw}\", \"position\": {position}, \"score\": {score}}}\n")
        })
        .collect();
    sandbox.write("scores.jsonl", json);
    sandbox.run(&["import", "scores.jsonl", "--as", "again", "--into", "out"]).expect(0);
    assert_eq!(rows()["again"], rows()["mine"]);
}

#[test]
fn scores_that_do_not_cover_the_batches_are_refused_whole() {
    let (sandbox, lines) = exported();
    sandbox.run(&["run", "x.yaml", "--out", "out", "--plan-only"]).expect(0);
    let refused = |lines: &[(String, usize, f64)], said: &str| {
        sandbox.write("scores.csv", csv(lines));
        let done = sandbox.run(&["import", "scores.csv", "--as", "mine", "--into", "out"]).expect(3);
        assert!(done.err.contains("scores.csv") && done.err.contains(said), "{said} in {}", done.err);
    };
    refused(&lines[1..], "position 0 has no score");
    refused(&[&lines[..], &lines[..1]].concat(), "was there before");
    let draw = lines[0].0.clone();
    refused(&[&lines[..], &[(draw.clone(), 10_000, 1.0)]].concat(), "there is no position 10000");
    refused(&[&lines[..], &[("another".into(), 0, 1.0)]].concat(), "draw `another` is not of this experiment");
    let without: Vec<_> = lines.iter().filter(|l| l.0 != draw).cloned().collect();
    refused(&without, "1 of 4 draws have no score");
    let mut infinite = lines.clone();
    infinite[7].2 = f64::INFINITY;
    refused(&infinite, "row 8");
    sandbox.write("scores.csv", csv(&lines));
    for name in ["knn", "imported"] {
        let done = sandbox.run(&["import", "scores.csv", "--as", name, "--into", "out"]).expect(2);
        assert!(done.err.contains("is taken"), "{}", done.err);
    }
    // Nothing was recorded by any of these.
    assert_eq!(std::fs::read_dir(sandbox.path("out/records")).unwrap().count(), 0);
    sandbox.run(&["import", "scores.csv", "--as", "mine", "--into", "out"]).expect(0);
}
