//! One vector an image: its features where its anomaly map is high.

use rayon::prelude::*;
use zsad_backbones::LayerShape;
use zsad_backbones::features::{FeatureSpec, Reduction};
use zsad_backbones::maps::resize_bilinear;
use zsad_backbones::patches::{Neighbourhood, Upsampling};
use zsad_core::{Batch, Error, Maps, Result, Shots};

use super::{InBatchFeatures, Selected, Selection, View};

/// The mean of each image's features over the positions of the finest default layer of the default network, weighted by its
/// map: `[n, d]`, row-major, and d. A weight is e^(z/`temperature`), z the map's value at the position less the map's mean,
/// over its deviation; Sohn et al. (Anomaly Clustering, WACV 2023) weight patches by a softmax of their anomaly scores.
///
/// # Errors
/// [`Error::Refused`] for what are no images; where weights are missing or an image cannot be read.
pub fn weighted(batch: &Batch, maps: &Maps, temperature: f64) -> Result<(Vec<f64>, usize)> {
    let selection = InBatchFeatures::default();
    let spec = FeatureSpec { layers: selection.layers(), reduction: Reduction::Map };
    let selected = Selected { backbone: selection.backbone(), spec, shots: Shots::Number(0) };
    let view = selected.view(batch)?;
    let &[height, width] = maps.shape.as_slice() else {
        return Err(Error::refused("weights are of maps over images"));
    };
    let of = LayerShape { channels: 1, height, width };
    let planes: Vec<&[f32]> = maps.values.chunks_exact(height * width).collect();
    if planes.len() != view.ids().len() {
        return Err(Error::failed(format!("{} maps of {} images", planes.len(), view.ids().len())));
    }
    let rows = planes.into_par_iter().enumerate().map(|(i, plane)| row(&view, i, (of, plane), temperature));
    let rows: Vec<Vec<f64>> = rows.collect::<Result<_>>()?;
    let dim = rows.first().map_or(0, Vec::len);
    Ok((rows.concat(), dim))
}

fn row(view: &View, i: usize, (of, plane): (LayerShape, &[f32]), temperature: f64) -> Result<Vec<f64>> {
    let first = view.store().shapes()[0];
    let weights = softmax(&resize_bilinear(of, plane, first.height, first.width), temperature);
    let patches = view.patches(view.ids()[i], Neighbourhood::None, Upsampling::Bilinear)?;
    let mut sum = vec![0.0; patches.dim()];
    for (patch, weight) in patches.rows().zip(&weights) {
        sum.iter_mut().zip(patch).for_each(|(sum, v)| *sum += weight * f64::from(*v));
    }
    Ok(sum)
}

/// Weights that sum to 1; all alike where the map is flat.
fn softmax(map: &[f32], temperature: f64) -> Vec<f64> {
    let n = map.len() as f64;
    let mean = map.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
    let deviation = (map.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / n).sqrt();
    let scale = if deviation > 0.0 { deviation * temperature } else { 1.0 };
    let most = map.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let raw: Vec<f64> = map.iter().map(|v| ((f64::from(*v) - f64::from(most)) / scale).exp()).collect();
    let total: f64 = raw.iter().sum();
    raw.iter().map(|w| w / total).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    #[test]
    fn a_flat_map_is_the_mean_and_a_peak_is_its_own_patch() {
        testing::maps(0..2, |view| {
            let of = LayerShape { channels: 1, height: 3, width: 4 };
            let patches = view.patches(view.ids()[1], Neighbourhood::None, Upsampling::Bilinear).unwrap();
            let flat = row(view, 1, (of, &[2.0; 12]), 1.0).unwrap();
            for (j, found) in flat.iter().enumerate() {
                let mean = patches.rows().map(|p| f64::from(p[j])).sum::<f64>() / 12.0;
                assert!((found - mean).abs() < 1e-9, "{found} {mean}");
            }
            let mut peak = [0.0; 12];
            peak[7] = 5.0;
            let sharp = row(view, 1, (of, &peak), 0.01).unwrap();
            assert!(sharp.iter().zip(patches.row(7)).all(|(a, b)| (a - f64::from(*b)).abs() < 1e-9));
        });
    }

    #[test]
    fn weights_are_a_softmax_of_standardised_values() {
        // v = np.array([0, 1, 2, 5]); z = (v - v.mean()) / v.std(); np.exp(z / 2) / np.exp(z / 2).sum()
        let found = softmax(&[0.0, 1.0, 2.0, 5.0], 2.0);
        let wanted = [0.1279103184, 0.1670996971, 0.2182959836, 0.4866940009];
        assert!(found.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?}");
    }
}
