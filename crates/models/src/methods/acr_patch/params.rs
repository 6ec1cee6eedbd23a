//! Its parameters.

use zsad_backbones::BackboneKind;
use zsad_core::Choice;
use zsad_data::synthetic::Defect;

use crate::families::features::Selection;

zsad_core::params! {
    /// The one layer whose maps are looked at.
    pub struct OneLayer {
        /// frozen network; its weights lie in <data>/weights
        pub backbone: BackboneKind = BackboneKind::EfficientNetLite0;
        /// its layer; auto: that at 1/16 of the image (WideResNet50-2: 3, as published), of a vision transformer the last block
        pub layer: Option<usize> = None, in 1..=25;
    }
}

zsad_core::choices! {
    /// Whose maps are made.
    pub enum Variant {
        /// Those of the released code.
        Released = "released",
        /// Those of the paper.
        Paper = "paper",
    }
}

zsad_core::choices! {
    /// What the outliers of a task are.
    pub enum Outliers {
        /// Copies of its normals with Gaussian noise, as released.
        Noise = "noise",
        /// Patches of other domains' anomalies, where their masks say.
        Real = "real",
        /// See [`Defect::CutPaste`].
        CutPaste = "cutpaste",
        /// See [`Defect::Scar`].
        Scar = "scar",
        /// See [`Defect::Poisson`].
        Poisson = "poisson",
        /// See [`Defect::Mixed`].
        Mixed = "mixed",
    }
}

zsad_core::choices! {
    /// What one unit of `noise_sigma` is.
    pub enum NoiseUnit {
        /// One, as in the released code, which was made for WideResNet50-2.
        Absolute = "absolute",
        /// The features' own deviation; see the parameter.
        Features = "features",
    }
}

zsad_core::params! {
    /// Its parameters.
    pub struct AcrPatch {
        /// released: noise copies in the test batch, maps scaled to 0 … 1 over it; paper: the test batch alone
        pub variant: Variant = Variant::Released;
        /// score with as many noise copies of the test batch in it; auto: as the variant does
        pub noise_copies: Option<bool> = None;
        /// scale the maps of a batch to 0 … 1; auto: as the variant does
        pub min_max: Option<bool> = None;
        /// Gaussian smoothing of the anomaly map, in pixels; 0: none
        pub sigma: f64 = 4.0, in 0.0..=64.0;
        /// dimensions of the embedding
        pub latent: usize = 32, in 1..;
        /// training steps; 0: the untrained network
        pub steps: u64 = 50, in 0..;
        /// tasks in a training step
        pub tasks: usize = 32, in 1..;
        /// normals of a task, and as many outliers
        pub task_normals: usize = 30, in 2..;
        /// outliers of a task, in training: noise: copies of its normals with Gaussian noise; real: patches at the same position
        /// of the category's anomalies whose masks cover it; cutpaste, scar, poisson, mixed: of synthetic defects of that kind, one in
        /// every normal test picture
        pub outliers: Outliers = Outliers::Noise;
        /// standard deviation of the outliers' noise, in `noise_unit`s
        pub noise_sigma: f64 = 0.1, in 0.0..;
        /// absolute: as released; features: the root mean square deviation of the layer's features from their mean at the
        /// position, over the normal training images of a category, taken over channels, positions and categories
        pub noise_unit: NoiseUnit = NoiseUnit::Absolute;
        /// Adam's learning rate
        pub lr: f64 = 3e-4, in 0.0..;
    }
}

impl Selection for OneLayer {
    fn backbone(&self) -> BackboneKind {
        self.backbone
    }

    fn layers(&self) -> Vec<usize> {
        self.layer.or_else(|| self.backbone.default_layers().last().copied()).into_iter().collect()
    }

    fn settle(&mut self) {
        self.layer = self.layers().pop();
    }
}

impl AcrPatch {
    /// The kind of synthetic defects that are trained on, if any.
    pub(super) fn synthetic(&self) -> Option<Defect> {
        // Every kind's word is one of the choices.
        Defect::from_word(self.outliers.word())
    }

    pub(super) fn noise_copies(&self) -> bool {
        self.noise_copies.unwrap_or(self.variant == Variant::Released)
    }

    pub(super) fn min_max(&self) -> bool {
        self.min_max.unwrap_or(self.variant == Variant::Released)
    }
}
