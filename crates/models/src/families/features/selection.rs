//! How a method names a backbone, its layers and how many references it wants.

use zsad_backbones::BackboneKind;
use zsad_core::{ParamSet, Shots};

zsad_core::choices! {
    /// What a method on features is fitted to.
    pub enum FitTo {
        /// Normal references of the target.
        References = "references",
        /// The unlabelled test batch.
        Batch = "batch",
    }
}

impl FitTo {
    /// How many references that takes, of `shots` that were asked for.
    pub fn shots(self, shots: Shots) -> Shots {
        if self == FitTo::Batch { Shots::Number(0) } else { shots }
    }
}

/// Parameters that name a backbone and layers of it.
pub(crate) trait Selection: ParamSet {
    /// The network.
    fn backbone(&self) -> BackboneKind;

    /// The layers; its own choice where none are named.
    fn layers(&self) -> Vec<usize>;

    /// Names the layers.
    fn settle(&mut self);

    /// Normal references of the target that are wanted; none, where not said.
    fn shots(&self) -> Shots {
        Shots::Number(0)
    }
}

/// The layers that a person named, or else `auto`.
pub(crate) fn named(layers: &Option<Vec<usize>>, auto: impl FnOnce() -> Vec<usize>) -> Vec<usize> {
    layers.clone().filter(|layers| !layers.is_empty()).unwrap_or_else(auto)
}

zsad_core::params! {
    /// Which features a method compares.
    pub struct InBatchFeatures {
        /// frozen network, trained on ImageNet (dinov2_*: on 142 million images of the web, clip_*: on 400 million with their texts);
        /// its weights lie in <data>/weights
        pub backbone: BackboneKind = BackboneKind::EfficientNetLite0;
        /// its layers, the finest first; auto: those at 1/8 and 1/16 of the image, of a vision transformer four blocks at even
        /// distances
        pub layers: Option<Vec<usize>> = None, in 1..=25;
    }
}

zsad_core::params! {
    /// Which features a method compares, and with how many references.
    pub struct FewShotFeatures {
        /// backbone and layers
        pub features: InBatchFeatures = InBatchFeatures::default();
        /// number of normal references of the target; all: as many as there are, which makes the setting one_class
        pub shots: Shots = Shots::Number(4), in 1..=10_000;
    }
}

impl Selection for InBatchFeatures {
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

impl Selection for FewShotFeatures {
    fn backbone(&self) -> BackboneKind {
        self.features.backbone()
    }

    fn layers(&self) -> Vec<usize> {
        self.features.layers()
    }

    fn settle(&mut self) {
        self.features.settle();
    }

    fn shots(&self) -> Shots {
        self.shots
    }
}
