//! What methods with trained prompts share: CLIP's text tower with gradients, the training images with their masks, and what is fetched
//! with the weights.

mod frozen;
#[cfg(test)]
pub(crate) mod golden;
mod images;
mod softmax;
mod tower;
mod words;

pub(crate) use frozen::{FrozenLinear, FrozenNorm};
pub(crate) use images::Images;
pub(crate) use softmax::{attend, softmax};
pub(crate) use tower::{Tower, knows_no_texts};
pub(crate) use words::{tokens, words_file};

use zsad_backbones::features::Features;

use crate::math::Points;

/// The positions of a layer as points of unit length.
pub(crate) fn unit_points(layers: Features, layer: usize) -> Points<f32> {
    let (shape, map) = layers.layer(layer);
    let positions = shape.positions();
    let row = |p: usize| {
        let values = map[p..].iter().step_by(positions).copied();
        let length = values.clone().map(|v| f64::from(v).powi(2)).sum::<f64>().sqrt();
        let length = if length > 0.0 { length } else { 1.0 };
        values.map(move |v| (f64::from(v) / length) as f32)
    };
    Points::from_values((0..positions).flat_map(row).collect(), shape.channels)
}
