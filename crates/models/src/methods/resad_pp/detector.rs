//! The trained detector.

use candle_core::{DType, Tensor, Var};
use rayon::prelude::*;
use serde_json::json;
use zsad_backbones::LayerShape;
use zsad_backbones::maps::{gaussian_blur, resize_bilinear_corners};
use zsad_core::{Environment, Error, FitReport, Result, SampleId, Scores, State};

use super::codebook::align;
use super::network::Network;
use super::objective::Likelihoods;
use super::params::{Reference, ResAdPp};
use crate::families::features::{FeatureDetector, View};
use crate::math::Points;
use crate::methods::resad::layers::FeatureLayer;

/// See the module.
pub struct Trained {
    pub(super) params: ResAdPp,
    pub(super) network: Network,
    pub(super) report: FitReport,
}

/// What scoring an image needs beside it.
struct Target<'a> {
    batch: &'a View<'a>,
    pools: &'a [Option<Points<f32>>],
    embeddings: Vec<Tensor>,
    codes: Vec<Vec<f32>>,
    detector: &'a Trained,
}

/// One image at one layer: each position's log-likelihood under the normals' centre, and its probability of being under
/// the anomalies' one.
struct Seen {
    likelihood: Vec<f64>,
    anomaly: Vec<f64>,
}

impl Trained {
    /// The detector that left `state`.
    pub(super) fn restore(params: &ResAdPp, state: &State, env: &Environment) -> Result<Self> {
        let channels: Vec<usize> = state.entry("channels")?;
        let network = Network::new(params, &channels, env.device, 0)?;
        network.layers.store.restore(state)?;
        let report = FitReport { parameters: network.layers.store.count() as u64, ..FitReport::default() };
        Ok(Trained { params: params.clone(), network, report })
    }
}

impl FeatureDetector for Trained {
    /// The references' features, a layer each.
    type Support = Vec<Option<Points<f32>>>;

    fn adapt(&self, support: &View) -> Result<Self::Support> {
        self.params.matching().pools(support.store(), support.ids())
    }

    fn score(&self, pools: &Self::Support, batch: &View) -> Result<Scores> {
        let embeddings = self.network.layers.embeddings(batch.store().shapes())?;
        let values = |v: &Var| v.flatten_all()?.to_vec1::<f32>();
        let codes: candle_core::Result<_> = self.network.codebooks.iter().map(values).collect();
        let target = Target { batch, pools, embeddings, codes: codes.map_err(Error::failed)?, detector: self };
        let look = |&id: &SampleId| target.look(id);
        let seen = batch.ids().par_iter().map(look).collect::<Result<Vec<Vec<Seen>>>>()?;
        Ok(batch.maps(target.maps(&seen)?).into())
    }

    fn state(&self) -> Result<Option<State>> {
        let layers = &self.network.layers;
        Ok(Some(layers.store.state(json!({ "channels": layers.channels() }))?))
    }

    fn report(&self) -> FitReport {
        self.report.clone()
    }
}

impl Target<'_> {
    /// Every layer of an image.
    fn look(&self, id: SampleId) -> Result<Vec<Seen>> {
        let (share, store) = (self.detector.params.alignment as f32, self.batch.store());
        let layer = |number: usize| {
            let shape = store.shapes()[number];
            let mut rows = self.detector.params.matching().rows(store, id, number, self.pools[number].as_ref())?;
            if let Some(codes) = self.codes.get(number).filter(|_| share > 0.0) {
                align(&mut rows, codes, shape.channels, share);
            }
            let layer = &self.detector.network.layers.layers[number];
            Ok(see(layer, rows, shape, &self.embeddings[number])?)
        };
        (0..self.embeddings.len()).map(layer).collect()
    }

    /// The anomaly maps of all images.
    fn maps(&self, seen: &[Vec<Seen>]) -> Result<Vec<Vec<f32>>> {
        let params = &self.detector.params;
        let transductive = params.score == Reference::Transductive;
        let max_of_batch = |layer: usize| {
            let all = seen.iter().flat_map(|image| &image[layer].likelihood);
            all.copied().fold(f64::NEG_INFINITY, f64::max)
        };
        let layers = &self.detector.network.layers.layers;
        let max = |number: usize| match transductive {
            true => Ok(max_of_batch(number)),
            false => layers[number].max_log_likelihood(),
        };
        let max = (0..layers.len()).map(max).collect::<zsad_nn::Result<Vec<f64>>>()?;
        let sums: Vec<(Vec<f32>, Vec<f32>)> = seen.par_iter().map(|image| self.sums(image, &max)).collect();
        let most = match transductive {
            true => sums.iter().flat_map(|(normal, _)| normal).copied().fold(f32::NEG_INFINITY, f32::max),
            false => layers.len() as f32,
        };
        let (sigma, count) = (params.sigma, layers.len() as f32);
        let map = |(normal, anomaly): (Vec<f32>, Vec<f32>)| {
            let mean = |(n, a): (f32, f32)| ((most - n) + a / count) / 2.0;
            let mut map: Vec<f32> = normal.into_iter().zip(anomaly).map(mean).collect();
            // Smoothing is linear: the mean of two smoothed maps is the smoothed mean.
            if sigma > 0.0 {
                gaussian_blur(&mut map, self.batch.image().1, sigma);
            }
            map
        };
        Ok(sums.into_par_iter().map(map).collect())
    }

    /// Sums over layers, at the image's size: of p relative to the layers' `max`, and of the anomalies' probability.
    fn sums(&self, image: &[Seen], max: &[f64]) -> (Vec<f32>, Vec<f32>) {
        let (height, width) = self.batch.image();
        let (mut normal, mut anomaly) = (vec![0.0; height * width], vec![0.0; height * width]);
        for ((seen, max), &shape) in image.iter().zip(max).zip(self.batch.store().shapes()) {
            let add = |sum: &mut [f32], values: Vec<f32>| {
                let map = resize_bilinear_corners(LayerShape { channels: 1, ..shape }, &values, height, width);
                sum.iter_mut().zip(map).for_each(|(sum, v)| *sum += v);
            };
            add(&mut normal, seen.likelihood.iter().map(|v| (v - max).exp() as f32).collect());
            add(&mut anomaly, seen.anomaly.iter().map(|&v| v as f32).collect());
        }
        (normal, anomaly)
    }
}

/// What a layer makes of an image's residuals.
fn see(layer: &FeatureLayer, rows: Vec<f32>, shape: LayerShape, embedding: &Tensor) -> zsad_nn::Result<Seen> {
    let mut seen = Seen { likelihood: Vec::new(), anomaly: Vec::new() };
    for (part, positions) in layer.chunks(rows, shape)? {
        let (z, log_det) = layer.transform(&part, embedding, &positions)?;
        let likelihoods = Likelihoods::new(&z.detach(), &log_det.detach())?;
        seen.likelihood.extend(likelihoods.normal.to_dtype(DType::F64)?.to_vec1::<f64>()?);
        seen.anomaly.extend(likelihoods.anomaly()?.to_dtype(DType::F64)?.to_vec1::<f64>()?);
    }
    Ok(seen)
}
