//! Neural transformation learning (NeuTraL AD) on the pooled normals of all meta-train domains.

use candle_core::{D, Tensor};
use zsad_core::{Method, MethodDef, MethodSpec, Needs, ParamDefault, ParamKind, ParamSpec, Params, Result, Setting};
use zsad_nn::params::Builder;

use crate::acr_ntl::Views;
use crate::network::{NetworkSpec, Phase};
use crate::pooled::{Pooled, PooledMethod, Step, batch, decay, epochs, lr, milestones};
use crate::settings::*;
use crate::trained::Model;

/// The registry's entry.
pub const DEF: Ntl = Ntl;

/// The deterministic contrastive loss of learned views, without adaptation; see [`DEF`].
pub struct Ntl;

static SPEC: MethodSpec = MethodSpec {
    name: "ntl",
    version: 1,
    summary: "pooled training of learned views under a contrastive loss, no adaptation; score: that loss",
    citation: "Qiu, Pfrommer, Kloft, Mandt, Rudolph: Neural Transformation Learning for Deep Anomaly Detection Beyond \
               Images, ICML 2021; defaults of its arrhythmia experiment",
    setting: Setting::ZeroShot,
    needs: Needs::ANY,
    params: &[
        widths("hidden", &[64, 64, 64, 64, 64], "widths of the encoder's hidden layers"),
        LATENT,
        NORM_RUNNING,
        epochs(200),
        batch(128),
        lr(5e-4),
        milestones(&[]),
        decay(0.0),
        DOMAINS,
        views(11),
        view_hidden(&[200]),
        TEMPERATURE,
        ParamSpec {
            name: "residual",
            doc: "whether a view is added to the sample rather than taken instead of it",
            kind: ParamKind::Bool,
            default: ParamDefault::Bool(true),
        },
    ],
};

impl MethodDef for Ntl {
    fn spec(&self) -> &'static MethodSpec {
        &SPEC
    }

    fn build(&self, params: &Params) -> Result<Box<dyn Method>> {
        let network = NetworkSpec::perceptron;
        Ok(Box::new(PooledMethod { spec: &SPEC, params: params.clone(), network, build, amsgrad: false }))
    }
}

fn build(params: &Params, spec: &NetworkSpec, b: &mut Builder) -> zsad_nn::Result<Box<dyn Pooled>> {
    Ok(Box::new(Views::new(params, spec, params.bool("residual"), b)?))
}

impl Model for Views {
    fn scores(&self, x: &Tensor) -> zsad_nn::Result<Tensor> {
        Ok(self.losses(x, Phase::Score)?.0)
    }
}

impl Pooled for Views {
    fn loss(&self, x: &Tensor, _: Step) -> zsad_nn::Result<Tensor> {
        Ok(self.losses(x, Phase::Pooled)?.0.mean(D::Minus1)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acr_ntl::tests::small;
    use crate::golden::{assert_close, built, params, wave};
    use crate::network::Norm;

    /// With the class of `acr_ntl`'s test:
    /// ```python
    /// m = Views(3, 2, 4, [5], 3, True); fill(m.parameters())
    /// print(m.losses(wave(2, 5, 3)[1])[0])
    /// ```
    #[test]
    fn residual_views_give_torchs_losses() {
        let (given, spec) = small(Norm::BatchStats);
        let (_, model) = built(build, &params(&SPEC, given), &spec);
        let scores = model.scores(&wave(&[10, 3]).narrow(0, 5, 5).unwrap()).unwrap();
        assert_close(&scores, &[0.929439695, 0.851632605, 0.945433163, 0.929737257, 0.85951938]);
    }
}
