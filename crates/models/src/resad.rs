//! ResAD: residual features, which differ little between classes, constrained to a ball and modelled by a flow.

pub(crate) mod constraintor;
mod detector;
pub(crate) mod images;
pub(crate) mod levels;
mod objective;
pub(crate) mod residual;
pub(crate) mod training;

use std::path::Path;

use zsad_core::{
    Device, Error, FitContext, Fitted, Method, MethodDef, MethodSpec, ParamDefault, ParamKind, ParamSpec, Params,
    Result, Setting,
};

use crate::settings::{float, int};
use crate::vision::{BACKBONE, LAYERS, NEEDS, SHOTS, SIGMA, check_layers};
use detector::Detector;

/// The registry's entry.
pub const DEF: ResAd = ResAd;

/// ResAD as its paper describes it; see [`DEF`].
///
/// At each layer of a frozen backbone, a position's feature minus its nearest one among the normal references (Eq. 1)
/// goes through a constraintor (convolution, batch norm, ReLU; Eq. 2 draws normals to the origin and leaves anomalies
/// where they are), and a conditional flow models where normals then lie (Eq. 4, with BGAD's boundary, Eq. 5). A map is
/// the sum over layers of 1 − p (Eq. 7), an image's score its maximum.
///
/// Where the paper leaves room: log-likelihoods are divided by the number of channels, as in BGAD; in Eq. 7 p is
/// relative to the greatest likelihood of a normal in the last epoch of training, since a density has no bound; one update
/// a mini-batch of images moves both parts. Anomalies without masks are not trained on.
///
/// The defaults are for minutes on a processor. The paper's are three layers (WideResNet-50-2: `layers: [1, 2, 3]`),
/// `epochs: 100`, `lr: 0.00001`, `batch: 32` and `condition: 256`; `experiments/resad_visa_to_mvtec.yaml` uses them.
pub struct ResAd;

pub(crate) const fn choice(
    name: &'static str,
    words: &'static [&'static str],
    default: &'static str,
    doc: &'static str,
) -> ParamSpec {
    ParamSpec { name, doc, kind: ParamKind::Choice(words), default: ParamDefault::Text(default) }
}

pub(crate) const fn flag(name: &'static str, default: bool, doc: &'static str) -> ParamSpec {
    ParamSpec { name, doc, kind: ParamKind::Bool, default: ParamDefault::Bool(default) }
}

static SPEC: MethodSpec = MethodSpec {
    name: "resad",
    version: 2,
    summary: "residuals of patch features to the nearest references, constrained, under a conditional normalizing flow",
    citation: "Yao et al., ResAD: A Simple Framework for Class Generalizable Anomaly Detection, NeurIPS 2024; boundary: \
               Yao et al., Explicit Boundary Guided Semi-Push-Pull Contrastive Learning, CVPR 2023",
    setting: Setting::FewShot,
    needs: NEEDS,
    params: &[
        BACKBONE,
        LAYERS,
        SHOTS,
        choice(
            "residual",
            &["signed", "squared", "none"],
            "signed",
            "signed: the difference to the nearest reference; squared: its elements squared; none: the feature itself",
        ),
        choice("constraintor", &["conv1x1", "conv3x3"], "conv3x3", "the convolution before batch norm and ReLU"),
        int("couplings", 1, ParamDefault::Int(8), "coupling layers of a flow"),
        ParamSpec {
            name: "condition",
            doc: "values of the position embedding, a multiple of 4 (256 in the paper: perceptrons of several times the size)",
            kind: ParamKind::Int { min: 4, max: 4096 },
            default: ParamDefault::Int(64),
        },
        int("hidden", 1, ParamDefault::Auto, "width of the couplings' perceptrons; auto: twice their input"),
        float("clamp", 10.0, ParamDefault::Float(1.9), "bound of the logarithm of a coupling's factor"),
        float("tau", f64::INFINITY, ParamDefault::Float(0.1), "margin between the normal and the anomalous boundary"),
        float("lambda", f64::INFINITY, ParamDefault::Float(1.0), "weight of the boundary loss"),
        float("quantile", 0.5, ParamDefault::Float(0.05), "share of normals outside the normal boundary"),
        int("epochs", 1, ParamDefault::Int(10), "passes over the training images (100 in the paper, of 5,354 images)"),
        int("batch", 1, ParamDefault::Int(8), "images in a mini-batch (32 in the paper)"),
        int(
            "positions",
            1,
            ParamDefault::Auto,
            "positions of an image that the flow of a layer is trained on; auto: all",
        ),
        float(
            "lr",
            f64::INFINITY,
            ParamDefault::Float(1e-3),
            "Adam's learning rate, divided by ten after 70 and 90 % of the updates (1e-5 in the paper, for 17,000 updates)",
        ),
        float("weight_decay", f64::INFINITY, ParamDefault::Float(5e-4), "L2 penalty, added to the gradient"),
        flag("exclude_query", true, "a training image is not among its own references"),
        flag("all_normals", true, "train on the normals of the meta-train domains' test pools, too, as the paper does"),
        choice(
            "score",
            &["probability", "negative_log"],
            "probability",
            "what is summed over layers: 1 − p (Eq. 7), or − log p, which tells far anomalies apart",
        ),
        ParamSpec { default: ParamDefault::Float(0.0), ..SIGMA },
    ],
};

/// Refuses parameters of `method` that do not fit together.
pub(crate) fn check(method: &str, params: &Params) -> Result<()> {
    check_layers(params, &params.ints("layers"))?;
    match params.size("condition") {
        condition if condition.is_multiple_of(4) => Ok(()),
        condition => Err(Error::Config(format!("{method}: condition {condition} is no multiple of 4"))),
    }
}

impl MethodDef for ResAd {
    fn spec(&self) -> &'static MethodSpec {
        &SPEC
    }

    fn shots(&self, params: &Params) -> usize {
        params.size("shots")
    }

    fn build(&self, params: &Params) -> Result<Box<dyn Method>> {
        check(SPEC.name, params)?;
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
        let (levels, report) = training::train(&self.params, ctx)?;
        Ok(Box::new(Detector { params: self.params.clone(), levels, report }))
    }

    fn load(&self, path: &Path, device: Device) -> Result<Box<dyn Fitted>> {
        Ok(Box::new(Detector::load(path, device)?))
    }
}
