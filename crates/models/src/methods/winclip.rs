//! WinCLIP: an image and its windows beside texts that describe the object, whole and damaged.

use zsad_backbones::BackboneKind;
use zsad_backbones::features::Features as Layers;
use zsad_backbones::maps::anomaly_map;
use zsad_core::{Accepts, Environment, Error, FitContext, MethodSpec, Result, SampleId, Scores, Shots};

use crate::families::features::{FeatureDetector, FeatureMethod, Features, Selected, Selection, View};
use crate::families::prompts::{knows_no_texts, unit_points, words_file};
use crate::math::Points;
use crate::math::neighbours::nearest;

mod prompts;
mod texts;
mod windows;

use texts::Texts;
use windows::{finite, grid, harmonic};

/// The registry's entry: an image is as anomalous as it is nearer to texts of a damaged object than to those of a whole one, in the space
/// that CLIP learnt for both; so are all of its windows of 2 × 2 and of 3 × 3 patches, each by itself through the network. A patch has
/// the harmonic mean of its windows, and the map that of both sizes and of the whole image. With `shots`, half the cosine distance to the
/// nearest window and patch of the references is added, and an image's score is the mean of the texts' and of the greatest such
/// distance.
///
/// After Accurate-WinCLIP (Zhou, 2024), since the authors published no code. Made for images of 240 × 240 pixels. What the object is
/// called is part of what the method knows: the domain's name, unless `names` gives another.
pub const DEF: Features<WinClip> = Features::new(&MethodSpec {
    name: "winclip",
    version: 1,
    summary: "windows of an image beside texts of the object, whole and damaged, in CLIP's space",
    citation: "Jeong, Zou, Kim, Zhang, Ravichandran, Dabeer: WinCLIP: Zero-/Few-Shot Anomaly Classification and Segmentation, \
               CVPR 2023",
    accepts: Accepts::IMAGES,
});

/// Sides of the windows, as they stand in the features behind the class token; the last block's patches are behind them.
const WINDOWS: [usize; 2] = [3, 2];

zsad_core::params! {
    /// Which network it looks through, and with how many references.
    pub struct Network {
        /// network trained on images with their texts (clip_*); its weights and the tokenizer's list lie in <data>/weights
        pub backbone: BackboneKind = BackboneKind::ClipVitB16Plus;
        /// number of normal references of the target (4 for the paper's few-shot form); all: as many as there are, which makes the
        /// setting one_class
        pub shots: Shots = Shots::Number(0), in 0..=10_000;
    }
}

impl Selection for Network {
    fn backbone(&self) -> BackboneKind {
        self.backbone
    }

    /// The class token; the method adds the others.
    fn layers(&self) -> Vec<usize> {
        self.backbone.class_layer().into_iter().collect()
    }

    fn settle(&mut self) {}

    fn shots(&self) -> Shots {
        self.shots
    }
}

zsad_core::params! {
    /// Its parameters.
    pub struct WinClip {
        /// what objects are called where their domain's name is no word for them, each as `domain=words`; otherwise the name, with
        /// spaces for underscores
        pub names: Vec<String> = Vec::new();
        /// what cosines are divided by before they become probabilities
        pub temperature: f64 = 0.07, in 1e-6..;
    }
}

/// The method with what it looks at.
#[derive(Debug, Clone)]
pub struct Looking {
    params: WinClip,
    selected: Selected,
}

impl FeatureMethod for WinClip {
    type Selection = Network;
    type Detector = Looking;
    const ALONE: bool = true;

    fn check(&self) -> Result<(), String> {
        match self.names.iter().find(|name| name.split_once('=').is_none_or(|(a, b)| a.is_empty() || b.is_empty())) {
            Some(name) => {
                Err(format!("`names` wants `domain=words`, such as `pcb=printed circuit board`, not `{name}`"))
            }
            None => Ok(()),
        }
    }

    /// The class token, the windows, and where there are references the last block.
    fn layers(&self, selection: &Network) -> Vec<usize> {
        let windows = WINDOWS.into_iter().filter_map(|side| selection.backbone.window_layer(side));
        let last = selection.backbone.class_layer().map(|class| class - 1);
        let patches = last.filter(|_| selection.shots != Shots::Number(0));
        selection.layers().into_iter().chain(windows).chain(patches).collect()
    }

    fn artifacts(&self, selection: &Network, env: &Environment) -> Result<Vec<std::path::PathBuf>> {
        Ok(vec![words_file(selection.backbone, &env.data)?])
    }

    fn fit(&self, selected: &Selected, _: &FitContext) -> Result<Looking> {
        if !selected.backbone.has_text() {
            return Err(Error::Config(knows_no_texts(selected.backbone)));
        }
        Ok(Looking { params: self.clone(), selected: selected.clone() })
    }
}

/// Windows of both sizes and patches of the references, of unit length.
pub(crate) type Memory = [Points<f32>; 3];

impl FeatureDetector for Looking {
    /// None without references.
    type Support = Option<Memory>;

    fn adapt(&self, support: &View) -> Result<Option<Memory>> {
        if self.selected.shots == Shots::Number(0) {
            return Ok(None);
        }
        let all = |layer: usize| -> Result<Points<f32>> {
            let of = |&id: &SampleId| Ok(unit_points(support.store().get(id)?, layer));
            Ok(Points::concat(&support.ids().iter().map(of).collect::<Result<Vec<_>>>()?))
        };
        Ok(Some([all(1)?, all(2)?, all(3)?]))
    }

    fn score(&self, memory: &Option<Memory>, batch: &View) -> Result<Scores> {
        let texts = Texts::of(&self.selected, &self.params.names, batch)?;
        batch.each(|place| {
            let id = batch.ids()[place];
            let layers = batch.store().get(id)?;
            let (score, values, grid) = self.params.image(layers, memory.as_ref(), texts.of_domain(id.domain)?);
            Ok((score, anomaly_map(&values, grid, batch.image(), 0.0)))
        })
    }
}

impl WinClip {
    /// Score, one value a patch, rows and columns.
    fn image(&self, layers: Layers, memory: Option<&Memory>, texts: &[Vec<f64>; 2]) -> (f64, Vec<f32>, (usize, usize)) {
        let probabilities = |layer: usize| -> Vec<f64> {
            unit_points(layers, layer).rows().map(|row| self.probability(row, texts)).collect()
        };
        let whole = probabilities(0)[0];
        let grid = grid(layers.layer(1).0);
        let by_window = |i: usize, values: &[f64]| harmonic(values, WINDOWS[i], grid);
        let (large, middle) = (by_window(0, &probabilities(1)), by_window(1, &probabilities(2)));
        let mut map: Vec<f64> =
            large.iter().zip(&middle).map(|(l, m)| finite(3.0 / (1.0 / l + 1.0 / m + 1.0 / whole))).collect();
        let Some(memory) = memory else {
            return (whole, map.iter().map(|&v| v as f32).collect(), grid);
        };
        let far = |i: usize| -> Vec<f64> {
            let near = nearest(&memory[i], &unit_points(layers, i + 1), 1, false);
            // Of unit vectors: half of 1 − cos is a quarter of the squared distance.
            near.into_iter().map(|n| n.squared / 4.0).collect()
        };
        let (large, middle, patches) = (by_window(0, &far(0)), by_window(1, &far(1)), far(2));
        let mut greatest = f64::NEG_INFINITY;
        for (i, value) in map.iter_mut().enumerate() {
            let distance = finite((large[i] + middle[i] + patches[i]) / 3.0);
            *value += distance;
            greatest = greatest.max(distance);
        }
        ((whole + greatest) / 2.0, map.iter().map(|&v| v as f32).collect(), grid)
    }

    /// How much a vector of unit length looks damaged.
    fn probability(&self, vector: &[f32], [normal, damaged]: &[Vec<f64>; 2]) -> f64 {
        let cosine = |text: &[f64]| text.iter().zip(vector).map(|(t, v)| t * f64::from(*v)).sum::<f64>();
        1.0 / (1.0 + ((cosine(normal) - cosine(damaged)) / self.temperature).exp())
    }
}

#[cfg(test)]
mod tests {
    use zsad_backbones::LayerShape;

    use super::*;

    fn wave(n: usize, sample: u32, k: f64) -> Vec<f32> {
        (0..n).map(|i| (i as f64 * (0.9 + 0.13 * f64::from(sample)) + k).sin() as f32).collect()
    }

    /// The class token, windows of 3 × 3 and 2 × 2 among 4 × 5 patches, and patches.
    fn layers(sample: u32) -> (Vec<LayerShape>, Vec<f32>) {
        let shape = |channels, height, width| LayerShape { channels, height, width };
        let shapes = vec![shape(6, 1, 1), shape(6, 2, 3), shape(6, 3, 4), shape(7, 4, 5)];
        let values = [wave(6, sample, 0.0), wave(36, sample, 1.0), wave(72, sample, 2.0), wave(140, sample, 3.0)];
        (shapes, values.concat())
    }

    // import numpy as np
    // w = lambda n, s, k: np.sin(np.arange(n) * (0.9 + 0.13 * s) + k).astype(np.float32).astype(float)
    // unit = lambda x: x / np.linalg.norm(x, axis=-1, keepdims=True)
    // layers = lambda s: [unit(w(n, s, k).reshape(c, -1).T) for k, (n, c) in enumerate([(6, 6), (36, 6), (72, 6), (140, 7)])]
    // texts = unit(np.stack([np.cos(np.arange(6)), np.cos(1.3 * np.arange(6) + .4)]))
    // def p(x): e = np.exp(x @ texts.T / .07); return e[:, 1] / e.sum(1)
    // def patches(v, side):
    //     out = np.zeros((4, 5)); index = np.arange(20).reshape(4, 5)
    //     held = [index[y:y + side, x:x + side].ravel() for y in range(5 - side) for x in range(6 - side)]
    //     for i in range(20): m = [i in h for h in held]; out.flat[i] = sum(m) / (1 / v[m]).sum()
    //     return out
    // far = lambda x, m: (1 - (x @ m.T).max(1)) / 2
    // x = layers(0); z = p(x[0])[0]; m = 3 / (1 / patches(p(x[1]), 3) + 1 / patches(p(x[2]), 2) + 1 / z); print(z, m[[0, 3], 1:4])
    // r = [np.concatenate([layers(s)[i] for s in (1, 2)]) for i in range(4)]
    // d = (patches(far(x[1], r[1]), 3) + patches(far(x[2], r[2]), 2) + far(x[3], r[3]).reshape(4, 5)) / 3
    // print((z + d.max()) / 2, (m + d)[[0, 3], 1:4])
    #[test]
    fn scores_and_maps_of_windows_are_numpys_without_references_and_with() {
        let text = |k: f64, shift: f64| {
            let row: Vec<f64> = (0..6).map(|i| (k * f64::from(i) + shift).cos()).collect();
            let length = row.iter().map(|v| v * v).sum::<f64>().sqrt();
            row.into_iter().map(|v| v / length).collect::<Vec<_>>()
        };
        let texts = [text(1.0, 0.0), text(1.3, 0.4)];
        let (shapes, values) = layers(0);
        let image = Layers::new(&shapes, &values);
        let memory = |layer: usize| {
            let of = |sample: u32| {
                let (shapes, values) = layers(sample);
                unit_points(Layers::new(&shapes, &values), layer)
            };
            Points::concat(&[of(1), of(2)])
        };
        let memory = [memory(1), memory(2), memory(3)];
        for (memory, (want, rows)) in [(None, ALONE), (Some(&memory), BESIDE)] {
            let (score, map, grid) = WinClip::default().image(image, memory, &texts);
            assert_eq!((grid, map.len()), ((4, 5), 20));
            assert!((score - want).abs() < 2e-5 * want, "{score} {want}");
            let found = [&map[1..4], &map[16..19]].concat();
            assert!(found.iter().zip(rows).all(|(f, w)| (f64::from(*f) - w).abs() < 2e-5 * w), "{found:?} {rows:?}");
        }
    }

    #[test]
    fn names_are_pairs() {
        let names = |name: &str| WinClip { names: vec![name.to_owned()], ..WinClip::default() };
        assert!(names("pcb=printed circuit board").check().is_ok());
        assert!(names("pcb").check().is_err() && names("=a").check().is_err() && names("a=").check().is_err());
    }

    const ALONE: (f64, [f64; 6]) = (
        0.00011063390996959498,
        [
            1.6689470064050878e-05,
            1.9815468303077407e-05,
            1.3470406909799754e-05,
            0.0003314012220364958,
            0.00032126214238324127,
            0.00031694577735133175,
        ],
    );
    const BESIDE: (f64, [f64; 6]) = (
        0.11195355014933853,
        [
            0.1922988794039454,
            0.1886823206703661,
            0.19854731048630117,
            0.20329444835132296,
            0.19591452729629738,
            0.18335562886598403,
        ],
    );
}
