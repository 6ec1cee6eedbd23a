//! Rows for tests.

use std::collections::BTreeMap;
use std::sync::Arc;

use zsad_core::job::Asked;
use zsad_core::{BatchSize, Choice, Contamination, Supervision};
use zsad_store::{CellRecord, DomainResult, Row, Status};

use crate::plots::Training;

/// Values of metrics.
pub(crate) fn metrics(values: &[(&str, f64)]) -> BTreeMap<String, f64> {
    values.iter().map(|(name, v)| ((*name).to_owned(), *v)).collect()
}

/// What tests say of a row, all in one place.
#[derive(Clone)]
pub(crate) struct Flat {
    pub experiment: String,
    pub profile: String,
    pub dataset: String,
    pub domain: String,
    pub method: String,
    pub setting: Supervision,
    pub params: String,
    pub seed: u64,
    pub contamination: Contamination,
    pub batch_size: BatchSize,
    pub n_batches: u64,
    pub n_undefined: u64,
    pub n_normal: u64,
    pub n_anomalous: u64,
    pub metrics: BTreeMap<String, f64>,
    pub status: Status,
    pub error: String,
    pub cell_key: String,
}

impl From<Flat> for Row {
    fn from(flat: Flat) -> Row {
        let mut record = CellRecord { cell_key: flat.cell_key, status: flat.status, ..CellRecord::default() };
        record.error = Some(flat.error).filter(|e| !e.is_empty());
        record.asked = Asked {
            experiment: flat.experiment,
            profile: flat.profile,
            dataset: flat.dataset,
            setting: flat.setting,
            params: serde_json::from_str(&flat.params).unwrap(),
            ..Asked::default()
        };
        record.cell.point.size = flat.batch_size;
        record.cell.point.contamination = flat.contamination;
        record.cell.fit.seed = flat.seed;
        record.cell.fit.method.name = flat.method;
        record.cell.fit.method.version = 1;
        let result = DomainResult {
            domain: flat.domain,
            n_batches: flat.n_batches as usize,
            n_undefined: flat.n_undefined as usize,
            n_normal: flat.n_normal as usize,
            n_anomalous: flat.n_anomalous as usize,
            metrics: flat.metrics.into_iter().map(|(name, v)| (name, Some(v))).collect(),
        };
        Row { record: Arc::new(record), result }
    }
}

/// A plain, complete row.
pub(crate) fn row() -> Flat {
    Flat {
        experiment: "test".into(),
        profile: String::new(),
        dataset: "digits".into(),
        domain: "6".into(),
        method: "knn".into(),
        setting: Supervision::InBatch,
        params: r#"{"k":5}"#.into(),
        seed: 0,
        contamination: Some(0.1).into(),
        batch_size: BatchSize::Total(20),
        n_batches: 10,
        n_undefined: 0,
        n_normal: 180,
        n_anomalous: 20,
        metrics: metrics(&[("auroc", 0.9), ("aupr", 0.7), ("f1_max", 0.8), ("fpr95", 0.2)]),
        status: Status::Ok,
        error: String::new(),
        cell_key: "c".into(),
    }
}

/// A small run in the Omniglot protocol (20 normals, anomalies on top) with every kind of hole: batches of one class, a
/// failed seed, a refused method, a method that was not run everywhere, namesakes with other parameters.
pub(crate) fn omniglot() -> Vec<Row> {
    let mut rows = Vec::new();
    let methods = [
        ("acr_dsvdd", "zero_shot", "{\"pi\":0.5,\"steps\":300}", 0.96),
        ("acr_dsvdd", "zero_shot", "{\"pi\":0.2,\"steps\":300}", 0.955),
        ("knn", "in_batch", "{\"k\":5}", 0.9),
        ("iforest", "in_batch", "{}", 0.8),
        ("lof", "in_batch", "{}", 0.7),
    ];
    for (m, (method, setting, params, level)) in methods.into_iter().enumerate() {
        for (contamination, anomalies) in [(0.0, 0u64), (0.01, 1), (0.05, 1), (0.1, 2)] {
            for seed in 0..3u64 {
                let base = Flat {
                    experiment: "acr_omniglot".into(),
                    batch_size: BatchSize::Normals(20),
                    profile: "small".into(),
                    dataset: "omniglot".into(),
                    method: method.into(),
                    setting: Choice::from_word(setting).unwrap(),
                    params: params.into(),
                    seed,
                    contamination: Some(contamination).into(),
                    cell_key: format!("{m}-{contamination}-{seed}"),
                    ..row()
                };
                let bad = |status: Status, error: &str| Flat {
                    domain: String::new(),
                    metrics: BTreeMap::new(),
                    n_batches: 0,
                    n_normal: 0,
                    n_anomalous: 0,
                    status,
                    error: error.into(),
                    ..base.clone()
                };
                match (method, seed) {
                    ("iforest", 2) => rows.push(bad(Status::Failed, "the score of sample 3 is NaN | see log_file")),
                    ("lof", _) if contamination == 0.1 => {
                        rows.push(bad(Status::Refused, "a batch of 22 is too small: lof needs 30"))
                    }
                    ("lof", _) if contamination == 0.05 => {}
                    _ => rows.extend((0..4u64).map(|d| {
                        // A fixed wobble instead of random numbers.
                        let wobble = ((m as u64 * 7 + d * 5 + seed * 3 + anomalies) % 11) as f64 / 200.0;
                        let value = (anomalies > 0).then_some(level - wobble);
                        Flat {
                            domain: format!("character_{d}"),
                            n_batches: 5,
                            n_undefined: if anomalies == 0 { 5 } else { 0 },
                            n_normal: 100,
                            n_anomalous: 5 * anomalies,
                            metrics: value.map_or_else(BTreeMap::new, |v| {
                                metrics(&[("auroc", v), ("aupr", v * 0.9), ("f1_max", v), ("fpr95", 1.0 - v)])
                            }),
                            ..base.clone()
                        }
                    })),
                }
            }
        }
    }
    rows.into_iter().map(Row::from).collect()
}

/// Twelve methods over batch sizes 1 … 256 and three contaminations on forty domains.
pub(crate) fn sweep() -> Vec<Row> {
    let methods = [
        "acr_bce",
        "acr_dsvdd",
        "acr_ntl",
        "autoencoder",
        "bn_distance",
        "copod",
        "deep_svdd",
        "iforest",
        "knn",
        "lof",
        "mahalanobis",
        "ocsvm",
    ];
    let mut rows = Vec::new();
    for (m, method) in methods.into_iter().enumerate() {
        for (size, contamination) in
            [1u64, 2, 4, 8, 16, 32, 64, 128, 256].into_iter().flat_map(|b| [0.05, 0.1, 0.3].map(|r| (b, r)))
        {
            for (seed, d) in (0..3u64).flat_map(|s| (0..40u64).map(move |d| (s, d))) {
                let wobble = ((m as u64 * 31 + d * 17 + seed * 13 + size) % 97) as f64 / 97.0 - 0.5;
                let rise = 1.0 - 1.0 / (1.0 + size as f64 / (4.0 + m as f64));
                let auroc = 0.5 + (0.47 - 0.02 * m as f64 - 0.3 * contamination) * rise + 0.08 * wobble * rise;
                let anomalous = ((size as f64 * contamination).round() as u64).min(size);
                rows.push(Flat {
                    experiment: "sweep".into(),
                    dataset: "mnist".into(),
                    domain: format!("{d:02}"),
                    method: method.into(),
                    setting: if method.starts_with("acr") { Supervision::ZeroShot } else { Supervision::InBatch },
                    params: "{}".into(),
                    seed,
                    contamination: Some(contamination).into(),
                    batch_size: BatchSize::Total(size as usize),
                    n_normal: 10 * (size - anomalous),
                    n_anomalous: 10 * anomalous,
                    metrics: if anomalous > 0 && anomalous < size {
                        metrics(&[("auroc", auroc)])
                    } else {
                        BTreeMap::new()
                    },
                    cell_key: format!("{m}-{size}-{contamination}-{seed}"),
                    ..row()
                });
            }
        }
    }
    rows.into_iter().map(Row::from).collect()
}

/// Trainings of two methods, three seeds each, with losses of different kinds.
pub(crate) fn fits() -> Vec<Training> {
    let one = |method: &str, seed: u64, loss: fn(f64, f64) -> f64| Training {
        dataset: "omniglot".into(),
        method: method.into(),
        version: 1,
        params: r#"{"steps":3000}"#.into(),
        loss: (0..200).map(|i| (i * 15, loss(i as f64, seed as f64))).collect(),
    };
    let spread = |t: f64, s: f64| 300.0 / (1.0 + t) + 0.4 + 0.1 * (t * 0.7 + s).sin();
    let smooth = |t: f64, s: f64| 0.3 + 0.8 * (-t / 60.0).exp() + 0.02 * (t * 0.9 + s).sin();
    (0..3).flat_map(|s| [one("acr_dsvdd", s, spread), one("acr_bce", s, smooth)]).collect()
}
