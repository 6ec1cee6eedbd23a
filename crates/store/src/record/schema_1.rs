//! Records as they were before keys held digests of data and weights, put into today's form.

use serde_json::{Value, json};

/// A cell of schema 1.
pub(super) fn cell(mut old: Value) -> Value {
    let cell = old["cell"].clone();
    let label = if cell["dataset_label"].is_null() { &cell["dataset"] } else { &cell["dataset_label"] };
    // A revision was the version, and perhaps something after it.
    let revision = cell["dataset_revision"].as_str().unwrap_or_default();
    let version: u32 = revision.split('-').next().and_then(|v| v.parse().ok()).unwrap_or(0);
    old["asked"] = json!({
        "experiment": cell["experiment"], "profile": cell["profile"], "dataset": label,
        "dataset_params": cell["dataset_params"], "setting": cell["setting"], "params": cell["params"],
    });
    old["cell"] = json!({
        "fit": fit_id(&cell, version), "test_params": {}, "test_digest": null, "point": cell["point"],
    });
    old
}

/// A training of schema 1.
pub(super) fn fit(mut old: Value) -> Value {
    old["fit"] = fit_id(&old, 1);
    // The first of them had none.
    old["dataset_params"] = old["dataset_params"].clone();
    old["digest"] = "".into();
    old
}

/// A fit without digests, from the fields that a record of schema 1 has for it.
fn fit_id(of: &Value, version: u32) -> Value {
    json!({
        "data": {"name": of["dataset"], "version": version, "params": of["dataset_params"], "digest": null},
        "fold": of["fold"],
        "method": {"name": of["method"], "version": of["method_version"], "params": of["params"], "artifacts": {}},
        "seed": of["seed"],
        "device": "",
    })
}
