//! A person's own table: what training learns of its columns goes with the model, and rows are scored by name.

use std::fmt::Write;
use std::path::PathBuf;

use zsad_data::formats::table::Table;
use zsad_tests::{Done, Sandbox};

/// Days, the last two of which are tested.
const DAYS: usize = 6;
/// Rows of a day.
const ROWS: usize = 60;

/// One row as texts: event, day, bytes, rate, protocol, service, label.
fn row(i: usize) -> [String; 7] {
    let wave = |k: usize| (i * k % 101) as f64 / 101.0;
    let (day, anomalous) = (i / ROWS + 1, i % 20 == 7);
    let bytes = (8.0 * wave(37)).exp() * if anomalous { 50.0 } else { 1.0 };
    let protocol = ["tcp", "udp", "icmp"][i * 7 % 3];
    // The last day has a service that no day of training has.
    let service = if day == DAYS && i.is_multiple_of(9) { "new" } else { ["http", "dns", "ssh", "smtp"][i * 11 % 4] };
    let rate = wave(53) + day as f64 / 10.0;
    [
        format!("e{i}"),
        format!("d{day}"),
        format!("{bytes:.2}"),
        format!("{rate:.4}"),
        protocol.into(),
        service.into(),
        u8::from(anomalous).to_string(),
    ]
}

const HEADER: &str = "event,day,bytes,rate,protocol,service,label";

/// The same, with a number or a text missing in some rows.
fn with_gaps(i: usize, gaps: bool) -> [String; 7] {
    let mut row = row(i);
    match i % 11 {
        3 if gaps => row[2] = "NA".into(),
        5 if gaps => row[5] = String::new(),
        _ => {}
    }
    row
}

fn csv(rows: impl IntoIterator<Item = usize>, gaps: bool) -> String {
    let mut text = format!("{HEADER}\n");
    rows.into_iter().for_each(|i| writeln!(text, "{}", with_gaps(i, gaps).join(",")).unwrap());
    text
}

fn experiment(params: &str, method: &str) -> String {
    format!(
        "experiment: own\ndatasets: [{{name: table, params: {{file: log.csv, domain: day, label: label, exclude: [event]\
         {params}}}}}]\nmethods: [{method}]\nprotocol: {{batch_size: 20, contamination: 0.1, n_batches: 2}}\nseeds: 0\n"
    )
}

/// Trains on the first days, and says where the model lies.
fn trained(sandbox: &Sandbox, params: &str) -> PathBuf {
    sandbox.write("log.csv", csv(0..DAYS * ROWS, params.contains("missing")));
    sandbox.write("own.yaml", experiment(params, "{name: acr_dsvdd, params: {steps: 5}}"));
    for folder in ["out", "store"] {
        drop(std::fs::remove_dir_all(sandbox.path(folder)));
    }
    sandbox.run(&["run", "own.yaml", "--out", "out", "--store", "store"]).expect(0);
    let fit = std::fs::read_dir(sandbox.path("store")).unwrap().next().unwrap().unwrap().path();
    fit.join("model.safetensors")
}

fn score(sandbox: &Sandbox, more: &[&str]) -> Done {
    let args = ["score", "--out", "y.csv"];
    sandbox.run(&[&args, more].concat())
}

/// A column of a CSV file that `zsad score` wrote.
fn column(sandbox: &Sandbox, file: &str, name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(sandbox.path(file)).unwrap();
    let mut lines = text.lines();
    let at = lines.next().unwrap().split(',').position(|c| c == name).unwrap_or_else(|| panic!("no {name}: {text}"));
    lines.map(|line| line.split(',').nth(at).unwrap().to_owned()).collect()
}

/// The stored scores of a run, batch by batch: rows of the table, scores.
fn stored(sandbox: &Sandbox) -> Vec<(Vec<usize>, Vec<f64>)> {
    let records = std::fs::read_dir(sandbox.path("out/records")).unwrap();
    let scores = records.map(|e| e.unwrap().path()).find(|p| p.extension().is_some_and(|e| e == "parquet")).unwrap();
    let table = Table::read(&scores, None).unwrap();
    assert_eq!(table.names(), ["domain", "batch", "index", "label", "score", "row", "sample", "name"]);
    let (domains, batches) = (table.text("domain").unwrap(), table.numbers("batch").unwrap());
    let (rows, scores) = (table.numbers("row").unwrap(), table.numbers("score").unwrap());
    let mut all: Vec<(Vec<usize>, Vec<f64>)> = Vec::new();
    for i in 0..table.height() {
        if i == 0 || (&domains[i], batches[i]) != (&domains[i - 1], batches[i - 1]) {
            all.push(Default::default());
        }
        let last = all.last_mut().unwrap();
        last.0.push(rows[i] as usize);
        last.1.push(scores[i]);
    }
    all
}

#[test]
fn a_trained_model_scores_the_rows_of_its_run_again_to_the_bit() {
    let sandbox = Sandbox::default();
    for how in ["", ", standardise: pool", ", standardise: none", ", standardise: batch"] {
        again(&sandbox, how);
    }
    for how in [", standardise: signed_log", ", standardise: rank", ", missing: indicator", ", missing: median"] {
        again(&sandbox, how);
    }
}

fn again(sandbox: &Sandbox, how: &str) {
    let gaps = how.contains("missing");
    let model = trained(sandbox, how);
    let batches = stored(sandbox);
    assert_eq!(batches.len(), 4, "two domains of two batches");
    for (rows, wanted) in batches {
        // Columns in another order, and more of them.
        let mut text = "label,service,rate,unknown,bytes,protocol,event\n".to_owned();
        for &i in &rows {
            let [event, _, bytes, rate, protocol, service, label] = with_gaps(i, gaps);
            writeln!(text, "{label},{service},{rate},x,{bytes},{protocol},{event}").unwrap();
        }
        sandbox.write("day.csv", text);
        let model = model.to_str().unwrap();
        let args = ["--method", "acr_dsvdd", "--checkpoint", model, "--input", "day.csv", "--id", "event"];
        let done = score(sandbox, &args).expect(0);
        assert!(done.err.contains("left out: `label`, `unknown`"), "{how}: {}", done.err);
        assert!(done.out.contains("as the model was trained"), "{how}: {}", done.out);
        let found: Vec<f64> = column(sandbox, "y.csv", "score").iter().map(|s| s.parse().unwrap()).collect();
        let bits = |scores: &[f64]| scores.iter().map(|s| s.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&found), bits(&wanted), "{how}");
        let events: Vec<String> = rows.iter().map(|i| format!("e{i}")).collect();
        assert_eq!(column(sandbox, "y.csv", "event"), events);
    }
}

#[test]
fn columns_that_differ_from_training_are_named() {
    let sandbox = Sandbox::default();
    let model = trained(&sandbox, "");
    let model = model.to_str().unwrap();
    let args = ["--method", "acr_dsvdd", "--checkpoint", model, "--input", "day.csv"];
    let day = csv(5 * ROWS..6 * ROWS, false);
    sandbox.write("day.csv", &day);
    let done = score(&sandbox, &args).expect(0);
    assert!(done.err.contains("column `service`: ") && done.err.contains("do not: `new`"), "{}", done.err);

    sandbox.write("day.csv", day.replace(HEADER, "event,day,bytes_in,speed,protocol,service,label"));
    let done = score(&sandbox, &args).expect(3);
    assert!(done.err.contains("day.csv: no columns `bytes`, `rate`"), "{}", done.err);

    sandbox.write("day.csv", day.replace("d6,", "d6,x"));
    let done = score(&sandbox, &args).expect(3);
    assert!(done.err.contains("column `bytes`: `x") && done.err.contains("is not a number"), "{}", done.err);

    let far =
        day.lines().map(|l| if l.starts_with('e') && l != HEADER { l.replace("d6,", "d6,999") } else { l.into() });
    sandbox.write("day.csv", far.collect::<Vec<_>>().join("\n"));
    let done = score(&sandbox, &args).expect(0);
    assert!(done.err.contains("far from what the model was trained on: `bytes`"), "{}", done.err);
}

/// A model of a version that kept nothing of the columns: the same file with the format's first header.
#[test]
fn a_model_without_preprocessing_is_said_to_have_none() {
    let sandbox = Sandbox::default();
    let model = trained(&sandbox, ", standardise: none");
    let mut old = zsad_store::model::load(&model).unwrap();
    assert!(old.preprocessing.is_some());
    let dim = old.preprocessing.take().unwrap().dim().unwrap();
    zsad_store::model::save(&sandbox.path("old.safetensors"), &old).unwrap();
    let rows: String = (0..30).map(|i| vec![(i * 37 % 11).to_string(); dim].join(",") + "\n").collect();
    let names: Vec<String> = (0..dim).map(|k| format!("c{k}")).collect();
    sandbox.write("x.csv", format!("{}\n{rows}", names.join(",")));
    let args = ["--method", "acr_dsvdd", "--checkpoint", "old.safetensors", "--input", "x.csv"];
    let done = score(&sandbox, &args).expect(0);
    assert!(done.err.contains("says nothing of its training's columns"), "{}", done.err);
    assert_eq!(column(&sandbox, "y.csv", "score").len(), 30);
}

#[test]
fn natural_shares_want_labels_and_what_anomalies_are_is_said() {
    let sandbox = Sandbox::default();
    sandbox.write("log.csv", csv(0..DAYS * ROWS, false));
    let run = |contamination: &str| {
        let text = experiment("", "knn").replace(", label: label, exclude: [event]", ", exclude: [event, label]");
        sandbox.write("own.yaml", text.replace("contamination: 0.1", &format!("contamination: {contamination}")));
        drop(std::fs::remove_dir_all(sandbox.path("out")));
        sandbox.run(&["run", "own.yaml", "--out", "out"])
    };
    let done = run("natural").expect(1);
    assert!(done.out.contains("`natural` contamination wants data whose own anomalies are labelled"), "{}", done.out);
    let done = run("0.1").expect(0);
    assert!(done.out.contains("table: anomalies: rows of other domains"), "{}", done.out);
}

#[test]
fn tables_are_brought_to_one_scale_unless_told_otherwise() {
    let sandbox = Sandbox::default();
    sandbox.write("log.csv", csv(0..DAYS * ROWS, false));
    for name in ["table", "nsl_kdd", "gas_drift", "adbench", "anoshift"] {
        let done = sandbox.run(&["describe", name]).expect(0);
        let line = done.out.lines().find(|l| l.trim_start().starts_with("standardise")).unwrap();
        assert!(line.contains("pool"), "{line}");
    }
    let done = sandbox.run(&["describe", "adbench_features"]).expect(0);
    assert!(done.out.lines().any(|l| l.trim_start().starts_with("standardise") && l.contains("none")), "{}", done.out);
    // Scores turned round, so that anomalies come last: a method below chance is pointed at.
    sandbox.write(
        "own.yaml",
        experiment(", label_map: {'0': 1, '1': 0}, standardise: none", "{name: knn, params: {k: 2}}"),
    );
    let text = std::fs::read_to_string(sandbox.path("own.yaml")).unwrap();
    sandbox.write("own.yaml", text.replace("batch_size: 20, contamination: 0.1", "batch_size: 6, contamination: 0.5"));
    let done = sandbox.run(&["run", "own.yaml", "--out", "out"]).expect(0);
    assert!(
        done.err.contains("knn on table: ")
            && done.err.contains("it ranks anomalies below normals")
            && done.err.contains("`standardise: pool`"),
        "{}",
        done.err
    );
}
