//! ACR on patches: every patch position of a category is a task's domain.

mod network;
mod noise;
mod outliers;
mod params;
mod scoring;
mod training;

use serde_json::json;
use zsad_core::{Accepts, Environment, FitContext, FitReport, MethodSpec, Operator, Operators, Result, Scores, State};

use crate::families::features::{FeatureDetector, FeatureMethod, Features, Selected, View};
use network::{FeatureSvdd, Trained};
use params::{AcrPatch, NoiseUnit, OneLayer};

/// The registry's entry: the industrial experiment of ACR.
///
/// One layer of a frozen backbone gives every position of an image a feature. A task is one position of one meta-train
/// category: that position's features in some images, and as many outliers, which are the same with Gaussian noise
/// added. At test time each position of a test batch is a batch of its own; the squared distances to the learned centre
/// make the map.
pub const DEF: Features<AcrPatch> = Features::new(&MethodSpec {
    name: "acr_patch",
    version: 1,
    summary: "meta-trained batch norm over the patches at one position; map: squared distances to the learned centre",
    citation: "Li, Qiu, Kloft, Smyth, Rudolph, Mandt: Zero-Shot Anomaly Detection via Batch Normalization, NeurIPS 2023 \
               (MVTec AD experiment, released code)",
    accepts: Accepts::IMAGES,
});

impl FeatureMethod for AcrPatch {
    type Selection = OneLayer;
    type Detector = Trained;
    const OPERATORS: Operators = Operators::of(&[Operator::Linear, Operator::Norm, Operator::Distance, Operator::Adam]);

    fn settle(&mut self) {
        (self.noise_copies, self.min_max) = (Some(self.noise_copies()), Some(self.min_max()));
    }

    fn fit(&self, selected: &Selected, ctx: &FitContext) -> Result<Trained> {
        training::train(self, selected, ctx)
    }

    fn restore(&self, state: &State, env: &Environment) -> Result<Trained> {
        let network = FeatureSvdd::new(self, state.entry("channels")?, env.device, 0)?;
        network.store.restore(state)?;
        let report = FitReport { parameters: network.store.count() as u64, ..FitReport::default() };
        let noise = match self.noise_unit {
            NoiseUnit::Absolute => self.noise_sigma,
            NoiseUnit::Features => state.entry("noise")?,
        };
        Ok(Trained { params: self.clone(), network, noise, report })
    }
}

impl FeatureDetector for Trained {
    type Support = ();

    fn adapt(&self, _: &View) -> Result<()> {
        Ok(())
    }

    fn score(&self, (): &(), batch: &View) -> Result<Scores> {
        scoring::score(self, batch)
    }

    fn state(&self) -> Result<Option<State>> {
        Ok(Some(self.network.store.state(json!({ "channels": self.network.channels, "noise": self.noise }))?))
    }

    fn report(&self) -> FitReport {
        self.report.clone()
    }
}
