//! The whole way of somebody with a log of their own, as the README tells it: a raw table with texts, gaps, identifiers and
//! words for labels; trained on the first days, tested on the last ones; then a new day without labels, scored row by row.

use std::fmt::Write;

use zsad_tests::Sandbox;

/// A row of day `day`, in the form of a log: `;` between fields, `NA` and nothing for what is not known.
fn line(i: usize, day: usize) -> (String, bool) {
    let wave = |k: usize| (i * k % 211) as f64 / 211.0;
    let attack = i % 25 == 9;
    let bytes = (4.0 + 3.0 * wave(37)) * if attack { 40.0 } else { 1.0 } * (1.0 + day as f64 / 5.0);
    let bytes = if i % 31 == 3 { "NA".into() } else { format!("{:.0}", 100.0 * bytes) };
    let service = match i * 7 % 5 {
        _ if i % 41 == 5 => "",
        0 => "dns",
        1 => "smtp",
        _ => "http",
    };
    let seconds = wave(53) * if attack { 0.01 } else { 1.0 };
    let label = if attack { "attack" } else { "benign" };
    (format!("ev-{i:05};2024-03-0{day} 00:{:02};day{day};{bytes};{seconds:.4};{service};{label}", i % 60), attack)
}

const HEADER: &str = "event_id;timestamp;day;bytes;seconds;service;label";

const EXPERIMENT: &str = "experiment: my_log
description: unseen days of my own log
datasets:
  - name: table
    as: log
    params:
      file: log.csv
      domain: day
      label: label
      label_map: {benign: 0, attack: 1}
      exclude: [event_id, timestamp]
      missing: indicator
      meta_test: [day5, day6]
methods: [{name: acr_dsvdd, params: {steps: 60}}, bn_distance, knn, mahalanobis]
protocol: {batch_size: 100, contamination: 0.05, n_batches: 3}
seeds: [0]
";

#[test]
fn from_a_raw_log_to_a_flag_a_row() {
    let sandbox = Sandbox::default();
    let mut log = format!("{HEADER}\n");
    (0..6 * 300).for_each(|i| writeln!(log, "{}", line(i, i / 300 + 1).0).unwrap());
    sandbox.write("log.csv", log);
    sandbox.write("my_log.yaml", EXPERIMENT);
    sandbox.run(&["validate", "my_log.yaml"]).expect(0);
    let done = sandbox.run(&["run", "my_log.yaml", "--store", "store"]).expect(0);
    assert!(done.out.contains("log: AUROC") && done.out.contains("acr_dsvdd"), "{}", done.out);

    // The new day has no labels; what became of it is known to the test alone.
    let mut day = format!("{}\n", HEADER.replace(";label", ""));
    let mut attacks = Vec::new();
    for i in 5000..5330 {
        let (text, attack) = line(i, 7);
        writeln!(day, "{}", text.rsplit_once(';').unwrap().0).unwrap();
        attacks.push(attack);
    }
    sandbox.write("day7.csv", day);
    let fit = std::fs::read_dir(sandbox.path("store")).unwrap().next().unwrap().unwrap().path();
    let model = fit.join("model.safetensors");
    let args = ["score", "--method", "acr_dsvdd", "--checkpoint", model.to_str().unwrap(), "--input", "day7.csv"];
    let more = ["--id", "event_id", "--batch-size", "100", "--threshold", "top=0.05", "--out", "scores.csv"];
    let done = sandbox.run(&[&args[..], &more].concat()).expect(0);
    for said in ["scale: pool", "3 batches of 100 rows", "the last holds 130", "samples flagged: "] {
        assert!(done.out.contains(said), "{said}: {}", done.out);
    }
    assert!(done.err.contains("`;`") && done.err.contains("left out: `timestamp`, `day`"), "{}", done.err);

    let scores = std::fs::read_to_string(sandbox.path("scores.csv")).unwrap();
    let mut lines = scores.lines();
    assert_eq!(lines.next(), Some("index,score,event_id,flag,batch"));
    let rows: Vec<Vec<&str>> = lines.map(|l| l.split(',').collect()).collect();
    assert_eq!(rows.len(), 330);
    assert!(rows.iter().enumerate().all(|(i, row)| row[2] == format!("ev-{:05}", i + 5000)));
    let hits = rows.iter().zip(&attacks).filter(|(row, attack)| row[3] == "1" && **attack).count();
    let flagged = rows.iter().filter(|row| row[3] == "1").count();
    assert!(flagged == 17 && 2 * hits > flagged, "{hits} attacks among {flagged} flagged rows");
}
