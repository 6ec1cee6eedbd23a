//! Shifts and analyses from outside: paired cells, what is kept and never made again, what is refused before anything runs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use zsad_store::{BatchNumbers, RunFolder};
use zsad_tests::{Sandbox, column, files, finished};

const EXPERIMENT: &str = "
experiment: shifted
datasets: [digits]
methods: [knn, {name: reference_distance, params: {shots: 20}}]
protocol:
  batch_size: [50]
  contamination: [0.1]
  n_batches: 10
  shift: [none, brightness@3, contrast@3, {corruption: gaussian_noise, severity: 3, share: 0.5}]
seeds: [0]
";

const ANALYSES: &str = "
analyses:
  - drop
  - {name: drop, as: own_threshold, params: {threshold: 1, methods: [reference_distance]}}
  - {name: slices, params: {tag: shifted}}
";

/// The lines of `<out>/analyses/<name>.csv` by their columns.
fn lines(sandbox: &Sandbox, out: &str, name: &str) -> Vec<BTreeMap<String, String>> {
    let text = fs::read_to_string(sandbox.path(out).join(format!("analyses/{name}.csv"))).unwrap();
    let mut lines = text.lines().map(|l| l.split(',').map(str::to_owned).collect::<Vec<_>>());
    let header = lines.next().unwrap();
    lines.map(|l| header.iter().cloned().zip(l).collect()).collect()
}

fn number(line: &BTreeMap<String, String>, name: &str) -> f64 {
    line[name].parse().unwrap_or_else(|_| panic!("{name} of {line:?}"))
}

#[test]
fn a_ranking_hides_what_a_fixed_threshold_shows() {
    let sandbox = Sandbox::default();
    sandbox.write("x.yaml", format!("{EXPERIMENT}{ANALYSES}"));
    sandbox.run(&["run", "x.yaml", "--out", "out"]).expect(0);
    let of = |name: &str, method: &str, shift: &str| {
        let found = lines(&sandbox, "out", name);
        let is = |l: &&BTreeMap<String, String>| l["method"] == method && l["shift"] == shift && l["domain"].is_empty();
        found.iter().find(is).unwrap_or_else(|| panic!("{method} {shift}")).clone()
    };
    // Measured with NumPy and scikit-learn, own sampling: AUROC 98.3 and 98.0 (knn), 98.6 and 96.3 (one reference of twenty);
    // false alarms at the references' own threshold 7.9, 95.6 and 96.3. Ten batches are fewer than their hundred.
    let knn = of("drop", "knn", "brightness@3");
    assert!((number(&knn, "auroc_clean") - 0.983).abs() < 0.02 && number(&knn, "drop").abs() < 0.01, "{knn:?}");
    for (shift, alarms) in [("brightness@3", 0.956), ("contrast@3", 0.963)] {
        let few = of("own_threshold", "reference_distance", shift);
        assert!((number(&few, "fpr_clean") - 0.079).abs() < 0.05, "{few:?}");
        assert!((number(&few, "fpr_fixed") - alarms).abs() < 0.05 && number(&few, "drop") < 0.1, "{few:?}");
    }
    let slices = lines(&sandbox, "out", "slices");
    let nuisance = slices.iter().find(|l| l["method"] == "knn" && l["metric"] == "nuisance_auroc" && l["group"] == "1");
    assert!((number(nuisance.unwrap(), "value") - 0.747).abs() < 0.05, "{nuisance:?}");
    assert_eq!(column(&sandbox.path("out"), "shift").iter().filter(|s| *s == "none").count(), 8);
    for file in ["batches.parquet", "metrics.parquet", "analyses/drop.md", "plots/analysis_drop.svg"] {
        assert!(sandbox.path("out").join(file).exists(), "{file}");
    }
}

#[test]
fn an_analysis_is_made_once_and_scores_nothing() {
    let sandbox = Sandbox::default();
    sandbox.write("x.yaml", EXPERIMENT);
    sandbox.run(&["run", "x.yaml", "--out", "out"]).expect(0);
    let (out, analyses) = (sandbox.path("out"), sandbox.path("out/analyses"));
    let cells = finished(&out);
    assert!(files(&analyses).is_empty());

    // Added to a finished run: no cell is touched.
    sandbox.write("x.yaml", format!("{EXPERIMENT}{ANALYSES}"));
    let again = sandbox.run(&["run", "x.yaml", "--out", "out"]).expect(0);
    assert!(
        again.err.contains("8 finished before, 0 to run") && again.err.contains("analysis drop: "),
        "{}",
        again.err
    );
    assert_eq!(finished(&out), cells);
    let made = files(&analyses);
    assert_eq!(made.len(), 15, "{:?}", made.keys());

    // A second call computes nothing; neither does `analyse`.
    let third = sandbox.run(&["run", "x.yaml", "--out", "out"]).expect(0);
    assert!(!third.err.contains("analysis drop: "), "{}", third.err);
    let page = sandbox.run(&["analyse", "out", "drop"]).expect(0);
    assert!(page.out.contains("false alarms at a fixed threshold") && page.err.is_empty(), "{}", page.err);
    assert_eq!(files(&analyses), made);

    // Without the file that vouches for them, as after a kill, they are made again, to the same bytes.
    fs::remove_file(analyses.join("drop.json")).unwrap();
    sandbox.write("out/analyses/drop.csv", "half");
    sandbox.run(&["analyse", "out"]).expect(0);
    let bytes = |of: &BTreeMap<String, (Vec<u8>, std::time::SystemTime)>| -> BTreeMap<String, Vec<u8>> {
        of.iter().map(|(name, (bytes, _))| (name.clone(), bytes.clone())).collect()
    };
    assert_eq!(bytes(&files(&analyses)), bytes(&made));

    // Another parameter is another analysis.
    sandbox.run(&["analyse", "out", "drop", "--param", "fpr=0.2"]).expect(0);
    assert_ne!(bytes(&files(&analyses))["drop.csv"], bytes(&made)["drop.csv"]);
    let wrong = sandbox.run(&["analyse", "out", "dorp"]).expect(2);
    assert!(wrong.err.contains("did you mean `drop`?"), "{}", wrong.err);
}

/// P(Bin(n, p) > n − ⌊nγ⌋), summed up term by term.
fn stability(n: usize, p: f64, gamma: f64) -> f64 {
    let (mut term, mut sum) = ((1.0 - p).powi(n as i32), 0.0);
    for hits in 0..=n {
        if hits > n - (n as f64 * gamma).floor() as usize {
            sum += term;
        }
        term *= (n - hits) as f64 / (hits + 1) as f64 * p / (1.0 - p);
    }
    sum
}

#[test]
fn an_estimated_share_decides_as_one_that_is_given() {
    let sandbox = Sandbox::default();
    let analyses = "analyses: [trust, {name: rejection, params: {tolerance: [2], gamma: estimated}}]\n";
    sandbox.write("x.yaml", format!("{}{analyses}", EXPERIMENT.replace(", brightness@3", "")));
    sandbox.run(&["run", "x.yaml", "--out", "out"]).expect(0);
    let folder = RunFolder::new(sandbox.path("out"));
    let batches = BatchNumbers::read(&sandbox.path("out/batches.parquet")).unwrap();
    let column = |name: &str| &batches.columns.iter().find(|(of, _)| of == name).unwrap().1;
    let (estimated, rejected) = (column("contamination_est"), column("rejected_t2"));
    let mut differ = BTreeSet::new();
    for (i, place) in batches.places.iter().enumerate() {
        let scores = folder.scores(&place.cell_key).unwrap();
        let scores = &scores.iter().find(|b| (&b.domain, b.number) == (&place.domain, place.batch)).unwrap().items;
        let n = scores.len();
        let undecided = |score: &&f64| {
            let p = (1 + scores.iter().filter(|s| s <= score).count()) as f64 / (2 + n) as f64;
            let stable = stability(n, p, estimated[i].unwrap());
            stable.min(1.0 - stable) >= (-2f64).exp()
        };
        let share = scores.iter().filter(undecided).count() as f64 / n as f64;
        assert_eq!(rejected[i], Some(share), "{place:?} at {:?}", estimated[i]);
        differ.insert(estimated[i].unwrap().to_bits());
    }
    assert!(differ.len() > 20, "every batch has an estimate of its own: {}", differ.len());
}

#[test]
fn clean_cells_keep_their_keys_and_results_do_not_depend_on_jobs() {
    let sandbox = Sandbox::default();
    sandbox.write("x.yaml", format!("{EXPERIMENT}{ANALYSES}"));
    let plain: String = EXPERIMENT.lines().filter(|l| !l.contains("shift:")).map(|l| format!("{l}\n")).collect();
    sandbox.write("plain.yaml", plain);
    let keys = |file: &str| -> Vec<String> {
        let plan: serde_json::Value =
            serde_json::from_str(&sandbox.run(&["plan", file, "--json"]).expect(0).out).unwrap();
        let cells = plan["fits"].as_array().unwrap().iter().flat_map(|f| f["cells"].as_array().unwrap().clone());
        let clean = cells.filter(|c| c["point"]["shift"].is_null());
        clean.map(|c| c["cell_key"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(keys("x.yaml"), keys("plain.yaml"));
    assert_eq!(keys("plain.yaml").len(), 2);
    for (out, jobs) in [("one", "1"), ("four", "4")] {
        sandbox.run(&["run", "x.yaml", "--out", out, "--jobs", jobs, "--threads", jobs]).expect(0);
    }
    for name in ["drop", "own_threshold", "slices"] {
        assert_eq!(lines(&sandbox, "one", name), lines(&sandbox, "four", name), "{name}");
    }
}

#[test]
fn tags_of_a_file_are_joined_and_wrong_ones_refused_before_anything_runs() {
    let sandbox = Sandbox::default();
    let text = "experiment: tagged\ndatasets: [{name: digits, tags: level.csv}]\nmethods: [knn]\n\
                protocol: {batch_size: 50, contamination: 0.2, n_batches: 3, pooling: domain}\nseeds: 0\n\
                analyses: [{name: severity, params: {tag: level}}]\n";
    sandbox.write("x.yaml", text);
    // Sixes are severe, sevens less so; the anomalies of a domain are the other digits.
    sandbox.write("level.csv", "domain,sample,level\n6,n*,3\n7,n*,1\n8,n*,2\n9,n*,1\n");
    let done = sandbox.run(&["run", "x.yaml", "--out", "out"]).expect(0);
    assert!(done.err.contains("analysis severity: "), "{}", done.err);
    let found = lines(&sandbox, "out", "severity");
    assert!(found.iter().any(|l| l["metric"] == "auroc_level" && l["group"] == "3"), "{found:?}");
    // The folder is whole: its experiment finds its tags.
    sandbox.run(&["analyse", "out"]).expect(0);
    let before = finished(&sandbox.path("out"));

    // Other tags are another analysis of the same cells.
    sandbox.write("level.csv", "domain,sample,level\n*,n*,1\n");
    let again = sandbox.run(&["run", "x.yaml", "--out", "out"]).expect(0);
    assert!(again.err.contains("1 finished before") && again.err.contains("analysis severity: "), "{}", again.err);
    assert_eq!(finished(&sandbox.path("out")), before);

    sandbox.write("level.csv", "domain,sample,level\n6,n*,3\n7,n999,1\n");
    let unknown = sandbox.run(&["run", "x.yaml", "--out", "new"]).expect(3);
    assert!(unknown.err.contains("level.csv: line 3: digits: no sample `n999` in domain `7`"), "{}", unknown.err);
    assert!(!sandbox.path("new").exists());
    sandbox.write("level.csv", "domain,sample\n6,n*\n");
    let missing = sandbox.run(&["validate", "x.yaml"]).expect(2);
    assert!(missing.err.contains("x.yaml:2:33: ") && missing.err.contains("no tag of any sample"), "{}", missing.err);
}

#[test]
fn what_cannot_be_analysed_or_shifted_is_said_with_its_place() {
    let sandbox = Sandbox::default();
    let text = "experiment: x\ndatasets: [digits, nsl_kdd]\nmethods: [knn]\n\
                protocol: {batch_size: 9, contamination: 0.1, shift: [none, brightness@3, fog@2, brightnes@1, {corruption: contrast, share: 2}]}\n\
                seeds: 0\nanalyses: [dorp, {name: severity}, {name: slices, params: {tag: protocl}}, {name: rejection, params: {tolerance: 0}}]\n";
    sandbox.write("x.yaml", text);
    let done = sandbox.run(&["run", "x.yaml"]).expect(2);
    for part in [
        "x.yaml:4:61: a shift is done to pictures, and `nsl_kdd` holds rows",
        "x.yaml:4:75: `fog` is not made with the constants of imagenet_c",
        "x.yaml:4:82: `brightnes@1` is no shift",
        "did you mean `brightness`?",
        "a shift cannot have the share 2",
        "x.yaml:6:12: unknown analysis `dorp`",
        "did you mean `drop`?",
        "severity: no data set here has the tag `severity`",
        "slices: no data set here has the tag `protocl`",
        "did you mean `protocol`?",
        "rejection: parameter `tolerance` cannot be 0",
    ] {
        assert!(done.err.contains(part), "{part}: {}", done.err);
    }
    let alone = "experiment: x\ndatasets: [digits]\nmethods: [knn]\nprotocol: {batch_size: 9, contamination: 0.1}\nseeds: 0\nanalyses: [drop]\n";
    sandbox.write("x.yaml", alone);
    let done = sandbox.run(&["run", "x.yaml"]).expect(2);
    assert!(done.err.contains("x.yaml:6:12: drop: it compares shifted with clean batches"), "{}", done.err);
    assert!(!sandbox.path("results").exists());
}

#[test]
fn a_bench_measures_every_method_in_a_process_of_its_own() {
    let sandbox = Sandbox::default();
    sandbox.write(
        "x.yaml",
        "experiment: x\ndatasets: [digits]\nmethods: [knn, {name: deep_svdd, params: {epochs: 1}}]\nprotocol: {batch_size: [20, 50], contamination: 0.1}\nseeds: [0, 1]\n",
    );
    let done = sandbox.run(&["bench", "x.yaml", "--repeat", "3", "--out", "out", "--json"]).expect(0);
    let measured: Vec<serde_json::Value> = serde_json::from_str(&done.out).unwrap();
    assert_eq!(measured.len(), 4, "two methods at two points");
    for m in &measured {
        assert!(m["p50_ms"].as_f64().unwrap() > 0.0 && m["p95_ms"].as_f64() >= m["p50_ms"].as_f64(), "{m}");
        assert_eq!(m["model_mb"].as_f64().unwrap() > 0.0, m["method"] == "deep_svdd", "{m}");
        assert_eq!(m["parameters"].as_u64().unwrap() > 0, m["method"] == "deep_svdd", "{m}");
    }
    assert!(fs::read_to_string(sandbox.path("out/bench.csv")).unwrap().lines().count() == 5);
}
