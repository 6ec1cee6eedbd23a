//! Linear layers with a leaky ReLU between them.

use candle_core::Tensor;
use zsad_nn::layers::{Linear, LinearInit};
use zsad_nn::{Init, params::Builder};

/// Linear layers without biases or norms; after all but the last a ReLU that lets a share of negative values pass.
pub(crate) struct Stack {
    layers: Vec<Linear>,
    slope: f64,
}

impl Stack {
    /// Registers `0.weight`, `1.weight`, … from each of `widths` to the next, started as `init` says of input and output.
    pub fn new(
        widths: &[usize],
        slope: f64,
        init: impl Fn(usize, usize) -> Init,
        b: &mut Builder,
    ) -> zsad_nn::Result<Self> {
        let layer = |(i, pair): (usize, &[usize])| {
            let init = LinearInit { weight: init(pair[0], pair[1]), bias: None };
            Linear::new(&mut b.scope(i), pair[0], pair[1], init)
        };
        let layers = widths.windows(2).enumerate().map(layer).collect::<zsad_nn::Result<_>>()?;
        Ok(Stack { layers, slope })
    }

    /// `[n, first width]` → `[n, last width]`.
    pub fn forward(&self, x: &Tensor) -> zsad_nn::Result<Tensor> {
        let mut x = x.clone();
        for (i, layer) in self.layers.iter().enumerate() {
            x = layer.forward(&if i == 0 { x } else { leaky(&x, self.slope)? })?;
        }
        Ok(x)
    }
}

/// max(x, 0) + slope · min(x, 0).
pub(crate) fn leaky(x: &Tensor, slope: f64) -> zsad_nn::Result<Tensor> {
    Ok((x.relu()? - (x.neg()?.relu()? * slope)?)?)
}
