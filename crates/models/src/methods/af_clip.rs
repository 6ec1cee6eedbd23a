//! AF-CLIP: an adapter behind CLIP's image tower, and a few learned words before two texts.

mod detector;
mod model;
mod neighbours;
mod objective;
mod prompt;
#[cfg(test)]
mod tests;
mod training;

use std::path::PathBuf;

use zsad_backbones::BackboneKind;
use zsad_core::{Accepts, Environment, FitContext, MethodSpec, Operator, Operators, Result, State};

use crate::families::features::{FeatureMethod, Features, Selected, Selection, named};
use crate::families::prompts::words_file;
use detector::Trained;

/// The registry's entry: tokens of four blocks of CLIP's image tower, each as they are and as means of 3 × 3 and of 5 × 5 patches weighted
/// by a Gaussian, go through one adapter (layer norm, self-attention), the tower's last norm and its projection; an image by its class
/// tokens, and each patch, is as anomalous as it is nearer to the text "with defect." than to "without defect.", before which the same
/// words are learned. Cosines are added over the twelve sets of tokens. The adapter and the words are trained on normals and masked
/// anomalies of other categories; both of CLIP's towers stay as they are.
///
/// The loss is focal on images, focal and L1 on patches, and what patches of unlike labels are more alike than those of like ones. An
/// anomaly without a mask takes part in the first alone; a patch counts as anomalous by the mask resized bilinearly, above a half. As
/// published on images of 518 × 518 pixels; without the published memory of references. Features are opened a mini-batch at a time: with
/// a cache folder they are computed once (5.6 MB an image of 518 pixels and block of ViT-L/14), without one in every epoch.
pub const DEF: Features<AfClip> = Features::new(&MethodSpec {
    name: "af_clip",
    version: 1,
    summary: "adapted patches of several blocks beside two texts with learned words, in CLIP's space",
    citation: "Fang, Lv, Su: AF-CLIP: Zero-Shot Anomaly Detection via Anomaly-Focused CLIP Adaptation, arXiv 2507.19949, 2025",
    accepts: Accepts::IMAGES,
});

zsad_core::params! {
    /// Which network it looks through.
    pub struct Network {
        /// network trained on images with their texts (clip_*); its weights and the tokenizer's list lie in <data>/weights
        pub backbone: BackboneKind = BackboneKind::ClipVitL14;
        /// blocks whose tokens are taken; auto: four at even distances
        pub layers: Option<Vec<usize>> = None, in 1..=24;
    }
}

impl Selection for Network {
    fn backbone(&self) -> BackboneKind {
        self.backbone
    }

    fn layers(&self) -> Vec<usize> {
        named(&self.layers, || self.backbone.default_layers().to_vec())
    }

    fn settle(&mut self) {
        self.layers = Some(self.layers());
    }
}

zsad_core::params! {
    /// Its parameters.
    pub struct AfClip {
        /// learned words before both texts
        pub words: usize = 12, in 1..=48;
        /// what cosines are divided by before they are added and become probabilities
        pub temperature: f64 = 0.07, in 1e-6..;
        /// weight of the losses of patches
        pub lambda_patches: f64 = 1.0, in 0.0..;
        /// weight of the alignment of patches
        pub lambda_alignment: f64 = 1.0, in 0.0..;
        /// passes over the training images
        pub epochs: u64 = 2, in 1..;
        /// images in a mini-batch
        pub batch: usize = 8, in 1..;
        /// Adam's learning rate
        pub lr: f64 = 1e-4, in 0.0..;
        /// Gaussian smoothing of the anomaly map, in pixels; 0: none
        pub sigma: f64 = 4.0, in 0.0..=64.0;
    }
}

impl FeatureMethod for AfClip {
    type Selection = Network;
    type Detector = Trained;
    const OPERATORS: Operators = Operators::of(&[Operator::Linear, Operator::Norm, Operator::Own, Operator::Adam]);
    const ALONE: bool = true;

    fn layers(&self, selection: &Network) -> Vec<usize> {
        selection.layers().into_iter().filter_map(|block| selection.backbone.tokens_layer(block)).collect()
    }

    fn artifacts(&self, selection: &Network, env: &Environment) -> Result<Vec<PathBuf>> {
        Ok(vec![words_file(selection.backbone, &env.data)?])
    }

    fn fit(&self, selected: &Selected, ctx: &FitContext) -> Result<Trained> {
        training::train(self, selected, ctx)
    }

    fn restore(&self, state: &State, env: &Environment) -> Result<Trained> {
        Trained::restore(self, state, env)
    }
}
