//! The trained detector: scoring, saving, loading.

use std::path::Path;

use candle_core::{DType, Tensor};
use rayon::prelude::*;
use serde_json::json;
use zsad_core::method::Silent;
use zsad_core::{Device, Error, FitReport, Fitted, Kind, Maps, Params, Result, SampleRef, Scores, TestBatch};
use zsad_nn::backbones::LayerShape;
use zsad_nn::features::patches::{gaussian_blur, resize_bilinear_corners};
use zsad_nn::features::{FeatureStore, Reduction};

use super::SPEC;
use super::codebook::align;
use super::objective::Likelihoods;
use super::training::{Network, residual};
use crate::classical::Points;
use crate::resad::levels::CHUNK;
use crate::resad::residual::Residual;
use crate::state::{self, State};
use crate::vision::features;

pub(super) struct Detector {
    pub params: Params,
    pub network: Network,
    pub report: FitReport,
}

/// What scoring an image needs beside it.
struct Target<'a> {
    store: FeatureStore,
    pools: Vec<Option<Points>>,
    embeddings: Vec<Tensor>,
    codes: Vec<Vec<f32>>,
    residual: Residual,
    detector: &'a Detector,
}

/// One image at one layer: each position's log-likelihood under the normals' centre, and its probability of being under
/// the anomalies' one.
struct Seen {
    likelihood: Vec<f64>,
    anomaly: Vec<f64>,
}

impl Fitted for Detector {
    fn score(&self, batch: &TestBatch) -> Result<Scores> {
        let (dataset, refs, references, cache) = batch.for_feature_cache();
        let Kind::Image { height, width, .. } = dataset.info().kind else {
            return Err(Error::refused("resad_pp wants images"));
        };
        if references.is_empty() {
            return Err(Error::refused("resad_pp needs normal references of the target, and there are none"));
        }
        let spec = features(&self.params, Reduction::Map)?;
        let store = FeatureStore::open(dataset, &[refs, references].concat(), &spec, cache, &Silent)?;
        let residual = residual(&self.params);
        let layers = 0..spec.layers.len();
        let pools = layers.map(|level| residual.pool(&store, references, level)).collect::<Result<_>>()?;
        let embeddings = self.network.levels.embeddings(store.shapes())?;
        let values = |v: &candle_core::Var| v.flatten_all()?.to_vec1::<f32>();
        let codes: candle_core::Result<_> = self.network.codebooks.iter().map(values).collect();
        let target =
            Target { store, pools, embeddings, codes: codes.map_err(Error::failed)?, residual, detector: self };
        let seen = refs.par_iter().map(|&sample| target.look(sample)).collect::<Result<Vec<Vec<Seen>>>>()?;
        let values = target.maps(&seen, (height, width))?;
        let greatest = |map: &[f32]| f64::from(map.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        let samples: Vec<f64> = values.chunks_exact(height * width).map(greatest).collect();
        match samples.iter().position(|s| !s.is_finite()) {
            Some(i) => Err(Error::failed(format!("the score of sample {i} is {}", samples[i]))),
            None => Ok(Scores { samples, maps: Some(Maps { height, width, values }) }),
        }
    }

    fn save(&self, path: &Path) -> Result<()> {
        let network = json!({ "channels": self.network.levels.channels() });
        state::save(&SPEC, &self.params, network, &self.network.levels.store, path)
    }

    fn report(&self) -> FitReport {
        self.report.clone()
    }
}

impl Target<'_> {
    /// Every layer of an image.
    fn look(&self, sample: SampleRef) -> Result<Vec<Seen>> {
        let share = self.detector.params.float("alignment") as f32;
        let layer = |number: usize| {
            let shape = self.store.shapes()[number];
            let mut rows = self.residual.rows(&self.store, sample, number, self.pools[number].as_ref())?;
            if let Some(codes) = self.codes.get(number).filter(|_| share > 0.0) {
                align(&mut rows, codes, shape.channels, share);
            }
            Ok(self.flow(number, rows, shape)?)
        };
        (0..self.embeddings.len()).map(layer).collect()
    }

    fn flow(&self, number: usize, rows: Vec<f32>, shape: LayerShape) -> zsad_nn::Result<Seen> {
        let level = &self.detector.network.levels.levels[number];
        let (positions, embedding) = (shape.height * shape.width, &self.embeddings[number]);
        let rows = Tensor::from_vec(rows, (positions, shape.channels), embedding.device())?;
        let constrained = level.constraintor.forward(&rows, shape, false)?.detach();
        let mut seen = Seen { likelihood: Vec::new(), anomaly: Vec::new() };
        for start in (0..positions).step_by(CHUNK) {
            let n = CHUNK.min(positions - start);
            let places: Vec<u32> = (start as u32..(start + n) as u32).collect();
            let part = constrained.narrow(0, start, n)?.contiguous()?;
            let (z, log_det) = level.transform(&part, embedding, &places)?;
            let likelihoods = Likelihoods::new(&z.detach(), &log_det.detach())?;
            seen.likelihood.extend(likelihoods.normal.to_dtype(DType::F64)?.to_vec1::<f64>()?);
            seen.anomaly.extend(likelihoods.anomaly()?.to_dtype(DType::F64)?.to_vec1::<f64>()?);
        }
        Ok(seen)
    }

    /// The anomaly maps of all images, one after the other.
    fn maps(&self, seen: &[Vec<Seen>], size: (usize, usize)) -> Result<Vec<f32>> {
        let params = &self.detector.params;
        let transductive = params.text("score") == "transductive";
        let greatest = |level: usize| {
            let all = seen.iter().flat_map(|image| &image[level].likelihood);
            all.copied().fold(f64::NEG_INFINITY, f64::max)
        };
        let levels = &self.detector.network.levels.levels;
        let peak = |level: usize| match transductive {
            true => Ok(greatest(level)),
            false => Ok(f64::from(levels[level].peak.to_vec1::<f32>().map_err(Error::failed)?[0])),
        };
        let peaks = (0..levels.len()).map(peak).collect::<Result<Vec<f64>>>()?;
        let sums: Vec<(Vec<f32>, Vec<f32>)> = seen.par_iter().map(|image| self.sums(image, &peaks, size)).collect();
        let most = match transductive {
            true => sums.iter().flat_map(|(normal, _)| normal).copied().fold(f32::NEG_INFINITY, f32::max),
            false => levels.len() as f32,
        };
        let (sigma, layers) = (params.float("sigma"), levels.len() as f32);
        let map = |(normal, anomaly): (Vec<f32>, Vec<f32>)| {
            let mean = |(n, a): (f32, f32)| ((most - n) + a / layers) / 2.0;
            let mut map: Vec<f32> = normal.into_iter().zip(anomaly).map(mean).collect();
            // Smoothing is linear: the mean of two smoothed maps is the smoothed mean.
            if sigma > 0.0 {
                gaussian_blur(&mut map, size.1, sigma);
            }
            map
        };
        Ok(sums.into_par_iter().map(map).collect::<Vec<_>>().concat())
    }

    /// Sums over layers, at the image's size: of p relative to the layers' `peaks`, and of the anomalies' probability.
    fn sums(&self, image: &[Seen], peaks: &[f64], (height, width): (usize, usize)) -> (Vec<f32>, Vec<f32>) {
        let (mut normal, mut anomaly) = (vec![0.0; height * width], vec![0.0; height * width]);
        for ((seen, peak), &shape) in image.iter().zip(peaks).zip(self.store.shapes()) {
            let add = |sum: &mut [f32], values: Vec<f32>| {
                let map = resize_bilinear_corners(LayerShape { channels: 1, ..shape }, &values, height, width);
                sum.iter_mut().zip(map).for_each(|(sum, v)| *sum += v);
            };
            add(&mut normal, seen.likelihood.iter().map(|v| (v - peak).exp() as f32).collect());
            add(&mut anomaly, seen.anomaly.iter().map(|&v| v as f32).collect());
        }
        (normal, anomaly)
    }
}

impl Detector {
    /// Reads what [`Fitted::save`] wrote; the parameters are those of the file.
    pub fn load(path: &Path, device: Device) -> Result<Self> {
        let state = State::read(&SPEC, path)?;
        let channels: Vec<usize> = state.network("channels")?;
        let network = Network::new(&state.params, &channels, device, 0)?;
        state.restore(&network.levels.store)?;
        let report = FitReport { parameters: network.levels.store.count() as u64, ..FitReport::default() };
        Ok(Detector { params: state.params, network, report })
    }
}
