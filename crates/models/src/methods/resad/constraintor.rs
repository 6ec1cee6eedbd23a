//! The feature constraintor: convolution, batch norm, ReLU.

use candle_core::Tensor;
use zsad_backbones::LayerShape;
use zsad_nn::layers::{Conv2d, Linear, LinearInit, Norm, NormConfig, NormMode};
use zsad_nn::{Init, Pass, Result, params::Builder};

zsad_core::choices! {
    /// The parameter `constraintor`.
    pub enum Convolution {
        /// Each position by itself.
        Conv1x1 = "conv1x1",
        /// A position and its neighbours.
        Conv3x3 = "conv3x3",
        /// No constraintor: residuals pass as they are.
        None = "none",
    }
}

/// One layer's constraintor, if there is one; as many channels come out as go in.
pub(crate) struct Constraintor(Option<(Kernel, Norm)>);

enum Kernel {
    One(Linear),
    Three(Conv2d),
}

impl Constraintor {
    /// Registers the parameters, if any. The convolution has no bias: batch norm would take it out again.
    pub fn new(b: &mut Builder, channels: usize, convolution: Convolution) -> Result<Self> {
        let init = LinearInit { weight: Init::TorchWeight, bias: None };
        let mut at = b.scope("convolution");
        let kernel = match convolution {
            Convolution::Conv3x3 => Kernel::Three(Conv2d::new(&mut at, channels, channels, 1, init.weight, None)?),
            Convolution::Conv1x1 => Kernel::One(Linear::new(&mut at, channels, channels, init)?),
            Convolution::None => return Ok(Constraintor(None)),
        };
        let norm = Norm::new(&mut b.scope("norm"), channels, NormConfig::new(NormMode::Running))?;
        Ok(Constraintor(Some((kernel, norm))))
    }

    /// Rows of positions of whole images of `shape`, `[images · height · width, channels]` → the same shape. In training
    /// batch norm takes its statistics from these images and keeps a running average.
    pub fn forward(&self, rows: &Tensor, shape: LayerShape, training: bool) -> Result<Tensor> {
        let LayerShape { channels, height, width } = shape;
        let Some((kernel, norm)) = &self.0 else { return Ok(rows.clone()) };
        let rows = match kernel {
            Kernel::One(linear) => linear.forward(rows)?,
            Kernel::Three(conv) => {
                let images = rows.reshape(((), height, width, channels))?.permute((0, 3, 1, 2))?.contiguous()?;
                conv.forward(&images)?.permute((0, 2, 3, 1))?.contiguous()?.reshape(((), channels))?
            }
        };
        norm.forward(&rows, if training { Pass::train(1) } else { Pass::eval(1) }, true)
    }
}
