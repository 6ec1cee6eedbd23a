//! Masked cell modelling: what several learned masks leave of a row has to suffice to rebuild it.

use candle_core::{D, Tensor, Var};
use zsad_core::{Accepts, DatasetInfo, MethodSpec, Operator, Operators, Result};
use zsad_nn::{Init, params::Builder};

use crate::families::pooled::{Pooled, PooledMethod, PooledModel, PooledStep};
use crate::trained::detector::Model;
use crate::trained::hyperparams::PooledParams;
use crate::trained::pool::PoolSource;
use crate::trained::spec::NetworkSpec;
use crate::trained::stack::Stack;
use crate::trained::standard::Standard;

/// The registry's entry.
pub const DEF: Pooled<Mcm> = Pooled::new(&SPEC);

static SPEC: MethodSpec = MethodSpec {
    name: "mcm",
    version: 1,
    summary: "pooled training to rebuild a row behind learned masks, no adaptation; score: mean error over the masks",
    citation: "Yin, Qiao, Zhou, Wang, Yang: MCM: Masked Cell Modeling for Anomaly Detection in Tabular Data, ICLR 2024",
    accepts: Accepts::ROWS,
};

zsad_core::params! {
    /// Learned soft masks and an autoencoder, on rows in units of the pool; see [`DEF`].
    ///
    /// The released code keeps the weights of the mini-batch with the least loss; here the last ones stay.
    pub struct Mcm {
        /// learned masks
        masks: usize = 15, in 3..=1 << 10;
        /// layers of the network that makes a mask, each as wide as a row
        mask_layers: usize = 3, in 1..=16;
        /// widths of the encoder's hidden layers; the decoder mirrors them
        hidden: Vec<usize> = vec![256, 256], in 1..=1 << 16;
        /// dimensions of the code
        latent: usize = 128, in 1..=1 << 16;
        /// weight of the loss that keeps masks apart
        diversity: f64 = 5.0, in 0.0..;
        /// temperature of that loss
        temperature: f64 = 0.1, in 0.001..;
        /// factor of the learning rate after each epoch
        lr_gamma: f64 = 0.98, in 0.0..=1.0;
        /// its training
        training: PooledParams =
            PooledParams { epochs: 200, batch: 512, lr: 0.05, weight_decay: 1e-5, ..PooledParams::default() };
    }
}

impl PooledMethod for Mcm {
    type Model = MaskedCells;

    fn settle(&mut self, info: &DatasetInfo) -> Result<NetworkSpec> {
        Ok(NetworkSpec::perceptron(info.modality.shape(), self.hidden.clone(), self.latent))
    }

    fn training(&self) -> &PooledParams {
        &self.training
    }

    fn rate(&self, epoch: u64) -> f64 {
        self.training.rate(epoch) * self.lr_gamma.powi(epoch as i32)
    }

    fn build(&self, spec: &NetworkSpec, b: &mut Builder) -> zsad_nn::Result<MaskedCells> {
        let d: usize = spec.input.iter().product();
        let standard = Standard::new(d, b)?;
        let bound = 1.0 / (d as f64).sqrt();
        let layer = |i| b.scope("masks").add(&format!("{i}"), &[self.masks, d, d], Init::Uniform(-bound, bound));
        let masks = (0..self.mask_layers).map(layer).collect::<zsad_nn::Result<_>>()?;
        let down = [&[d], &spec.hidden[..], &[spec.latent]].concat();
        let up: Vec<usize> = down.iter().rev().copied().collect();
        let encoder = Stack::new(&down, 0.2, |_, _| Init::TorchWeight, &mut b.scope("encoder"))?;
        let decoder = Stack::new(&up, 0.2, |_, _| Init::TorchWeight, &mut b.scope("decoder"))?;
        let (diversity, temperature) = (self.diversity, self.temperature);
        Ok(MaskedCells { standard, masks, encoder, decoder, diversity, temperature })
    }
}

/// Masks, an encoder and a decoder.
pub struct MaskedCells {
    standard: Standard,
    /// Layer by layer, `[masks, d, d]`.
    masks: Vec<Var>,
    encoder: Stack,
    decoder: Stack,
    diversity: f64,
    temperature: f64,
}

impl MaskedCells {
    /// Of standardised rows `[n, d]`: the length of the error, averaged over masks, `[n]`, and the masks before their
    /// sigmoid, `[n, masks, d]`.
    fn errors(&self, x: &Tensor) -> zsad_nn::Result<(Tensor, Tensor)> {
        let ((n, d), masks) = (x.dims2()?, self.masks[0].dims()[0]);
        let mut open = x.unsqueeze(0)?.broadcast_as((masks, n, d))?.contiguous()?;
        for (i, layer) in self.masks.iter().enumerate() {
            open = if i == 0 { open } else { open.relu()? }.matmul(layer)?;
        }
        let open = open.transpose(0, 1)?.contiguous()?;
        let x = x.unsqueeze(1)?;
        // The sigmoid by way of tanh: its slope stays finite.
        let seen = (((&open * 0.5)?.tanh()? + 1.0)? * 0.5)?.broadcast_mul(&x)?;
        let rebuilt = self.decoder.forward(&self.encoder.forward(&seen.reshape((n * masks, d))?)?)?;
        let errors = length(&rebuilt.reshape((n, masks, d))?.broadcast_sub(&x)?)?;
        Ok((errors.mean(D::Minus1)?, open))
    }

    /// How alike the masks of a row are, averaged over rows: a scalar.
    fn likeness(&self, masks: &Tensor) -> zsad_nn::Result<Tensor> {
        let m = masks.dims()[1];
        let unit = masks.broadcast_div(&length(masks)?.unsqueeze(2)?)?;
        let similarity = (unit.matmul(&unit.transpose(1, 2)?.contiguous()?)? / self.temperature)?;
        // −1e9 on the diagonal: a mask is not compared with itself.
        let own = (Tensor::eye(m, masks.dtype(), masks.device())? * -1e9)?;
        let others = (m - 1) as f64;
        let scale = 1.0 / (others * others.ln());
        Ok((similarity.broadcast_add(&own)?.log_sum_exp(D::Minus1)?.sum(1)?.mean(0)? * scale)?)
    }
}

/// Euclidean lengths over the last dimension; a little more than 0, so that their slope is finite.
fn length(x: &Tensor) -> zsad_nn::Result<Tensor> {
    Ok((x.sqr()?.sum(D::Minus1)? + 1e-20)?.sqrt()?)
}

impl Model for MaskedCells {
    const OPERATORS: Operators = Operators::of(&[Operator::Linear, Operator::Own]);

    fn scores(&self, x: &Tensor) -> zsad_nn::Result<Tensor> {
        Ok(self.errors(&self.standard.apply(x)?)?.0)
    }
}

impl PooledModel for MaskedCells {
    fn on_train_start(&self, pool: &PoolSource) -> zsad_nn::Result<()> {
        self.standard.learn(pool)
    }

    fn loss(&self, x: &Tensor, _: PooledStep) -> zsad_nn::Result<Tensor> {
        let (errors, masks) = self.errors(&self.standard.apply(x)?)?;
        Ok((errors.mean(0)? + (self.likeness(&masks)? * self.diversity)?)?)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::trained::golden::{assert_close, built, params, wave};

    /// With the classes of the released `Model/Model.py` and `Model/Loss.py`, on the processor:
    /// ```python
    /// c = dict(data_dim=3, hidden_dim=5, z_dim=2, mask_num=4, en_nlayers=3, de_nlayers=3, mask_nlayers=3, device="cpu")
    /// m = MCM(c).double(); nets = m.maskmodel.masks
    /// stacked = [torch.empty(4, 3, 3) for _ in range(3)]; rest = [*m.encoder.parameters(), *m.decoder.parameters()]
    /// fill([*map(nn.Parameter, stacked), *rest])   # `fill` sets .data: keep the parameters, then
    /// for i, net in enumerate(nets):
    ///     for j in range(3): net.net[2 * j].weight.data = stacked[j].data[i].T.contiguous()
    /// x = wave(6, 3); pred, z, masks = m(x)
    /// print(torch.norm(pred - x.unsqueeze(1), dim=2).mean(1), LossFunction({"mask_num": 4, "lambda": 5})(x, pred, masks))
    /// ```
    #[test]
    fn errors_and_loss_are_those_of_the_release() {
        let spec = NetworkSpec::perceptron(vec![3], vec![5, 5], 2);
        let (_, model) = built(|b| params::<Mcm>(json!({"masks": 4})).build(&spec, b));
        let x = wave(&[6, 3]);
        let (errors, masks) = model.errors(&x).unwrap();
        assert_close(&errors, &[1.34175321, 0.914444235, 1.36971251, 1.3493605, 0.913579856, 1.36281426]);
        assert_close(&model.likeness(&masks).unwrap(), &[1.52475769]);
    }
}
