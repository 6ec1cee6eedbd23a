//! The feature constraintor: convolution, batch norm, ReLU.

use candle_core::Tensor;
use zsad_nn::backbones::LayerShape;
use zsad_nn::layers::{Conv2d, Linear, LinearInit, Norm, NormConfig, NormMode, Pass};
use zsad_nn::{Init, Result, params::Builder};

/// One layer's constraintor; as many channels come out as go in.
pub(crate) struct Constraintor {
    convolution: Convolution,
    norm: Norm,
}

enum Convolution {
    One(Linear),
    Three(Conv2d),
}

impl Constraintor {
    /// Registers the parameters. The convolution has no bias: batch norm would take it out again.
    pub fn new(b: &mut Builder, channels: usize, three: bool) -> Result<Self> {
        let init = LinearInit { weight: Init::TorchWeight, bias: None };
        let mut at = b.scope("convolution");
        let convolution = match three {
            true => Convolution::Three(Conv2d::new(&mut at, channels, channels, 1, init.weight, None)?),
            false => Convolution::One(Linear::new(&mut at, channels, channels, init)?),
        };
        let norm = Norm::new(&mut b.scope("norm"), channels, NormConfig::new(NormMode::Running))?;
        Ok(Constraintor { convolution, norm })
    }

    /// Rows of positions of whole images of `shape`, `[images · height · width, channels]` → the same shape. In training
    /// batch norm takes its statistics from these images and keeps a running average.
    pub fn forward(&self, rows: &Tensor, shape: LayerShape, training: bool) -> Result<Tensor> {
        let LayerShape { channels, height, width } = shape;
        let rows = match &self.convolution {
            Convolution::One(linear) => linear.forward(rows)?,
            Convolution::Three(conv) => {
                let images = rows.reshape(((), height, width, channels))?.permute((0, 3, 1, 2))?.contiguous()?;
                conv.forward(&images)?.permute((0, 2, 3, 1))?.contiguous()?.reshape(((), channels))?
            }
        };
        self.norm.forward(&rows, if training { Pass::train(1) } else { Pass::eval(1) }, true)
    }
}
