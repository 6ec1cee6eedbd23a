//! The methods that train on image features, on real images: trained on two categories, tested on a third.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use zsad_core::method::Silent;
use zsad_core::{DataDir, Device, FitContext, MetricInput, Params, Pool, SampleRef, TestBatch};
use zsad_nn::backbones::{Backbone, BackboneKind};

/// Image and pixel AUROC on `rail` after training on `magnetic_tile` and `pavement`, at 128 × 128 pixels; `None`
/// where the data or the weights are not there.
fn aurocs(method: &str, given: Value) -> Option<(f64, f64)> {
    let data = DataDir::resolve(None);
    let weights = Backbone::weights_file(BackboneKind::EfficientNetLite0, &data.path);
    let def = zsad_data::find("mvtec").unwrap();
    let wanted = json!({"roots": ["industrial"], "categories": ["magnetic_tile", "pavement", "rail"], "resize": 128,
        "crop": 128, "aspect": "stretch"});
    let opened = def.open(&Params::validate(def.spec().params, &map(wanted)).unwrap(), &data);
    let dataset = match (opened, weights) {
        (Ok(dataset), Ok(_)) => dataset,
        (Err(e), _) | (_, Err(e)) => {
            println!("skipped: {e}");
            return None;
        }
    };
    let def = zsad_models::find(method).unwrap();
    let params = Params::validate(def.spec().params, &map(given)).unwrap();
    let info = dataset.info();
    let domain = info.domains.iter().position(|d| d.name.contains("rail")).unwrap();
    let fold = info.folds.iter().find(|f| f.meta_test == [domain]).unwrap();
    let cache = tempfile::tempdir().unwrap();
    let dataset = dataset.as_ref();
    let cached = Some(cache.path());
    let ctx = FitContext { dataset, fold, seed: 0, device: Device::Cpu, cache: cached, progress: &Silent };
    let fitted = def.build(&params).unwrap().fit(&ctx).unwrap();

    let about = &info.domains[domain];
    let pool = |pool, n: usize| (0..n as u32).map(move |index| SampleRef { domain: domain as u32, pool, index });
    let refs: Vec<_> = pool(Pool::Normal, about.normal).chain(pool(Pool::Anomalous, about.anomalous)).collect();
    let references: Vec<_> = pool(Pool::Reference, def.shots(&params)).collect();
    let scores = fitted.score(&TestBatch::new(dataset, &refs, &references, cached)).unwrap();
    let labels: Vec<bool> = refs.iter().map(|r| r.pool == Pool::Anomalous).collect();
    let metric = |name, input| zsad_metrics::find(name).unwrap().compute(input).value().unwrap();
    let image = metric("auroc", MetricInput::Samples { scores: &scores.samples, labels: &labels });
    let masks = dataset.masks(&refs).unwrap().unwrap();
    let maps = scores.maps.unwrap();
    let (height, width) = (maps.height, maps.width);
    let pixels = MetricInput::Pixels { maps: &maps.values, masks: &masks.values, height, width };
    let pixel = metric("pixel_auroc", pixels);
    println!("{method} {}: image {image:.3}, pixel {pixel:.3}", params.to_json());
    Some((image, pixel))
}

fn map(value: Value) -> BTreeMap<String, Value> {
    serde_json::from_value(value).unwrap()
}

#[test]
fn resad_finds_defects_of_an_unseen_category_by_residuals() {
    let run = |residual| {
        aurocs("resad", json!({"epochs": 3, "couplings": 4, "condition": 32, "positions": 64, "residual": residual}))
    };
    let (Some(with), Some(without)) = (run("signed"), run("none")) else { return };
    assert!(with.0 > 0.7 && with.1 > 0.7, "{with:?}");
    assert!(with.0 > without.0 && with.1 > without.1, "{with:?} {without:?}");
}

#[test]
fn acr_patch_finds_defects_of_an_unseen_category() {
    for variant in ["released", "paper"] {
        let Some((image, pixel)) = aurocs("acr_patch", json!({"variant": variant})) else { return };
        assert!(image > 0.55 && pixel > 0.6, "{variant}: {image} {pixel}");
    }
}
