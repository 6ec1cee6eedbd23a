//! Maps of a test batch: every position is a batch of its own.

use candle_core::{DType, Tensor};
use rayon::prelude::*;
use zsad_core::method::Silent;
use zsad_core::rng::stream;
use zsad_core::{Error, Kind, Maps, Result, SampleRef, Scores, TestBatch};
use zsad_nn::Init;
use zsad_nn::features::FeatureStore;
use zsad_nn::features::patches::anomaly_map;
use zsad_nn::layers::Pass;

use super::Detector;
use super::training::{features, patch};

/// Scores of a batch: the maxima of its maps.
pub(super) fn score(detector: &Detector, batch: &TestBatch) -> Result<Scores> {
    let (dataset, refs, _, cache) = batch.for_feature_cache();
    let Kind::Image { height, width, .. } = dataset.info().kind else {
        return Err(Error::refused("acr_patch wants images"));
    };
    if refs.len() < 2 {
        return Err(Error::refused("a batch of one has no batch statistics: two samples at least"));
    }
    let params = &detector.params;
    let released = params.text("variant") == "released";
    let option = |name: &str| params.get(name).as_bool().unwrap_or(released);
    let store = FeatureStore::open(dataset, refs, &features(params)?, cache, &Silent)?;
    let shape = store.shapes()[0];
    let noise = match option("noise_copies") {
        true => {
            Some(refs.par_iter().map(|&r| noise(&store, r, params.float("noise_sigma"))).collect::<Result<Vec<_>>>()?)
        }
        false => None,
    };
    let positions: Vec<usize> = (0..shape.height * shape.width).collect();
    let at = |&position: &usize| detector.distances(&store, refs, noise.as_deref(), position);
    let distances = positions.par_iter().map(at).collect::<zsad_nn::Result<Vec<Vec<f32>>>>()?;

    let sigma = params.float("sigma");
    let map = |i: usize| {
        let values: Vec<f32> = distances.iter().map(|position| position[i]).collect();
        anomaly_map(&values, (shape.height, shape.width), (height, width), sigma)
    };
    let mut values = (0..refs.len()).into_par_iter().map(map).collect::<Vec<Vec<f32>>>().concat();
    if let Some(bad) = values.iter().find(|v| !v.is_finite()) {
        return Err(Error::failed(format!("a distance is {bad}")));
    }
    if option("min_max") {
        let (least, most) = values.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(a, b), &v| (a.min(v), b.max(v)));
        let range = if most > least { most - least } else { 1.0 };
        values.iter_mut().for_each(|v| *v = (*v - least) / range);
    }
    let greatest = |map: &[f32]| f64::from(map.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let samples = values.chunks_exact(height * width).map(greatest).collect();
    Ok(Scores { samples, maps: Some(Maps { height, width, values }) })
}

impl Detector {
    /// The squared distances of all samples at one position, with their noise copies in the same batch.
    fn distances(
        &self,
        store: &FeatureStore,
        refs: &[SampleRef],
        noise: Option<&[Vec<f32>]>,
        position: usize,
    ) -> zsad_nn::Result<Vec<f32>> {
        let channels = self.network.channels;
        let mut values = Vec::with_capacity(2 * refs.len() * channels);
        for &sample in refs {
            values.extend(patch(store, sample, position)?);
        }
        for (i, noise) in noise.into_iter().flatten().enumerate() {
            for c in 0..channels {
                values.push(values[i * channels + c] + noise[position * channels + c]);
            }
        }
        let x = Tensor::from_vec(values, ((), channels), self.network.store.device())?;
        let (distances, _) = zsad_nn::no_grad(|| self.network.losses(&x, Pass::eval(1)))?;
        Ok(distances.narrow(0, 0, refs.len())?.to_dtype(DType::F32)?.to_vec1()?)
    }
}

/// The noise of a sample's copy, `[positions · channels]`: it depends on what the sample shows, not on its place in the
/// batch, so that permuting a batch only permutes its scores.
fn noise(store: &FeatureStore, sample: SampleRef, sigma: f64) -> Result<Vec<f32>> {
    let (shape, map) = store.get(sample)?.layer(0);
    let mut hasher = blake3::Hasher::new();
    map.iter().for_each(|v| {
        hasher.update(&v.to_le_bytes());
    });
    let content = hasher.finalize().to_hex();
    Ok(Init::Normal(0.0, sigma)
        .draw(&[shape.len()], &mut stream(0, &[("purpose", "noise_copy"), ("content", &content)])))
}
