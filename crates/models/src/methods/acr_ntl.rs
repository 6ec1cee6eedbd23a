//! ACR with neural transformation learning: the views of a majority sample agree with it, those of an outlier do not.

use candle_core::Tensor;
use zsad_core::{Accepts, DatasetInfo, MethodSpec, Result};
use zsad_nn::params::Builder;

use crate::families::episodic::{Episodic, EpisodicMethod, Objective};
use crate::trained::hyperparams::Sizes;
use crate::trained::network::Phase;
use crate::trained::spec::{Backbone, HeadKind, NetworkSpec};
use crate::trained::views::{ViewParams, Views};

/// The registry's entry.
pub const DEF: Episodic<AcrNtl> = Episodic::new(&SPEC);

static SPEC: MethodSpec = MethodSpec {
    name: "acr_ntl",
    version: 2,
    summary: "meta-trained batch norm under the contrastive loss of learned views; score: that loss",
    citation: "Li, Qiu, Kloft, Smyth, Rudolph, Mandt: Zero-Shot Anomaly Detection via Batch Normalization, NeurIPS 2023; \
               Qiu et al.: Neural Transformation Learning for Deep Anomaly Detection Beyond Images, ICML 2021",
    accepts: Accepts::ANY,
};

zsad_core::params! {
    /// Adaptive centered representations under the deterministic contrastive loss; see [`DEF`].
    pub struct AcrNtl {
        /// the encoder, a perceptron on flattened samples
        encoder: Sizes = Sizes::default();
        /// the views
        views: ViewParams = ViewParams::default();
    }
}

impl EpisodicMethod for AcrNtl {
    type Model = Views;

    fn settle(&mut self, info: &DatasetInfo) -> Result<NetworkSpec> {
        self.encoder.settle(Backbone::Mlp, info, HeadKind::Plain)
    }

    fn build(&self, spec: &NetworkSpec, b: &mut Builder) -> zsad_nn::Result<Views> {
        Views::new(&self.views, false, spec, b)
    }
}

impl Objective for Views {
    fn losses(&self, x: &Tensor, phase: Phase) -> zsad_nn::Result<(Tensor, Tensor)> {
        Views::losses(self, x, phase)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;
    use crate::trained::detector::Model;
    use crate::trained::golden::{assert_close, built, gradient, meta_loss, params, perceptron, wave};
    use crate::trained::spec::Norm;

    /// Two views 3-4-3, encoder 3-5-3.
    pub(crate) fn small(norm: Norm) -> (serde_json::Value, NetworkSpec) {
        (json!({"views": 2, "view_hidden": [4]}), perceptron(3, &[5], 3, norm, HeadKind::Plain))
    }

    /// ```python
    /// class Views(nn.Module):
    ///     def __init__(s, d, K, hidden, enc, out, residual):
    ///         super().__init__(); s.enc = mlp(d, enc, out, final=False); s.residual = residual
    ///         s.views = nn.ModuleList(
    ///             nn.Sequential(nn.Linear(d, hidden), nn.ReLU(), nn.Linear(hidden, d)) for _ in range(K))
    ///     def losses(s, x, temp=0.1):
    ///         k = len(s.views); v = torch.stack([x] + [t(x) + (x if s.residual else 0) for t in s.views], 1)
    ///         z = F.normalize(s.enc(v.flatten(0, 1)).view(len(x), k + 1, -1), dim=-1)
    ///         sim = torch.exp(z @ z.transpose(1, 2) / temp)
    ///         denom = (sim.sum(-1) - torch.diagonal(sim, dim1=1, dim2=2))[:, 1:]
    ///         pos = torch.exp((z[:, 1:] * z[:, :1]).sum(-1) / temp); scale = 1 / abs(math.log(1 / k))
    ///         return ((denom.log() - pos.log()) * scale).mean(1), (-(1 - pos / denom).log() * scale).mean(1)
    /// m = Views(3, 2, 4, [5], 3, False); fill(m.parameters()); loss = 0
    /// for x in wave(2, 5, 3):
    ///     ln, la = m.losses(x); loss = loss + torch.cat([ln[:3], la[3:]]).mean() / 2
    /// loss.backward(); print(loss, m.views[1][2].bias.grad, m.losses(wave(2, 5, 3)[1])[0])
    /// ```
    #[test]
    fn losses_gradients_and_scores_are_those_of_torch() {
        let (given, spec) = small(Norm::BatchStats);
        let (store, objective) = built(|b| params::<AcrNtl>(given).build(&spec, b));
        let (loss, gradients) = meta_loss(&objective);
        assert_close(&loss, &[1.39816192]);
        assert_close(&gradient(&store, &gradients, "views.1.1.bias"), &[-0.203980288, -0.396871497, -0.224880881]);
        let scores = objective.scores(&wave(&[10, 3]).narrow(0, 5, 5).unwrap()).unwrap();
        assert_close(&scores, &[2.15434333, 2.14064131, 1.07383656, 2.12611477, 2.1123671]);
    }
}
