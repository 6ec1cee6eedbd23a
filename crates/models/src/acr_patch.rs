//! ACR on patches: every patch position of a category is a task's domain.

mod scoring;
mod training;

use std::path::Path;

use candle_core::{DType, Tensor, Var};
use serde_json::json;
use zsad_core::rng::stream;
use zsad_core::{
    Device, FitContext, FitReport, Fitted, Method, MethodDef, MethodSpec, Needs, ParamDefault, ParamKind, ParamSpec,
    Params, Result, Scores, Setting, TestBatch,
};
use zsad_nn::layers::Pass;
use zsad_nn::nets::{Mlp, MlpConfig};
use zsad_nn::{Init, ParamStore, loss};

use crate::settings::{float, int};
use crate::state::{self, State};
use crate::vision::{BACKBONE, SIGMA, check_layers};

/// The registry's entry.
pub const DEF: AcrPatch = AcrPatch;

/// The industrial experiment of ACR; see [`DEF`].
///
/// One layer of a frozen backbone gives every position of an image a feature. A task is one position of one meta-train
/// category: that position's features in some images, and as many outliers, which are the same with Gaussian noise
/// added. At test time each position of a test batch is a batch of its own; the squared distances to the learned centre
/// make the map.
pub struct AcrPatch;

static SPEC: MethodSpec = MethodSpec {
    name: "acr_patch",
    version: 1,
    summary: "meta-trained batch norm over the patches at one position; map: squared distances to the learned centre",
    citation: "Li, Qiu, Kloft, Smyth, Rudolph, Mandt: Zero-Shot Anomaly Detection via Batch Normalization, NeurIPS 2023 \
               (MVTec AD experiment, released code)",
    setting: Setting::ZeroShot,
    needs: Needs { image: true, tabular: false, masks: false, references: false },
    params: &[
        BACKBONE,
        ParamSpec {
            name: "layer",
            doc: "its layer; auto: that at 1/16 of the image (WideResNet50-2: 3, as published)",
            kind: ParamKind::Int { min: 1, max: 7 },
            default: ParamDefault::Auto,
        },
        ParamSpec {
            name: "variant",
            doc: "released: noise copies in the test batch, maps scaled to 0 … 1 over it; paper: the test batch alone",
            kind: ParamKind::Choice(&["released", "paper"]),
            default: ParamDefault::Text("released"),
        },
        flag("noise_copies", "score with as many noise copies of the test batch in it; auto: as the variant does"),
        flag("min_max", "scale the maps of a batch to 0 … 1; auto: as the variant does"),
        SIGMA,
        int("latent", 1, ParamDefault::Int(32), "dimensions of the embedding"),
        int("steps", 1, ParamDefault::Int(50), "training steps"),
        int("tasks", 1, ParamDefault::Int(32), "tasks in a training step"),
        int("task_normals", 2, ParamDefault::Int(30), "normals of a task, and as many outliers"),
        float("noise_sigma", f64::INFINITY, ParamDefault::Float(0.1), "standard deviation of the outliers' noise"),
        float("lr", f64::INFINITY, ParamDefault::Float(3e-4), "Adam's learning rate"),
    ],
};

const fn flag(name: &'static str, doc: &'static str) -> ParamSpec {
    ParamSpec { name, doc, kind: ParamKind::Bool, default: ParamDefault::Auto }
}

impl MethodDef for AcrPatch {
    fn spec(&self) -> &'static MethodSpec {
        &SPEC
    }

    fn build(&self, params: &Params) -> Result<Box<dyn Method>> {
        check_layers(params, params.opt_int("layer").as_slice())?;
        Ok(Box::new(Configured { params: params.clone() }))
    }
}

struct Configured {
    params: Params,
}

impl Method for Configured {
    fn trains(&self) -> bool {
        true
    }

    fn fit(&self, ctx: &FitContext) -> Result<Box<dyn Fitted>> {
        Ok(Box::new(training::train(&self.params, ctx)?))
    }

    fn load(&self, path: &Path, device: Device) -> Result<Box<dyn Fitted>> {
        let state = State::read(&SPEC, path)?;
        let network = FeatureSvdd::new(&state.params, state.network("channels")?, device, 0)?;
        state.restore(&network.store)?;
        let report = FitReport { parameters: network.store.count() as u64, ..FitReport::default() };
        Ok(Box::new(Detector { params: state.params, network, report }))
    }
}

/// The published network, narrowed where the features have fewer channels than its layers, and its centre.
struct FeatureSvdd {
    net: Mlp,
    centre: Var,
    channels: usize,
    store: ParamStore,
}

impl FeatureSvdd {
    fn new(params: &Params, channels: usize, device: Device, seed: u64) -> zsad_nn::Result<Self> {
        let latent = params.size("latent");
        let mut store = ParamStore::new(&zsad_nn::device::open(device)?, DType::F32);
        let mut rng = stream(seed, &[("purpose", "init"), ("method", SPEC.name)]);
        let mut b = store.builder(&mut rng);
        let hidden: Vec<usize> = [512, 256, 128, 64, 32].into_iter().filter(|&w| w < channels.max(33)).collect();
        let net = Mlp::new(&mut b.scope("net"), &MlpConfig::acr(channels, &hidden, latent))?;
        let centre = b.add("center", &[latent], Init::Normal(0.0, 1.0))?;
        Ok(FeatureSvdd { net, centre, channels, store })
    }

    /// L_n = d and L_a = 1/d of the squared distance d to the centre, each batch of `pass` by its own statistics.
    fn losses(&self, x: &Tensor, pass: Pass) -> zsad_nn::Result<(Tensor, Tensor)> {
        loss::dsvdd(&self.net.forward(x, pass)?, &self.centre)
    }
}

/// The trained detector.
struct Detector {
    params: Params,
    network: FeatureSvdd,
    report: FitReport,
}

impl Fitted for Detector {
    fn score(&self, batch: &TestBatch) -> Result<Scores> {
        scoring::score(self, batch)
    }

    fn save(&self, path: &Path) -> Result<()> {
        state::save(&SPEC, &self.params, json!({ "channels": self.network.channels }), &self.network.store, path)
    }

    fn report(&self) -> FitReport {
        self.report.clone()
    }
}
