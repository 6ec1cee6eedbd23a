//! ResAD++: what the released code of ResAD computes, each difference to the paper an option.

mod codebook;
mod detector;
mod objective;
mod training;

use std::path::Path;

use zsad_core::{
    Device, FitContext, Fitted, Method, MethodDef, MethodSpec, ParamDefault, ParamKind, ParamSpec, Params, Result,
    Setting,
};

use crate::resad::{check, choice, flag};
use crate::settings::{float, int};
use crate::vision::{BACKBONE, LAYERS, NEEDS, SHOTS, SIGMA};
use detector::Detector;

/// The registry's entry.
pub const DEF: ResAdPp = ResAdPp;

/// ResAD++ as the ResAD authors released it; see [`DEF`].
///
/// As [`crate::resad`], but: references are matched by the cosine and residuals squared; a codebook learns the normal
/// residuals, and at test time residuals are drawn towards the distribution of their nearest codes; the constraintor
/// draws normals into a thin shell, with barriers from both sides, and pushes anomalies out of it; the flow has ten
/// couplings and two centres, one for normals and one for anomalies, with a focal loss between them; the first epochs
/// see normals alone; and the score is the mean of 1 − p, relative to the most likely position of the whole test batch,
/// and the probability of the anomalies' centre.
///
/// Where the released code cannot be told by a parameter here: references of a training image are drawn for it alone and
/// without replacement; constraintor, codebook and flow share one learning rate, divided by ten after 70 and 90 % of the
/// mini-batches; the first epochs' normals include those of the test pools where `all_normals` says so.
pub struct ResAdPp;

static SPEC: MethodSpec = MethodSpec {
    name: "resad_pp",
    version: 1,
    summary: "ResAD as released: squared residuals, codebook, shell, and a conditional flow with two centres",
    citation: "Yao et al., ResAD++: Towards Class Agnostic Anomaly Detection via Residual Feature Learning, \
               arXiv 2509.23741, 2025; code released with Yao et al., ResAD, NeurIPS 2024",
    setting: Setting::FewShot,
    needs: NEEDS,
    params: &[
        BACKBONE,
        LAYERS,
        SHOTS,
        choice("matching", &["cosine", "l2"], "cosine", "what the nearest reference is nearest by (l2 in the paper)"),
        choice(
            "residual",
            &["squared", "signed"],
            "squared",
            "squared: the elements of the difference to the nearest reference squared; signed: the difference (paper)",
        ),
        int("codes", 0, ParamDefault::Int(1536), "codes of a layer's codebook of normal residuals; 0: none (paper)"),
        float("commitment", f64::INFINITY, ParamDefault::Float(0.25), "weight of the codebook's loss"),
        float("alignment", 1.0, ParamDefault::Float(0.6), "how far test residuals are drawn to their codes; 0: not"),
        choice("constraintor", &["conv1x1", "conv3x3"], "conv3x3", "the convolution before batch norm and ReLU"),
        float("radius", f64::INFINITY, ParamDefault::Float(0.4), "greatest outer radius of the normals' shell"),
        int("couplings", 1, ParamDefault::Int(10), "coupling layers of a flow (8 in the paper)"),
        ParamSpec {
            name: "condition",
            doc: "values of the position embedding, a multiple of 4 (256 as released)",
            kind: ParamKind::Int { min: 4, max: 4096 },
            default: ParamDefault::Int(64),
        },
        int("hidden", 1, ParamDefault::Auto, "width of the couplings' perceptrons; auto: twice their input"),
        float("clamp", 10.0, ParamDefault::Float(1.9), "bound of the logarithm of a coupling's factor"),
        float("tau", f64::INFINITY, ParamDefault::Float(0.1), "margin between the normal and the anomalous boundary"),
        float("lambda", f64::INFINITY, ParamDefault::Float(1.0), "weight of the boundary loss"),
        float("quantile", 0.5, ParamDefault::Float(0.05), "share of normals outside the normal boundary"),
        float("boundary_momentum", 1.0, ParamDefault::Float(0.9), "share of the old boundary in the new one"),
        int("epochs", 1, ParamDefault::Int(10), "passes over the training images (about 60 as released)"),
        int("normal_epochs", 0, ParamDefault::Int(2), "first epochs, which see normals alone (10 as released)"),
        int("batch", 1, ParamDefault::Int(8), "images in a mini-batch (32 as released)"),
        int("flow_batch", 1, ParamDefault::Int(8192), "positions of a mini-batch that the flow takes in one update"),
        flag(
            "flow_drop_last",
            false,
            "leave out the last positions that do not fill a flow batch (true as released, whereby the flow of a layer of \
             14 × 14 positions is never trained)",
        ),
        float("lr", f64::INFINITY, ParamDefault::Float(1e-3), "Adam's learning rate (1e-5 as released)"),
        float("weight_decay", f64::INFINITY, ParamDefault::Float(5e-4), "L2 penalty, added to the gradient"),
        flag("exclude_query", true, "a training image is not among its own references (it may be, as released)"),
        flag("all_normals", true, "train on the normals of the meta-train domains' test pools, too"),
        choice(
            "score",
            &["transductive", "inductive"],
            "transductive",
            "p is relative to the most likely position of the test batch (as released), or of training",
        ),
        SIGMA,
    ],
};

impl MethodDef for ResAdPp {
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
        let (network, report) = training::train(&self.params, ctx)?;
        Ok(Box::new(Detector { params: self.params.clone(), network, report }))
    }

    fn load(&self, path: &Path, device: Device) -> Result<Box<dyn Fitted>> {
        Ok(Box::new(Detector::load(path, device)?))
    }
}
