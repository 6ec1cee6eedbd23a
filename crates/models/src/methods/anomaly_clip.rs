//! AnomalyCLIP: prompts that know no object, learned on other categories.

mod detector;
mod objective;
mod prompts;
#[cfg(test)]
mod tests;
mod training;

use std::path::PathBuf;

use zsad_backbones::BackboneKind;
use zsad_core::{Accepts, Environment, Error, FitContext, MethodSpec, Operator, Operators, Result, State};

use crate::families::features::{FeatureMethod, Features, Selected, Selection, named};
use crate::families::prompts::words_file;
use detector::Trained;

/// The registry's entry: an image, and each of its patches, is as anomalous as it is nearer to the text of "damaged object." than to that of
/// "object.", in CLIP's space; the words before both are learned, and so are the first words of the deeper blocks of the text tower, on
/// normals and masked anomalies of other categories. Both of CLIP's towers stay as they are. Patches are those of a path beside the first,
/// on which values are compared with values; the class token is projected without the last norm, as released.
///
/// The loss is the cross-entropy of images and, four times, focal and both dice losses of the map at the images' size. An anomaly without a
/// mask takes part in the first alone. As published on images of 518 × 518 pixels, on whole test sets of another data set (MVTec AD or
/// VisA). With `prompts`, a file of the authors' is taken instead of training. Features of the training images are computed once; without a
/// cache folder they stay in memory (4 MB an image of 518 pixels and block of ViT-L/14).
pub const DEF: Features<AnomalyClip> = Features::new(&MethodSpec {
    name: "anomaly_clip",
    version: 1,
    summary: "images and patches beside learned texts of an object, whole and damaged, in CLIP's space",
    citation: "Zhou, Pang, Tian, He, Chen: AnomalyCLIP: Object-agnostic Prompt Learning for Zero-shot Anomaly Detection, \
               ICLR 2024",
    accepts: Accepts::IMAGES,
});

zsad_core::params! {
    /// Which network it looks through.
    pub struct Network {
        /// network trained on images with their texts (clip_*); its weights and the tokenizer's list lie in <data>/weights
        pub backbone: BackboneKind = BackboneKind::ClipVitL14;
        /// blocks whose patches are compared, one map each, which are added; auto: the last
        pub layers: Option<Vec<usize>> = None, in 1..=24;
    }
}

impl Selection for Network {
    fn backbone(&self) -> BackboneKind {
        self.backbone
    }

    fn layers(&self) -> Vec<usize> {
        named(&self.layers, || vec![self.backbone.layers() - 1])
    }

    fn settle(&mut self) {
        self.layers = Some(self.layers());
    }
}

zsad_core::params! {
    /// Its parameters.
    pub struct AnomalyClip {
        /// a file of prompts from the authors' code (prompt_learner, .pth) that are taken instead of training; empty: train
        pub prompts: String = String::new();
        /// learned words before each of the two texts
        pub words: usize = 12, in 1..=48;
        /// blocks of the text tower behind the first that have learned words of their own, as far as there are so many
        pub deep: usize = 8, in 0..=48;
        /// learned words of each of these blocks, `words` at most
        pub deep_words: usize = 4, in 1..=48;
        /// what cosines are divided by before they become probabilities
        pub temperature: f64 = 0.07, in 1e-6..;
        /// weight of the losses of the map
        pub lambda: f64 = 4.0, in 0.0..;
        /// passes over the training images
        pub epochs: u64 = 15, in 1..;
        /// images in a mini-batch
        pub batch: usize = 8, in 1..;
        /// Adam's learning rate
        pub lr: f64 = 1e-3, in 0.0..;
        /// Gaussian smoothing of the anomaly map, in pixels; 0: none
        pub sigma: f64 = 4.0, in 0.0..=64.0;
    }
}

impl FeatureMethod for AnomalyClip {
    type Selection = Network;
    type Detector = Trained;
    const OPERATORS: Operators = Operators::of(&[Operator::Own, Operator::Adam]);
    const ALONE: bool = true;

    fn check(&self) -> Result<(), String> {
        match self.deep_words <= self.words {
            true => Ok(()),
            false => {
                Err(format!("`deep_words: {}` of `words: {}`: they take their places", self.deep_words, self.words))
            }
        }
    }

    fn learns(&self) -> bool {
        self.prompts.is_empty()
    }

    /// The class token, then the patches of every block named.
    fn layers(&self, selection: &Network) -> Vec<usize> {
        let backbone = selection.backbone;
        let patches = selection.layers().into_iter().filter_map(|block| backbone.surgery_layer(block));
        backbone.bare_class_layer().into_iter().chain(patches).collect()
    }

    fn artifacts(&self, selection: &Network, env: &Environment) -> Result<Vec<PathBuf>> {
        let words = words_file(selection.backbone, &env.data)?;
        if self.learns() {
            return Ok(vec![words]);
        }
        let path = PathBuf::from(&self.prompts);
        match path.is_file() {
            true => Ok(vec![words, path]),
            false => Err(Error::data(
                path,
                "there is no such file of prompts",
                "download it from zqhang/AnomalyCLIP's checkpoints",
            )),
        }
    }

    fn fit(&self, selected: &Selected, ctx: &FitContext) -> Result<Trained> {
        match self.learns() {
            true => training::train(self, selected, ctx),
            false => Trained::official(self, selected, ctx.env),
        }
    }

    fn restore(&self, state: &State, env: &Environment) -> Result<Trained> {
        Trained::restore(self, state, env)
    }
}
