//! Against PyTorch, on a small network.

use serde_json::{Value, json};
use zsad_core::{Choice, Dataset, Detector, Environment, MethodDef, Silent, TrainingData};
use zsad_nn::weights::from_candle;

use super::model::{Model, Shape};
use super::prompt::Texts;
use super::training::{Training, gathered, grid, sets};
use super::*;
use crate::families::prompts::golden::{
    KIND, Masked, assert_near, assert_scores, drawn, goldens, network, scores, selected,
};
use crate::families::prompts::{Images, Tower};

const TIGHT: f64 = 1e-5;

/// The script's.
fn params() -> AfClip {
    AfClip { words: 3, temperature: 0.5, ..AfClip::default() }
}

fn layers() -> Vec<usize> {
    params().layers(&Network { backbone: KIND, layers: None })
}

fn model(env: &Environment) -> Model {
    let shape = Shape { backbone: KIND.word().into(), text_width: 128, words: 3 };
    let model = Model::new(shape, env, 0).unwrap();
    for param in model.store.trainable() {
        let (scale, shift) = match param.name.as_str() {
            "prompt" | "adapter.norm.bias" | "adapter.to_out.bias" => (0.2, 0.0),
            "adapter.norm.weight" => (0.5, 1.0),
            _ => ((6.0 / param.var.dims()[1] as f64).sqrt(), 0.0),
        };
        let values = drawn(&param.name, param.var.elem_count(), scale, shift);
        let value = candle_core::Tensor::from_vec(values, param.var.dims(), &candle_core::Device::Cpu).unwrap();
        param.var.set(&value).unwrap();
    }
    model
}

/// Runs `look` on a training of the script's model on its images.
fn training(look: impl FnOnce(&Training)) {
    let ((_folder, env), data) = (network(), Masked::new());
    let side = TrainingData::new(&data, &data.info().folds[0]);
    let ctx = FitContext { data: &side, seed: 0, env: &env, progress: &Silent };
    let (images, selected) = (Images::new(&ctx).unwrap(), selected(layers()));
    let tower = Tower::open(KIND, &env).unwrap();
    let texts = Texts::new(KIND, &tower, &env).unwrap();
    let (params, model) = (params(), model(&env));
    look(&Training {
        params: &params,
        images: &images,
        selected: &selected,
        ctx: &ctx,
        tower: &tower,
        texts: &texts,
        model: &model,
    });
}

fn values(tensor: &candle_core::Tensor) -> Vec<f32> {
    from_candle(tensor).unwrap().as_f32().unwrap().to_vec()
}

#[test]
fn tokens_neighbourhoods_and_what_the_adapter_makes_of_them_are_pytorchs() {
    training(|training| {
        let (want, ids) = (&goldens()["af_clip"], training.images.ids());
        let source = training.ctx.data.source();
        let store = training.selected.open(source, &ids, training.ctx.env, &Silent).unwrap();
        for layer in 0..4 {
            let all: Vec<f32> = ids.iter().flat_map(|&id| store.get(id).unwrap().layer(layer).1.to_vec()).collect();
            assert_near(&format!("tokens, layer {layer}"), &all, &want["tokens"][layer], TIGHT);
        }
        let grid = grid(KIND, training.ctx.env, source.modality()).unwrap();
        assert_eq!(grid, (6, 5));
        let (all, at_once) = sets(3, &store);
        assert!(all.len() == 36 && at_once >= 36);
        for kind in 0..12 {
            let of: Vec<_> = (0..3).map(|image| all[image * 12 + kind]).collect();
            let tokens = gathered(&of, &ids, &store, grid, training.model).unwrap();
            assert_near(&format!("set {kind}"), &values(&tokens), &want["sets"][kind], TIGHT);
            let projected = training.model.project(&tokens).unwrap();
            assert_near(&format!("projected {kind}"), &values(&projected), &want["projected"][kind], TIGHT);
        }
        let vectors = training.texts.vectors(&training.model.words, training.tower).unwrap();
        assert_near("vectors", &values(&vectors), &want["vectors"], TIGHT);
    });
}

#[test]
fn losses_and_gradients_are_pytorchs() {
    training(|training| {
        let (want, step) = (&goldens()["af_clip"], training.step(&[0, 1, 2]).unwrap());
        // The alignment is a difference of means near each other.
        for (i, (term, tolerance)) in step.terms.iter().zip([TIGHT, TIGHT, TIGHT, 1e-2]).enumerate() {
            let want = want["terms"][i].as_f64().unwrap();
            assert!((term - want).abs() < tolerance * want, "term {i}: {term} {want}");
        }
        let loss = step.loss(training.params);
        assert!((loss - want["loss"].as_f64().unwrap()).abs() < TIGHT, "{loss}");
        assert_eq!(step.gradients.len(), 8);
        for (param, gradient) in training.model.store.trainable().zip(&step.gradients) {
            let gradient = values(gradient.as_ref().unwrap());
            assert_near(&param.name, &gradient, &want["gradients"][&param.name], TIGHT);
        }
    });
}

#[test]
fn scores_and_maps_are_pytorchs() {
    let (_folder, env) = network();
    let (model, tower) = (model(&env), Tower::open(KIND, &env).unwrap());
    let texts = Texts::new(KIND, &tower, &env).unwrap();
    model.settle(&texts, &tower).unwrap();
    let given = json!({"backbone": KIND.word(), "words": 3, "temperature": 0.5});
    let method = DEF.configure(&serde_json::from_value(given).unwrap()).unwrap();
    let state = model.store.state(json!({ "shape": model.shape })).unwrap();
    let detector = method.restore(&state, &env).unwrap();
    assert_scores(detector.as_ref(), &env, &goldens()["af_clip"], TIGHT);
}

#[test]
fn training_moves_words_and_adapter_alone_and_goes_towards_its_labels() {
    let ((_folder, env), data) = (network(), Masked::new());
    let fitted = |given: Value| -> Box<dyn Detector> {
        let method = DEF.configure(&serde_json::from_value(given).unwrap()).unwrap();
        let side = TrainingData::new(&data, &data.info().folds[0]);
        method.fit(&FitContext { data: &side, seed: 0, env: &env, progress: &Silent }).unwrap()
    };
    let detector = fitted(json!({"backbone": KIND.word(), "epochs": 40, "lr": 0.001}));
    let report = detector.report();
    let (first, last) = (report.loss[0].1, report.loss.last().unwrap().1);
    assert!(report.loss.len() == 40 && last < 0.9 * first, "{first} {last}");
    let untrained = fitted(json!({"backbone": KIND.word(), "epochs": 1, "lr": 0.0}));
    let (before, after) = (untrained.state().unwrap().unwrap(), detector.state().unwrap().unwrap());
    let all: Vec<&str> = after.arrays.keys().map(String::as_str).collect();
    let adapter =
        ["norm.bias", "norm.weight", "to_k.weight", "to_out.bias", "to_out.weight", "to_q.weight", "to_v.weight"];
    let names: Vec<String> = adapter.iter().map(|name| format!("adapter.{name}")).collect();
    assert_eq!(all[..7], names.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(all[7..], ["directions", "prompt"]);
    assert!(all.iter().all(|name| before.arrays[*name] != after.arrays[*name]), "all of it moves");
    let found = scores(detector.as_ref(), &env).samples;
    assert!(found[0] < found[1] && found[0] < found[2], "{found:?}");
}
