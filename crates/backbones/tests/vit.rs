//! Small vision transformers with weights made by a formula, against timm's, transformers' and OpenCLIP's, by the names of their
//! files: `scripts/make_vit_goldens.py`.

mod common;
#[path = "../../nn/tests/common/every_path.rs"]
mod every_path;

use std::path::Path;

use common::uniform;
use serde_json::Value;
use zsad_backbones::clip::TextTower;
use zsad_backbones::vit::{Family, Positions, SecondPath, Vit};
use zsad_backbones::{Attention, Backbone, BackboneKind, FeatureMap, Gelu, NormMode};
use zsad_core::{Array, Arrays, Choice, Error};

const IMAGES: usize = 2;

fn goldens() -> Value {
    serde_json::from_str(include_str!("fixtures/vit.json")).unwrap()
}

/// The script's `filled`.
fn weights(case: &Value) -> Arrays {
    let tensors: Vec<(String, Vec<usize>, String)> = serde_json::from_value(case["tensors"].clone()).unwrap();
    let fill = |(name, shape, rule): (String, Vec<usize>, String)| {
        let inputs = if ["visual.proj", "text_projection"].contains(&name.as_str()) {
            shape[0]
        } else {
            shape[1..].iter().product()
        };
        let gain = (24.0 / inputs as f64).sqrt() as f32;
        let value = |u: f32| match rule.as_str() {
            "tokens" => u,
            "matrix" => u * gain,
            "scale" => 1.0 + 0.5 * u,
            _ => 0.2 * u,
        };
        let values = uniform(&name, shape.iter().product()).map(value).collect();
        (name, Array::single(shape, values))
    };
    tensors.into_iter().map(fill).collect()
}

fn images(n: usize, height: usize, width: usize) -> Vec<f32> {
    uniform("image", n * 3 * height * width).map(|u| u + 0.5).collect()
}

/// The kind whose pixels a case wants.
fn kind(case: &Value) -> BackboneKind {
    if case["family"] == "dino" { BackboneKind::DinoVitS14 } else { BackboneKind::ClipVitB16 }
}

fn build(case: &Value) -> Vit {
    let family = if case["family"] == "dino" { Family::DINO } else { Family::CLIP };
    let positions = Positions::from_word(case["positions"].as_str().unwrap()).unwrap();
    let gelu = Gelu::from_word(case["gelu"].as_str().unwrap()).unwrap();
    let family = Family { positions, gelu, ..family };
    Vit::from_tensors(family, kind(case).preprocessing(), &weights(case), Path::new("w")).unwrap()
}

fn size(case: &Value) -> (usize, usize) {
    serde_json::from_value(case["size"].clone()).unwrap()
}

/// The greatest difference to what is wanted, in units of the values' root mean square.
fn difference(name: &str, values: &[f32], want: &Value) -> f64 {
    let norm = want["norm"].as_f64().unwrap();
    let found = values.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt();
    assert!((found - norm).abs() < 1e-5 * norm, "{name}: norm {found}, wanted {norm}");
    let rms = norm / (values.len() as f64).sqrt();
    let picks: Vec<usize> = serde_json::from_value(want["picks"].clone()).unwrap();
    let wanted: Vec<f64> = serde_json::from_value(want["values"].clone()).unwrap();
    let of = |(&pick, want): (&usize, &f64)| (f64::from(values[pick]) - want).abs() / rms;
    picks.iter().zip(&wanted).map(of).fold(0.0, f64::max)
}

#[test]
fn every_variant_is_the_librarys_to_a_hundred_thousandth() {
    let goldens = goldens();
    for (name, case) in goldens.as_object().unwrap().iter().filter(|(_, case)| case["texts"].is_null()) {
        let (vit, (height, width)) = (build(case), size(case));
        let images = images(IMAGES, height, width);
        let wanted = case["layers"].as_array().unwrap();
        let found: Vec<Vec<f32>> = match case["second"].as_str() {
            Some(word) => {
                let second = SecondPath { block: 1, attention: Attention::from_word(word).unwrap() };
                let tokens = vit.run(&images, (height, width), &[1, 2, 3], Some(second)).unwrap();
                tokens.into_iter().map(|tokens| tokens.values).collect()
            }
            None if case["windows"].is_u64() => {
                let layer = 3 + case["windows"].as_u64().unwrap() as usize;
                let maps = vit.maps(&images, (height, width), &[layer, 4]).unwrap();
                assert_eq!(maps[1], vit.maps(&images, (height, width), &[4]).unwrap()[0]);
                vec![maps[0].values.clone()]
            }
            None => {
                let maps = vit.maps(&images, (height, width), &[1, 2, 3, 4]).unwrap();
                for (FeatureMap { shape, .. }, want) in maps.iter().zip(wanted) {
                    assert_eq!(
                        want["shape"],
                        serde_json::json!([IMAGES, shape.channels, shape.height, shape.width]),
                        "{name}"
                    );
                }
                maps.into_iter().map(|map| map.values).collect()
            }
        };
        assert_eq!(found.len(), wanted.len(), "{name}");
        for (layer, (values, want)) in found.iter().zip(wanted).enumerate() {
            let difference = difference(&format!("{name}, layer {}", layer + 1), values, want);
            println!("{name}, layer {}: {difference:.1e} of the root mean square", layer + 1);
            assert!(difference < 1e-5, "{name}, layer {}: {difference}", layer + 1);
        }
    }
}

#[test]
fn texts_are_the_librarys_to_a_hundred_thousandth() {
    let goldens = goldens();
    for name in ["open_clip_texts", "transformers_texts"] {
        let case = &goldens[name];
        let gelu = Gelu::from_word(case["gelu"].as_str().unwrap()).unwrap();
        let family = Family { gelu, ..Family::CLIP };
        let tower = TextTower::from_tensors(family, &weights(case), Path::new("w")).unwrap();
        let texts: Vec<Vec<u32>> = serde_json::from_value(case["texts"].clone()).unwrap();
        let all = tower.vectors(&texts).unwrap();
        let difference = difference(name, &all, &case["layers"][0]);
        println!("{name}: {difference:.1e} of the root mean square");
        assert!(difference < 1e-5, "{name}: {difference}");
        // A text's vector does not depend on the others, however long.
        assert_eq!(tower.vectors(&texts[..1]).unwrap(), all[..tower.embedding()]);
        for bad in [vec![], vec![58, 60, 59], vec![1; 13]] {
            assert!(tower.vectors(&[bad]).is_err());
        }
    }
}

fn pool<T: Send>(threads: usize, run: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(run)
}

#[test]
fn bits_do_not_depend_on_threads_nor_images_on_their_neighbours() {
    let case = &goldens()["timm_dino_registers"];
    let kind = BackboneKind::DinoVitS14Reg;
    let backbone = Backbone::from_tensors(kind, NormMode::Running, &weights(case), Path::new("w")).unwrap();
    // More than go through at once.
    let (n, height, width) = (70, 112, 126);
    let images = images(n, height, width);
    let run = |images: &[f32]| backbone.features(images, height, width, &[4, 2]).unwrap();
    let all = pool(1, || run(&images));
    for threads in [2, 3] {
        assert!(all == pool(threads, || run(&images)));
    }
    let one = run(&images[69 * 3 * height * width..]);
    for (all, one) in all.iter().zip(&one) {
        assert_eq!(all.values[69 * all.shape.len()..], one.values);
    }
}

#[test]
fn what_is_left_over_below_and_at_the_right_is_not_looked_at() {
    let vit = build(&goldens()["timm_dino"]);
    let (height, width) = (98, 84);
    let whole = images(1, height, width);
    let (tall, wide) = (height + 13, width + 5);
    let mut larger = vec![0.25f32; 3 * tall * wide];
    for (i, row) in whole.chunks_exact(width).enumerate() {
        let (c, y) = (i / height, i % height);
        larger[(c * tall + y) * wide..][..width].copy_from_slice(row);
    }
    let run = |images: &[f32], size| vit.run(images, size, &[3], None).unwrap();
    assert_eq!(run(&whole, (height, width)), run(&larger, (tall, wide)));
    assert!(matches!(vit.run(&larger, (9, 37), &[3], None), Err(Error::Refused(_))));
    let error = vit.run(&whole, (height, width), &[4], None).unwrap_err().to_string();
    assert!(error.contains("blocks 1 to 3, not 4"), "{error}");
}

#[test]
fn tokens_through_all_blocks_at_once_are_those_block_by_block() {
    let vit = build(&goldens()["open_clip"]);
    let images = images(3, 48, 48);
    let through = vit.blocks(vit.embed(&images, 48, 48).unwrap());
    assert_eq!(through, vit.run(&images, (48, 48), &[3], None).unwrap()[0]);
    assert_eq!(vit.class(&through), vit.maps(&images, (48, 48), &[4]).unwrap()[0].values);
    assert_eq!((vit.depth(), vit.width(), vit.embedding(), vit.prefix()), (3, 128, 64, 1));
}

#[test]
fn weights_that_do_not_fit_are_refused_by_name() {
    let case = &goldens()["timm_dino"];
    let build =
        |weights: &Arrays, kind: BackboneKind, mode| Backbone::from_tensors(kind, mode, weights, Path::new("d.pth"));
    let message = |weights: &Arrays, kind| build(weights, kind, NormMode::Running).unwrap_err().to_string();
    let mut weights = weights(case);
    let small = BackboneKind::DinoVitS14;
    assert!(build(&weights, small, NormMode::Running).is_ok());
    assert!(matches!(build(&weights, small, NormMode::BatchStats), Err(Error::Refused(_))));
    let other = message(&weights, BackboneKind::ClipVitB16);
    assert!(other.contains("d.pth") && other.contains("no tensor `visual.conv1.weight`"), "{other}");
    weights.insert("blocks.1.attn.proj.weight".into(), Array::single(vec![2], vec![0.0; 2]));
    assert!(message(&weights, small).contains("`blocks.1.attn.proj.weight` has shape [2]"));
    weights.insert("pos_embed".into(), Array::single(vec![1, 7, 128], vec![0.0; 7 * 128]));
    assert!(message(&weights, small).contains("`pos_embed` has 7 rows, which are no square"));
}
