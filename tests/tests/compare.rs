//! "Is mine significantly better?": an answer that counts domains, and says where it cannot be given.

use std::collections::BTreeMap;

use serde_json::Value;
use zsad_tests::{Sandbox, column};

/// Two methods, one of them a person's own name, on the four unseen digits; 4 domains, 2 seeds, 2 contaminations.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::default();
    sandbox.write(
        "x.yaml",
        "experiment: x\ndatasets: [digits]\nmethods: [{name: mahalanobis, as: mine}, knn, copod]\nprotocol: {batch_size: 20, \
         contamination: [0.1, 0.2], n_batches: 4}\nseeds: [0, 1]\n",
    );
    sandbox.run(&["run", "x.yaml", "--out", "out"]).expect(0);
    sandbox
}

#[test]
fn mine_against_the_others_over_domains() {
    let sandbox = sandbox();
    let done = sandbox.run(&["compare", "out", "--ours", "mine", "--json"]).expect(0);
    let found: Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!((&found["metric"], &found["unit"], &found["n"]), (&"auroc".into(), &"domain".into(), &4.into()));
    let pairs = found["pairs"].as_array().unwrap();
    assert_eq!(pairs.len(), 2, "{found}");

    // By hand, from the results: of every domain the mean over seeds and contaminations; then over domains.
    let folder = sandbox.path("out");
    let [methods, domains, aurocs] = ["method", "domain", "auroc"].map(|name| column(&folder, name));
    let mut sums: BTreeMap<(String, String), (f64, f64)> = BTreeMap::new();
    for ((method, domain), auroc) in methods.into_iter().zip(domains).zip(aurocs) {
        let sum = sums.entry((method, domain)).or_default();
        *sum = (sum.0 + auroc.parse::<f64>().unwrap(), sum.1 + 1.0);
    }
    for pair in pairs {
        assert_eq!(pair["a"], "mine");
        let mean = |method: &Value, domain: &str| {
            let (sum, n) = sums[&(method.as_str().unwrap().to_owned(), domain.to_owned())];
            assert_eq!(n, 4.0);
            sum / n
        };
        let by_domain = ["6", "7", "8", "9"].map(|d| mean(&pair["a"], d) - mean(&pair["b"], d));
        let difference = pair["mean_difference"].as_f64().unwrap();
        assert!((difference - by_domain.iter().sum::<f64>() / 4.0).abs() < 1e-12, "{pair}");
        assert_eq!(pair["wins"], by_domain.iter().filter(|d| **d > 0.0).count());
        // Of sixteen signs two are extreme: 32 batches and more cannot make it less.
        assert!(pair["wilcoxon_p"].as_f64().unwrap() >= 0.125, "{pair}");
        assert!(pair["holm_p"].as_f64() >= pair["wilcoxon_p"].as_f64());
        let chances = ["p_a_better", "p_equivalent", "p_b_better"].map(|c| pair[c].as_f64().unwrap());
        assert!((chances.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{pair}");
    }
    assert!(found["friedman"]["p"].as_f64().unwrap() <= 1.0 && found["ranks"]["mine"].as_f64().unwrap() >= 1.0);

    let page = sandbox.run(&["compare", "out", "--ours", "mine"]).expect(0).out;
    for said in ["nothing can be called significant here", "All domains are of digits", "mean rank"] {
        assert!(page.contains(said), "{said} in\n{page}");
    }
    let csv = sandbox.run(&["compare", "out", "--format", "csv"]).expect(0).out;
    assert_eq!(csv.lines().count(), 4, "three pairs: {csv}");
}

#[test]
fn what_cannot_be_compared_is_said() {
    let sandbox = sandbox();
    let refused = sandbox.run(&["compare", "out", "--ours", "min"]).expect(2);
    assert!(refused.err.contains("no method `min` here; hint: did you mean `mine`?"), "{}", refused.err);
    let refused = sandbox.run(&["compare", "out", "--metric", "aurco"]).expect(2);
    assert!(refused.err.contains("did you mean `auroc`?"), "{}", refused.err);
    let refused = sandbox.run(&["compare", "out", "--metric", "aupro"]).expect(2);
    assert!(refused.err.contains("no method has a value of `aupro` here"), "{}", refused.err);
    let refused = sandbox.run(&["compare", "nowhere"]).expect(2);
    assert!(refused.err.contains("nowhere"), "{}", refused.err);
}

#[test]
fn what_a_difference_needs_and_what_is_odd_are_said_of_a_finished_run() {
    let sandbox = sandbox();
    let said = sandbox.run(&["plan", "x.yaml", "--out", "out", "--power", "2"]).expect(0).out;
    // Three methods: three pairs, each over four domains and two seeds.
    assert_eq!(said.matches("4 domains × 2 seeds").count(), 3, "{said}");
    assert!(said.contains("domains needed") && said.contains("knn – mine"), "{said}");
    let done = sandbox.run(&["plan", "x.yaml", "--out", "out", "--power", "0"]).expect(2);
    assert!(done.err.contains("points of AUROC"), "{}", done.err);

    let odd = std::fs::read_to_string(sandbox.path("out/anomalies.json")).unwrap();
    let odd: Value = serde_json::from_str(&odd).unwrap();
    assert_eq!(odd["findings"].as_array().map(Vec::len), Some(0), "{odd}");
}
