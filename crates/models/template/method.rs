//! One sentence: what this method assumes of normal samples.

use candle_core::{D, Tensor, Var};
use zsad_core::{Accepts, DatasetInfo, MethodSpec, Operator, Operators, Result};
use zsad_nn::{Init, params::Builder};

use crate::families::episodic::{Episodic, EpisodicMethod, Objective};
use crate::trained::detector::Model;
use crate::trained::hyperparams::NetworkParams;
use crate::trained::network::{Network, Phase};
use crate::trained::spec::{HeadKind, NetworkSpec};

/// The registry's entry.
pub const DEF: Episodic<NewMethod> = Episodic::new(&SPEC);

static SPEC: MethodSpec = MethodSpec {
    name: "new_method",
    // Count up whenever its numbers may change: finished cells are then computed again.
    version: 1,
    summary: "meta-trained batch norm around a trained centre; score: distance to it",
    citation: "authors: title, venue and year",
    accepts: Accepts::ANY,
};

zsad_core::params! {
    /// What it does, with the equation it follows; see [`DEF`].
    // The parameters of every meta-trained method; own ones are more fields, such as `margin: f64 = 0.1, in 0.0..;`.
    pub struct NewMethod {
        /// the network
        network: NetworkParams = NetworkParams::default();
    }
}

/// What is trained.
pub struct Distances {
    network: Network,
    centre: Var,
}

impl EpisodicMethod for NewMethod {
    type Model = Distances;

    /// Settles what the parameters leave to the data.
    fn settle(&mut self, info: &DatasetInfo) -> Result<NetworkSpec> {
        self.network.settle(info, HeadKind::Adapted)
    }

    /// Registers what is trained; a trained state keeps it by these names.
    fn build(&self, spec: &NetworkSpec, b: &mut Builder) -> zsad_nn::Result<Distances> {
        let network = Network::new(&mut b.scope("net"), spec)?;
        let centre = b.add("center", &[spec.latent], Init::Normal(0.0, 1.0))?;
        Ok(Distances { network, centre })
    }
}

impl Objective for Distances {
    /// The loss of each sample if it is normal and if it is an outlier: `[n]` each.
    fn losses(&self, x: &Tensor, phase: Phase) -> zsad_nn::Result<(Tensor, Tensor)> {
        let z = self.network.forward(x, phase)?;
        let distance = (z.broadcast_sub(&self.centre)?.sqr()?.sum(D::Minus1)? + 1e-6)?.sqrt()?;
        let inverse = distance.recip()?;
        Ok((distance, inverse))
    }
}

impl Model for Distances {
    /// What it computes with: here a network, and a distance of its own.
    const OPERATORS: Operators = Network::OPERATORS.and(&[Operator::Own]);

    /// Scores of one batch, `[n]`: the loss of a normal.
    fn scores(&self, x: &Tensor) -> zsad_nn::Result<Tensor> {
        Ok(self.losses(x, Phase::Score)?.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trained::golden::{assert_close, built, perceptron, wave};
    use crate::trained::spec::Norm;

    /// Against an implementation that is not this one. Here it is PyTorch, with `mlp`, `fill` and `wave` of `trained/golden.rs`:
    /// ```python
    /// net, c = mlp(3, [4], 2), nn.Parameter(torch.empty(2)); fill([*net.parameters(), c])
    /// print(((net(wave(5, 3)) - c).pow(2).sum(1) + 1e-6).sqrt())
    /// ```
    #[test]
    fn scores_are_those_of_torch() {
        let spec = perceptron(3, &[4], 2, Norm::BatchStats, HeadKind::Adapted);
        let (_, model) = built(|b| NewMethod::default().build(&spec, b));
        let scores = model.scores(&wave(&[5, 3])).unwrap();
        assert_close(&scores, &[0.515400191, 0.849441504, 1.72633592, 0.509586210, 0.866231522]);
    }
}
