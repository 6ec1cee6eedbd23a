//! A long table of a person's own in batches, with what belongs to each row, and which rows are flagged.

use std::collections::BTreeMap;

use zsad_data::formats::npy::{Array, Numbers};
use zsad_data::formats::npz;
use zsad_tests::{Done, Sandbox};

const N: usize = 250;

/// Two features near the origin; every 50th row is far away. `event`, `day` (unequally many rows a day), `label`.
fn csv() -> String {
    let wave = |k: usize| (k * 37 % 101) as f64 / 101.0;
    let line = |i: usize| {
        let far = if i % 50 == 13 { 30.0 } else { 0.0 };
        let (a, b, day) = (wave(i) + far, wave(3 * i + 5) - far, if i.is_multiple_of(5) { "mon" } else { "tue" });
        format!("e{i},{a},{b},{day},{}\n", u8::from(far > 0.0))
    };
    format!("event,a,b,day,label\n{}", (0..N).map(line).collect::<String>())
}

fn score(sandbox: &Sandbox, more: &[&str]) -> Done {
    let known = ["score", "--method", "knn", "--input", "x.csv", "--out", "y.csv", "--id", "event", "--id", "label"];
    sandbox.run(&[&known, more].concat())
}

/// Columns of the output by name.
fn output(sandbox: &Sandbox) -> (Vec<String>, BTreeMap<String, Vec<String>>) {
    let text = std::fs::read_to_string(sandbox.path("y.csv")).unwrap();
    let mut lines = text.lines().map(|l| l.split(',').map(str::to_owned).collect::<Vec<_>>());
    let header = lines.next().unwrap();
    let rows: Vec<_> = lines.collect();
    let column = |k: usize| rows.iter().map(|r| r[k].clone()).collect();
    (header.clone(), header.iter().enumerate().map(|(k, name)| (name.clone(), column(k))).collect())
}

fn numbers(texts: &[String]) -> Vec<f64> {
    texts.iter().map(|t| t.parse().unwrap()).collect()
}

/// What knn gives for these rows alone.
fn alone(sandbox: &Sandbox, rows: &[usize]) -> Vec<f64> {
    let table = csv();
    let lines: Vec<&str> = table.lines().collect();
    let value = |row: usize, k: usize| lines[row + 1].split(',').nth(k).unwrap().parse::<f64>().unwrap();
    let values = rows.iter().flat_map(|&row| [value(row, 1), value(row, 2)]).collect();
    let array = Array { shape: vec![rows.len(), 2], numbers: Numbers::F64(values) };
    npz::write(&sandbox.path("part.npz"), &[("X", &array)]).unwrap();
    sandbox.run(&["score", "--method", "knn", "--input", "part.npz", "--out", "y.csv"]).expect(0);
    numbers(&output(sandbox).1["score"])
}

#[test]
fn all_rows_are_scored_once_in_batches_of_their_own() {
    let sandbox = Sandbox::default();
    sandbox.write("x.csv", csv());
    let done = score(&sandbox, &["--exclude", "day", "--batch-size", "100"]).expect(0);
    assert!(done.out.contains("3 batches of 100 rows in their order; the last holds 50"), "{}", done.out);
    let (header, columns) = output(&sandbox);
    assert_eq!(header, ["index", "score", "event", "label", "batch"]);
    assert_eq!(columns["event"], (0..N).map(|i| format!("e{i}")).collect::<Vec<_>>());
    let scores = numbers(&columns["score"]);
    for rows in [0..100, 100..200, 200..250] {
        assert_eq!(scores[rows.clone()], alone(&sandbox, &rows.collect::<Vec<_>>()));
    }

    let done = score(&sandbox, &["--exclude", "day", "--batch-size", "120"]).expect(0);
    assert!(done.out.contains("2 batches") && done.out.contains("the last holds 130"), "{}", done.out);
}

#[test]
fn a_batch_never_mixes_groups() {
    let sandbox = Sandbox::default();
    sandbox.write("x.csv", csv());
    score(&sandbox, &["--group", "day"]).expect(0);
    let scores = numbers(&output(&sandbox).1["score"]);
    for monday in [true, false] {
        let rows: Vec<usize> = (0..N).filter(|i| i.is_multiple_of(5) == monday).collect();
        let found: Vec<f64> = rows.iter().map(|&i| scores[i]).collect();
        assert_eq!(found, alone(&sandbox, &rows));
    }
    let done = score(&sandbox, &["--group", "dya"]).expect(3);
    assert!(done.err.contains("did you mean `day`?"), "{}", done.err);
    sandbox.write("x.csv", csv().replacen("mon", "sun", 1));
    // A group that is no batch for the method has no scores, and the others have.
    let done = score(&sandbox, &["--group", "day", "--threshold", "auto"]).expect(1);
    assert!(done.err.contains("not scored: group `sun`, rows 0 to 0: "), "{}", done.err);
    assert!(done.out.contains("of 249 samples flagged"), "{}", done.out);
    let columns = output(&sandbox).1;
    assert_eq!((columns["score"][0].as_str(), columns["flag"][0].as_str()), ("", ""));
    let rows: Vec<usize> = (1..N).filter(|i| i.is_multiple_of(5)).collect();
    let found: Vec<f64> = rows.iter().map(|&i| columns["score"][i].parse().unwrap()).collect();
    assert_eq!(found, alone(&sandbox, &rows));
    // Where no group is one, nothing is written.
    let done = score(&sandbox, &["--group", "event", "--exclude", "day"]).expect(1);
    assert!(done.err.contains("group `e0`, rows 0 to 0: "), "{}", done.err);
}

/// The rows that are far away, by each rule; and `zsad metrics` reads what was written.
#[test]
fn rows_that_stand_out_are_flagged() {
    let sandbox = Sandbox::default();
    sandbox.write("x.csv", csv());
    let far: Vec<usize> = (0..N).filter(|i| i % 50 == 13).collect();
    for rule in ["auto", "top=5", "top=0.02", "fpr=0.001"] {
        let done = score(&sandbox, &["--exclude", "day", "--threshold", rule]).expect(0);
        assert!(done.out.contains("5 of 250 samples flagged: "), "{rule}: {}", done.out);
        let (header, columns) = output(&sandbox);
        assert_eq!(header, ["index", "score", "event", "label", "flag"], "without references there is no p_value");
        let flagged: Vec<usize> = (0..N).filter(|&i| columns["flag"][i] == "1").collect();
        assert_eq!(flagged, far, "{rule}");
    }
    let done = sandbox.run(&["metrics", "--input", "y.csv"]).expect(0);
    assert!(done.out.contains("auroc        1\n"), "{}", done.out);
    sandbox.write("z.csv", "score,label\n0.1,0\n0.4,0\n0.35,1\n0.8,1\n");
    // With scikit-learn: roc_auc_score 0.75.
    assert!(sandbox.run(&["metrics", "--input", "z.csv"]).expect(0).out.contains("auroc        0.75\n"));
    sandbox.write("z.csv", "score,lable\n0.1,0\n0.4,1\n");
    assert!(sandbox.run(&["metrics", "--input", "z.csv"]).expect(3).err.contains("no column `label`"));
    let done = score(&sandbox, &["--exclude", "day", "--explain"]).expect(0);
    assert!(done.out.contains("  `a`: mean ") && done.out.contains(" (e"), "features and rows by name: {}", done.out);
    let done = score(&sandbox, &["--exclude", "day", "--threshold", "0.5"]).expect(2);
    assert!(done.err.contains("fpr=0.01"), "{}", done.err);
}

#[test]
fn the_scale_is_said_and_unlike_columns_bring_a_warning() {
    let sandbox = Sandbox::default();
    sandbox.write("x.csv", csv());
    let done = score(&sandbox, &["--exclude", "day"]).expect(0);
    assert!(done.out.contains("scale: none: numbers as they are") && done.err.is_empty(), "{done:?}");
    let wide = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        let a = fields[1].parse::<f64>().map_or(fields[1].to_owned(), |a| (1000.0 * a).to_string());
        format!("{},{a},{}\n", fields[0], fields[2..].join(","))
    };
    sandbox.write("x.csv", csv().lines().map(wide).collect::<String>());
    let done = score(&sandbox, &["--exclude", "day"]).expect(0);
    assert!(done.err.contains("times that of `b`") && done.err.contains("--standardise batch"), "{}", done.err);
    let done = score(&sandbox, &["--exclude", "day", "--standardise", "batch"]).expect(0);
    assert!(done.err.is_empty() && done.out.contains("scale: batch"), "{done:?}");
    assert!(score(&sandbox, &["--standardise", "pool"]).expect(2).err.contains("learnt in training"));
}

#[test]
fn missing_values_are_counted_or_filled() {
    let sandbox = Sandbox::default();
    let text = "a,b\n1,10\n,20\n3,NA\n5,?\n7,20\n9,30\n2,40\n4,50\n";
    sandbox.write("x.csv", text);
    let args = ["score", "--method", "knn", "--input", "x.csv", "--out", "y.csv", "--param", "k=2"];
    let done = sandbox.run(&args).expect(3);
    assert!(done.err.contains("no value: a 1 (first in row 2), b 2 (first in row 3)"), "{}", done.err);
    let with = |how: &str| {
        sandbox.run(&[&args[..], &["--missing", how]].concat()).expect(0);
        output(&sandbox).1["score"].clone()
    };
    let filled = with("median");
    // numpy.nanmedian: 4 and 25.
    sandbox.write("x.csv", text.replace("\n,20", "\n4,20").replace("NA", "25").replace('?', "25"));
    sandbox.run(&args).expect(0);
    assert_eq!(filled, output(&sandbox).1["score"]);
    sandbox.write("x.csv", text);
    assert_ne!(with("indicator"), filled, "a row that lacks a value differs from one that has the median");
}

#[test]
fn odd_files_bring_a_word() {
    let sandbox = Sandbox::default();
    let rows = |separator: &str| (0..30).map(|i| format!("{}{separator}{}\n", i % 7, i % 5)).collect::<String>();
    sandbox.write("x.csv", rows(","));
    let args = ["score", "--method", "knn", "--input", "x.csv", "--out"];
    let done = sandbox.run(&[&args[..], &["y.csv"]].concat()).expect(0);
    assert!(done.err.contains("every cell of the first line is a number"), "{}", done.err);
    assert_eq!(output(&sandbox).1["score"].len(), 29);
    sandbox.write("x.csv", format!("a;b\n{}", rows(";")));
    let done = sandbox.run(&[&args[..], &["y.csv"]].concat()).expect(0);
    assert!(done.err.contains("separated by `;`"), "{}", done.err);
    let done = sandbox.run(&[&args[..], &["o.npz"]].concat()).expect(2);
    assert!(done.err.contains("o.npz: scores are written as CSV; hint: --out o.csv"), "{}", done.err);
}

/// A p-value is (1 + the references that score as high) / (1 + all references), each reference scored with the others as
/// its references: here by calls of the program of their own.
#[test]
fn references_that_are_left_out_in_turn_give_p_values() {
    let sandbox = Sandbox::default();
    sandbox.write("x.csv", csv());
    sandbox.write(
        "x.yaml",
        "experiment: x\ndatasets: [{name: table, params: {file: x.csv, domain: day, features: [a, b], label: label}}]\n\
         methods: [{name: oc_maml, params: {steps: 3, outliers: synthetic_noise}}]\nprotocol: {batch_size: 2, contamination: 0, n_batches: 1}\n\
         seeds: 0\n",
    );
    // With one day to train on and one to test, only the model is of interest.
    sandbox.run(&["run", "x.yaml", "--store", "store"]);
    let fit = std::fs::read_dir(sandbox.path("store")).unwrap().next().unwrap().unwrap().path();
    let model = fit.join("model.safetensors").to_string_lossy().into_owned();

    let table = csv();
    let (header, lines) = table.split_once('\n').unwrap();
    let normal: Vec<&str> = lines.lines().filter(|l| l.ends_with(",0")).collect();
    let (references, batch) = normal.split_at(20);
    let write = |name: &str, lines: &[&str]| sandbox.write(name, format!("{header}\n{}\n", lines.join("\n")));
    let scored = |more: &[&str]| {
        let known = ["score", "--method", "oc_maml", "--checkpoint", &model, "--out", "y.csv"];
        sandbox.run(&[&known, more].concat()).expect(0)
    };
    let mut left_out = Vec::new();
    for i in 0..references.len() {
        write("one.csv", &references[i..=i]);
        write("others.csv", &[&references[..i], &references[i + 1..]].concat());
        scored(&["--input", "one.csv", "--references", "others.csv"]);
        left_out.extend(numbers(&output(&sandbox).1["score"]));
    }
    write("batch.csv", &batch[..30]);
    write("references.csv", references);
    let done = scored(&["--input", "batch.csv", "--references", "references.csv", "--threshold", "fpr=0.1"]);
    assert!(done.out.contains("at most 10 % of normals are flagged, if the 20 references"), "{}", done.out);
    let (header, columns) = output(&sandbox);
    assert_eq!(header, ["index", "score", "flag", "p_value"]);
    let (scores, p_values) = (numbers(&columns["score"]), numbers(&columns["p_value"]));
    for (i, (score, p)) in scores.iter().zip(&p_values).enumerate() {
        let wanted = (1 + left_out.iter().filter(|r| *r >= score).count()) as f64 / 21.0;
        assert_eq!(*p, wanted, "row {i}");
        assert_eq!(columns["flag"][i] == "1", wanted <= 0.1, "row {i}");
    }
}
