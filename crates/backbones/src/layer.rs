//! The outputs of a network's layers.

use crate::activation::Activation;

/// The shape of one layer's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerShape {
    /// Channels.
    pub channels: usize,
    /// Height.
    pub height: usize,
    /// Width.
    pub width: usize,
}

impl LayerShape {
    /// Positions of one map: height · width.
    pub fn positions(&self) -> usize {
        self.height * self.width
    }

    /// Values of one image: channels · height · width.
    pub fn len(&self) -> usize {
        self.channels * self.positions()
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// One layer's output for a batch: `[n, channels, height, width]`.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureMap {
    /// Shape of one image's map.
    pub shape: LayerShape,
    /// `n · shape.len()` values.
    pub values: Vec<f32>,
}

impl FeatureMap {
    pub(crate) fn from_activation(activation: &Activation) -> Self {
        let shape = LayerShape { channels: activation.c, height: activation.h, width: activation.w };
        let mut values = vec![0f32; activation.n * shape.len()];
        for (n, out) in values.chunks_exact_mut(shape.len()).enumerate() {
            activation.write_chw(n, out);
        }
        FeatureMap { shape, values }
    }
}
