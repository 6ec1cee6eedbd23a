//! The classical methods fitted on the pool: what the conformance suite, which takes the defaults, does not see.

use std::collections::BTreeMap;

use zsad_core::method::Silent;
use zsad_core::{
    Dataset, Device, Error, FitContext, Fitted, Fold, Kind, Method, MethodDef, ParamDefault, Params, Pool, Result,
    SampleRef, Samples, Setting, TestBatch, Values,
};
use zsad_data::memory::InMemory;
use zsad_models::METHODS;
use zsad_models::testing::data;

/// Every method with `fit` that runs with its defaults otherwise, and its parameters for the pool.
fn pooled() -> impl Iterator<Item = (&'static dyn MethodDef, Params)> {
    METHODS.iter().filter_map(|&def| {
        let specs = def.spec().params;
        let required = specs.iter().any(|p| p.default == ParamDefault::Required);
        let given = BTreeMap::from([("fit".into(), "pool".into()), ("pool_samples".into(), 300.into())]);
        Params::validate(specs, &given).ok().filter(|_| !required).map(|params| (def, params))
    })
}

fn fit(method: &dyn Method, dataset: &dyn Dataset, fold: &Fold, threads: usize) -> Result<Box<dyn Fitted>> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().map_err(Error::failed)?;
    pool.install(|| {
        method.fit(&FitContext { dataset, fold, seed: 5, device: Device::Cpu, cache: None, progress: &Silent })
    })
}

/// Normals and anomalies of a domain that is not in the pool.
fn batch(dataset: &InMemory) -> Vec<SampleRef> {
    let domain = dataset.info().folds[0].meta_test[0] as u32;
    let of = |pool, n: u32| (0..n).map(move |index| SampleRef { domain, pool, index });
    of(Pool::Normal, 30).chain(of(Pool::Anomalous, 6)).collect()
}

#[test]
fn nine_methods_can_be_fitted_on_the_pool() {
    let names: Vec<_> = pooled().map(|(def, _)| def.spec().name).collect();
    for name in ["bn_distance", "copod", "ecod", "iforest", "knn", "lof", "mahalanobis", "ocsvm", "pca"] {
        assert!(names.contains(&name), "{name} is missing in {names:?}");
    }
}

#[test]
fn a_saved_pool_gives_the_same_bits_on_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    for (def, params) in pooled() {
        for dataset in [data::tabular().unwrap(), data::images().unwrap()] {
            let name = def.spec().name;
            let method = def.build(&params).unwrap();
            assert!(method.trains() && def.setting(&params) == Setting::ZeroShot, "{name}");
            let fold = &dataset.info().folds[0];
            let fitted = fit(method.as_ref(), &dataset, fold, 1).unwrap();
            let refs = batch(&dataset);
            let scores = |fitted: &dyn Fitted, refs: &[SampleRef]| {
                fitted.score(&TestBatch::new(&dataset, refs, &[], None)).unwrap().samples
            };
            let of_one = scores(fitted.as_ref(), &refs);
            assert!(of_one.iter().any(|s| *s != of_one[0]), "{name}: {of_one:?}");
            assert_eq!(of_one, scores(fit(method.as_ref(), &dataset, fold, 2).unwrap().as_ref(), &refs), "{name}");
            let path = folder.path().join(name);
            fitted.save(&path).unwrap();
            let loaded = method.load(&path, Device::Cpu).unwrap();
            assert_eq!(of_one, scores(loaded.as_ref(), &refs), "{name}");
            assert_eq!(scores(loaded.as_ref(), &refs[..1]).len(), 1, "{name}");
            assert_eq!(fitted.report().notes, [("pool_samples".to_owned(), "300".to_owned())]);
        }
    }
}

#[test]
fn damaged_and_foreign_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let rows = data::tabular().unwrap();
    let methods: Vec<_> = pooled().collect();
    let (def, params) = methods.iter().find(|(def, _)| def.spec().name == "knn").unwrap();
    let knn = def.build(params).unwrap();
    let path = folder.path().join("knn");
    fit(knn.as_ref(), &rows, &rows.info().folds[0], 1).unwrap().save(&path).unwrap();
    let whole = std::fs::read(&path).unwrap();
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 1;
    for (bytes, expected) in [
        (&whole[..whole.len() / 2], "not a readable safetensors file"),
        (&flipped, "do not have the digest"),
        (b"nonsense".as_slice(), "not a readable safetensors file"),
    ] {
        let damaged = folder.path().join("damaged");
        std::fs::write(&damaged, bytes).unwrap();
        let error = knn.load(&damaged, Device::Cpu).err().unwrap().to_string();
        assert!(error.contains(expected) && error.contains("damaged"), "{error}");
    }
    let (other, params) = methods.iter().find(|(def, _)| def.spec().name == "lof").unwrap();
    let error = other.build(params).unwrap().load(&path, Device::Cpu).err().unwrap().to_string();
    assert!(error.contains("fitted by knn@1, wanted lof@1"), "{error}");
    assert!(matches!(knn.load(&folder.path().join("missing"), Device::Cpu), Err(Error::Data { .. })));
}

#[test]
fn nothing_to_fit_on_and_other_samples_are_refused() {
    let rows = data::tabular().unwrap();
    let wide = Samples::new(vec![17], Values::F64(vec![0.5; 34]));
    let wide = InMemory::batch(Kind::Tabular { dim: 17 }, wide, None).unwrap();
    let refs: Vec<_> = (0..2).map(|index| SampleRef { domain: 0, pool: Pool::Normal, index }).collect();
    for (def, params) in pooled() {
        let method = def.build(&params).unwrap();
        let nobody = fit(method.as_ref(), &wide, &wide.info().folds[0], 1);
        assert!(matches!(nobody, Err(Error::Refused(_))), "{}", def.spec().name);
        let fitted = fit(method.as_ref(), &rows, &rows.info().folds[0], 1).unwrap();
        let scores = fitted.score(&TestBatch::new(&wide, &refs, &[], None));
        assert!(matches!(scores, Err(Error::Refused(_))), "{}", def.spec().name);
    }
}
