//! The classical methods fitted on the pool: what the conformance suite, which takes the defaults, does not see.

use std::sync::Arc;

use serde_json::json;
use zsad_core::{
    Batch, DataDir, Dataset, Detector, Environment, Error, FitContext, Given, Method, Modality, Result, SampleRef,
    Samples, Silent, State, Subset, Supervision, TrainingData, Unlabelled, Values,
};
use zsad_data::memory::InMemory;
use zsad_models::METHODS;
use zsad_models::testing::data;

/// Every method with `fit: pool` that runs with its defaults otherwise.
fn pooled() -> impl Iterator<Item = (&'static str, Arc<dyn Method>)> {
    METHODS.iter().filter_map(|def| {
        let given = Given::from([("fit".into(), "pool".into()), ("pool_samples".into(), 300.into())]);
        def.configure(&given).ok().map(|method| (def.spec().name, method))
    })
}

fn env() -> Environment {
    Environment::new(DataDir::resolve(None))
}

fn fit(method: &dyn Method, dataset: &dyn Dataset, threads: usize) -> Result<Box<dyn Detector>> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().map_err(Error::failed)?;
    let data = TrainingData::new(dataset, &dataset.info().folds[0]);
    pool.install(|| method.fit(&FitContext { data: &data, seed: 5, env: &env(), progress: &Silent }))
}

fn scores(detector: &dyn Detector, dataset: &dyn Dataset, refs: &[SampleRef]) -> Result<Vec<f64>> {
    detector.score(&Batch::new(&Unlabelled::new(dataset), refs, &env())).map(|scores| scores.samples)
}

/// Normals and anomalies of a domain that is not in the pool.
fn batch(dataset: &InMemory) -> Vec<SampleRef> {
    let domain = dataset.info().folds[0].meta_test[0];
    SampleRef::all(domain, Subset::Normal, 30).chain(SampleRef::all(domain, Subset::Anomalous, 6)).collect()
}

#[test]
fn every_classical_method_can_be_fitted_on_the_pool() {
    let names: Vec<_> = pooled().map(|(name, _)| name).collect();
    let wanted = "bn_distance copod dte_np ecod gmm hbos iforest inne kde knn lof mahalanobis mcd ocsvm pca quantiles";
    assert_eq!(names.join(" "), wanted);
}

#[test]
fn a_saved_pool_gives_the_same_bits_on_any_number_of_threads() {
    for (name, method) in pooled() {
        for dataset in [data::tabular().unwrap(), data::images().unwrap()] {
            assert!(method.learns() && method.supervision() == Supervision::ZeroShot, "{name}");
            let refs = batch(&dataset);
            let detector = fit(method.as_ref(), &dataset, 1).unwrap();
            let of_one = scores(detector.as_ref(), &dataset, &refs).unwrap();
            assert!(of_one.iter().any(|s| *s != of_one[0]), "{name}: {of_one:?}");
            let of_two = fit(method.as_ref(), &dataset, 2).unwrap();
            assert_eq!(of_one, scores(of_two.as_ref(), &dataset, &refs).unwrap(), "{name}");
            let state = detector.state().unwrap().unwrap();
            let restored = method.restore(&state, &env()).unwrap();
            assert_eq!(of_one, scores(restored.as_ref(), &dataset, &refs).unwrap(), "{name}");
            assert_eq!(scores(restored.as_ref(), &dataset, &refs[..1]).unwrap().len(), 1, "{name}");
            assert_eq!(detector.report().notes, [("pool_samples".to_owned(), "300".to_owned())]);
        }
    }
}

#[test]
fn a_state_is_the_pool_in_double_precision_and_its_seed() {
    let rows = data::tabular().unwrap();
    let (_, knn) = pooled().find(|(name, _)| *name == "knn").unwrap();
    let state = fit(knn.as_ref(), &rows, 1).unwrap().state().unwrap().unwrap();
    assert_eq!(state.network, json!({"seed": 5}));
    assert!(state.arrays.len() == 1 && matches!(state.arrays["pool"].values(), Values::F64(v) if v.len() == 300 * 16));
    let single = zsad_core::Array::single(vec![2, 2], vec![0.0; 4]);
    for (broken, expected) in [
        (State { network: json!({}), ..state.clone() }, "network, seed"),
        (State { arrays: Default::default(), ..state.clone() }, "there is no tensor `pool`"),
        (State { arrays: [("pool".to_owned(), single)].into(), ..state.clone() }, "no points in double precision"),
    ] {
        let error = knn.restore(&broken, &env()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn nothing_to_fit_on_and_other_samples_are_refused() {
    let rows = data::tabular().unwrap();
    let wide = Samples::new(vec![17], Values::F64(vec![0.5; 34]));
    let wide = InMemory::batch(Modality::rows(17), wide, None).unwrap();
    let refs: Vec<_> = SampleRef::all(0, Subset::Normal, 2).collect();
    for (name, method) in pooled() {
        assert!(matches!(fit(method.as_ref(), &wide, 1), Err(Error::Refused(_))), "{name}");
        let detector = fit(method.as_ref(), &rows, 1).unwrap();
        assert!(matches!(scores(detector.as_ref(), &wide, &refs), Err(Error::Refused(_))), "{name}");
    }
}
