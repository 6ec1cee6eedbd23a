//! ACR with neural transformation learning: the views of a majority sample agree with it, those of an outlier do not.

use candle_core::Tensor;
use zsad_core::{DatasetInfo, Method, MethodDef, MethodSpec, Needs, Params, Result, Setting};
use zsad_nn::nets::NtlViews;
use zsad_nn::{loss, params::Builder};

use crate::meta::{MetaMethod, Objective};
use crate::network::{Network, NetworkSpec, Phase};
use crate::settings::*;

/// The registry's entry.
pub const DEF: AcrNtl = AcrNtl;

/// Adaptive centered representations under the deterministic contrastive loss; see [`DEF`].
pub struct AcrNtl;

static SPEC: MethodSpec = MethodSpec {
    name: "acr_ntl",
    version: 1,
    summary: "meta-trained batch norm under the contrastive loss of learned views; score: that loss",
    citation: "Li, Qiu, Kloft, Smyth, Rudolph, Mandt: Zero-Shot Anomaly Detection via Batch Normalization, NeurIPS 2023; \
               Qiu et al.: Neural Transformation Learning for Deep Anomaly Detection Beyond Images, ICML 2021",
    setting: Setting::ZeroShot,
    needs: Needs::ANY,
    params: &[
        HIDDEN,
        LATENT,
        NORM,
        STEPS,
        LR,
        LR_STEP,
        LR_GAMMA,
        WEIGHT_DECAY,
        GRAD_CLIP,
        TASKS,
        TASK_BATCH,
        TRAIN_CONTAMINATION,
        OUTLIERS,
        NOISE_SIGMA,
        PERMUTE_COLUMNS,
        DOMAINS,
        views(19),
        view_hidden(&[128, 128]),
        TEMPERATURE,
    ],
};

impl MethodDef for AcrNtl {
    fn spec(&self) -> &'static MethodSpec {
        &SPEC
    }

    fn build(&self, params: &Params) -> Result<Box<dyn Method>> {
        let network = |params: &Params, info: &DatasetInfo| NetworkSpec::perceptron(params, info);
        Ok(Box::new(MetaMethod { spec: &SPEC, params: params.clone(), network, build }))
    }
}

/// Learned views of flattened samples, and an encoder that sees all views of a batch at once.
pub(crate) struct Views {
    views: NtlViews,
    encoder: Network,
    temperature: f64,
    /// Whether a view is added to the sample rather than taken instead of it.
    residual: bool,
}

impl Views {
    /// Registers `encoder` and `views`.
    pub fn new(params: &Params, spec: &NetworkSpec, residual: bool, b: &mut Builder) -> zsad_nn::Result<Self> {
        let encoder = Network::new(&mut b.scope("encoder"), spec)?;
        let hidden: Vec<usize> = params.ints("view_hidden").iter().map(|&w| w as usize).collect();
        let d = spec.input.iter().product();
        let views = NtlViews::new(&mut b.scope("views"), params.size("views"), d, &hidden)?;
        Ok(Views { views, encoder, temperature: params.float("temperature"), residual })
    }

    /// `(L_n, L_a)` of `[n, shape…]`.
    pub fn losses(&self, x: &Tensor, phase: Phase) -> zsad_nn::Result<(Tensor, Tensor)> {
        let x = x.flatten_from(1)?;
        let mut views = self.views.forward(&x)?;
        let (n, k1, d) = views.dims3()?;
        if self.residual {
            let added = x.unsqueeze(1)?.broadcast_as((n, k1 - 1, d))?;
            let learned = (views.narrow(1, 1, k1 - 1)? + added)?;
            views = Tensor::cat(&[&x.unsqueeze(1)?, &learned], 1)?;
        }
        let z = self.encoder.forward(&views.reshape((n * k1, d))?, phase)?;
        loss::ntl(&z.reshape((n, k1, ()))?, self.temperature)
    }
}

fn build(params: &Params, spec: &NetworkSpec, b: &mut Builder) -> zsad_nn::Result<Box<dyn Objective>> {
    Ok(Box::new(Views::new(params, spec, false, b)?))
}

impl Objective for Views {
    fn losses(&self, x: &Tensor, phase: Phase) -> zsad_nn::Result<(Tensor, Tensor)> {
        self.losses(x, phase)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;
    use crate::golden::{assert_close, built, gradient, meta_loss, params, perceptron, wave};
    use crate::network::{Norm, Style};

    /// Two views 3-4-3, encoder 3-5-3.
    pub(crate) fn small(norm: Norm) -> (serde_json::Value, NetworkSpec) {
        (json!({"views": 2, "view_hidden": [4]}), perceptron(3, &[5], 3, norm, Style::Plain))
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
        let (store, objective) = built(build, &params(&SPEC, given), &spec);
        let (loss, gradients) = meta_loss(objective.as_ref());
        assert_close(&loss, &[1.39816192]);
        assert_close(&gradient(&store, &gradients, "views.1.1.bias"), &[-0.203980288, -0.396871497, -0.224880881]);
        let scores = objective.scores(&wave(&[10, 3]).narrow(0, 5, 5).unwrap()).unwrap();
        assert_close(&scores, &[2.15434333, 2.14064131, 1.07383656, 2.12611477, 2.1123671]);
    }
}
