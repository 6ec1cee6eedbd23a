//! What resolving a trained method must keep: the training.

use serde_json::{Value, json};
use zsad_core::rng::stream;
use zsad_core::{
    AnomalySource, Batch, DataDir, Dataset, Environment, FitContext, Fold, Given, Method, MethodDef, Modality,
    SampleRef, Samples, Silent, Subset, TrainingData, Unlabelled, Values,
};
use zsad_data::memory::{InMemory, MemoryDomain};

use crate::methods::*;

const DEFS: [&dyn MethodDef; 15] = [
    &acr_bce::DEF,
    &acr_dsvdd::DEF,
    &acr_ntl::DEF,
    &autoencoder::DEF,
    &clan::DEF,
    &deep_svdd::DEF,
    &dte_c::DEF,
    &goad::DEF,
    &icl::DEF,
    &mcm::DEF,
    &msc::DEF,
    &ntl::DEF,
    &oc_maml::DEF,
    &oe::DEF,
    &slad::DEF,
];

/// Four domains to train on, of several sizes, and one to test.
fn data(modality: Modality) -> InMemory {
    let mut rng = stream(3, &[]);
    let mut draw = |n: usize, mean: f64| {
        let d: usize = modality.shape().iter().product();
        let values = zsad_nn::Init::Normal(mean, 1.0).draw(&[n * d], &mut rng);
        Samples::new(modality.shape(), Values::F32(values))
    };
    let domains = (0..5).map(|j| MemoryDomain {
        name: format!("d{j}"),
        normal: draw(24 + j, j as f64),
        anomalous: Some(draw(9, 9.0)),
        reference: Some(draw(12, j as f64)),
    });
    let fold = Fold { name: String::new(), meta_train: (0..4).collect(), meta_test: vec![4] };
    InMemory::new("drawn", modality.clone(), domains.collect(), vec![fold], AnomalySource::Genuine).unwrap()
}

fn kinds() -> [Modality; 3] {
    [
        Modality::rows(7),
        Modality::Tabular { dim: 40, features: true },
        Modality::Image { channels: 1, height: 16, width: 16 },
    ]
}

/// Scores of one batch, beside references, after training.
fn scores(method: &dyn Method, data: &InMemory, again: bool) -> Vec<f64> {
    let env = Environment::new(DataDir::resolve(None));
    let training = TrainingData::new(data, &data.info().folds[0]);
    let mut detector = method.fit(&FitContext { data: &training, seed: 5, env: &env, progress: &Silent }).unwrap();
    if again {
        detector = method.restore(&detector.state().unwrap().unwrap(), &env).unwrap();
    }
    let source = Unlabelled::new(data);
    let batch: Vec<_> = SampleRef::all(4, Subset::Normal, 10).chain(SampleRef::all(4, Subset::Anomalous, 3)).collect();
    let support: Vec<_> = SampleRef::all(4, Subset::Reference, method.shots().of(0)).collect();
    let support = Batch::new(&source, &support, &env);
    let own = zsad_core::detector::adapted(detector.as_ref(), method.shots(), &support).unwrap();
    own.as_deref().unwrap_or(detector.as_ref()).score(&Batch::new(&source, &batch, &env)).unwrap().samples
}

/// The parameters of a short training, where they are declared.
fn short(def: &dyn MethodDef) -> Given {
    let all = [("steps", json!(3)), ("epochs", json!(2)), ("tasks", json!(3)), ("bank", json!(30)), ("maps", json!(4))];
    let declared = |name: &str| def.params().iter().any(|p| p.name == name);
    all.into_iter().filter(|(name, _)| declared(name)).map(|(name, v)| (name.to_owned(), v)).collect()
}

#[test]
fn resolved_methods_train_as_the_unresolved_ones_and_resolve_to_themselves() {
    for modality in kinds() {
        let data = data(modality.clone());
        let (info, fold) = (data.info(), &data.info().folds[0]);
        for def in DEFS.into_iter().filter(|d| d.spec().accepts.check(&modality).is_ok()) {
            let name = def.spec().name;
            let method = def.configure(&short(def)).unwrap();
            let resolved = method.resolve(info, fold).unwrap();
            let values = resolved.values();
            assert!(values.as_object().unwrap().values().all(|v| !v.is_null() && v != "auto"), "{name}: {values}");
            assert_eq!(resolved.resolve(info, fold).unwrap().values(), values, "{name}");
            let given = serde_json::from_value(values).unwrap();
            let read = def.configure(&given).unwrap();
            let want = scores(method.as_ref(), &data, false);
            assert!(want.iter().all(|s| s.is_finite()) && want.iter().any(|s| *s != want[0]), "{name}: {want:?}");
            assert_eq!(scores(resolved.as_ref(), &data, false), want, "{name}");
            assert_eq!(scores(read.as_ref(), &data, true), want, "{name}, written, read and restored");
        }
    }
}

#[test]
fn what_is_left_to_the_data_is_filled_with_what_is_used() {
    let resolved = |def: &dyn MethodDef, modality: &Modality, given: Value| {
        let data = data(modality.clone());
        let method = def.configure(&serde_json::from_value(given).unwrap()).unwrap();
        method.resolve(data.info(), &data.info().folds[0]).unwrap().values()
    };
    let holds = |values: &Value, want: Value| {
        for (name, want) in want.as_object().unwrap() {
            assert_eq!(&values[name], want, "{name} of {values}");
        }
    };
    let [rows, features, images] = kinds();
    let schedule = json!({"steps": 1000, "lr": 4e-4, "lr_step": 1000, "lr_gamma": 0.8});
    let of_rows = resolved(&acr_dsvdd::DEF, &rows, json!({}));
    holds(&of_rows, schedule);
    // The smallest domain has 24 normals, four fifths of a task.
    let tasks =
        json!({"task_batch": 30, "train_contamination": 0.2, "outliers": "other_domains", "permute_columns": true});
    holds(&of_rows, tasks);
    holds(&of_rows, json!({"network": "mlp", "hidden": [128, 128, 128], "domains": "all"}));
    let of_features = resolved(&acr_dsvdd::DEF, &features, json!({"outliers": "auto"}));
    holds(&of_features, json!({"network": "feature_svdd", "hidden": [32], "outliers": "synthetic_noise", "steps": 50}));
    let of_images = resolved(&acr_bce::DEF, &images, json!({"hidden": [4, 64], "outliers": "none"}));
    holds(
        &of_images,
        json!({"network": "omniglot_cnn", "hidden": [4, 64], "train_contamination": 0.0, "task_batch": 24}),
    );
    holds(&resolved(&oe::DEF, &rows, json!({})), json!({"outliers": "genuine", "permute_columns": false, "tasks": 8}));
    holds(&resolved(&icl::DEF, &features, json!({})), json!({"window": 2, "stop_loss": 1e-3}));
    let words = |def: &dyn MethodDef| def.params().iter().find(|p| p.name == "outliers").map(|p| p.doc).unwrap_or("");
    assert!(words(&oe::DEF).contains("auto: genuine where") && words(&acr_ntl::DEF).contains("auto: synthetic_noise"));
}

/// Each block has the filters asked for, not the first block's.
#[test]
fn mixed_widths_of_a_cnn_are_built_as_asked() {
    let data = data(Modality::Image { channels: 1, height: 16, width: 16 });
    let env = Environment::new(DataDir::resolve(None));
    for network in ["omniglot_cnn", "cnn4"] {
        let given = json!({"network": network, "hidden": [4, 64], "steps": 1, "tasks": 2});
        let method = acr_dsvdd::DEF.configure(&serde_json::from_value(given).unwrap()).unwrap();
        let training = TrainingData::new(&data, &data.info().folds[0]);
        let fitted = method.fit(&FitContext { data: &training, seed: 5, env: &env, progress: &Silent }).unwrap();
        let state = fitted.state().unwrap().unwrap();
        let kernels: Vec<_> = state.arrays.values().map(|a| a.shape()).filter(|shape| shape.len() == 4).collect();
        assert_eq!(kernels, [[4, 1, 3, 3], [64, 4, 3, 3]], "{network}");
    }
}

#[test]
fn a_share_of_outliers_where_there_are_none_is_a_mistake_of_that_parameter() {
    for def in [&acr_dsvdd::DEF as &dyn MethodDef, &oe::DEF] {
        let configured = |given: Value| def.configure(&serde_json::from_value(given).unwrap()).map(drop);
        let problems = configured(json!({"outliers": "none", "train_contamination": 0.3})).unwrap_err();
        assert_eq!(problems[0].name, "train_contamination");
        assert_eq!(problems[0].message, "`train_contamination: 0.3` has no effect with `outliers: none`");
        assert_eq!(configured(json!({"outliers": "none", "train_contamination": 0.0})), Ok(()));
    }
}
