//! Patches of unit length: features of an image, normalised, averaged over neighbourhoods.

use zsad_backbones::LayerShape;
use zsad_backbones::maps::box_mean;

use crate::math::Points;

/// Added to the variance of an image's features.
const EPSILON: f64 = 1e-5;

/// One point a position of the layer `[c, h, w]`: normalised over all values of the image if `layer_norm`, averaged over
/// `side` × `side` with zeros beyond the edge, divided by its length.
pub(crate) fn unit_patches(shape: LayerShape, map: &[f32], side: usize, layer_norm: bool) -> Points<f32> {
    let normalised = if layer_norm { normalised(map) } else { map.to_vec() };
    let averaged = box_mean(shape, &normalised, side);
    let positions = shape.positions();
    let mut values = vec![0f32; averaged.len()];
    for (p, row) in values.chunks_exact_mut(shape.channels).enumerate() {
        let at = |c: usize| averaged[c * positions + p];
        let norm = (0..shape.channels).map(|c| f64::from(at(c)).powi(2)).sum::<f64>().sqrt();
        // A patch without features stays where it is.
        let norm = if norm > 0.0 { norm } else { 1.0 };
        row.iter_mut().enumerate().for_each(|(c, v)| *v = (f64::from(at(c)) / norm) as f32);
    }
    Points::from_values(values, shape.channels)
}

fn normalised(map: &[f32]) -> Vec<f32> {
    let n = map.len() as f64;
    let mean = map.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
    let variance = map.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n;
    let scale = (variance + EPSILON).sqrt();
    map.iter().map(|&v| ((f64::from(v) - mean) / scale) as f32).collect()
}
