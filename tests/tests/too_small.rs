//! Domains that are too small for a batch.

use zsad_tests::{Sandbox, column};

/// Domains to test on of 40, 40 and 12 rows, a quarter of each anomalous.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::default();
    let mut csv = "day,a,b,label\n".to_owned();
    for (day, rows) in [("zero", 40), ("one", 40), ("two", 40), ("three", 12)] {
        for i in 0..rows {
            let label = usize::from(i % 4 == 0);
            csv += &format!("{day},{},{},{label}\n", (i * 7) % 11 + 20 * label, (i * 5) % 13);
        }
    }
    sandbox.write("log.csv", csv);
    sandbox
}

fn experiment(sandbox: &Sandbox, size: &str, too_small: &str) {
    let text = format!(
        "experiment: x\ndatasets: [{{name: table, params: {{file: log.csv, domain: day, label: label, meta_train: [zero], \
         standardise: none}}}}]\n\
         methods: [mahalanobis, iforest]\nprotocol: {{batch_size: {size}, contamination: 0.1, n_batches: 2{too_small}}}\nseeds: 0\n"
    );
    sandbox.write("x.yaml", text);
}

#[test]
fn a_small_domain_is_left_out_counted_and_named() {
    let sandbox = sandbox();
    experiment(&sandbox, "20", "");
    let said = "left out: table, domain `three`: the batch wants 18 normals and the domain has 9";
    let plan = sandbox.run(&["plan", "x.yaml", "--out", "out"]).expect(0);
    assert!(plan.err.contains(said), "{}", plan.err);
    let run = sandbox.run(&["run", "x.yaml", "--out", "out"]).expect(0);
    assert!(run.err.contains(said) && run.out.contains("too small for a batch and left out: three"), "{}", run.out);
    let out = sandbox.path("out");
    let by_domain: Vec<_> = column(&out, "domain").into_iter().zip(column(&out, "n_batches")).collect();
    let batches =
        |domain: &str| by_domain.iter().filter(|(d, _)| d == domain).map(|(_, n)| n.as_str()).collect::<Vec<_>>();
    assert_eq!((batches("one"), batches("two"), batches("three")), (vec!["2"; 2], vec!["2"; 2], vec!["0"; 2]));
}

#[test]
fn a_point_can_be_refused_whole_and_without_any_number_the_run_fails() {
    let sandbox = sandbox();
    experiment(&sandbox, "20", ", too_small: refuse");
    let done = sandbox.run(&["run", "x.yaml", "--out", "refused"]).expect(1);
    assert!(done.err.contains("the point is refused"), "{}", done.err);
    assert_eq!(column(&sandbox.path("refused"), "status"), ["refused"; 2]);
    // The reason is said once, with its number.
    assert_eq!(done.err.matches("on table, seed 0: refused: table").count(), 1, "{}", done.err);
    assert!(done.err.contains("2 × refused: table"), "{}", done.err);
    // One point of two has no number at all.
    experiment(&sandbox, "[20, 1000]", "");
    let done = sandbox.run(&["run", "x.yaml", "--out", "out"]).expect(1);
    assert!(done.err.contains("2 cells ok, 0 failed, 2 refused"), "{}", done.err);
    // What makes no difference is no other cell.
    experiment(&sandbox, "8", "");
    sandbox.run(&["run", "x.yaml", "--out", "small"]).expect(0);
    experiment(&sandbox, "8", ", too_small: refuse");
    let done = sandbox.run(&["run", "x.yaml", "--out", "small"]).expect(0);
    assert!(done.err.contains("2 finished before, 0 to run"), "{}", done.err);
}
