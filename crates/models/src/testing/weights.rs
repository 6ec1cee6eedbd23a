//! Small vision transformers made by a formula, so that what runs on one needs no file.

use std::path::Path;

use serde_json::{Map, json};
use zsad_backbones::BackboneKind;
use zsad_core::{Choice, DataDir, Error, MethodDef, ParamDefault, Result, file};

const WIDTH: usize = 64;
const PATCH: usize = 8;

/// The folder of data for `def`: the usual one, unless its default is a vision transformer; then one with a small network.
pub(super) fn data(def: &dyn MethodDef) -> Result<DataDir> {
    let default = def.params().into_iter().find(|p| p.name == "backbone").map(|p| p.default);
    let word = match default {
        Some(ParamDefault::Value(value)) => value.as_str().map(str::to_owned),
        _ => None,
    };
    let kind = word.as_deref().and_then(BackboneKind::from_word).filter(|kind| kind.is_vit());
    let Some(kind) = kind else { return Ok(DataDir::resolve(None)) };
    let path = std::env::temp_dir().join("zsad-small-networks");
    let weights = path.join("weights");
    std::fs::create_dir_all(&weights).map_err(|e| Error::io(&weights, &e))?;
    // Written whole or not at all, and always the same: programs that run side by side may write it both.
    let depth = kind.layers() - 1;
    let (tensors, file) = (if kind.has_text() { clip(depth) } else { dino(depth) }, format!("{kind}.safetensors"));
    write(&weights.join(file), &tensors)?;
    // A tokenizer that merges nothing.
    file::write(&weights.join("clip_bpe_simple_vocab_16e6.txt.gz"), b"#version: 0\n")?;
    Ok(DataDir { path, chosen_by: "the conformance suite" })
}

/// A name, a shape, and what random values are multiplied by; 0 stands for ones.
type Tensor = (String, Vec<usize>, f32);

/// A DINOv2 by its authors' names.
fn dino(depth: usize) -> Vec<Tensor> {
    let mut all = vec![
        ("cls_token".to_owned(), vec![1, 1, WIDTH], 1.0),
        ("pos_embed".to_owned(), vec![1, 17, WIDTH], 0.2),
        ("patch_embed.proj.weight".to_owned(), vec![WIDTH, 3, PATCH, PATCH], 0.5),
        ("patch_embed.proj.bias".to_owned(), vec![WIDTH], 0.1),
    ];
    for i in 0..depth {
        all.extend(norm(&format!("blocks.{i}.norm1")));
        all.extend(norm(&format!("blocks.{i}.norm2")));
        all.extend(linear(&format!("blocks.{i}.attn.qkv."), 3 * WIDTH, WIDTH));
        all.extend(linear(&format!("blocks.{i}.attn.proj."), WIDTH, WIDTH));
        all.extend(linear(&format!("blocks.{i}.mlp.fc1."), 2 * WIDTH, WIDTH));
        all.extend(linear(&format!("blocks.{i}.mlp.fc2."), WIDTH, 2 * WIDTH));
        all.extend(["ls1", "ls2"].map(|scale| (format!("blocks.{i}.{scale}.gamma"), vec![WIDTH], 0.3)));
    }
    all.extend(norm("norm"));
    all
}

/// A CLIP by OpenCLIP's names: both towers.
fn clip(depth: usize) -> Vec<Tensor> {
    let mut all = vec![
        ("visual.class_embedding".to_owned(), vec![WIDTH], 1.0),
        ("visual.positional_embedding".to_owned(), vec![17, WIDTH], 0.2),
        ("visual.conv1.weight".to_owned(), vec![WIDTH, 3, PATCH, PATCH], 0.5),
        ("visual.proj".to_owned(), vec![WIDTH, WIDTH / 2], 0.3),
        ("token_embedding.weight".to_owned(), vec![514, WIDTH], 1.0),
        ("positional_embedding".to_owned(), vec![77, WIDTH], 0.2),
        ("text_projection".to_owned(), vec![WIDTH, WIDTH / 2], 0.3),
    ];
    all.extend(["visual.ln_pre", "visual.ln_post", "ln_final"].iter().flat_map(|name| norm(name)));
    let images = (0..depth).map(|i| format!("visual.transformer.resblocks.{i}"));
    for block in images.chain(["transformer.resblocks.0".to_owned()]) {
        all.extend(norm(&format!("{block}.ln_1")));
        all.extend(norm(&format!("{block}.ln_2")));
        all.extend(linear(&format!("{block}.attn.in_proj_"), 3 * WIDTH, WIDTH));
        all.extend(linear(&format!("{block}.attn.out_proj."), WIDTH, WIDTH));
        all.extend(linear(&format!("{block}.mlp.c_fc."), 2 * WIDTH, WIDTH));
        all.extend(linear(&format!("{block}.mlp.c_proj."), WIDTH, 2 * WIDTH));
    }
    all
}

fn norm(name: &str) -> [Tensor; 2] {
    [(format!("{name}.weight"), vec![WIDTH], 0.0), (format!("{name}.bias"), vec![WIDTH], 0.1)]
}

/// Weight and bias; `name` goes before either word.
fn linear(name: &str, out: usize, inputs: usize) -> [Tensor; 2] {
    let scale = (3.0 / inputs as f32).sqrt();
    [(format!("{name}weight"), vec![out, inputs], scale), (format!("{name}bias"), vec![out], 0.1)]
}

/// A safetensors file: the header's length, the header, the values.
fn write(path: &Path, tensors: &[Tensor]) -> Result<()> {
    let (mut header, mut values) = (Map::new(), Vec::<u8>::new());
    for (number, (name, shape, scale)) in tensors.iter().enumerate() {
        let start = values.len();
        for i in 0..shape.iter().product::<usize>() {
            // Weyl's sequences: evenly spread, and different from tensor to tensor.
            let u = ((i + 1) as f64 * (0.618_033_988_7 + 0.0137 * number as f64)).fract() - 0.5;
            let value = if *scale == 0.0 { 1.0 } else { 2.0 * scale * u as f32 };
            values.extend(value.to_le_bytes());
        }
        let entry = json!({"dtype": "F32", "shape": shape, "data_offsets": [start, values.len()]});
        header.insert(name.clone(), entry);
    }
    let header = serde_json::to_string(&header).map_err(Error::failed)?;
    let bytes = [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &values].concat();
    file::write(path, &bytes)
}
