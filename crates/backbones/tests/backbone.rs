//! ResNets with weights made by a formula, against torchvision's; threads, neighbours, mistakes.

mod common;
#[path = "../../nn/tests/common/every_path.rs"]
mod every_path;

use std::path::Path;

use common::{compare, formula_weights, uniform};
use zsad_backbones::{Backbone, BackboneKind, NormMode};
use zsad_core::{Array, Arrays, DataDir, Error};

#[test]
fn resnet18_is_torchvisions() {
    compare(BackboneKind::ResNet18, &formula_weights(BackboneKind::ResNet18));
}

#[test]
fn wide_resnet50_2_is_torchvisions() {
    compare(BackboneKind::WideResNet50x2, &formula_weights(BackboneKind::WideResNet50x2));
}

#[test]
fn resnet152_is_torchvisions() {
    compare(BackboneKind::ResNet152, &formula_weights(BackboneKind::ResNet152));
}

fn pool<T: Send>(threads: usize, run: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(run)
}

#[test]
fn bits_do_not_depend_on_threads_and_images_not_on_their_neighbours() {
    let weights = formula_weights(BackboneKind::ResNet18);
    let images: Vec<f32> = uniform("more", 5 * 3 * 40 * 56).map(|u| u + 0.5).collect();
    for mode in [NormMode::Running, NormMode::BatchStats] {
        let backbone = Backbone::from_tensors(BackboneKind::ResNet18, mode, &weights, Path::new("w")).unwrap();
        let all = pool(1, || backbone.features(&images, 40, 56, &[1, 3, 4]).unwrap());
        for threads in [2, 3] {
            assert!(all == pool(threads, || backbone.features(&images, 40, 56, &[1, 3, 4]).unwrap()));
        }
        let size = 3 * 40 * 56;
        let single = backbone.features(&images[2 * size..3 * size], 40, 56, &[4, 1]).unwrap();
        let of_batch = &all[2].values[2 * all[2].shape.len()..3 * all[2].shape.len()];
        assert_eq!(single[0].values == of_batch, mode == NormMode::Running, "{mode:?}");
        assert_eq!(single[1].shape, all[0].shape);
    }
}

#[test]
fn bad_weights_and_bad_questions_are_refused() {
    let kind = BackboneKind::ResNet18;
    let mut weights = formula_weights(kind);
    let build = |w: &Arrays| Backbone::from_tensors(kind, NormMode::Running, w, Path::new("r.pth"));
    let backbone = build(&weights).unwrap();
    let message = |e: Error| e.to_string();
    assert!(message(backbone.layer_shapes(&[5], 64, 64).unwrap_err()).contains("layers 1 to 4, not 5"));
    assert!(message(backbone.layer_shapes(&[1], 64, 31).unwrap_err()).contains("at least 32"));
    weights.insert("conv1.weight".into(), Array::single(vec![1], vec![0.0]));
    let error = message(build(&weights).unwrap_err());
    assert!(error.contains("r.pth") && error.contains("`conv1.weight` has shape [1]"), "{error}");
    weights.remove("conv1.weight");
    assert!(message(build(&weights).unwrap_err()).contains("no tensor `conv1.weight`"));

    let dir = tempfile::tempdir().unwrap();
    let data = DataDir { path: dir.path().to_owned(), chosen_by: "$ZSAD_DATA" };
    let missing = |kind| message(Backbone::weights_file(kind, &data).unwrap_err());
    let error = missing(BackboneKind::EfficientNetLite0);
    assert!(
        error.contains("efficientnet_lite0.safetensors") && error.contains("fetch_efficientnet_lite0.sh"),
        "{error}"
    );
    assert!(error.contains("chosen by $ZSAD_DATA") && error.contains("another data folder with --data"), "{error}");
    let error = missing(kind);
    assert!(error.contains("resnet18.safetensors") && error.contains("torchvision"), "{error}");
    assert!(error.contains("zsad data fetch resnet18_tv_in1k"), "{error}");
}
