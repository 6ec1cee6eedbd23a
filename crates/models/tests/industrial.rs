//! The methods that train on image features, on real images: trained on two categories, tested on a third. Ignored where
//! the data or the weights are not there.

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::{Value, json};
use zsad_core::detector::adapted;
use zsad_core::{
    Batch, DataDir, Environment, FitContext, MetricInput, Result, SampleRef, Silent, Source, Subset, TrainingData,
    Unlabelled,
};

fn main() {
    let ready = ready();
    let trial = |name: &str, test: fn() -> Result<(), Failed>| match &ready {
        Ok(()) => Trial::test(name, test),
        Err(e) => {
            let why = e.to_string();
            Trial::test(format!("{name} ({why})"), move || Err(why.into())).with_ignored_flag(true)
        }
    };
    let trials = vec![
        trial("resad_finds_defects_of_an_unseen_category_better_than_its_residuals_untrained", resad),
        trial("acr_patch_finds_defects_of_an_unseen_category", acr_patch),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// The data: three categories at 128 × 128 pixels.
fn source() -> std::sync::Arc<Source> {
    let wanted = json!({"roots": ["industrial"], "categories": ["magnetic_tile", "pavement", "rail"], "resize": 128,
        "crop": 128, "aspect": "stretch"});
    zsad_data::find("mvtec").unwrap().configure(&serde_json::from_value(wanted).unwrap()).unwrap()
}

fn ready() -> Result<()> {
    let env = Environment::new(DataDir::resolve(None));
    source().files(&env.data)?;
    let method = zsad_models::find("resad").unwrap().configure(&Default::default()).unwrap();
    method.artifacts(&env).map(drop)
}

/// Image and pixel AUROC on `rail` after training on `magnetic_tile` and `pavement`.
fn aurocs(method: &str, given: Value) -> Result<(f64, f64)> {
    let cache = tempfile::tempdir().unwrap();
    let env = Environment::new(DataDir::resolve(None)).with_cache(Some(cache.path().to_owned()), false);
    let dataset = source().open(&env.data)?;
    let dataset = dataset.as_ref();
    let method = zsad_models::find(method).unwrap().configure(&serde_json::from_value(given).unwrap()).unwrap();
    let info = dataset.info();
    let domain = info.domains.iter().position(|d| d.name.contains("rail")).unwrap();
    let fold = info.folds.iter().find(|f| f.meta_test == [domain]).unwrap();
    let data = TrainingData::new(dataset, fold);
    let fitted = method.fit(&FitContext { data: &data, seed: 0, env: &env, progress: &Silent })?;

    let all = |subset| SampleRef::all(domain, subset, info.domains[domain].size(subset));
    let refs: Vec<_> = all(Subset::Normal).chain(all(Subset::Anomalous)).collect();
    let support: Vec<_> = {
        let have = info.domains[domain].reference;
        SampleRef::all(domain, Subset::Reference, method.shots().of(have)).collect()
    };
    let source = Unlabelled::new(dataset);
    let adapted = adapted(fitted.as_ref(), method.shots(), &Batch::new(&source, &support, &env))?;
    let scores = adapted.as_deref().unwrap_or(fitted.as_ref()).score(&Batch::new(&source, &refs, &env))?;
    let labels: Vec<bool> = refs.iter().map(|r| r.subset == Subset::Anomalous).collect();
    let metric = |name, input| zsad_metrics::find(name).unwrap().compute(input).value().unwrap();
    let image = metric("auroc", MetricInput::Samples { scores: &scores.samples, labels: &labels });
    let masks = dataset.masks(&refs)?.unwrap();
    let maps = scores.maps.unwrap();
    let pixels = MetricInput::Maps { maps: &maps.values, masks: &masks.values, shape: &maps.shape };
    let pixel = metric("pixel_auroc", pixels);
    println!("{}: image {image:.3}, pixel {pixel:.3}", method.values());
    Ok((image, pixel))
}

fn ensure(holds: bool, message: impl FnOnce() -> String) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(message().into()) }
}

/// Training has to add to what residuals tell without any.
fn resad() -> Result<(), Failed> {
    let trained = aurocs("resad", json!({"epochs": 3, "couplings": 4, "condition": 32, "positions": 64}))?;
    let untrained = aurocs("residual_norm", json!({}))?;
    ensure(trained.0 > 0.7 && trained.1 > 0.7, || format!("{trained:?}"))?;
    ensure(trained.0 > untrained.0 && trained.1 > untrained.1, || format!("{trained:?} {untrained:?}"))
}

fn acr_patch() -> Result<(), Failed> {
    for variant in ["released", "paper"] {
        let (image, pixel) = aurocs("acr_patch", json!({"variant": variant}))?;
        ensure(image > 0.55 && pixel > 0.6, || format!("{variant}: {image} {pixel}"))?;
    }
    Ok(())
}
