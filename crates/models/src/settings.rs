//! The parameters that trained methods share.

use zsad_core::{ParamDefault, ParamKind, ParamSpec, Params};

use crate::network::NetworkSpec;

pub(crate) const fn int(name: &'static str, min: i64, default: ParamDefault, doc: &'static str) -> ParamSpec {
    ParamSpec { name, doc, kind: ParamKind::Int { min, max: i64::MAX }, default }
}

pub(crate) const fn float(name: &'static str, max: f64, default: ParamDefault, doc: &'static str) -> ParamSpec {
    ParamSpec { name, doc, kind: ParamKind::Float { min: 0.0, max }, default }
}

const fn choice(
    name: &'static str,
    words: &'static [&'static str],
    default: &'static str,
    doc: &'static str,
) -> ParamSpec {
    ParamSpec { name, doc, kind: ParamKind::Choice(words), default: ParamDefault::Text(default) }
}

const AUTO: ParamDefault = ParamDefault::Auto;
const NO_END: f64 = f64::INFINITY;

pub(crate) const NETWORK: ParamSpec = choice(
    "network",
    &["auto", "mlp", "omniglot_cnn", "cnn4", "feature_svdd"],
    "auto",
    "auto: mlp for rows and images below 16 pixels, feature_svdd for feature vectors, cnn4 for 32×32, else omniglot_cnn",
);
pub(crate) const HIDDEN: ParamSpec = ParamSpec {
    name: "hidden",
    doc: "widths of the hidden layers, or the filters of a CNN; auto: as published",
    kind: ParamKind::IntList { min: 1, max: 1 << 16 },
    default: AUTO,
};
pub(crate) const LATENT: ParamSpec = int("latent", 1, ParamDefault::Int(32), "dimensions of the embedding");
pub(crate) const NORM: ParamSpec = norm("batch_stats");
pub(crate) const NORM_RUNNING: ParamSpec = norm("running");
pub(crate) const STEPS: ParamSpec = int("steps", 1, AUTO, "training steps; auto: as published for the network");
pub(crate) const LR: ParamSpec = float("lr", NO_END, AUTO, "Adam's learning rate; auto: as published for the network");
pub(crate) const LR_STEP: ParamSpec =
    int("lr_step", 1, AUTO, "steps after which the rate is multiplied by lr_gamma; auto: as published");
pub(crate) const LR_GAMMA: ParamSpec = float("lr_gamma", 1.0, AUTO, "factor of the learning rate; auto: as published");
pub(crate) const WEIGHT_DECAY: ParamSpec =
    float("weight_decay", NO_END, ParamDefault::Float(0.0), "L2 penalty, added to the gradient as in torch's Adam");
pub(crate) const GRAD_CLIP: ParamSpec =
    float("grad_clip", NO_END, ParamDefault::Float(0.0), "largest norm of the whole gradient; 0: not clipped");
pub(crate) const TASKS: ParamSpec = int("tasks", 1, ParamDefault::Int(32), "tasks in a training step");
pub(crate) const TASK_BATCH: ParamSpec =
    int("task_batch", 2, AUTO, "samples in a task; auto: as published, or what the smallest domain allows");
pub(crate) const TRAIN_CONTAMINATION: ParamSpec =
    float("train_contamination", 0.9, AUTO, "share of outliers in a task; auto: as published for the network");
pub(crate) const OUTLIERS: ParamSpec = choice(
    "outliers",
    &["auto", "other_domains", "genuine", "synthetic_noise", "none"],
    "auto",
    "where a task's outliers come from; auto: synthetic_noise with feature_svdd, else other_domains",
);
pub(crate) const NOISE_SIGMA: ParamSpec =
    float("noise_sigma", NO_END, ParamDefault::Float(0.1), "standard deviation of synthetic_noise, added to normals");
pub(crate) const PERMUTE_COLUMNS: ParamSpec = ParamSpec {
    name: "permute_columns",
    doc: "give each training task its own random order of the columns; auto: with mlp on rows",
    kind: ParamKind::Bool,
    default: AUTO,
};
pub(crate) const DOMAINS: ParamSpec = int("domains", 1, AUTO, "use only so many meta-train domains; auto: all");

pub(crate) const TEMPERATURE: ParamSpec =
    float("temperature", NO_END, ParamDefault::Float(0.1), "temperature of the contrastive loss");

pub(crate) const fn views(default: i64) -> ParamSpec {
    ParamSpec {
        kind: ParamKind::Int { min: 2, max: 1 << 10 },
        ..int("views", 2, ParamDefault::Int(default), "learned views")
    }
}

pub(crate) const fn view_hidden(default: &'static [i64]) -> ParamSpec {
    widths("view_hidden", default, "hidden widths of a learned view")
}

pub(crate) const fn widths(name: &'static str, default: &'static [i64], doc: &'static str) -> ParamSpec {
    ParamSpec { name, doc, kind: ParamKind::IntList { min: 1, max: 1 << 16 }, default: ParamDefault::IntList(default) }
}

/// The parameters of a meta-trained method.
pub(crate) const META: &[ParamSpec] = &[
    NETWORK,
    HIDDEN,
    LATENT,
    NORM,
    STEPS,
    LR,
    LR_STEP,
    LR_GAMMA,
    WEIGHT_DECAY,
    GRAD_CLIP,
    TASKS,
    TASK_BATCH,
    TRAIN_CONTAMINATION,
    OUTLIERS,
    NOISE_SIGMA,
    PERMUTE_COLUMNS,
    DOMAINS,
];

const fn norm(default: &'static str) -> ParamSpec {
    choice(
        "norm",
        &["batch_stats", "running", "layer", "instance", "none"],
        default,
        "batch_stats: the batch's own statistics at test time; running: those of the training; others per sample",
    )
}

/// The optimiser's settings: Adam with a stepwise learning rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Training {
    pub steps: u64,
    pub lr: f64,
    pub lr_step: u64,
    pub lr_gamma: f64,
    pub weight_decay: f64,
    /// 0: not clipped.
    pub grad_clip: f64,
}

impl Training {
    /// The training that `params` ask for, with the published values of `network` where they are `auto`.
    pub fn resolve(params: &Params, network: &NetworkSpec) -> Self {
        let published = network.published();
        Training {
            steps: params.opt_int("steps").map_or(published.steps, |v| v as u64),
            lr: params.opt_float("lr").unwrap_or(published.lr),
            lr_step: params.opt_int("lr_step").map_or(published.lr_step, |v| v as u64),
            lr_gamma: params.opt_float("lr_gamma").unwrap_or(published.lr_gamma),
            weight_decay: params.float("weight_decay"),
            grad_clip: params.float("grad_clip"),
        }
    }

    /// As notes for the record.
    pub fn notes(&self) -> Vec<(String, String)> {
        let schedule = format!("{} × {} every {} steps", self.lr, self.lr_gamma, self.lr_step);
        vec![("steps".into(), self.steps.to_string()), ("lr".into(), schedule)]
    }
}
