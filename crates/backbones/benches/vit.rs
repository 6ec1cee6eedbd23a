//! A vision transformer of DINOv2's size S/14 with weights made by a formula, on one image of 448 × 448 pixels and on one thread; all
//! of it, and a network of one block alone.

use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use zsad_backbones::BackboneKind;
use zsad_backbones::vit::{Family, Vit};
use zsad_core::{Array, Arrays};

const WIDTH: usize = 384;
const SIZE: usize = 448;

fn network(depth: usize) -> Vit {
    let mut arrays = Arrays::new();
    let mut put = |name: &str, shape: &[usize], scale: f32| {
        let value = |i: usize| scale * ((i as f64 * 0.618_033_988_7).fract() as f32 - 0.5);
        let values = (0..shape.iter().product()).map(value).collect();
        arrays.insert(name.to_owned(), Array::single(shape.to_vec(), values));
    };
    put("cls_token", &[1, 1, WIDTH], 1.0);
    put("pos_embed", &[1, 1025, WIDTH], 1.0);
    put("patch_embed.proj.weight", &[WIDTH, 3, 14, 14], 0.1);
    put("patch_embed.proj.bias", &[WIDTH], 0.1);
    for i in 0..depth {
        for (name, out, inputs) in
            [("attn.qkv", 1152, WIDTH), ("attn.proj", WIDTH, WIDTH), ("mlp.fc1", 1536, WIDTH), ("mlp.fc2", WIDTH, 1536)]
        {
            put(&format!("blocks.{i}.{name}.weight"), &[out, inputs], 0.2);
            put(&format!("blocks.{i}.{name}.bias"), &[out], 0.1);
        }
        for name in ["norm1", "norm2"] {
            put(&format!("blocks.{i}.{name}.weight"), &[WIDTH], 2.0);
            put(&format!("blocks.{i}.{name}.bias"), &[WIDTH], 0.1);
        }
    }
    put("norm.weight", &[WIDTH], 2.0);
    put("norm.bias", &[WIDTH], 0.1);
    let pixels = BackboneKind::DinoVitS14.preprocessing();
    Vit::from_tensors(Family::DINO, pixels, &arrays, Path::new("formula")).expect("the tensors are complete")
}

fn vit(c: &mut Criterion) {
    let image: Vec<f32> = (0..3 * SIZE * SIZE).map(|i| (i % 251) as f32 / 250.0).collect();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("one thread can be had");
    let mut group = c.benchmark_group("vit_s14_448");
    group.sample_size(10).measurement_time(Duration::from_secs(8));
    for depth in [1, 12] {
        let vit = network(depth);
        group.bench_function(format!("{depth} blocks"), |b| {
            b.iter(|| pool.install(|| black_box(vit.run(&image, (SIZE, SIZE), &[depth], None))));
        });
    }
    group.finish();
}

criterion_group!(benches, vit);
criterion_main!(benches);
