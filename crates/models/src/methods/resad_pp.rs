//! ResAD++: what the released code of ResAD computes, each difference to the paper an option.

mod codebook;
mod detector;
mod network;
mod objective;
mod params;
mod training;

use zsad_core::{Accepts, Environment, FitContext, MethodSpec, Operators, Result, State};

use crate::families::features::{FeatureMethod, Features, FewShotFeatures, Selected};
use detector::Trained;
use params::ResAdPp;

/// The registry's entry: ResAD++ as the ResAD authors released it.
///
/// As [`crate::methods::resad`], but: references are matched by the cosine and residuals squared; a codebook learns the
/// normal residuals, and at test time residuals are drawn towards the distribution of their nearest codes; the
/// constraintor draws normals into a thin shell, with barriers from both sides, and pushes anomalies out of it; the flow
/// has ten couplings and two centres, one for normals and one for anomalies, with a focal loss between them; the first
/// epochs see normals alone; and the score is the mean of 1 − p, relative to the most likely position of the whole test
/// batch, and the probability of the anomalies' centre.
///
/// Where the released code cannot be told by a parameter here: references of a training image are drawn for it alone and
/// without replacement; constraintor, codebook and flow share one learning rate; the
/// first epochs' normals include those of the test subsets where `all_normals` says so. Its settings are `lr: 0.00001`,
/// `schedule: epochs`, `batch: 32`, `condition: 256`, `normal_epochs: 10`, `flow_drop_last: true` and `exclude_query: false`.
pub const DEF: Features<ResAdPp> = Features::new(&MethodSpec {
    name: "resad_pp",
    version: 1,
    summary: "ResAD as released: squared residuals, codebook, shell, and a conditional flow with two centres",
    citation: "Yao et al., ResAD++: Towards Class Agnostic Anomaly Detection via Residual Feature Learning, \
               arXiv 2509.23741, 2025; code released with Yao et al., ResAD, NeurIPS 2024",
    accepts: Accepts::IMAGES,
});

impl FeatureMethod for ResAdPp {
    type Selection = FewShotFeatures;
    type Detector = Trained;
    const OPERATORS: Operators = super::resad::layers::OPERATORS;
    const CONTROL: Option<&'static str> = Some("residual_norm");

    fn check(&self) -> Result<(), String> {
        self.flow.check()
    }

    fn fit(&self, selected: &Selected, ctx: &FitContext) -> Result<Trained> {
        let (network, report) = training::train(self, selected, ctx)?;
        Ok(Trained { params: self.clone(), network, report })
    }

    fn restore(&self, state: &State, env: &Environment) -> Result<Trained> {
        Trained::restore(self, state, env)
    }
}
