//! For tests: a small CLIP from a formula, three images with masks, and what PyTorch makes of them (`scripts/make_prompt_goldens.py`).

use std::path::Path;

use serde_json::{Map, Value, json};
use tempfile::TempDir;
use zsad_backbones::BackboneKind;
use zsad_backbones::features::{FeatureSpec, Reduction};
use zsad_core::{
    AnomalySource, Arrays, Batch, DataDir, Dataset, DatasetInfo, Detector, Environment, Fold, Masks, Modality, Result,
    SampleRef, Samples, Scores, Shots, Subset, Unlabelled, Values, file,
};
use zsad_data::memory::{InMemory, MemoryDomain};

use crate::families::features::Selected;

pub(crate) const KIND: BackboneKind = BackboneKind::ClipVitB16;
/// Height and width of the images.
pub(crate) const SIZE: (usize, usize) = (48, 40);

/// What PyTorch found.
pub(crate) fn goldens() -> Value {
    serde_json::from_str(include_str!("../../../tests/fixtures/prompts.json")).unwrap()
}

/// The script's `uniform`: −0.5 … 0.5 from an integer hash of the position, seeded with the bytes of the name.
fn uniform(name: &str, count: usize) -> impl Iterator<Item = f32> {
    let seed = name.bytes().enumerate().fold(0u32, |s, (i, b)| s.wrapping_add((i as u32 + 1) * u32::from(b)));
    (0..count as u32).map(move |i| {
        let h = i.wrapping_add(seed).wrapping_mul(2_654_435_761);
        let h = (h ^ (h >> 15)).wrapping_mul(2_246_822_519);
        (f64::from(h ^ (h >> 13)) / 4_294_967_296.0 - 0.5) as f32
    })
}

/// The script's `drawn`.
pub(crate) fn drawn(name: &str, count: usize, scale: f64, shift: f64) -> Vec<f32> {
    uniform(name, count).map(|u| u * scale as f32 + shift as f32).collect()
}

/// A folder of data with the small network and a tokenizer that merges nothing.
pub(crate) fn network() -> (TempDir, Environment) {
    let folder = tempfile::tempdir().unwrap();
    let weights = folder.path().join("weights");
    std::fs::create_dir(&weights).unwrap();
    let tensors: Vec<(String, Vec<usize>, f64, f64)> = serde_json::from_value(goldens()["tensors"].clone()).unwrap();
    let (mut header, mut values) = (Map::new(), Vec::<u8>::new());
    for (name, shape, scale, shift) in tensors {
        let start = values.len();
        let drawn = drawn(&name, shape.iter().product(), scale, shift);
        values.extend(drawn.iter().flat_map(|v| v.to_le_bytes()));
        header.insert(name, json!({"dtype": "F32", "shape": shape, "data_offsets": [start, values.len()]}));
    }
    let header = serde_json::to_string(&header).unwrap();
    let bytes = [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &values].concat();
    file::write(&weights.join(format!("{KIND}.safetensors")), &bytes).unwrap();
    file::write(&weights.join("clip_bpe_simple_vocab_16e6.txt.gz"), b"#version: 0\n").unwrap();
    let data = DataDir { path: folder.path().to_owned(), chosen_by: "a test" };
    (folder, Environment::new(data))
}

/// The network's weights.
pub(crate) fn arrays(env: &Environment) -> Arrays {
    zsad_nn::weights::read(&env.data.path.join(format!("weights/{KIND}.safetensors"))).unwrap()
}

/// These layers of the network.
pub(crate) fn selected(layers: Vec<usize>) -> Selected {
    let spec = FeatureSpec { layers, reduction: Reduction::Map };
    Selected { backbone: KIND, spec, shots: Shots::Number(0) }
}

/// A normal and two anomalies, in a domain to train on and again in one to test.
pub(crate) struct Masked(InMemory);

impl Masked {
    /// With the script's images.
    pub fn new() -> Self {
        let (height, width) = SIZE;
        let modality = Modality::Image { channels: 3, height, width };
        let mut all = uniform("image", 9 * height * width).map(|u| u + 0.5);
        let mut samples = |n: usize| {
            let values = all.by_ref().take(n * 3 * height * width).collect();
            Samples::new(modality.shape(), Values::F32(values))
        };
        let (normal, anomalous) = (samples(1), Some(samples(2)));
        let domain = |name: &str| MemoryDomain {
            name: name.into(),
            normal: normal.clone(),
            anomalous: anomalous.clone(),
            reference: None,
        };
        let domains = vec![domain("trained"), domain("tested")];
        let fold = Fold::single([0], [1]);
        Masked(InMemory::new("masked", modality, domains, vec![fold], AnomalySource::Genuine).unwrap())
    }

    /// The images of a domain, in the script's order.
    pub fn refs(domain: usize) -> Vec<SampleRef> {
        SampleRef::all(domain, Subset::Normal, 1).chain(SampleRef::all(domain, Subset::Anomalous, 2)).collect()
    }
}

impl Dataset for Masked {
    fn info(&self) -> &DatasetInfo {
        self.0.info()
    }

    fn gather(&self, refs: &[SampleRef]) -> Result<Samples> {
        self.0.gather(refs)
    }

    fn masks(&self, refs: &[SampleRef]) -> Result<Option<Masks>> {
        let (height, width) = SIZE;
        let inside = |r: &SampleRef, y: usize, x: usize| match (r.subset, r.index) {
            (Subset::Anomalous, 0) => (5..25).contains(&y) && (3..18).contains(&x),
            (Subset::Anomalous, _) => (30..47).contains(&y) && (11..40).contains(&x),
            _ => false,
        };
        let pixels = |r| (0..height * width).map(move |p| u8::from(inside(r, p / width, p % width)));
        Ok(Some(Masks { shape: vec![height, width], values: refs.iter().flat_map(pixels).collect() }))
    }
}

/// Fails unless `found` are the values that PyTorch has, to `tolerance` of their root mean square.
pub(crate) fn assert_near(what: &str, found: &[f32], want: &Value, tolerance: f64) {
    let norm = want["norm"].as_f64().unwrap();
    let own = found.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt();
    assert!((own - norm).abs() < tolerance * norm, "{what}: norm {own}, wanted {norm}");
    let rms = norm / (found.len() as f64).sqrt();
    let picks: Vec<usize> = serde_json::from_value(want["picks"].clone()).unwrap();
    let wanted: Vec<f64> = serde_json::from_value(want["values"].clone()).unwrap();
    let off = picks.iter().zip(&wanted).map(|(&pick, want)| (f64::from(found[pick]) - want).abs() / rms);
    let worst = off.fold(0.0, f64::max);
    println!("{what}: {worst:.1e} of the root mean square");
    assert!(worst < tolerance, "{what}: off by {worst} of the root mean square");
}

/// Scores and maps of the tested images by `detector`, where they are those that PyTorch has.
pub(crate) fn assert_scores(detector: &dyn Detector, env: &Environment, want: &Value, tolerance: f64) {
    let found = scores(detector, env);
    for (score, want) in found.samples.iter().zip(want["scores"].as_array().unwrap()) {
        assert!((score - want.as_f64().unwrap()).abs() < tolerance, "{score} {want}");
    }
    let maps = found.maps.unwrap();
    assert_eq!((maps.shape.as_slice(), maps.values.len()), (&[SIZE.0, SIZE.1][..], 3 * SIZE.0 * SIZE.1));
    assert_near("maps", &maps.values, &want["maps"], tolerance);
}

/// What `detector` says of the images to test.
pub(crate) fn scores(detector: &dyn Detector, env: &Environment) -> Scores {
    let (data, refs) = (Masked::new(), Masked::refs(1));
    detector.score(&Batch::new(&Unlabelled::new(&data), &refs, env)).unwrap()
}

/// The file of learned words.
pub(crate) fn words() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/prompts.pth").to_string_lossy().into_owned()
}
