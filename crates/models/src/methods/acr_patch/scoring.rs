//! Maps of a test batch: every position is a batch of its own.

use candle_core::{DType, Tensor};
use rayon::prelude::*;
use zsad_backbones::features::FeatureStore;
use zsad_backbones::maps::anomaly_map;
use zsad_core::rng::stream;
use zsad_core::{Error, Result, SampleId, Scores};
use zsad_nn::{Init, Pass};

use super::network::Trained;
use super::training::patch;
use crate::families::features::View;

/// Scores of a batch: the maxima of its maps.
pub(super) fn score(detector: &Trained, batch: &View) -> Result<Scores> {
    let (ids, store, params) = (batch.ids(), batch.store(), &detector.params);
    if ids.len() < 2 {
        return Err(Error::refused("a batch of one has no batch statistics: two samples at least"));
    }
    let shape = store.shapes()[0];
    let noise = |&id: &SampleId| noise(store, id, detector.noise);
    let noise = params.noise_copies().then(|| ids.par_iter().map(noise).collect::<Result<Vec<_>>>()).transpose()?;
    let positions: Vec<usize> = (0..shape.positions()).collect();
    let at = |&position: &usize| detector.distances(store, ids, noise.as_deref(), position);
    let distances = positions.par_iter().map(at).collect::<zsad_nn::Result<Vec<Vec<f32>>>>()?;

    let map = |i: usize| {
        let values: Vec<f32> = distances.iter().map(|position| position[i]).collect();
        anomaly_map(&values, (shape.height, shape.width), batch.image(), params.sigma)
    };
    let mut maps = batch.maps((0..ids.len()).into_par_iter().map(map).collect());
    if params.min_max() {
        let range = |(min, max): (f32, f32), &v: &f32| (min.min(v), max.max(v));
        let (min, max) = maps.values.iter().fold((f32::INFINITY, f32::NEG_INFINITY), range);
        let range = if max > min { max - min } else { 1.0 };
        maps.values.iter_mut().for_each(|v| *v = (*v - min) / range);
    }
    Ok(maps.into())
}

impl Trained {
    /// The squared distances of all samples at one position, with their noise copies in the same batch.
    fn distances(
        &self,
        store: &FeatureStore,
        ids: &[SampleId],
        noise: Option<&[Vec<f32>]>,
        position: usize,
    ) -> zsad_nn::Result<Vec<f32>> {
        let channels = self.network.channels;
        let mut values = Vec::with_capacity(2 * ids.len() * channels);
        for &id in ids {
            values.extend(patch(store, id, position)?);
        }
        for (i, noise) in noise.into_iter().flatten().enumerate() {
            for c in 0..channels {
                values.push(values[i * channels + c] + noise[position * channels + c]);
            }
        }
        let x = Tensor::from_vec(values, ((), channels), self.network.store.device())?;
        let (distances, _) = zsad_nn::no_grad(|| self.network.losses(&x, Pass::eval(1)))?;
        Ok(distances.narrow(0, 0, ids.len())?.to_dtype(DType::F32)?.to_vec1()?)
    }
}

/// The noise of a sample's copy, `[positions · channels]`: it depends on what the sample shows, not on its place in the
/// batch, so that permuting a batch only permutes its scores.
fn noise(store: &FeatureStore, id: SampleId, sigma: f64) -> Result<Vec<f32>> {
    let (shape, map) = store.get(id)?.layer(0);
    let mut hasher = blake3::Hasher::new();
    map.iter().for_each(|v| {
        hasher.update(&v.to_le_bytes());
    });
    let content = hasher.finalize().to_hex();
    Ok(Init::Normal(0.0, sigma)
        .draw(&[shape.len()], &mut stream(0, &[("purpose", "noise_copy"), ("content", &content)])))
}
