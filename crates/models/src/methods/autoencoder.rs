//! An autoencoder on the pooled normals: what it cannot rebuild is anomalous.

use candle_core::{D, Tensor};
use zsad_core::{Accepts, DatasetInfo, MethodSpec, Operator, Operators, Result};
use zsad_nn::params::Builder;

use crate::families::pooled::{Pooled, PooledMethod, PooledModel, PooledStep};
use crate::trained::detector::Model;
use crate::trained::hyperparams::PooledParams;
use crate::trained::network::{Network, Phase};
use crate::trained::pool::PoolSource;
use crate::trained::spec::{NetworkSpec, Norm};
use crate::trained::standard::Standard;

/// The registry's entry.
pub const DEF: Pooled<Autoencoder> = Pooled::new(&SPEC);

static SPEC: MethodSpec = MethodSpec {
    name: "autoencoder",
    version: 2,
    summary: "pooled training to rebuild its input, no adaptation; score: mean squared error",
    citation: "Aggarwal: Outlier Analysis, 2015, chapter 3; layers and training of PyOD's AutoEncoder, without its dropout",
    accepts: Accepts::ANY,
};

zsad_core::params! {
    /// Reconstruction of standardised, flattened samples; see [`DEF`].
    pub struct Autoencoder {
        /// widths down to the code; the decoder mirrors them
        hidden: Vec<usize> = vec![64, 32], in 1..=1 << 16;
        /// batch_stats: the batch's own statistics at test time; running: those of the training; others per sample
        norm: Norm = Norm::Running;
        /// its training
        training: PooledParams = PooledParams { epochs: 10, batch: 32, ..PooledParams::default() };
    }
}

impl PooledMethod for Autoencoder {
    type Model = Rebuilder;

    /// One perceptron d → hidden → … → code → … → hidden → d.
    fn settle(&mut self, info: &DatasetInfo) -> Result<NetworkSpec> {
        let hidden = self.hidden.iter().chain(self.hidden.iter().rev().skip(1)).copied().collect();
        let input = info.modality.shape();
        let latent = input.iter().product();
        Ok(NetworkSpec { norm: self.norm, ..NetworkSpec::perceptron(input, hidden, latent) })
    }

    fn training(&self) -> &PooledParams {
        &self.training
    }

    fn build(&self, spec: &NetworkSpec, b: &mut Builder) -> zsad_nn::Result<Rebuilder> {
        let network = Network::new(&mut b.scope("net"), spec)?;
        Ok(Rebuilder { network, standard: Standard::new(spec.latent, b)? })
    }
}

/// Standardises, encodes and decodes.
pub struct Rebuilder {
    network: Network,
    standard: Standard,
}

impl Rebuilder {
    /// Squared errors of standardised features, averaged: `[n]`.
    fn errors(&self, x: &Tensor, phase: Phase) -> zsad_nn::Result<Tensor> {
        let x = self.standard.apply(x)?;
        Ok((self.network.forward(&x, phase)? - &x)?.sqr()?.mean(D::Minus1)?)
    }
}

impl Model for Rebuilder {
    const OPERATORS: Operators = Network::OPERATORS.and(&[Operator::Own]);

    fn scores(&self, x: &Tensor) -> zsad_nn::Result<Tensor> {
        self.errors(x, Phase::Score)
    }
}

impl PooledModel for Rebuilder {
    fn on_train_start(&self, pool: &PoolSource) -> zsad_nn::Result<()> {
        self.standard.learn(pool)
    }

    fn loss(&self, x: &Tensor, _: PooledStep) -> zsad_nn::Result<Tensor> {
        Ok(self.errors(x, Phase::Pooled)?.mean(D::Minus1)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trained::golden::{assert_close, built, perceptron, wave};
    use crate::trained::spec::HeadKind;

    /// ```python
    /// x = wave(6, 3); m, s = x.mean(0), x.std(0, unbiased=False); z = (x - m) / s
    /// net = mlp(3, [4, 2, 4], 3, final=False); fill(net.parameters())
    /// print(m, s, ((net(z) - z) ** 2).mean(1))
    /// ```
    #[test]
    fn errors_are_those_of_torch() {
        let spec = perceptron(3, &[4, 2, 4], 3, Norm::BatchStats, HeadKind::Plain);
        let (store, model) = built(|b| Autoencoder::default().build(&spec, b));
        let device = store.device().clone();
        let mean = Tensor::new(&[-0.00216206115f32, -0.000107189514, 0.00199809503], &device).unwrap();
        store.set("mean", &mean).unwrap();
        store.set("scale", &Tensor::new(&[0.706864189f32, 0.704812884, 0.706564488], &device).unwrap()).unwrap();
        let errors = model.scores(&wave(&[6, 3])).unwrap();
        assert_close(&errors, &[0.994386247, 1.35697153, 1.25038894, 1.01589344, 1.35882426, 1.2284988]);
    }
}
