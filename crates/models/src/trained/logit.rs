//! A network with a binary head.

use candle_core::Tensor;
use zsad_core::{Operator, Operators};
use zsad_nn::layers::{Linear, LinearInit};
use zsad_nn::params::Builder;

use super::detector::Model;
use super::network::{Network, Phase};
use super::spec::NetworkSpec;

/// A network and the logit of being an outlier.
pub struct Logit {
    network: Network,
    head: Linear,
}

impl Logit {
    /// Registers `net` and `logit`.
    pub fn new(spec: &NetworkSpec, b: &mut Builder) -> zsad_nn::Result<Self> {
        let network = Network::new(&mut b.scope("net"), spec)?;
        let head = Linear::new(&mut b.scope("logit"), spec.latent, 1, LinearInit::torch(spec.latent))?;
        Ok(Logit { network, head })
    }

    /// `[n, shape…]` → `[n]`.
    pub fn forward(&self, x: &Tensor, phase: Phase) -> zsad_nn::Result<Tensor> {
        Ok(self.head.forward(&self.network.forward(x, phase)?)?.squeeze(1)?)
    }
}

impl Model for Logit {
    /// The cross entropy is composed.
    const OPERATORS: Operators = Network::OPERATORS.and(&[Operator::Own]);

    /// The logit itself: its loss rounds to 0 for clear normals.
    fn scores(&self, x: &Tensor) -> zsad_nn::Result<Tensor> {
        self.forward(x, Phase::Score)
    }
}
