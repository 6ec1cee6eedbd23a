//! Times a backbone's forward pass, images (of 224 × 224 pixels, unless `--size` says otherwise) to the maps of its default
//! layers: one JSON line.
//!
//! `cargo run --release -p zsad-backbones --example backbone_bench -- --backbone resnet18 --batch 8 --threads 2 --iters 5
//! --data DIR`, where `DIR/weights` holds the weights. `scripts/bench_backbones_vs_torch.py` runs it beside PyTorch.

use std::collections::BTreeMap;
use std::time::Instant;

use zsad_backbones::{Backbone, BackboneKind, NormMode};
use zsad_core::{Choice, DataDir, Environment, Error};

fn main() -> zsad_core::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (pairs, rest) = arguments.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(Error::Config("want pairs: --name value".into()));
    }
    let options: BTreeMap<&str, &str> = pairs.iter().map(|[name, value]| (name.as_str(), value.as_str())).collect();
    let text = |name: &str, default: &'static str| options.get(name).map_or(default.to_owned(), |v| (*v).to_owned());
    let number = |name: &str, default: &'static str| -> zsad_core::Result<usize> {
        let value = text(name, default);
        value.parse().map_err(|_| Error::Config(format!("{name} {value}: want a number")))
    };
    let name = text("--backbone", "efficientnet_lite0");
    let known = || Error::Config(format!("--backbone {name}: want one of {}", BackboneKind::WORDS.join(", ")));
    let kind = BackboneKind::from_word(&name).ok_or_else(known)?;
    let mode = if text("--norm", "running") == "running" { NormMode::Running } else { NormMode::BatchStats };
    let size = number("--size", "224")?;
    let (batch, threads, iters) = (number("--batch", "8")?, number("--threads", "2")?, number("--iters", "5")?);
    let env = Environment::new(DataDir::resolve(options.get("--data").map(Into::into)));
    let path = Backbone::weights_file(kind, &env.data)?;
    let backbone = Backbone::from_tensors(kind, mode, &zsad_nn::weights::read(&path)?, &path)?;
    let layers = kind.default_layers();
    let images: Vec<f32> = (0..batch * 3 * size * size).map(|i| (i % 251) as f32 / 250.0).collect();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().map_err(Error::failed)?;
    let mut seconds = Vec::new();
    for _ in 0..iters + 1 {
        let start = Instant::now();
        pool.install(|| backbone.features(&images, size, size, layers))?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    // The first run allocates the buffers.
    let mut timed = seconds.split_off(1);
    timed.sort_by(f64::total_cmp);
    let line = serde_json::json!({
        "backbone": kind, "size": size, "batch": batch, "threads": threads, "layers": layers,
        "median_ms": timed[timed.len() / 2] * 1e3, "min_ms": timed[0] * 1e3,
    });
    println!("{line}");
    Ok(())
}
