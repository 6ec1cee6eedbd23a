//! Whatever can change a result is in its key; and what a run says of itself is true.

#![allow(clippy::disallowed_methods, reason = "fixtures may be written in any way")]

use std::path::Path;

use serde_json::Value;
use zsad_tests::{Sandbox, column};

/// Fit and cell keys of a plan.
fn keys(sandbox: &Sandbox, code: i32) -> Vec<(String, String)> {
    let done = sandbox.run(&["plan", "x.yaml", "--json", "--data", "data"]).expect(code);
    let plan: Value = serde_json::from_str(&done.out).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let cells = |fit: &Value| {
        let key = text(&fit["fit_key"]);
        fit["cells"].as_array().unwrap().iter().map(|c| (key.clone(), text(&c["cell_key"]))).collect::<Vec<_>>()
    };
    plan["fits"].as_array().unwrap().iter().flat_map(cells).collect()
}

/// Other bytes of the same length, as a second download may have them.
fn change(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

const TABLE: &str = "year,x,y\n1,0.5,1\n1,0.25,2\n1,0.75,3\n2,0.5,1\n2,0.25,2\n2,0.125,4\n3,0.5,1\n3,0.5,2\n3,0.75,9\n";

#[test]
fn other_data_under_the_same_name_are_another_key() {
    let sandbox = Sandbox::default();
    let file = sandbox.write("data/t.csv", TABLE);
    sandbox.write(
        "x.yaml",
        "experiment: x\ndatasets: [{name: table, params: {file: t.csv, domain: year}}]\nmethods: [knn]\nprotocol: \
         {batch_size: 3, contamination: 0, n_batches: 1}\nseeds: 0\n",
    );
    let before = keys(&sandbox, 0);
    sandbox.run(&["run", "x.yaml", "--data", "data"]).expect(0);
    assert!(sandbox.run(&["plan", "x.yaml", "--data", "data"]).expect(0).out.contains("1 cached, 0 to run"));
    std::fs::write(&file, TABLE.replace("0.125", "0.126")).unwrap();
    let after = keys(&sandbox, 0);
    assert!(before[0].0 != after[0].0 && before[0].1 != after[0].1);
    let plan = sandbox.run(&["plan", "x.yaml", "--data", "data"]).expect(0);
    assert!(plan.out.contains("1 to run") && plan.out.contains("data: t.csv changed"), "{}", plan.out);
    std::fs::write(&file, TABLE).unwrap();
    assert_eq!(keys(&sandbox, 0), before);
}

#[test]
fn portable_kernels_are_a_device_of_their_own_and_provenance_names_the_instructions() {
    let sandbox = Sandbox::default();
    sandbox.write("data/t.csv", TABLE);
    sandbox.write(
        "x.yaml",
        "experiment: x\ndatasets: [{name: table, params: {file: t.csv, domain: year}}]\nmethods: [knn]\nprotocol: \
         {batch_size: 3, contamination: 0, n_batches: 1}\nseeds: 0\n",
    );
    sandbox.run(&["--simd", "portable", "run", "x.yaml", "--data", "data"]).expect(0);
    let provenance: Value =
        serde_json::from_slice(&std::fs::read(sandbox.path("results/runs/x/provenance.json")).unwrap()).unwrap();
    assert_eq!(provenance["runs"][0]["simd"], "portable");
    let plan = |simd: &str| sandbox.run(&["plan", "x.yaml", "--data", "data", "--simd", simd]);
    assert!(plan("portable").expect(0).out.contains("1 cached, 0 to run"));
    let wider = plan("avx2");
    // A processor without them says what it has.
    let said = if wider.code == 0 { &wider.out } else { &wider.err };
    assert!(said.contains("device") || said.contains("it has portable"), "{said}");
}

#[test]
fn files_that_only_tests_read_are_in_the_cells_key_alone() {
    let sandbox = Sandbox::default();
    let line = |n: u32| format!("{n},tcp,http,SF,{}normal,20\n", "1,".repeat(37));
    sandbox.write("data/nsl_kdd/KDDTrain+_20Percent.txt", (100..140).map(line).collect::<String>());
    let tests = sandbox.write("data/nsl_kdd/KDDTest+.txt", (100..140).map(line).collect::<String>());
    sandbox.write(
        "x.yaml",
        "experiment: x\ndatasets: [{name: nsl_kdd, params: {min_normals: 10, meta_test: http}}]\nmethods: [acr_dsvdd]\nprotocol: \
         {batch_size: 20, contamination: 0, n_batches: 1}\nseeds: 0\n",
    );
    let before = keys(&sandbox, 0);
    std::fs::write(&tests, (101..141).map(line).collect::<String>()).unwrap();
    let after = keys(&sandbox, 0);
    assert_eq!(before[0].0, after[0].0, "the training is the same");
    assert_ne!(before[0].1, after[0].1);
    change(&sandbox.path("data/nsl_kdd/KDDTrain+_20Percent.txt"));
    assert_ne!(keys(&sandbox, 0)[0].0, before[0].0);
}

#[test]
fn other_weights_under_the_same_name_are_another_key() {
    let sandbox = Sandbox::default();
    for (i, place) in ["train/good/0", "train/good/1", "test/good/0", "test/cut/0"].iter().enumerate() {
        let path = sandbox.path(&format!("data/mvtec_ad/plain/{place}.png"));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        image::GrayImage::from_fn(40, 40, |x, y| image::Luma([((x * y) as usize * 3 + i) as u8])).save(path).unwrap();
    }
    // What `describe` tells of every method with a frozen network: the kinds of it, and their files.
    let mut kinds = 0;
    for method in ["patchcore", "padim", "spade", "resad", "resad_pp", "acr_patch", "gaussian_ad"] {
        let listed = sandbox.run(&["list", "methods", "--json"]).expect(0).out;
        let listed: Vec<Value> = serde_json::from_str(&listed).unwrap();
        let about = listed.iter().find(|m| m["name"] == method).unwrap();
        let params = about["params"].as_array().unwrap();
        let words = |p: &Value| p["choices"].as_array().cloned();
        let choices = params.iter().find(|p| p["name"] == "backbone").and_then(words).unwrap_or_default();
        for kind in choices.iter().filter_map(Value::as_str) {
            sandbox.write(
                "x.yaml",
                format!(
                    "experiment: x\ndatasets: [{{name: mvtec, params: {{roots: [mvtec_ad], resize: 32, crop: 32}}}}]\n\
                     methods: [{{name: {method}, params: {{backbone: {kind}}}}}]\nprotocol: {{batch_size: 2, \
                     contamination: 0, n_batches: 1}}\nseeds: 0\n"
                ),
            );
            let weights = sandbox.path(&format!("data/weights/{kind}.safetensors"));
            std::fs::create_dir_all(weights.parent().unwrap()).unwrap();
            std::fs::write(&weights, "one set of weights").unwrap();
            let before = keys(&sandbox, 0);
            change(&weights);
            let after = keys(&sandbox, 0);
            assert!(before[0].0 != after[0].0 && before[0].1 != after[0].1, "{method} with {kind}");
            kinds += 1;
        }
    }
    assert!(kinds >= 7, "{kinds}");
}

#[test]
fn keys_hold_no_value_that_is_left_to_the_data() {
    let sandbox = Sandbox::default();
    let methods: Vec<Value> = serde_json::from_str(&sandbox.run(&["list", "methods", "--json"]).expect(0).out).unwrap();
    let names: Vec<&str> = methods.iter().filter_map(|m| m["name"].as_str()).filter(|n| *n != "external").collect();
    sandbox.write(
        "x.yaml",
        format!(
            "experiment: x\ndatasets: [digits]\nmethods: [{}]\nprotocol: {{batch_size: all, contamination: 0.1, \
             n_batches: 1}}\nseeds: 0\n",
            names.join(", ")
        ),
    );
    let plan: Value = serde_json::from_str(&sandbox.run(&["plan", "x.yaml", "--json"]).expect(0).out).unwrap();
    let mut settled = 0;
    for fit in plan["fits"].as_array().unwrap() {
        let params = fit["params"].as_object().unwrap();
        // What does not apply to such data has nothing to be settled from.
        if params.values().any(Value::is_null) {
            let about = methods.iter().find(|m| m["name"] == fit["method"]).unwrap();
            assert!(about["accepts"].to_string().contains("image"), "{fit}");
        } else {
            settled += 1;
        }
    }
    assert!(settled >= 15, "{settled}");
}

/// A default that changes is another value in the key: so a value left out and the same value written out are one key, for
/// every parameter of every method, and what ran with another value is not what is wanted now.
#[test]
fn a_default_that_changes_changes_the_key() {
    let sandbox = Sandbox::default();
    let methods: Vec<Value> = serde_json::from_str(&sandbox.run(&["list", "methods", "--json"]).expect(0).out).unwrap();
    let experiment = |methods: &[Value]| {
        let protocol = serde_json::json!({"batch_size": 20, "contamination": 0.1, "n_batches": 1});
        serde_json::json!({"experiment": "x", "datasets": ["digits"], "methods": methods, "protocol": protocol,
            "seeds": 0})
        .to_string()
    };
    let names: Vec<Value> = methods.iter().map(|m| m["name"].clone()).filter(|name| name != "external").collect();
    let written_out = methods.iter().filter(|m| m["name"] != "external").map(|m| {
        let params = m["params"].as_array().unwrap().iter().filter(|p| !p["default"].is_null());
        let params: serde_json::Map<_, _> =
            params.map(|p| (p["name"].as_str().unwrap().to_owned(), p["default"].clone())).collect();
        serde_json::json!({"name": m["name"], "params": params})
    });
    sandbox.write("x.yaml", experiment(&names));
    let left_out = keys(&sandbox, 0);
    sandbox.write("x.yaml", experiment(&written_out.collect::<Vec<_>>()));
    assert_eq!(keys(&sandbox, 0), left_out);
    assert!(left_out.len() >= 25, "{}", left_out.len());

    // As results look that were made while the default was 7.
    sandbox.write("x.yaml", experiment(&[serde_json::json!({"name": "knn", "params": {"k": 7}})]));
    sandbox.run(&["run", "x.yaml", "--out", "out"]).expect(0);
    sandbox.write("x.yaml", experiment(&["knn".into()]));
    let plan = sandbox.run(&["plan", "x.yaml", "--out", "out"]).expect(0).out;
    assert!(plan.contains("1 to run") && plan.contains("params.k 7 -> 5"), "{plan}");
}

#[test]
fn what_was_asked_for_is_what_is_printed() {
    let sandbox = Sandbox::default();
    sandbox.write(
        "x.yaml",
        "experiment: x\ndatasets: [digits]\nmethods: [knn]\nprotocol: {batch_size: [all], contamination: 0, n_batches: 1}\n\
         seeds: 0\n",
    );
    sandbox.run(&["run", "x.yaml", "--out", "out"]).expect(0);
    assert!(column(&sandbox.path("out"), "batch_size").iter().all(|size| size == "all"));
    let table = std::fs::read_to_string(sandbox.path("out/table.md")).unwrap();
    assert!(table.contains("batch: all samples of the domain"), "{table}");
}

#[test]
fn a_run_in_which_nothing_ended_well_says_whether_the_data_are_to_blame() {
    let sandbox = Sandbox::default();
    let of = |dataset: &str, methods: &str| {
        format!(
            "experiment: x\ndatasets: [{dataset}]\nmethods: [{methods}]\nprotocol: {{batch_size: 20, contamination: 0.1, \
             n_batches: 1}}\nseeds: 0\n"
        )
    };
    // Refused by the method itself; then without its weights.
    sandbox.write("a.yaml", of("digits", "patchcore"));
    let done = sandbox.run(&["run", "a.yaml", "--data", "data"]);
    assert!(done.code == 1 || done.code == 3, "{done:?}");
    sandbox.write("b.yaml", of("mnist", "knn"));
    sandbox.run(&["run", "b.yaml", "--data", "data"]).expect(3);
    sandbox.write("c.yaml", of("digits", "knn").replace("20", "5000"));
    sandbox.run(&["run", "c.yaml"]).expect(1);
}
