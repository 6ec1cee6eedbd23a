//! How far features stray: the natural unit of the outliers' noise.

use rayon::prelude::*;
use zsad_backbones::features::FeatureStore;
use zsad_core::{Result, SampleId};

use super::params::{AcrPatch, NoiseUnit};

/// Standard deviation of the outliers' noise for tasks of `domains`, in the features' own units.
pub(super) fn sigma(params: &AcrPatch, store: &FeatureStore, domains: &[Vec<SampleId>]) -> Result<f64> {
    Ok(match params.noise_unit {
        NoiseUnit::Absolute => params.noise_sigma,
        NoiseUnit::Features => params.noise_sigma * deviation(store, domains)?,
    })
}

/// The root mean square over channels, positions and domains of the features' deviation from their mean over the samples
/// of a domain, at the same position and channel (biased, every domain with the same weight): what a task's normals have.
fn deviation(store: &FeatureStore, domains: &[Vec<SampleId>]) -> Result<f64> {
    let variances = domains.par_iter().map(|ids| variance(store, ids)).collect::<Result<Vec<f64>>>()?;
    Ok((variances.iter().sum::<f64>() / domains.len() as f64).sqrt())
}

/// The mean over channels and positions of the variance over `ids`.
fn variance(store: &FeatureStore, ids: &[SampleId]) -> Result<f64> {
    let n = ids.len() as f64;
    let mut mean = vec![0.0; store.shapes()[0].len()];
    for &id in ids {
        let values = store.get(id)?.layer(0).1;
        mean.iter_mut().zip(values).for_each(|(m, &v)| *m += f64::from(v) / n);
    }
    let mut sum = 0.0;
    for &id in ids {
        let values = store.get(id)?.layer(0).1;
        sum += values.iter().zip(&mean).map(|(&v, m)| (f64::from(v) - m).powi(2)).sum::<f64>();
    }
    Ok(sum / (n * mean.len() as f64))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use zsad_backbones::LayerShape;
    use zsad_core::rng::stream;
    use zsad_core::{Device, Silent};
    use zsad_nn::{Init, Pass};

    use super::super::network::FeatureSvdd;
    use super::super::training::Source;
    use super::*;
    use crate::trained::golden;

    fn ids(domains: u32, rows: u32) -> Vec<Vec<SampleId>> {
        (0..domains).map(|domain| (0..rows).map(|row| SampleId { domain, row }).collect()).collect()
    }

    /// ```python
    /// x = np.array([[[1, 2, 3, 4], [3, 2, 5, 0], [2, 5, 1, 5]], [[0, 1, 0, 1], [6, 1, 2, 9], [3, 4, 7, 5]]], float)
    /// np.sqrt(np.mean([d.var(0).mean() for d in x]))
    /// ```
    #[test]
    fn the_deviation_is_numpys() {
        let x = [1., 2., 3., 4., 3., 2., 5., 0., 2., 5., 1., 5., 0., 1., 0., 1., 6., 1., 2., 9., 3., 4., 7., 5.];
        let shape = LayerShape { channels: 2, height: 1, width: 2 };
        let domains = ids(2, 3);
        let store = FeatureStore::in_memory(vec![shape], &domains.concat(), x.map(|v| v as f32).to_vec());
        assert!((deviation(&store, &domains).unwrap() - 2.1602468994692865).abs() < 1e-12);
    }

    /// Mean squared distances of normals and outliers to the centre after the 50 published steps, on features of the scale
    /// of EfficientNet-Lite0: deviation 4 within a category and position, and as much between them.
    fn distances(given: serde_json::Value) -> (f32, f32) {
        let params: AcrPatch = golden::params(given);
        let shape = LayerShape { channels: 112, height: 2, width: 2 };
        let (domains, mut rng) = (ids(4, 60), stream(7, &[]));
        let draw = |rng: &mut _| Init::Normal(0.0, 4.0).draw(&[shape.len()], rng);
        let mut values = Vec::new();
        for domain in &domains {
            let mean = draw(&mut rng);
            for _ in domain {
                values.extend(draw(&mut rng).iter().zip(&mean).map(|(a, b)| a + b));
            }
        }
        let store = FeatureStore::in_memory(vec![shape], &domains.concat(), values);
        let noise = sigma(&params, &store, &domains).unwrap();
        let network = FeatureSvdd::new(&params, shape.channels, Device::Cpu, 0).unwrap();
        let source = Source { params: &params, seed: 0, domains, defects: vec![], store, noise };
        source.train(&network, &Silent).unwrap();
        // Tasks that training has not seen.
        let tasks = source.step(1_000, network.store.device()).unwrap();
        let (d, _) = network.losses(tasks.x(), Pass::train(tasks.tasks())).unwrap();
        let means = d.reshape((tasks.tasks(), 2, 30)).unwrap().mean((0, 2)).unwrap().to_vec1::<f32>().unwrap();
        (means[0], means[1])
    }

    #[test]
    fn the_outliers_are_farther_where_the_noise_has_the_features_scale_and_not_where_it_is_as_released() {
        let (normal, outlier) = distances(json!({"noise_sigma": 1.0, "noise_unit": "features"}));
        assert!(outlier > 1.1 * normal, "{normal} {outlier}");
        let (normal, outlier) = distances(json!({}));
        assert!((outlier - normal).abs() < 0.02 * normal, "{normal} {outlier}");
    }
}
