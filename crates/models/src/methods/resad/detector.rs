//! The trained detector.

use candle_core::{DType, Tensor};
use rayon::prelude::*;
use serde_json::json;
use zsad_backbones::LayerShape;
use zsad_core::{Environment, FitReport, Result, SampleId, Scores, State};

use super::layers::{FeatureLayer, FeatureLayers};
use super::likelihood::{Peak, improbability};
use super::params::{MapScore, ResAd};
use super::residual::Matching;
use crate::families::features::{FeatureDetector, View};
use crate::math::Points;

/// See the module.
pub struct Trained {
    pub(super) params: ResAd,
    pub(super) layers: FeatureLayers,
    pub(super) report: FitReport,
}

impl Trained {
    /// The detector that left `state`.
    pub(super) fn restore(params: &ResAd, state: &State, env: &Environment) -> Result<Self> {
        let channels: Vec<usize> = state.entry("channels")?;
        let layers = FeatureLayers::new(&params.flow, &channels, env.device, 0)?;
        layers.store.restore(state)?;
        let report = FitReport { parameters: layers.store.count() as u64, ..FitReport::default() };
        Ok(Trained { params: params.clone(), layers, report })
    }
}

impl FeatureDetector for Trained {
    /// The references' features, a layer each; `None` where residuals are not taken.
    type Support = Vec<Option<Points<f32>>>;

    fn adapt(&self, support: &View) -> Result<Self::Support> {
        Matching::by_distance(self.params.residual).pools(support.store(), support.ids())
    }

    fn score(&self, pools: &Self::Support, batch: &View) -> Result<Scores> {
        let embeddings = self.layers.embeddings(batch.store().shapes())?;
        let look = |&id: &SampleId| self.log_likelihoods(batch, id, pools, &embeddings);
        let seen = batch.ids().par_iter().map(look).collect::<Result<Vec<Vec<Vec<f64>>>>>()?;
        let peaks = self.peaks(&seen)?;
        let score = |(values, &peak): (&Vec<f64>, &f64)| -> Vec<f32> {
            let score = |&v: &f64| match self.params.score {
                MapScore::Probability => improbability(v, peak),
                MapScore::NegativeLog => peak - v,
            };
            values.iter().map(|v| score(v) as f32).collect()
        };
        self.params.summed.score(batch, |place| Ok(seen[place].iter().zip(&peaks).map(score).collect()))
    }

    fn state(&self) -> Result<Option<State>> {
        Ok(Some(self.layers.store.state(json!({ "channels": self.layers.channels() }))?))
    }

    fn report(&self) -> FitReport {
        self.report.clone()
    }
}

impl Trained {
    /// The log-likelihood of every position of an image, a layer each.
    fn log_likelihoods(
        &self,
        batch: &View,
        id: SampleId,
        pools: &[Option<Points<f32>>],
        embeddings: &[Tensor],
    ) -> Result<Vec<Vec<f64>>> {
        let matching = Matching::by_distance(self.params.residual);
        let layer = |(number, layer): (usize, &FeatureLayer)| {
            let rows = matching.rows(batch.store(), id, number, pools[number].as_ref())?;
            Ok(layer.log_likelihoods(rows, batch.store().shapes()[number], &embeddings[number])?)
        };
        self.layers.layers.iter().enumerate().map(layer).collect()
    }

    /// What each layer's log-likelihoods are relative to; `seen` are those of a batch, image by image.
    fn peaks(&self, seen: &[Vec<Vec<f64>>]) -> Result<Vec<f64>> {
        let max_of_batch = |number: usize| {
            let all = seen.iter().flat_map(|image| &image[number]);
            all.copied().fold(f64::NEG_INFINITY, f64::max)
        };
        let peak = |(number, layer): (usize, &FeatureLayer)| match self.params.peak {
            Peak::TargetBatch => Ok(max_of_batch(number)),
            Peak::Training | Peak::Quantile => Ok(layer.max_log_likelihood()?),
        };
        self.layers.layers.iter().enumerate().map(peak).collect()
    }
}

impl FeatureLayer {
    /// The log-likelihood of every position of an image.
    fn log_likelihoods(&self, rows: Vec<f32>, shape: LayerShape, embedding: &Tensor) -> zsad_nn::Result<Vec<f64>> {
        let mut all = Vec::with_capacity(shape.positions());
        for (part, positions) in self.chunks(rows, shape)? {
            let likelihood = self.log_likelihood(&part, embedding, &positions)?;
            all.extend(likelihood.to_dtype(DType::F64)?.to_vec1::<f64>()?);
        }
        Ok(all)
    }
}
