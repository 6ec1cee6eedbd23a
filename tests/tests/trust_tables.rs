//! What the shipped experiments on trust find on real data, beside figures that were found by another implementation (NumPy and
//! scikit-learn, with batches of its own); ignored, with the reason, where the data are not there.

use std::collections::BTreeMap;
use std::path::PathBuf;

use libtest_mimic::{Arguments, Trial};
use zsad_tests::Sandbox;

fn main() {
    let data = std::env::var_os("ZSAD_DATA").map(PathBuf::from);
    let trial = |name: &str, needs: &str, test: fn(&str)| {
        let missing = !data.as_ref().is_some_and(|d| d.join(needs).exists());
        let title = if missing { format!("{name} (ignored: $ZSAD_DATA holds no {needs})") } else { name.to_owned() };
        let data = data.clone().unwrap_or_default().to_string_lossy().into_owned();
        let run = move || {
            test(&data);
            Ok(())
        };
        Trial::test(title, run).with_ignored_flag(missing)
    };
    let trials = vec![
        trial("digits_are_judged_as_well_as_elsewhere", "mnist", digits),
        trial("two_posteriors_are_as_their_authors_print_them", "adbench_classical", pools),
        trial("every_later_batch_of_sensors_is_new", "gas_drift", gas),
        trial("weak_detection_is_said_to_be_weak", "adbench_mvtec_resnet18", mvtec),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// The table of an analysis: its names of columns, and its lines.
fn table(experiment: &str, label: &str, data: &str) -> (Vec<String>, Vec<Vec<String>>) {
    let sandbox = Sandbox::default();
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../experiments").join(experiment);
    let path = path.to_string_lossy().into_owned();
    sandbox.run(&["run", &path, "--out", "out", "--data", data]).expect(0);
    let text = std::fs::read_to_string(sandbox.path(&format!("out/analyses/{label}.csv"))).unwrap();
    let mut lines = text.lines().map(|l| l.split(',').map(str::to_owned).collect::<Vec<_>>());
    (lines.next().unwrap(), lines.collect())
}

/// The lines of an analysis, each by column, by size and method.
fn analysed(experiment: &str, label: &str, data: &str) -> BTreeMap<(String, String), BTreeMap<String, f64>> {
    let (header, lines) = table(experiment, label, data);
    let at = |name: &str| header.iter().position(|h| h == name).unwrap();
    let (size, method) = (at("size"), at("method"));
    let numbers = |line: &Vec<String>| {
        let numbers = header.iter().zip(line).filter_map(|(h, v)| Some((h.clone(), v.parse().ok()?)));
        ((line[size].clone(), line[method].clone()), numbers.collect())
    };
    lines.iter().map(numbers).collect()
}

/// γGMM's published posterior means of Glass and Stamps, from other detectors of ten of which six are here.
fn pools(data: &str) {
    let (header, lines) = table("contamination_pools.yaml", "contamination", data);
    let at = |name: &str| header.iter().position(|h| h == name).unwrap();
    for (dataset, published) in [("glass", 0.0711), ("stamps", 0.0627)] {
        let is = |line: &&Vec<String>| line[at("dataset")] == dataset && line[at("estimator")] == "gamma_gmm";
        let line = lines.iter().find(is).unwrap();
        near(line[at("estimate")].parse().unwrap(), published, 0.025);
    }
}

#[track_caller]
fn near(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "{found} instead of {expected} ± {tolerance}");
}

/// Twenty samples of a later month are told from earlier ones every time, and from their own hardly ever.
fn gas(data: &str) {
    let (header, against_own) = table("shift_gas_drift.yaml", "own", data);
    let (_, against_earlier) = table("shift_gas_drift.yaml", "earlier", data);
    let at = |name: &str| header.iter().position(|h| h == name).unwrap();
    let clean = |l: &&Vec<String>| l[at("batch_size")] == "20" && l[at("contamination")] == "0";
    let rejected =
        |lines: &[Vec<String>]| -> f64 { lines.iter().find(clean).unwrap()[at("rejected")].parse().unwrap() };
    // Fewer than one in twenty: Bonferroni's correction takes correlated columns for independent ones.
    near(rejected(&against_own), 0.05, 0.03);
    assert!(rejected(&against_earlier) >= 0.95, "{against_earlier:?}");
}

fn digits(data: &str) {
    let all = analysed("trust_digits.yaml", "trust", data);
    let knn = |size: &str| &all[&(size.to_owned(), "knn".to_owned())];
    near(knn("100")["contamination_mae"], 0.081, 0.02);
    near(knn("100")["contamination_mae_constant"], 0.157, 0.02);
    near(knn("100")["contamination_correlation"], 0.82, 0.05);
    near(knn("50")["contamination_mae"], 0.102, 0.02);
    near(knn("50")["contamination_correlation"], 0.69, 0.05);
    // Six domains are too few to be exchangeable, and the intervals too narrow.
    near(knn("100")["contamination_coverage"], 0.65, 0.1);
    near(knn("50")["contamination_coverage"], 0.75, 0.1);
    let below = &analysed("trust_digits.yaml", "below_half", data)[&("100".to_owned(), "knn".to_owned())];
    near(below["brier"], 0.089, 0.01);
    near(below["ece"], 0.040, 0.02);
    near(below["error_all"], 0.122, 0.02);
    near(below["rejected"], 0.26, 0.05);
    near(below["error_accepted"], 0.048, 0.02);
    near(below["cost"], 0.062, 0.01);
}

fn mvtec(data: &str) {
    let all = analysed("trust_mvtec.yaml", "trust", data);
    let of = |method: &str| &all[&("50".to_owned(), method.to_owned())];
    // Contamination cannot be told, and the intervals say so.
    near(of("knn")["contamination_coverage"], 0.98, 0.03);
    near(of("knn")["contamination_mae"], of("knn")["contamination_mae_constant"], 0.01);
    for (method, mae) in [("knn", 0.115), ("bn_distance", 0.108), ("mahalanobis", 0.113), ("lof", 0.113)] {
        near(of(method)["auroc_mae"], mae, 0.02);
    }
    near(of("mahalanobis")["auroc_all"], 0.790, 0.02);
    near(of("mahalanobis")["auroc_best_half"], 0.820, 0.02);
    near(of("mahalanobis")["auroc_best_quarter"], 0.867, 0.03);
}
