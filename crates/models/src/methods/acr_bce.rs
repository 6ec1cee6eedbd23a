//! ACR with a binary head: is a sample one of its batch's outliers?

use candle_core::Tensor;
use zsad_core::{Accepts, DatasetInfo, MethodSpec, Result};
use zsad_nn::{loss, params::Builder};

use crate::families::episodic::{Episodic, EpisodicMethod, Objective};
use crate::trained::hyperparams::NetworkParams;
use crate::trained::logit::Logit;
use crate::trained::network::Phase;
use crate::trained::spec::{HeadKind, NetworkSpec};

/// The registry's entry.
pub const DEF: Episodic<AcrBce> = Episodic::new(&SPEC);

static SPEC: MethodSpec = MethodSpec {
    name: "acr_bce",
    version: 2,
    summary: "meta-trained batch norm and a binary head: normal or outlier of this batch; score: the logit",
    citation: "Li, Qiu, Kloft, Smyth, Rudolph, Mandt: Zero-Shot Anomaly Detection via Batch Normalization, NeurIPS 2023; \
               the released code has no binary head, this is its natural form",
    accepts: Accepts::ANY,
};

zsad_core::params! {
    /// Adaptive centered representations under a binary cross entropy, −log(1 − p) for normals and −log p for outliers;
    /// see [`DEF`].
    pub struct AcrBce {
        /// the network
        network: NetworkParams = NetworkParams::default();
    }
}

impl EpisodicMethod for AcrBce {
    type Model = Logit;

    fn settle(&mut self, info: &DatasetInfo) -> Result<NetworkSpec> {
        self.network.settle(info, HeadKind::Adapted)
    }

    fn build(&self, spec: &NetworkSpec, b: &mut Builder) -> zsad_nn::Result<Logit> {
        Logit::new(spec, b)
    }
}

impl Objective for Logit {
    fn losses(&self, x: &Tensor, phase: Phase) -> zsad_nn::Result<(Tensor, Tensor)> {
        loss::bce(&self.forward(x, phase)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trained::golden::{assert_close, built, gradient, meta_loss, perceptron};
    use crate::trained::spec::Norm;

    /// ```python
    /// net, head = mlp(3, [4], 2), nn.Linear(2, 1); fill([*net.parameters(), *head.parameters()])
    /// y = torch.tensor([0., 0, 0, 1, 1]); loss = 0
    /// for x in wave(2, 5, 3): loss = loss + F.binary_cross_entropy_with_logits(head(net(x)).squeeze(1), y) / 2
    /// loss.backward(); print(loss, head.weight.grad)
    /// ```
    #[test]
    fn loss_and_gradient_are_those_of_torch() {
        let spec = perceptron(3, &[4], 2, Norm::BatchStats, HeadKind::Adapted);
        let (store, objective) = built(|b| AcrBce::default().build(&spec, b));
        let (loss, gradients) = meta_loss(&objective);
        assert_close(&loss, &[0.675899151]);
        assert_close(&gradient(&store, &gradients, "logit.weight"), &[0.0518446459, 0.00567750958]);
    }
}
