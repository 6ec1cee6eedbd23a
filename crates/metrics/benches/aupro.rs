//! Exact AUPRO against the usual loop over thresholds, on 100 maps of 256 x 256.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use rand::RngExt;
use zsad_core::rng;
use zsad_metrics::{METRICS, evaluate, find, regions};

const MAPS: usize = 100;
const SIDE: usize = 256;
const THRESHOLDS: usize = 200;

/// Smooth maps with a bump of defect, and masks of one to three discs; a quarter of the images are normal.
fn maps_and_masks() -> (Vec<f32>, Vec<u8>) {
    let mut rng = rng::stream(0, &[("bench", "aupro")]);
    let (mut maps, mut masks) = (Vec::new(), Vec::new());
    for image in 0..MAPS {
        let discs: Vec<[f32; 3]> = (0..image % 4)
            .map(|_| [rng.random_range(30.0..226.0), rng.random_range(30.0..226.0), rng.random_range(4.0..25.0)])
            .collect();
        let phase: f32 = rng.random_range(0.0..6.0);
        for i in 0..SIDE * SIDE {
            let (y, x) = ((i / SIDE) as f32, (i % SIDE) as f32);
            let inside = |d: &[f32; 3]| 1.0 - (y - d[0]).hypot(x - d[1]) / d[2];
            let depth = discs.iter().map(inside).fold(-9.0, f32::max);
            masks.push(u8::from(depth > 0.0));
            let wave = (x / 17.0 + phase).sin() * (y / 23.0).cos();
            maps.push(wave + 2.0 * depth.max(-0.5) + rng.random_range(-0.3..0.3));
        }
    }
    (maps, masks)
}

/// The usual way: the curve over an even grid of thresholds, every pixel looked at for each, then cut at the limit.
fn threshold_loop(maps: &[f32], masks: &[u8]) -> f64 {
    let found = regions(masks, SIDE, SIDE);
    let normals = masks.iter().filter(|&&m| m == 0).count() as f64;
    let (low, high) = maps.iter().fold((f32::MAX, f32::MIN), |(low, high), &s| (low.min(s), high.max(s)));
    let mut curve = vec![(0.0, 0.0)];
    for t in 0..THRESHOLDS {
        let threshold = high - (high - low) * t as f32 / (THRESHOLDS - 1) as f32;
        let mut hits = vec![0u64; found.sizes.len() + 1];
        for (&score, &region) in maps.iter().zip(&found.labels) {
            hits[region as usize] += u64::from(score >= threshold);
        }
        let overlaps = hits[1..].iter().zip(&found.sizes).map(|(&h, &s)| h as f64 / s as f64);
        curve.push((hits[0] as f64 / normals, overlaps.sum::<f64>() / found.sizes.len() as f64));
    }
    let mut area = 0.0;
    for (&(fpr, pro), &(next, overlap)) in curve.iter().zip(&curve[1..]).filter(|((fpr, _), _)| *fpr < 0.3) {
        let end = f64::min(next, 0.3);
        let at_end = if next > fpr { pro + (overlap - pro) * (end - fpr) / (next - fpr) } else { pro };
        area += (end - fpr) * (pro + at_end) / 2.0;
    }
    area / 0.3
}

fn aupro(c: &mut Criterion) {
    let (maps, masks) = maps_and_masks();
    let input = zsad_core::MetricInput::Maps { maps: &maps, masks: &masks, shape: &[SIDE, SIDE] };
    let exact = find("aupro").and_then(|m| m.compute(input).value());
    println!("exact {exact:?}, {THRESHOLDS} thresholds {}", threshold_loop(&maps, &masks));
    let mut group = c.benchmark_group("aupro_100x256x256");
    group.sample_size(10);
    group.bench_function("exact", |b| b.iter(|| find("aupro").map(|m| m.compute(black_box(input)))));
    group.bench_function("all_pixel_metrics", |b| b.iter(|| evaluate(black_box(input), METRICS)));
    group.bench_function("threshold_loop", |b| b.iter(|| threshold_loop(black_box(&maps), &masks)));
    group.finish();
}

criterion_group!(benches, aupro);
criterion_main!(benches);
