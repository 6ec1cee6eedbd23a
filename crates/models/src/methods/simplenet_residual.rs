//! SimpleNet's discriminator on residuals: does ResAD need its flow?

mod network;
mod training;

use rayon::prelude::*;
use serde_json::json;
use zsad_core::{
    Accepts, Environment, FitContext, FitReport, MethodSpec, Operator, Operators, Result, SampleId, Scores, State,
};

use super::resad::params::FlowParams;
use super::resad::residual::{Matching, Residual};
use crate::families::features::{FeatureDetector, FeatureMethod, Features, FewShotFeatures, Selected, Summed, View};
use crate::math::Points;
use network::Discriminators;

/// The registry's entry: at each layer the differences of patches to their nearest reference, as ResAD takes them; a linear adapter
/// and a small network that is trained to tell those of normals from the same with Gaussian noise, by SimpleNet's truncated loss.
/// Trained once on the normals of other domains; no anomalies and no masks are wanted. A map is the sum over layers of what the
/// network says against a patch.
///
/// This is not SimpleNet, which trains on the tested category itself, on the features and not on residuals, and reports the best
/// epoch of the test. One learning rate serves adapter and discriminator.
pub const DEF: Features<SimpleNetResidual> = Features::new(&MethodSpec {
    name: "simplenet_residual",
    version: 1,
    summary: "a discriminator of residuals against noisy ones, trained on other domains' normals: ResAD without its flow",
    citation: "after Liu, Zhou, Xu, Wang: SimpleNet: A Simple Network for Image Anomaly Detection and Localization, CVPR 2023; \
               residuals: Yao et al., ResAD: A Simple Framework for Class Generalizable Anomaly Detection, NeurIPS 2024",
    accepts: Accepts::IMAGES,
});

zsad_core::choices! {
    /// Where the noise points.
    pub enum Directions {
        /// Anywhere, as in SimpleNet, behind the adapter.
        Any = "any",
        /// Where residuals do, before the adapter.
        Residuals = "residuals",
    }
}

zsad_core::params! {
    /// Its parameters.
    pub struct SimpleNetResidual {
        /// standard deviation of the noise, in that of a layer's residuals
        pub noise: f64 = 1.0, in 1e-6..=100.0;
        /// where the noise points: any: everywhere alike, as released, so that it is told from residuals by the directions in
        /// which these never point; residuals: where other residuals of the mini-batch do (a random combination of eight)
        pub directions: Directions = Directions::Any;
        /// whether a linear map precedes the discriminator
        pub adapter: bool = true;
        /// width of the discriminator (1024 as released, on 1536 features)
        pub hidden: usize = 256, in 1..=8192;
        /// what the discriminator is wanted to say at least of normals, and at most of noisy ones with the sign turned
        pub margin: f64 = 0.5, in 0.0..=10.0;
        /// passes over the training images
        pub epochs: u64 = 4, in 1..;
        /// images in a mini-batch
        pub batch: usize = 8, in 1..;
        /// Adam's learning rate
        pub lr: f64 = 2e-4, in 0.0..;
        /// L2 penalty, added to the gradient
        pub weight_decay: f64 = 1e-5, in 0.0..;
        /// train on the normals of the meta-train domains' test subsets, too
        pub all_normals: bool = true;
        /// from layers to maps and scores
        pub summed: Summed = Summed { sigma: 4.0, ..Summed::default() };
    }
}

/// Differences to the nearest reference.
const MATCHING: Matching = Matching { residual: Residual::Signed, cosine: false };

impl SimpleNetResidual {
    /// What ResAD calls the parameters that its lists of images read.
    fn images(&self) -> FlowParams {
        let SimpleNetResidual { epochs, batch, all_normals, .. } = *self;
        FlowParams { epochs, batch, all_normals, ..FlowParams::default() }
    }
}

/// The trained detector.
pub struct Trained {
    params: SimpleNetResidual,
    network: Discriminators,
    report: FitReport,
}

impl FeatureMethod for SimpleNetResidual {
    type Selection = FewShotFeatures;
    type Detector = Trained;
    const OPERATORS: Operators = Operators::of(&[Operator::Linear, Operator::Norm, Operator::Adam, Operator::Own]);
    const CONTROL: Option<&'static str> = Some("residual_norm");

    fn fit(&self, selected: &Selected, ctx: &FitContext) -> Result<Trained> {
        let (network, report) = training::train(self, selected, ctx)?;
        Ok(Trained { params: self.clone(), network, report })
    }

    fn restore(&self, state: &State, env: &Environment) -> Result<Trained> {
        let channels: Vec<usize> = state.entry("channels")?;
        let network = Discriminators::new(self, &channels, env.device, 0)?;
        network.store.restore(state)?;
        let report = FitReport { parameters: network.store.count() as u64, ..FitReport::default() };
        Ok(Trained { params: self.clone(), network, report })
    }
}

impl FeatureDetector for Trained {
    /// The references' features, a layer each.
    type Support = Vec<Option<Points<f32>>>;

    fn adapt(&self, support: &View) -> Result<Self::Support> {
        MATCHING.pools(support.store(), support.ids())
    }

    fn score(&self, pools: &Self::Support, batch: &View) -> Result<Scores> {
        let store = batch.store();
        let look = |&id: &SampleId| {
            let layer = |(number, pool): (usize, &Option<Points<f32>>)| {
                let rows = MATCHING.rows(store, id, number, pool.as_ref())?;
                Ok(self.network.against(number, rows)?)
            };
            pools.iter().enumerate().map(layer).collect::<Result<Vec<Vec<f32>>>>()
        };
        let seen = batch.ids().par_iter().map(look).collect::<Result<Vec<_>>>()?;
        self.params.summed.score(batch, |place| Ok(seen[place].clone()))
    }

    fn state(&self) -> Result<Option<State>> {
        Ok(Some(self.network.store.state(json!({ "channels": self.network.channels }))?))
    }

    fn report(&self) -> FitReport {
        self.report.clone()
    }
}
