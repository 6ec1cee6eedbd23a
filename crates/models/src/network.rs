//! Networks: which one the data ask for, with its published training, and how it is built.
//!
//! Defaults are those of Li et al. (NeurIPS 2023, released code). Where the paper has none (small images, other
//! sizes), the nearest network is taken. What was decided is kept in the fit's notes.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};
use zsad_core::{DatasetInfo, Error, Kind, Params, Result};
use zsad_nn::layers::{LinearInit, NormConfig, NormMode};
use zsad_nn::nets::{ConvNet, ConvNetConfig, Mlp, MlpConfig};
use zsad_nn::{Init, Pass, params::Builder};

/// Which statistics normalise activations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Norm {
    /// The batch's own, in training and at test time: the adaptation of ACR.
    BatchStats,
    /// The batch's own in training, running averages at test time.
    Running,
    /// Each sample's own, over its features.
    Layer,
    /// Each sample's own, for each channel over space.
    Instance,
    /// None.
    None,
}

impl Norm {
    /// The value of the parameter `norm`.
    pub fn of(params: &Params) -> Self {
        match params.text("norm") {
            "batch_stats" => Norm::BatchStats,
            "running" => Norm::Running,
            "layer" => Norm::Layer,
            "instance" => Norm::Instance,
            _ => Norm::None,
        }
    }

    /// The layers' word for it.
    pub fn mode(self) -> NormMode {
        match self {
            Norm::BatchStats => NormMode::BatchStats,
            Norm::Running => NormMode::Running,
            Norm::Layer => NormMode::Layer,
            Norm::Instance => NormMode::Instance,
            Norm::None => NormMode::None,
        }
    }
}

/// An architecture of the published experiments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Backbone {
    /// Linear, norm, ReLU: TabDSVDD with 3 × 128.
    Mlp,
    /// Four 3×3 convolutions of stride 2, mean over space.
    OmniglotCnn,
    /// Four 3×3 convolutions, each followed by 2×2 pooling.
    Cnn4,
    /// The MLP that halves feature vectors down to 32.
    FeatureSvdd,
}

/// What the network's codes are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Style {
    /// The trained centre of ACR: a norm after the last layer.
    Adapted,
    /// A fixed centre: without biases, gains and a final norm, so that no weights map everything to one point
    /// (Ruff et al., ICML 2018, propositions 1 to 3). A bias before a norm without offset has no effect and may stay.
    FixedCentre,
    /// Anything else: no norm after the last layer.
    Plain,
}

/// A network, complete: what a checkpoint must say to build it again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct NetworkSpec {
    pub backbone: Backbone,
    /// Shape of one sample.
    pub input: Vec<usize>,
    pub hidden: Vec<usize>,
    pub latent: usize,
    pub norm: Norm,
    pub style: Style,
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
}

const OMNIGLOT: Published =
    Published { steps: 10_000, lr: 1e-3, lr_step: 1500, lr_gamma: 0.7, task_batch: 30, contamination: 0.5 };
const CIFAR: Published =
    Published { steps: 6000, lr: 3e-3, lr_step: 3000, lr_gamma: 0.8, task_batch: 60, contamination: 0.5 };
const ANOSHIFT: Published =
    Published { steps: 1000, lr: 4e-4, lr_step: 1000, lr_gamma: 0.8, task_batch: 512, contamination: 0.2 };
const MVTEC: Published =
    Published { steps: 50, lr: 3e-4, lr_step: 3000, lr_gamma: 0.8, task_batch: 60, contamination: 0.5 };
/// Images below 16 pixels, which the paper does not have: the Omniglot training on an MLP, for fewer steps.
const SMALL: Published = Published { steps: 1500, ..OMNIGLOT };

impl NetworkSpec {
    /// The network that `params` ask for, for samples of `info`.
    pub fn resolve(params: &Params, info: &DatasetInfo) -> Result<Self> {
        let input = info.kind.shape();
        let backbone = match (params.text("network"), &info.kind) {
            ("mlp", _) => Backbone::Mlp,
            ("feature_svdd", _) => Backbone::FeatureSvdd,
            ("omniglot_cnn", Kind::Image { .. }) => Backbone::OmniglotCnn,
            ("cnn4", Kind::Image { .. }) => Backbone::Cnn4,
            ("auto", Kind::Image { height, width, .. }) => match (*height, *width) {
                (h, w) if h.min(w) < 16 => Backbone::Mlp,
                (32, 32) => Backbone::Cnn4,
                _ => Backbone::OmniglotCnn,
            },
            ("auto", Kind::Tabular { dim }) if info.name == "adbench_features" || *dim >= 1024 => Backbone::FeatureSvdd,
            ("auto", Kind::Tabular { .. }) => Backbone::Mlp,
            (name, Kind::Tabular { .. }) => {
                return Err(Error::refused(format!("network {name} needs images, and {} has rows", info.name)));
            }
            (name, _) => return Err(Error::Config(format!("unknown network `{name}`"))),
        };
        let d: usize = input.iter().product();
        let given: Vec<usize> = params.ints("hidden").iter().map(|&w| w as usize).collect();
        let hidden = match backbone {
            _ if !given.is_empty() => given,
            Backbone::Mlp => vec![128; 3],
            Backbone::OmniglotCnn => vec![64; 4],
            Backbone::Cnn4 => vec![128; 4],
            Backbone::FeatureSvdd => [512, 256, 128, 64, 32].into_iter().filter(|&w| w < d.max(33)).collect(),
        };
        let norm = Norm::of(params);
        if norm == Norm::Instance && matches!(backbone, Backbone::Mlp | Backbone::FeatureSvdd) {
            return Err(Error::refused("instance norm needs a convolutional network: each channel over space"));
        }
        Ok(NetworkSpec { backbone, input, hidden, latent: params.size("latent"), norm, style: Style::Adapted })
    }

    /// A perceptron on the flattened samples, with the widths, codes and norm of `params`.
    pub fn perceptron(params: &Params, info: &DatasetInfo) -> Result<Self> {
        let hidden: Vec<usize> = params.ints("hidden").iter().map(|&w| w as usize).collect();
        let norm = Norm::of(params);
        if norm == Norm::Instance {
            return Err(Error::refused("instance norm needs a convolutional network: each channel over space"));
        }
        Ok(NetworkSpec {
            backbone: Backbone::Mlp,
            input: info.kind.shape(),
            hidden: if hidden.is_empty() { vec![128; 3] } else { hidden },
            latent: params.size("latent"),
            norm,
            style: Style::Plain,
        })
    }

    /// In words, for the record.
    pub fn describe(&self) -> String {
        format!("{:?} {:?} → {:?} → {}, norm {:?}", self.backbone, self.input, self.hidden, self.latent, self.norm)
    }

    /// Its published training.
    pub fn published(&self) -> Published {
        match self.backbone {
            Backbone::Mlp if self.input.len() > 1 => SMALL,
            Backbone::Mlp => ANOSHIFT,
            Backbone::OmniglotCnn => OMNIGLOT,
            Backbone::Cnn4 => CIFAR,
            Backbone::FeatureSvdd => MVTEC,
        }
    }
}

/// What a forward pass is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Training on so many stacked tasks, each with its own batch statistics.
    Tasks(usize),
    /// One batch, whose statistics enter the running ones where those are kept.
    Pooled,
    /// Scoring of one batch.
    Score,
}

impl Phase {
    /// The layers' word for it.
    pub fn pass(self) -> Pass {
        match self {
            Phase::Tasks(n) => Pass::train(n),
            Phase::Pooled => Pass::train(1),
            Phase::Score => Pass::eval(1),
        }
    }
}

/// A network in two views on the same weights: where it keeps running statistics, meta-training normalises each task
/// by its own and leaves the running ones alone, since tasks pass in parallel.
#[derive(Debug, Clone)]
pub(crate) struct Network {
    tasks: Net,
    other: Net,
}

#[derive(Debug, Clone)]
enum Net {
    Mlp(Mlp),
    Conv(ConvNet),
}

impl Network {
    /// Registers the parameters of `spec`.
    pub fn new(b: &mut Builder, spec: &NetworkSpec) -> zsad_nn::Result<Self> {
        let mode = spec.norm.mode();
        let affine = mode != NormMode::None && spec.style != Style::FixedCentre;
        let shape = |norm: NormConfig| NormConfig { mode, affine, ..norm };
        // After the mean over space there is nothing left that instance norm could take statistics over.
        let last = |norm: Option<NormConfig>| {
            norm.map(shape).filter(|_| spec.style == Style::Adapted && spec.norm != Norm::Instance)
        };
        let other = match (spec.backbone, spec.input.as_slice()) {
            (Backbone::OmniglotCnn | Backbone::Cnn4, &[c, h, w]) => {
                let input = [c, h, w];
                let published = match spec.backbone {
                    Backbone::Cnn4 => ConvNetConfig::cnn4(input),
                    _ => ConvNetConfig::omniglot(input),
                };
                let head = if spec.style == Style::FixedCentre {
                    Some(LinearInit { weight: Init::TorchWeight, bias: None })
                } else {
                    published.head
                };
                Net::Conv(ConvNet::new(
                    b,
                    &ConvNetConfig {
                        blocks: spec.hidden.len(),
                        filters: spec.hidden[0],
                        output: spec.latent,
                        norm: shape(published.norm),
                        final_norm: last(published.final_norm),
                        head,
                        ..published
                    },
                )?)
            }
            _ => {
                let published = MlpConfig::acr(spec.input.iter().product(), &spec.hidden, spec.latent);
                let (norm, final_norm) = (shape(published.norm), last(published.final_norm));
                Net::Mlp(Mlp::new(
                    b,
                    &MlpConfig { norm, final_norm, bias: spec.style != Style::FixedCentre, ..published },
                )?)
            }
        };
        Ok(Network { tasks: other.clone().without_running(), other })
    }

    /// `[n, shape…]` → `[n, latent]`.
    pub fn forward(&self, x: &Tensor, phase: Phase) -> zsad_nn::Result<Tensor> {
        match if matches!(phase, Phase::Tasks(_)) { &self.tasks } else { &self.other } {
            Net::Mlp(net) => net.forward(&x.flatten_from(1)?, phase.pass()),
            Net::Conv(net) => net.forward(x, phase.pass()),
        }
    }
}

impl Net {
    fn without_running(mut self) -> Self {
        let norms: Vec<&mut zsad_nn::layers::Norm> = match &mut self {
            Net::Mlp(net) => net.blocks.iter_mut().map(|b| &mut b.1).chain(net.head.1.as_mut()).collect(),
            Net::Conv(net) => net.blocks.iter_mut().map(|b| &mut b.1).chain(net.head.1.as_mut()).collect(),
        };
        for norm in norms {
            if norm.mode == NormMode::Running {
                norm.mode = NormMode::BatchStats;
            }
        }
        self
    }
}
