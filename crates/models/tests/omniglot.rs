//! ACR on Omniglot as published: 1,200 characters in training, 423 unseen ones in the test.

use std::collections::BTreeMap;

use zsad_core::method::Silent;
use zsad_core::{
    BatchSize, Contamination, DataDir, Device, FitContext, MetricInput, Params, Pooling, TestBatch, TestPoint,
};

/// Mean AUROC over the unseen characters after `steps` training steps, at each `contamination`; `None` without the data.
fn auroc(steps: i64, contamination: &[f64]) -> Option<Vec<f64>> {
    let dir = DataDir::resolve(None);
    let def = zsad_data::find("omniglot").unwrap();
    let dataset = match def.open(&Params::defaults(def.spec().params), &dir) {
        Ok(dataset) => dataset,
        Err(e) => {
            println!("skipped: {e}");
            return None;
        }
    };
    let fold = &dataset.info().folds[0];
    let method = zsad_models::find("acr_dsvdd").unwrap();
    let given = BTreeMap::from([("steps".to_owned(), steps.into())]);
    let params = Params::validate(method.spec().params, &given).unwrap();
    let (dataset, device) = (dataset.as_ref(), Device::Cpu);
    let ctx = FitContext { dataset, fold, seed: 0, device, cache: None, progress: &Silent };
    let fitted = method.build(&params).unwrap().fit(&ctx).unwrap();
    let metric = zsad_metrics::find("auroc").unwrap();
    let mean = |&r: &f64| {
        let point = TestPoint {
            size: BatchSize::Normals(20),
            contamination: Contamination::Ratio(r),
            min_anomalies: 1,
            n_batches: 1,
            pooling: Pooling::Batch,
        };
        let values: Vec<f64> = fold
            .meta_test
            .iter()
            .flat_map(|&domain| zsad_data::sampler::test_batches(dataset, fold, domain, &point, 0).unwrap())
            .map(|batch| {
                let scores = fitted.score(&TestBatch::new(dataset, &batch.refs, &[], None)).unwrap().samples;
                let input = MetricInput::Samples { scores: &scores, labels: &batch.labels };
                metric.compute(input).value().unwrap()
            })
            .collect();
        assert_eq!(values.len(), 423);
        values.iter().sum::<f64>() / 423.0
    };
    Some(contamination.iter().map(mean).collect())
}

/// The official code, retrained on this data, reaches 0.934 after 100 steps; one batch a character and one seed differ
/// from that by about 0.01.
#[test]
fn a_hundred_steps_come_near_the_official_code() {
    let Some(values) = auroc(100, &[0.01, 0.05, 0.1, 0.2]) else { return };
    assert!(values.iter().all(|&v| v > 0.9), "{values:?}");
}
