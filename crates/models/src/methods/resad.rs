//! ResAD: residual features, which differ little between classes, constrained to a ball and modelled by a flow.

pub(crate) mod constraintor;
mod detector;
pub(crate) mod images;
pub(crate) mod layers;
mod likelihood;
mod objective;
pub(crate) mod params;
pub(crate) mod residual;
pub(crate) mod training;

use zsad_core::{Accepts, Environment, FitContext, MethodSpec, Operators, Result, State};

use crate::families::features::{FeatureMethod, Features, FewShotFeatures, Selected};
use detector::Trained;
use params::ResAd;

/// The registry's entry: ResAD as its paper describes it.
///
/// At each layer of a frozen backbone, a position's feature minus its nearest one among the normal references (Eq. 1)
/// goes through a constraintor (convolution, batch norm, ReLU; Eq. 2 draws normals to the origin and leaves anomalies
/// where they are), and a conditional flow models where normals then lie (Eq. 4, with BGAD's boundary, Eq. 5). A map is
/// the sum over layers of 1 − p (Eq. 7), an image's score its maximum.
///
/// Where the paper leaves room: the two terms of Eq. 2 are averaged apart, each over its own positions, as in the
/// authors' code; log-likelihoods are divided by the number of channels, as in BGAD; in Eq. 7 p is relative to the
/// greatest likelihood of a normal in the last epoch of training, and 1 at most, since a density has no bound; one update
/// a mini-batch of images moves both parts. Anomalies without masks are not trained on. `constraintor: none`,
/// `invariance: false` and `residual: none` are the paper's ablations (Table 2a).
///
/// Version 3: Eq. 2 was one mean over all positions (`anomaly_mean: pooled`), and p had no bound at test time.
///
/// The defaults are for minutes on a processor. The paper's are three layers (WideResNet-50-2: `layers: [1, 2, 3]`),
/// `epochs: 100`, `lr: 0.00001`, `batch: 32` and `condition: 256`; `experiments/resad_visa_to_mvtec.yaml` uses them.
pub const DEF: Features<ResAd> = Features::new(&MethodSpec {
    name: "resad",
    version: 3,
    summary: "residuals of patch features to the nearest references, constrained, under a conditional normalizing flow",
    citation: "Yao et al., ResAD: A Simple Framework for Class Generalizable Anomaly Detection, NeurIPS 2024; boundary: \
               Yao et al., Explicit Boundary Guided Semi-Push-Pull Contrastive Learning, CVPR 2023",
    accepts: Accepts::IMAGES,
});

impl FeatureMethod for ResAd {
    type Selection = FewShotFeatures;
    type Detector = Trained;
    const OPERATORS: Operators = layers::OPERATORS;
    const CONTROL: Option<&'static str> = Some("residual_norm");

    fn check(&self) -> Result<(), String> {
        self.flow.check()
    }

    fn fit(&self, selected: &Selected, ctx: &FitContext) -> Result<Trained> {
        let (layers, report) = training::train(self, selected, ctx)?;
        Ok(Trained { params: self.clone(), layers, report })
    }

    fn restore(&self, state: &State, env: &Environment) -> Result<Trained> {
        Trained::restore(self, state, env)
    }
}
