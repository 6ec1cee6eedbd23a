//! Weights made by a formula, and expected maps: `scripts/make_backbone_goldens.py` (torchvision and
//! efficientnet-lite-pytorch).

#![allow(dead_code, reason = "every test program uses some of it")]

use std::path::Path;

use serde_json::Value;
use zsad_backbones::{Backbone, BackboneKind, LayerShape, NormMode};
use zsad_core::{Array, Arrays, Choice};

const SIZE: usize = 96;
const IMAGES: usize = 3;

/// The script's `uniform`: -0.5 … 0.5 from an integer hash of the position, seeded with the bytes of the name.
pub fn uniform(name: &str, count: usize) -> impl Iterator<Item = f32> {
    let seed = name.bytes().enumerate().fold(0u32, |s, (i, b)| s.wrapping_add((i as u32 + 1) * u32::from(b)));
    (0..count as u32).map(move |i| {
        let h = i.wrapping_add(seed).wrapping_mul(2_654_435_761);
        let h = (h ^ (h >> 15)).wrapping_mul(2_246_822_519);
        (f64::from(h ^ (h >> 13)) / 4_294_967_296.0 - 0.5) as f32
    })
}

fn images() -> Vec<f32> {
    uniform("image", IMAGES * 3 * SIZE * SIZE).map(|u| u + 0.5).collect()
}

/// Names and shapes of torchvision's ResNets, filled by the script's `fill`.
pub fn formula_weights(kind: BackboneKind) -> Arrays {
    let (blocks, factor): ([usize; 4], Option<usize>) = match kind {
        BackboneKind::ResNet18 | BackboneKind::ResNet18A1 => ([2, 2, 2, 2], None),
        BackboneKind::ResNet50 => ([3, 4, 6, 3], Some(1)),
        BackboneKind::ResNet152 => ([3, 8, 36, 3], Some(1)),
        _ => ([3, 4, 6, 3], Some(2)),
    };
    let mut tensors = Arrays::new();
    let mut conv = |name: String, bn: String, (cout, cin, k): (usize, usize, usize), damped: f32| {
        let name = format!("{name}.weight");
        let gain = (24.0 / (cin * k * k) as f64).sqrt() as f32;
        let values = uniform(&name, cout * cin * k * k).map(|u| u * gain).collect();
        tensors.insert(name, Array::single(vec![cout, cin, k, k], values));
        for part in ["weight", "bias", "running_mean", "running_var"] {
            let name = format!("{bn}.{part}");
            let value = |u: f32| match part {
                "weight" => (1.0 + 0.5 * u) * damped,
                "running_var" => 1.0 + 0.5 * u,
                _ => 0.2 * u,
            };
            let values = uniform(&name, cout).map(value).collect();
            tensors.insert(name, Array::single(vec![cout], values));
        }
    };
    conv("conv1".into(), "bn1".into(), (64, 3, 7), 1.0);
    let mut cin = 64;
    for (stage, &blocks) in blocks.iter().enumerate() {
        let width = 64 << stage;
        for block in 0..blocks {
            let name = format!("layer{}.{block}", stage + 1);
            let (inner, cout) = factor.map_or((width, width), |f| (width * f, 4 * width));
            let shapes = match factor {
                None => vec![(inner, cin, 3), (cout, inner, 3)],
                Some(_) => vec![(inner, cin, 1), (inner, inner, 3), (cout, inner, 1)],
            };
            for (i, &shape) in shapes.iter().enumerate() {
                let damped = if i + 1 == shapes.len() { 0.3 } else { 1.0 };
                conv(format!("{name}.conv{}", i + 1), format!("{name}.bn{}", i + 1), shape, damped);
            }
            if block == 0 && (stage > 0 || factor.is_some()) {
                conv(format!("{name}.downsample.0"), format!("{name}.downsample.1"), (cout, cin, 1), 1.0);
            }
            cin = cout;
        }
    }
    tensors
}

/// Compares all layers with torchvision's and the Python packages'.
pub fn compare(kind: BackboneKind, arrays: &Arrays) {
    compare_with(&serde_json::from_str(include_str!("../fixtures/backbones.json")).unwrap(), kind, arrays);
}

/// Compares all layers with the expected ones.
pub fn compare_with(goldens: &Value, kind: BackboneKind, arrays: &Arrays) {
    let layers: Vec<usize> = (1..=kind.layers()).collect();
    for (mode, key) in [(NormMode::Running, "running"), (NormMode::BatchStats, "batch_stats")] {
        let backbone = Backbone::from_tensors(kind, mode, arrays, Path::new("weights")).unwrap();
        let maps = backbone.features(&images(), SIZE, SIZE, &layers).unwrap();
        let shapes = backbone.layer_shapes(&layers, SIZE, SIZE).unwrap();
        let wanted = goldens[kind.word()][key].as_array().unwrap();
        assert_eq!(maps.len(), wanted.len());
        for (layer, ((map, shape), want)) in maps.iter().zip(shapes).zip(wanted).enumerate() {
            assert_eq!(map.shape, shape);
            let LayerShape { channels, height, width } = shape;
            assert_eq!(want["shape"], serde_json::json!([IMAGES, channels, height, width]));
            let values: Vec<f64> = serde_json::from_value(want["values"].clone()).unwrap();
            let picks: Vec<usize> = serde_json::from_value(want["picks"].clone()).unwrap();
            let norm = map.values.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt();
            let want_norm = want["norm"].as_f64().unwrap();
            assert!((norm - want_norm).abs() < 1e-4 * want_norm, "{kind} {key} {}: {norm} {want_norm}", layer + 1);
            // Relative to the layer's root mean square: single values may be near 0.
            let rms = want_norm / (map.values.len() as f64).sqrt();
            for (pick, want) in picks.iter().zip(values) {
                let got = f64::from(map.values[*pick]);
                let near = (got - want).abs() < 1e-4 * want.abs().max(rms);
                assert!(near, "{kind} {key} layer {} at {pick}: {got}, PyTorch {want}", layer + 1);
            }
        }
    }
}
