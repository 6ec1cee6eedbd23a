//! Against PyTorch, on a small network.

use std::path::Path;

use serde_json::{Value, json};
use zsad_backbones::features::FeatureStore;
use zsad_core::{
    Dataset, Detector, Environment, Error, FitContext, Given, MethodDef, ParamSet, Silent, Supervision, TrainingData,
};
use zsad_nn::weights::from_candle;

use super::objective::Objective;
use super::prompts::{Prompts, Sizes, Texts};
use super::training::Training;
use super::*;
use crate::families::prompts::golden::{
    KIND, Masked, SIZE, assert_near, assert_scores, drawn, goldens, network, scores, selected, words,
};
use crate::families::prompts::{Images, Tower};

const TIGHT: f64 = 1e-5;

fn params(given: Value) -> AnomalyClip {
    AnomalyClip::parse(&serde_json::from_value(given).unwrap()).unwrap()
}

/// The script's.
fn layers() -> Vec<usize> {
    let network = Network { backbone: KIND, layers: Some(vec![8, 12]) };
    AnomalyClip::default().layers(&network)
}

fn prompts(tower: &Tower) -> Prompts {
    let sizes = Sizes { width: tower.width(), embedding: tower.embedding(), words: 3, deep: 2, deep_words: 2 };
    let prompts = Prompts::new(sizes, zsad_core::Device::Cpu, 0).unwrap();
    for param in prompts.store.trainable() {
        let values = drawn(&param.name, param.var.elem_count(), 0.2, 0.0);
        let value = candle_core::Tensor::from_vec(values, param.var.dims(), &candle_core::Device::Cpu).unwrap();
        param.var.set(&value).unwrap();
    }
    prompts
}

/// Runs `look` on a training of the script's prompts on its images.
fn training(look: impl FnOnce(&Training, &FeatureStore)) {
    let ((_folder, env), data) = (network(), Masked::new());
    let side = TrainingData::new(&data, &data.info().folds[0]);
    let ctx = FitContext { data: &side, seed: 0, env: &env, progress: &Silent };
    let images = Images::new(&ctx).unwrap();
    let store = selected(layers()).open(side.source(), &images.ids(), &env, &Silent).unwrap();
    let tower = Tower::open(KIND, &env).unwrap();
    let texts = Texts::new(KIND, &tower, &env).unwrap();
    let (params, prompts) = (AnomalyClip::default(), prompts(&tower));
    let training =
        Training { params: &params, images: &images, store: &store, tower: &tower, texts: &texts, prompts: &prompts };
    look(&training, &store);
}

#[test]
fn class_tokens_and_patches_of_the_path_beside_the_first_are_pytorchs() {
    training(|training, store| {
        let want = &goldens()["anomaly_clip"];
        let all = |layer: usize| -> Vec<f32> {
            training.images.ids().into_iter().flat_map(|id| store.get(id).unwrap().layer(layer).1.to_vec()).collect()
        };
        assert_near("class", &all(0), &want["class"], TIGHT);
        assert_near("patches after block 8", &all(1), &want["patches"][0], TIGHT);
        assert_near("patches after block 12", &all(2), &want["patches"][1], TIGHT);
    });
}

#[test]
fn texts_losses_and_gradients_are_pytorchs() {
    training(|training, _| {
        let want = &goldens()["anomaly_clip"];
        let vectors = training.prompts.vectors(training.tower, training.texts).unwrap();
        assert_near("vectors", from_candle(&vectors).unwrap().as_f32().unwrap(), &want["vectors"], TIGHT);
        let (loss, gradients) = training.step(&[0, 1, 2]).unwrap();
        let close = |found: f64, want: &Value| (found - want.as_f64().unwrap()).abs() < TIGHT * want.as_f64().unwrap();
        assert!(close(loss, &want["loss"]), "{loss} {}", want["loss"]);
        for (param, gradient) in training.prompts.store.trainable().zip(&gradients) {
            let gradient = from_candle(gradient.as_ref().unwrap()).unwrap();
            assert_near(&param.name, gradient.as_f32().unwrap(), &want["gradients"][&param.name], TIGHT);
        }
        assert_eq!(gradients.len(), 4);

        let directions = training.prompts.forward(training.tower, training.texts).unwrap();
        let objective = Objective { temperature: 0.07, lambda: 4.0, size: SIZE, images: 3, masked: 3 };
        let masks: Vec<_> = (0..3).map(|i| training.images.mask(i).unwrap().unwrap()).collect();
        let (mut entropy, mut terms) = (0.0, [[0.0; 3]; 2]);
        for (i, mask) in masks.iter().enumerate() {
            let example = training.example(i, Some(mask)).unwrap();
            let value = |t: &candle_core::Tensor| f64::from(t.to_scalar::<f32>().unwrap()) / 3.0;
            entropy += value(&objective.cross_entropy(&example, &directions).unwrap());
            for (patches, sums) in example.patches.iter().zip(&mut terms) {
                let map = objective.map_terms(patches, example.grid, mask, &directions).unwrap();
                let parts = [&map.focal, &map.dice_damaged, &map.dice_whole];
                sums.iter_mut().zip(parts).for_each(|(sum, part)| *sum += value(part));
            }
        }
        assert!(close(entropy, &want["cross_entropy"]), "{entropy}");
        for (layer, sums) in terms.iter().enumerate() {
            for (i, sum) in sums.iter().enumerate() {
                assert!(close(*sum, &want["terms"][layer][i]), "{layer} {i}: {sum} {}", want["terms"][layer][i]);
            }
        }
    });
}

fn fit(given: Value, env: &Environment) -> Result<Box<dyn Detector>> {
    let data = Masked::new();
    let method = DEF.configure(&serde_json::from_value::<Given>(given).unwrap()).unwrap();
    let method = method.resolve(data.info(), &data.info().folds[0])?;
    method.artifacts(env)?;
    let side = TrainingData::new(&data, &data.info().folds[0]);
    method.fit(&FitContext { data: &side, seed: 0, env, progress: &Silent })
}

#[test]
fn scores_and_maps_of_the_authors_file_are_pytorchs() {
    let (_folder, env) = network();
    let given = json!({"backbone": KIND.to_string(), "layers": [8, 12], "prompts": words()});
    let method = DEF.configure(&serde_json::from_value(given.clone()).unwrap()).unwrap();
    assert!(!method.learns() && method.supervision() == Supervision::ZeroShot && !method.takes_labels());
    assert_eq!(method.artifacts(&env).unwrap().last().unwrap(), Path::new(&words()));
    let detector = fit(given, &env).unwrap();
    assert_scores(detector.as_ref(), &env, &goldens()["anomaly_clip"], TIGHT);
}

#[test]
fn training_moves_the_words_alone_and_goes_towards_its_labels() {
    let (_folder, env) = network();
    let given = json!({"backbone": KIND.to_string(), "epochs": 40, "lr": 0.01});
    let detector = fit(given, &env).unwrap();
    let report = detector.report();
    let (first, last) = (report.loss[0].1, report.loss.last().unwrap().1);
    assert!(report.loss.len() == 40 && last < 0.9 * first, "{first} {last}");
    let state = detector.state().unwrap().unwrap();
    let names: Vec<&str> = state.arrays.keys().map(String::as_str).collect();
    let trained = ["compound_prompts_text.0", "compound_prompts_text.1", "ctx_neg", "ctx_pos", "directions"];
    assert_eq!(names, trained, "as many deep prompts as there are blocks behind the first");
    assert_eq!(report.parameters, (2 * 12 + 2 * 4) * 128);
    let found = scores(detector.as_ref(), &env).samples;
    assert!(found[0] < found[1] && found[0] < found[2], "{found:?}");
}

#[test]
fn what_is_missing_is_named() {
    let (folder, env) = network();
    let of = |given: Value| fit(given, &env).map(drop).unwrap_err().to_string();
    let word = KIND.to_string();
    let missing = of(json!({"backbone": word, "prompts": "nowhere.pth"}));
    assert!(missing.contains("nowhere.pth") && missing.contains("checkpoints"), "{missing}");
    let other = folder.path().join(format!("weights/{KIND}.safetensors"));
    let other = of(json!({"backbone": word, "prompts": other.to_string_lossy()}));
    assert!(other.contains("`ctx_pos`") && other.contains("train.py"), "{other}");
    let weights = of(json!({}));
    assert!(weights.contains("zsad data fetch vit_large_patch14_clip_336_openai"), "{weights}");
    assert!(params(json!({"words": 2})).check().is_err() && params(json!({})).check().is_ok());
    let (data, fold) = (Masked::new(), zsad_core::Fold::single([], [1]));
    let side = TrainingData::new(&data, &fold);
    let ctx = FitContext { data: &side, seed: 0, env: &env, progress: &Silent };
    assert!(matches!(Images::new(&ctx).map(drop), Err(Error::Refused(_))));
}
