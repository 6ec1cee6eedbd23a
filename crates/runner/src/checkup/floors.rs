//! What cheap methods make of a domain: the floors under every comparison.

use zsad_core::{Environment, Given, Method, MetricInput, Modality, Samples, Scaling, Shots, Values};

use crate::batch_score::scorer::Scorer;
use crate::registry::Registry;

/// Methods that need no training, from distances, depths and distributions.
const FLOORS: [&str; 4] = ["ecod", "iforest", "knn", "mahalanobis"];
/// Features beyond which they are not cheap.
const WIDEST: usize = 4096;

/// The AUROC of each floor on one batch of all these samples; none for floors that refuse it.
pub fn aurocs(normal: &Samples, anomalous: &Samples, env: &Environment) -> Vec<(&'static str, f64)> {
    let dim = normal.dim();
    if dim > WIDEST {
        return vec![];
    }
    let values: Vec<f64> = normal.to_f64().iter().chain(anomalous.to_f64().iter()).copied().collect();
    let samples = Samples::new(vec![dim], Values::F64(values));
    let labels: Vec<bool> = (0..samples.len()).map(|i| i >= normal.len()).collect();
    let auroc = |name| {
        let method = Registry::built_in().method(name)?.configure(&Given::new()).ok()?;
        let scores = scorer(method, dim, env).batch(samples.clone()).ok()?.1;
        let input = MetricInput::Samples { scores: &scores.samples, labels: &labels };
        Some((name, zsad_metrics::AUROC.compute(input).value()?))
    };
    FLOORS.into_iter().filter_map(auroc).collect()
}

fn scorer(method: std::sync::Arc<dyn Method>, dim: usize, env: &Environment) -> Scorer<'_> {
    Scorer {
        method,
        trained: None,
        shots: Shots::Number(0),
        modality: Modality::Tabular { dim, features: false },
        scaling: Scaling::Batch,
        references: None,
        seed: 0,
        env,
    }
}
