//! Missing and damaged data: recorded, named, and no reason to stop the rest.

use std::io::Write;
use std::path::Path;

use zsad_tests::{Sandbox, column};

const PROTOCOL: &str = "protocol: {batch_size: [20], contamination: [0.1], n_batches: 2}\nseeds: [0]\n";

#[test]
fn missing_data_name_the_file_the_folder_and_end_with_3() {
    let sandbox = Sandbox::default();
    sandbox.write("x.yaml", format!("experiment: x\ndatasets: [mnist]\nmethods: [knn]\n{PROTOCOL}"));
    let done = sandbox.run(&["run", "x.yaml", "--data", "nowhere"]).expect(3);
    assert!(done.err.contains("nowhere/mnist") && done.err.contains("--data"), "{}", done.err);
    assert_eq!(column(&sandbox.path("results/runs/x"), "status"), ["failed"]);
    let done = sandbox.run(&["plan", "x.yaml"]).expect(3);
    assert!(done.err.contains("data/mnist"), "{}", done.err);
}

#[test]
fn a_truncated_file_fails_its_cells_and_the_rest_ends() {
    let sandbox = Sandbox::default();
    damaged_mnist(&sandbox.path("data/mnist"));
    sandbox.write("x.yaml", format!("experiment: x\ndatasets: [mnist, digits]\nmethods: [knn, iforest]\n{PROTOCOL}"));
    let done = sandbox.run(&["run", "x.yaml"]).expect(1);
    let file = "data/mnist/train-labels-idx1-ubyte.gz: damaged or truncated";
    assert!(done.err.contains(file), "{}", done.err);
    let out = sandbox.path("results/runs/x");
    let (datasets, statuses) = (column(&out, "dataset"), column(&out, "status"));
    let of = |dataset: &str| -> Vec<&str> {
        datasets.iter().zip(&statuses).filter(|(d, _)| *d == dataset).map(|(_, s)| s.as_str()).collect()
    };
    assert_eq!(of("mnist"), ["failed"; 2]);
    // Two methods on the four digits that were never trained on.
    assert_eq!(of("digits"), ["ok"; 8]);
    let errors = column(&out, "error");
    assert!(errors.iter().filter(|e| !e.is_empty()).all(|e| e.contains(file)));
    let status = sandbox.run(&["status", "results/runs/x"]).expect(0);
    assert!(status.out.contains("failed: knn on mnist"), "{}", status.out);
}

/// Files of the right names and headers that break off.
fn damaged_mnist(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    for (name, magic, n) in [
        ("train-images-idx3-ubyte.gz", 2051u32, 60_000u32),
        ("train-labels-idx1-ubyte.gz", 2049, 60_000),
        ("t10k-images-idx3-ubyte.gz", 2051, 10_000),
        ("t10k-labels-idx1-ubyte.gz", 2049, 10_000),
    ] {
        let file = std::fs::File::create(folder.join(name)).unwrap();
        let mut gz = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
        gz.write_all(&magic.to_be_bytes()).unwrap();
        gz.write_all(&n.to_be_bytes()).unwrap();
        if magic == 2051 {
            gz.write_all(&[0, 0, 0, 28, 0, 0, 0, 28]).unwrap();
        }
        gz.write_all(&[7; 1000]).unwrap();
        gz.finish().unwrap();
    }
}

#[test]
fn a_method_that_does_not_apply_is_refused_and_is_no_failure() {
    let sandbox = Sandbox::default();
    // Digits 6–9 have fewer than 200 images each.
    let text = "experiment: x\ndatasets: [digits]\nmethods: [knn]\nprotocol: {normals: [20, 500], contamination: [0.1], \
                n_batches: 2}\nseeds: [0]\n";
    sandbox.write("x.yaml", text);
    // A point without any number is not well.
    sandbox.run(&["run", "x.yaml"]).expect(1);
    let out = sandbox.path("results/runs/x");
    let refused: Vec<_> = column(&out, "status").into_iter().filter(|s| s == "refused").collect();
    assert_eq!(refused.len(), 1);
    assert!(column(&out, "error").iter().any(|e| e.contains("the batch wants 500 normals")));
    assert!(sandbox.run(&["plan", "x.yaml"]).expect(0).out.contains("2 cached, 0 to run"));
}

#[test]
fn a_wrong_column_or_domain_is_found_by_validate_and_ends_a_run_with_3() {
    let sandbox = Sandbox::default();
    sandbox.write("log.csv", "day,a,label\n1,1,0\n1,2,0\n2,1,0\n2,5,1\n");
    let about = |params: &str| {
        let text = format!(
            "experiment: x\ndatasets: [{{name: table, params: {{file: log.csv, label: label, {params}}}}}]\nmethods: [knn]\n{PROTOCOL}"
        );
        sandbox.write("x.yaml", text);
    };
    for (params, said) in
        [("domain: dya", "no column `dya`"), ("domain: day, meta_test: [3]", "there is no domain `3`")]
    {
        about(params);
        sandbox.run(&["validate", "x.yaml"]).expect(0);
        let done = sandbox.run(&["validate", "x.yaml", "--data", "."]).expect(3);
        assert!(done.err.contains("x.yaml: table: ") && done.err.contains(said), "{}", done.err);
        sandbox.run(&["plan", "x.yaml"]).expect(3);
        sandbox.run(&["run", "x.yaml"]).expect(3);
    }
    about("domain: day");
    sandbox.run(&["validate", "x.yaml", "--data", "."]).expect(0);
    for option in ["--jobs", "--threads"] {
        for value in ["0", "-1", "two"] {
            let done = sandbox.run(&["run", "x.yaml", option, value]).expect(2);
            assert!(done.err.contains("want a whole number from 1"), "{}", done.err);
        }
    }
}
