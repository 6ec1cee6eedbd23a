//! The trained detector: scoring, saving, loading.

use std::path::Path;

use candle_core::{DType, Tensor};
use rayon::prelude::*;
use serde_json::json;
use zsad_core::method::Silent;
use zsad_core::{Device, Error, FitReport, Fitted, Kind, Maps, Params, Result, SampleRef, Scores, TestBatch};
use zsad_nn::backbones::LayerShape;
use zsad_nn::features::patches::{gaussian_blur, resize_bilinear};
use zsad_nn::features::{FeatureStore, Reduction};

use super::SPEC;
use super::levels::{CHUNK, Level, Levels};
use super::residual::Residual;
use crate::classical::Points;
use crate::state::{self, State};
use crate::vision::features;

pub(super) struct Detector {
    pub params: Params,
    pub levels: Levels,
    pub report: FitReport,
}

/// What scoring an image needs beside it.
struct Target<'a> {
    store: FeatureStore,
    /// The references' features, a layer each; `None` where residuals are not taken.
    pools: Vec<Option<Points>>,
    embeddings: Vec<Tensor>,
    residual: Residual,
    image: (usize, usize),
    detector: &'a Detector,
}

impl Fitted for Detector {
    fn score(&self, batch: &TestBatch) -> Result<Scores> {
        let (dataset, refs, references, cache) = batch.for_feature_cache();
        let Kind::Image { height, width, .. } = dataset.info().kind else {
            return Err(Error::refused("resad wants images"));
        };
        if references.is_empty() {
            return Err(Error::refused("resad needs normal references of the target, and there are none"));
        }
        let spec = features(&self.params, Reduction::Map)?;
        let store = FeatureStore::open(dataset, &[refs, references].concat(), &spec, cache, &Silent)?;
        let residual = Residual::of(&self.params);
        let pools =
            (0..spec.layers.len()).map(|level| residual.pool(&store, references, level)).collect::<Result<_>>()?;
        let embeddings = self.levels.embeddings(store.shapes())?;
        let target = Target { store, pools, embeddings, residual, image: (height, width), detector: self };
        let maps = refs.par_iter().map(|&sample| target.map(sample)).collect::<Result<Vec<Vec<f32>>>>()?;
        let greatest = |map: &Vec<f32>| f64::from(map.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        let samples: Vec<f64> = maps.iter().map(greatest).collect();
        match samples.iter().position(|s| !s.is_finite()) {
            Some(i) => Err(Error::failed(format!("the score of sample {i} is {}", samples[i]))),
            None => Ok(Scores { samples, maps: Some(Maps { height, width, values: maps.concat() }) }),
        }
    }

    fn save(&self, path: &Path) -> Result<()> {
        let network = json!({ "channels": self.levels.channels() });
        state::save(&SPEC, &self.params, network, &self.levels.store, path)
    }

    fn report(&self) -> FitReport {
        self.report.clone()
    }
}

impl Target<'_> {
    /// The anomaly map of an image: the sum over layers, each resized bilinearly.
    fn map(&self, sample: SampleRef) -> Result<Vec<f32>> {
        let (height, width) = self.image;
        let params = &self.detector.params;
        let mut sum = vec![0f32; height * width];
        for (number, level) in self.detector.levels.levels.iter().enumerate() {
            let shape = self.store.shapes()[number];
            let rows = self.residual.rows(&self.store, sample, number, self.pools[number].as_ref())?;
            let below = level.below_peak(rows, shape, &self.embeddings[number])?;
            let scores: Vec<f32> = match params.text("score") {
                "probability" => below.iter().map(|v| (1.0 - (-v).exp()) as f32).collect(),
                _ => below.iter().map(|&v| v as f32).collect(),
            };
            let map = resize_bilinear(LayerShape { channels: 1, ..shape }, &scores, height, width);
            sum.iter_mut().zip(map).for_each(|(sum, v)| *sum += v);
        }
        let sigma = params.float("sigma");
        if sigma > 0.0 {
            gaussian_blur(&mut sum, width, sigma);
        }
        Ok(sum)
    }
}

impl Level {
    /// How far every position's log-likelihood lies below the greatest of training.
    fn below_peak(&self, rows: Vec<f32>, shape: LayerShape, embedding: &Tensor) -> zsad_nn::Result<Vec<f64>> {
        let positions = shape.height * shape.width;
        let rows = Tensor::from_vec(rows, (positions, shape.channels), embedding.device())?;
        let constrained = self.constraintor.forward(&rows, shape, false)?.detach();
        let peak = f64::from(self.peak.to_vec1::<f32>()?[0]);
        let mut below = Vec::with_capacity(positions);
        for start in (0..positions).step_by(CHUNK) {
            let n = CHUNK.min(positions - start);
            let places: Vec<u32> = (start as u32..(start + n) as u32).collect();
            let likelihood = self.likelihood(&constrained.narrow(0, start, n)?.contiguous()?, embedding, &places)?;
            below.extend(likelihood.to_dtype(DType::F64)?.to_vec1::<f64>()?.into_iter().map(|v| peak - v));
        }
        Ok(below)
    }
}

impl Detector {
    /// Reads what [`Fitted::save`] wrote; the parameters are those of the file.
    pub fn load(path: &Path, device: Device) -> Result<Self> {
        let state = State::read(&SPEC, path)?;
        let channels: Vec<usize> = state.network("channels")?;
        let levels = Levels::new(&state.params, &channels, device, 0)?;
        state.restore(&levels.store)?;
        let report = FitReport { parameters: levels.store.count() as u64, ..FitReport::default() };
        Ok(Detector { params: state.params, levels, report })
    }
}
