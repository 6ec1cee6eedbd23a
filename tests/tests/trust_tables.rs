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
        trial("weak_detection_is_said_to_be_weak", "adbench_mvtec_resnet18", mvtec),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// The lines of an analysis, each by column, by size and method.
fn analysed(experiment: &str, label: &str, data: &str) -> BTreeMap<(String, String), BTreeMap<String, f64>> {
    let sandbox = Sandbox::default();
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../experiments").join(experiment);
    let path = path.to_string_lossy().into_owned();
    sandbox.run(&["run", &path, "--out", "out", "--data", data]).expect(0);
    let text = std::fs::read_to_string(sandbox.path(&format!("out/analyses/{label}.csv"))).unwrap();
    let mut lines = text.lines().map(|l| l.split(',').map(str::to_owned).collect::<Vec<_>>());
    let header = lines.next().unwrap();
    let at = |name: &str| header.iter().position(|h| h == name).unwrap();
    let (size, method) = (at("size"), at("method"));
    lines
        .map(|line| {
            let numbers = header.iter().zip(&line).filter_map(|(h, v)| Some((h.clone(), v.parse().ok()?)));
            ((line[size].clone(), line[method].clone()), numbers.collect())
        })
        .collect()
}

#[track_caller]
fn near(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "{found} instead of {expected} ± {tolerance}");
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
