//! ACR with a binary head: is a sample one of its batch's outliers?

use candle_core::Tensor;
use zsad_core::{Method, MethodDef, MethodSpec, Needs, Params, Result, Setting};
use zsad_nn::layers::{Linear, LinearInit};
use zsad_nn::{loss, params::Builder};

use crate::meta::{MetaMethod, Objective};
use crate::network::{Network, NetworkSpec, Phase};
use crate::settings::*;

/// The registry's entry.
pub const DEF: AcrBce = AcrBce;

/// Adaptive centered representations under a binary cross entropy, −log(1 − p) for normals and −log p for outliers;
/// see [`DEF`].
pub struct AcrBce;

static SPEC: MethodSpec = MethodSpec {
    name: "acr_bce",
    version: 1,
    summary: "meta-trained batch norm and a binary head: normal or outlier of this batch; score: the logit",
    citation: "Li, Qiu, Kloft, Smyth, Rudolph, Mandt: Zero-Shot Anomaly Detection via Batch Normalization, NeurIPS 2023; \
               the released code has no binary head, this is its natural form",
    setting: Setting::ZeroShot,
    needs: Needs::ANY,
    params: META,
};

impl MethodDef for AcrBce {
    fn spec(&self) -> &'static MethodSpec {
        &SPEC
    }

    fn build(&self, params: &Params) -> Result<Box<dyn Method>> {
        Ok(Box::new(MetaMethod { spec: &SPEC, params: params.clone(), network: NetworkSpec::resolve, build }))
    }
}

/// A network and the logit of being an outlier.
pub(crate) struct Logit {
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

fn build(_: &Params, spec: &NetworkSpec, b: &mut Builder) -> zsad_nn::Result<Box<dyn Objective>> {
    Ok(Box::new(Logit::new(spec, b)?))
}

impl Objective for Logit {
    fn losses(&self, x: &Tensor, phase: Phase) -> zsad_nn::Result<(Tensor, Tensor)> {
        loss::bce(&self.forward(x, phase)?)
    }

    /// The logit itself: its loss rounds to 0 for clear normals.
    fn scores(&self, x: &Tensor) -> zsad_nn::Result<Tensor> {
        self.forward(x, Phase::Score)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{assert_close, built, gradient, meta_loss, perceptron};
    use crate::network::{Norm, Style};

    /// ```python
    /// net, head = mlp(3, [4], 2), nn.Linear(2, 1); fill([*net.parameters(), *head.parameters()])
    /// y = torch.tensor([0., 0, 0, 1, 1]); loss = 0
    /// for x in wave(2, 5, 3): loss = loss + F.binary_cross_entropy_with_logits(head(net(x)).squeeze(1), y) / 2
    /// loss.backward(); print(loss, head.weight.grad)
    /// ```
    #[test]
    fn loss_and_gradient_are_those_of_torch() {
        let spec = perceptron(3, &[4], 2, Norm::BatchStats, Style::Adapted);
        let (store, objective) = built(build, &Params::defaults(SPEC.params), &spec);
        let (loss, gradients) = meta_loss(objective.as_ref());
        assert_close(&loss, &[0.675899151]);
        assert_close(&gradient(&store, &gradients, "logit.weight"), &[0.0518446459, 0.00567750958]);
    }
}
