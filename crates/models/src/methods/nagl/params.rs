//! Its parameters.

use zsad_backbones::BackboneKind;
use zsad_core::Shots;

use crate::families::features::{Selection, named};

zsad_core::params! {
    /// Which features it compares, and with how many normal references.
    pub struct LastLayers {
        /// frozen network; its weights lie in <data>/weights (dinov2_vits14 as published)
        pub backbone: BackboneKind = BackboneKind::EfficientNetLite0;
        /// its layers, brought to the size of the first; auto: the last block of a vision transformer, else that at 1/16 of the image
        pub layers: Option<Vec<usize>> = None, in 1..=25;
        /// number of normal references of the target; all: as many as there are, which makes the setting one_class
        pub shots: Shots = Shots::Number(4), in 1..=10_000;
    }
}

impl Selection for LastLayers {
    fn backbone(&self) -> BackboneKind {
        self.backbone
    }

    fn layers(&self) -> Vec<usize> {
        named(&self.layers, || match self.backbone.class_layer() {
            Some(class) => vec![class - 1],
            None => self.backbone.default_layers().last().copied().into_iter().collect(),
        })
    }

    fn settle(&mut self) {
        self.layers = Some(self.layers());
    }

    fn shots(&self) -> Shots {
        self.shots
    }
}

zsad_core::params! {
    /// Its parameters.
    pub struct Nagl {
        /// learned vectors that look for what is anomalous
        pub proxies: usize = 25, in 1..=10_000;
        /// heads of every attention; the channels must be a multiple of them, and of 4
        pub heads: usize = 4, in 1..=1024;
        /// labelled anomalies of a training episode; at test time there are as many as the protocol gives
        pub train_abnormal_shots: usize = 1, in 1..=1000;
        /// training steps (1260 as released: 20 epochs of 500 episodes)
        pub steps: u64 = 1260, in 1..;
        /// episodes in a step
        pub tasks: usize = 8, in 1..;
        /// Adam's learning rate, a tenth of it after half of the steps, and a hundredth after three quarters
        pub lr: f64 = 1e-5, in 0.0..;
        /// what weights shrink by, times the learning rate
        pub weight_decay: f64 = 0.01, in 0.0..;
        /// share of an image's patches, those with the highest scores, whose mean is the image's score; 0: the highest
        pub top: f64 = 0.01, in 0.0..=1.0;
        /// Gaussian smoothing of the anomaly map, in pixels; 0: none
        pub sigma: f64 = 4.0, in 0.0..=64.0;
    }
}

impl Nagl {
    /// The learning rate of a step, counted from 0.
    pub(super) fn rate(&self, step: u64) -> f64 {
        let passed = [2, 3].iter().filter(|&quarters| 4 * step >= quarters * self.steps).count();
        self.lr * 0.1f64.powi(passed as i32)
    }
}
