//! The trained detector.

use candle_core::{DType, Tensor};
use rayon::prelude::*;
use serde_json::json;
use zsad_backbones::LayerShape;
use zsad_backbones::maps::{gaussian_blur, resize_bilinear};
use zsad_core::{Environment, FitReport, Result, SampleId, Scores, State};

use super::layers::{FeatureLayer, FeatureLayers};
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
    type Support = Vec<Option<Points>>;

    fn adapt(&self, support: &View) -> Result<Self::Support> {
        Matching::by_distance(self.params.residual).pools(support.store(), support.ids())
    }

    fn score(&self, pools: &Self::Support, batch: &View) -> Result<Scores> {
        let embeddings = self.layers.embeddings(batch.store().shapes())?;
        let map = |&id: &SampleId| self.map(batch, id, pools, &embeddings);
        let maps = batch.ids().par_iter().map(map).collect::<Result<Vec<Vec<f32>>>>()?;
        Ok(batch.maps(maps).into())
    }

    fn state(&self) -> Result<Option<State>> {
        Ok(Some(self.layers.store.state(json!({ "channels": self.layers.channels() }))?))
    }

    fn report(&self) -> FitReport {
        self.report.clone()
    }
}

impl Trained {
    /// The anomaly map of an image: the sum over layers, each resized bilinearly.
    fn map(&self, batch: &View, id: SampleId, pools: &[Option<Points>], embeddings: &[Tensor]) -> Result<Vec<f32>> {
        let (height, width) = batch.image();
        let matching = Matching::by_distance(self.params.residual);
        let mut sum = vec![0f32; height * width];
        for (number, layer) in self.layers.layers.iter().enumerate() {
            let shape = batch.store().shapes()[number];
            let rows = matching.rows(batch.store(), id, number, pools[number].as_ref())?;
            let gap = layer.log_likelihood_gap(rows, shape, &embeddings[number])?;
            let scores: Vec<f32> = match self.params.score {
                MapScore::Probability => gap.iter().map(|v| (1.0 - (-v).exp()) as f32).collect(),
                MapScore::NegativeLog => gap.iter().map(|&v| v as f32).collect(),
            };
            let map = resize_bilinear(LayerShape { channels: 1, ..shape }, &scores, height, width);
            sum.iter_mut().zip(map).for_each(|(sum, v)| *sum += v);
        }
        if self.params.sigma > 0.0 {
            gaussian_blur(&mut sum, width, self.params.sigma);
        }
        Ok(sum)
    }
}

impl FeatureLayer {
    /// How far every position's log-likelihood lies below the greatest of training.
    fn log_likelihood_gap(&self, rows: Vec<f32>, shape: LayerShape, embedding: &Tensor) -> zsad_nn::Result<Vec<f64>> {
        let max = self.max_log_likelihood()?;
        let mut gap = Vec::with_capacity(shape.positions());
        for (part, positions) in self.chunks(rows, shape)? {
            let likelihood = self.log_likelihood(&part, embedding, &positions)?;
            gap.extend(likelihood.to_dtype(DType::F64)?.to_vec1::<f64>()?.into_iter().map(|v| max - v));
        }
        Ok(gap)
    }
}
