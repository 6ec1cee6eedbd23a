//! timm's networks with weights made by a formula, by timm's names of tensors: `scripts/make_timm_goldens.py`.

mod common;

use std::fs;
use std::path::Path;

use common::{compare_with, formula_weights, uniform};
use serde_json::Value;
use zsad_backbones::{Backbone, BackboneKind, NormMode};
use zsad_core::{Array, Arrays, Choice, DataDir};

fn goldens() -> Value {
    serde_json::from_str(include_str!("fixtures/timm.json")).unwrap()
}

/// The tensors of timm's state dict, filled by the script's `fill`.
fn lite_weights(kind: BackboneKind, goldens: &Value) -> Arrays {
    let last = format!(".{}.weight", goldens[kind.word()]["last"].as_str().unwrap());
    let tensors: Vec<(String, Vec<usize>)> = serde_json::from_value(goldens[kind.word()]["tensors"].clone()).unwrap();
    let fill = |(name, shape): (String, Vec<usize>)| {
        let count = shape.iter().product();
        let gain =
            if shape.len() == 4 { (24.0 / shape[1..].iter().product::<usize>() as f64).sqrt() as f32 } else { 0.0 };
        let damped = if name.contains(&last) { 0.3 } else { 1.0 };
        let scales = name.ends_with("running_var") || name.ends_with("weight");
        let value = |u: f32| match shape.len() {
            4 => u * gain,
            _ if scales => (1.0 + 0.5 * u) * damped,
            _ => 0.2 * u,
        };
        (name.clone(), Array::single(shape.clone(), uniform(&name, count).map(value).collect()))
    };
    tensors.into_iter().map(fill).collect()
}

#[test]
fn timms_efficientnet_lite0_of_either_training_is_timms() {
    let goldens = goldens();
    for kind in [BackboneKind::EfficientNetLite0, BackboneKind::EfficientNetLite0Ra] {
        compare_with(&goldens, kind, &lite_weights(kind, &goldens));
    }
}

#[test]
fn timms_resnets_are_timms() {
    let goldens = goldens();
    for kind in [BackboneKind::ResNet18A1, BackboneKind::ResNet50, BackboneKind::WideResNet50x2Racm] {
        let weights = formula_weights(kind);
        // timm's files hold a classifier beside these: its weight and its bias.
        assert_eq!(goldens[kind.word()]["tensors"], weights.len() + 2, "{kind}");
        compare_with(&goldens, kind, &weights);
    }
}

#[test]
fn a_file_is_used_as_it_is_fetched() {
    let dir = tempfile::tempdir().unwrap();
    let data = DataDir { path: dir.path().to_owned(), chosen_by: "--data" };
    let weights = dir.path().join("weights");
    fs::create_dir(&weights).unwrap();
    for &word in BackboneKind::WORDS {
        let kind = BackboneKind::from_word(word).unwrap();
        let missing = Backbone::weights_file(kind, &data).unwrap_err().to_string();
        assert!(missing.contains(&format!("zsad data fetch {} brings them", kind.manifest())), "{missing}");
        let fetched = weights.join(kind.file());
        zsad_core::file::write(&fetched, b"").unwrap();
        assert_eq!(Backbone::weights_file(kind, &data).unwrap(), fetched);
        // A file that a person put there comes first.
        let own = weights.join(format!("{word}.pth"));
        zsad_core::file::write(&own, b"").unwrap();
        assert_eq!(Backbone::weights_file(kind, &data).unwrap(), own);
    }
}

#[test]
fn manifests_place_the_weights_where_backbones_look_for_them() {
    let manifests = zsad_data::manifest::all().unwrap();
    for &word in BackboneKind::WORDS {
        let kind = BackboneKind::from_word(word).unwrap();
        let manifest = zsad_data::manifest::find(&manifests, &kind.manifest()).unwrap();
        assert_eq!(manifest.files[0].path, format!("weights/{}", kind.file()));
        assert!(manifest.used_by.iter().any(|used| used == word), "{word}: {:?}", manifest.used_by);
    }
    let weights = manifests.iter().filter(|m| m.kind == zsad_data::manifest::Kind::Weights);
    for used in weights.flat_map(|m| &m.used_by) {
        assert!(BackboneKind::from_word(used).is_some(), "{used}");
    }
}

#[test]
fn weights_of_another_network_are_refused_by_the_first_tensor_that_is_missing() {
    let weights = formula_weights(BackboneKind::ResNet18);
    let built = Backbone::from_tensors(BackboneKind::EfficientNetLite0Ra, NormMode::Running, &weights, Path::new("w"));
    let message = built.unwrap_err().to_string();
    assert!(message.contains("has no tensor `_conv_stem.weight`"), "{message}");
}
