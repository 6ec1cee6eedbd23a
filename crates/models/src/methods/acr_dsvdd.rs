//! ACR with Deep SVDD losses: every domain's majority is mapped to one learned centre.

use candle_core::{Tensor, Var};
use zsad_core::{Accepts, DatasetInfo, MethodSpec, Result};
use zsad_nn::{Init, loss, params::Builder};

use crate::families::episodic::{Episodic, EpisodicMethod, Objective};
use crate::trained::detector::Model;
use crate::trained::hyperparams::NetworkParams;
use crate::trained::network::{Network, Phase};
use crate::trained::spec::{HeadKind, NetworkSpec};

/// The registry's entry.
pub const DEF: Episodic<AcrDsvdd> = Episodic::new(&SPEC);

static SPEC: MethodSpec = MethodSpec {
    name: "acr_dsvdd",
    version: 2,
    summary: "meta-trained batch norm maps each batch's majority to one centre; score: squared distance to it",
    citation: "Li, Qiu, Kloft, Smyth, Rudolph, Mandt: Zero-Shot Anomaly Detection via Batch Normalization, NeurIPS 2023",
    accepts: Accepts::ANY,
};

zsad_core::params! {
    /// Adaptive centered representations with d and 1/d of the squared distance d to a trained centre; see [`DEF`].
    pub struct AcrDsvdd {
        /// the network
        network: NetworkParams = NetworkParams::default();
    }
}

/// Codes and their centre.
pub struct Dsvdd {
    network: Network,
    centre: Var,
}

impl EpisodicMethod for AcrDsvdd {
    type Model = Dsvdd;

    fn settle(&mut self, info: &DatasetInfo) -> Result<NetworkSpec> {
        self.network.settle(info, HeadKind::Adapted)
    }

    fn build(&self, spec: &NetworkSpec, b: &mut Builder) -> zsad_nn::Result<Dsvdd> {
        let network = Network::new(&mut b.scope("net"), spec)?;
        let centre = b.add("center", &[spec.latent], Init::Normal(0.0, 1.0))?;
        Ok(Dsvdd { network, centre })
    }
}

impl Objective for Dsvdd {
    fn losses(&self, x: &Tensor, phase: Phase) -> zsad_nn::Result<(Tensor, Tensor)> {
        loss::dsvdd(&self.network.forward(x, phase)?, &self.centre)
    }
}

impl Model for Dsvdd {
    fn scores(&self, x: &Tensor) -> zsad_nn::Result<Tensor> {
        loss::squared_distance(&self.network.forward(x, Phase::Score)?, &self.centre)
    }

    fn codes(&self, x: &Tensor) -> zsad_nn::Result<Option<(Tensor, Tensor)>> {
        Ok(Some((self.network.forward(x, Phase::Score)?, self.centre.as_tensor().detach())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trained::golden::{assert_close, built, gradient, meta_loss, perceptron, wave};
    use crate::trained::spec::Norm;

    /// ```python
    /// net, c = mlp(3, [4], 2), nn.Parameter(torch.zeros(2)); fill([*net.parameters(), c])
    /// loss = 0
    /// for x in wave(2, 5, 3):
    ///     d = ((net(x) - c) ** 2).sum(1); loss = loss + torch.cat([d[:3], 1 / d[3:]]).mean() / 2
    /// loss.backward(); print(loss, c.grad, net[0].weight.grad[0], ((net(wave(2, 5, 3)[1]) - c) ** 2).sum(1))
    /// ```
    #[test]
    fn losses_gradients_and_scores_are_those_of_torch() {
        let spec = perceptron(3, &[4], 2, Norm::BatchStats, HeadKind::Adapted);
        let (store, objective) = built(|b| AcrDsvdd::default().build(&spec, b));
        let (loss, gradients) = meta_loss(&objective);
        assert_close(&loss, &[1.69845021]);
        assert_close(&gradient(&store, &gradients, "center"), &[1.43716553, 2.76069002]);
        let first = gradient(&store, &gradients, "net.0.linear.weight").narrow(0, 0, 1).unwrap();
        assert_close(&first, &[-0.045570638, 0.0283716659, 0.088970332]);
        let scores = objective.scores(&wave(&[10, 3]).narrow(0, 5, 5).unwrap()).unwrap();
        assert_close(&scores, &[2.02892942, 0.221744105, 0.49279764, 2.01629346, 0.21767459]);
    }
}
