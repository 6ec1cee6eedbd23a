//! Which network the data ask for, with its published training.
//!
//! Defaults are those of Li et al. (NeurIPS 2023, released code). Where the paper has none (small images, other
//! sizes), the nearest network is taken. What was decided is in the resolved parameters and in the fit's notes.

use serde::{Deserialize, Serialize};
use zsad_nn::layers::NormMode;

zsad_core::choices! {
    /// Which statistics normalise activations.
    pub enum Norm {
        /// The batch's own, in training and at test time: the adaptation of ACR.
        BatchStats = "batch_stats",
        /// The batch's own in training, running averages at test time.
        Running = "running",
        /// Each sample's own, over its features.
        Layer = "layer",
        /// Each sample's own, for each channel over space.
        Instance = "instance",
        /// Each sample's own, over groups of 16 channels and space.
        Group = "group",
        /// None.
        None = "none",
    }
}

zsad_core::choices! {
    /// Which layers have the norm; the others keep its gain and offset.
    pub enum NormPosition {
        /// All.
        All = "all",
        /// The first.
        First = "first",
        /// The last: after the last layer, where the method has one there.
        Last = "last",
    }
}

impl Norm {
    /// The layers' word for it.
    pub fn mode(self) -> NormMode {
        match self {
            Norm::BatchStats => NormMode::BatchStats,
            Norm::Running => NormMode::Running,
            Norm::Layer => NormMode::Layer,
            Norm::Instance => NormMode::Instance,
            Norm::Group => NormMode::Group,
            Norm::None => NormMode::None,
        }
    }
}

zsad_core::choices! {
    /// An architecture of the published experiments.
    pub enum Backbone {
        /// Linear, norm, ReLU: TabDSVDD with 3 × 128.
        Mlp = "mlp",
        /// Four 3×3 convolutions of stride 2, mean over space.
        OmniglotCnn = "omniglot_cnn",
        /// Four 3×3 convolutions, each followed by 2×2 pooling.
        Cnn4 = "cnn4",
        /// The MLP that halves feature vectors down to 32.
        FeatureSvdd = "feature_svdd",
    }
}

zsad_core::choices! {
    /// What the network's codes are for.
    pub enum HeadKind {
        /// The trained centre of ACR: a norm after the last layer.
        Adapted = "adapted",
        /// A fixed centre: without biases, gains and a final norm, so that no weights map everything to one point
        /// (Ruff et al., ICML 2018, propositions 1 to 3). A bias before a norm without offset has no effect and may stay.
        FixedCentre = "fixed_centre",
        /// Anything else: no norm after the last layer.
        Plain = "plain",
    }
}

/// A network, complete: what a trained state must say to build it again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NetworkSpec {
    /// The architecture.
    pub backbone: Backbone,
    /// Shape of one sample.
    pub input: Vec<usize>,
    /// Widths of the hidden layers, or filters.
    pub hidden: Vec<usize>,
    /// Dimensions of the codes.
    pub latent: usize,
    /// What normalises.
    pub norm: Norm,
    /// Where it does.
    #[serde(default)]
    pub norm_position: NormPosition,
    /// What the codes are for.
    pub style: HeadKind,
}

/// The published training of a network.
pub(crate) struct Published {
    pub steps: u64,
    pub lr: f64,
    pub lr_step: u64,
    pub lr_gamma: f64,
    pub task_batch: usize,
    /// Share of outliers in a task.
    pub contamination: f64,
    /// Meta-train domains that choose the step, where the number of steps is none that was published.
    pub held_out: usize,
}

const OMNIGLOT: Published = Published {
    steps: 10_000,
    lr: 1e-3,
    lr_step: 1500,
    lr_gamma: 0.7,
    task_batch: 30,
    contamination: 0.5,
    held_out: 0,
};
const CIFAR: Published =
    Published { steps: 6000, lr: 3e-3, lr_step: 3000, lr_gamma: 0.8, task_batch: 60, contamination: 0.5, held_out: 0 };
const ANOSHIFT: Published =
    Published { steps: 1000, lr: 4e-4, lr_step: 1000, lr_gamma: 0.8, task_batch: 512, contamination: 0.2, held_out: 0 };
const MVTEC: Published =
    Published { steps: 50, lr: 3e-4, lr_step: 3000, lr_gamma: 0.8, task_batch: 60, contamination: 0.5, held_out: 0 };
/// Images below 16 pixels, which the paper does not have: the Omniglot training on an MLP, for at most so many steps; a
/// domain that is held out says how many are good.
const SMALL: Published = Published { steps: 1500, held_out: 1, ..OMNIGLOT };

impl NetworkSpec {
    /// A perceptron without a norm, whose codes have `latent` dimensions.
    pub fn perceptron(input: Vec<usize>, hidden: Vec<usize>, latent: usize) -> Self {
        NetworkSpec {
            backbone: Backbone::Mlp,
            input,
            hidden,
            latent,
            norm: Norm::None,
            norm_position: NormPosition::All,
            style: HeadKind::Plain,
        }
    }

    /// In words, for the record.
    pub fn describe(&self) -> String {
        format!("{:?} {:?} → {:?} → {}, norm {:?}", self.backbone, self.input, self.hidden, self.latent, self.norm)
    }

    /// Its published training.
    pub(crate) fn published(&self) -> Published {
        match self.backbone {
            Backbone::Mlp if self.input.len() > 1 => SMALL,
            Backbone::Mlp => ANOSHIFT,
            Backbone::OmniglotCnn => OMNIGLOT,
            Backbone::Cnn4 => CIFAR,
            Backbone::FeatureSvdd => MVTEC,
        }
    }
}
