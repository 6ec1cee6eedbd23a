//! Neural transformation learning (NeuTraL AD) on the pooled normals of all meta-train domains.

use candle_core::{D, Tensor};
use zsad_core::{Accepts, DatasetInfo, MethodSpec, Result};
use zsad_nn::params::Builder;

use crate::families::pooled::{Pooled, PooledMethod, PooledModel, PooledStep};
use crate::trained::hyperparams::{PooledParams, Sizes};
use crate::trained::network::Phase;
use crate::trained::spec::{Backbone, HeadKind, NetworkSpec, Norm};
use crate::trained::views::{ViewParams, Views};

/// The registry's entry.
pub const DEF: Pooled<Ntl> = Pooled::new(&SPEC);

static SPEC: MethodSpec = MethodSpec {
    name: "ntl",
    version: 2,
    summary: "pooled training of learned views under a contrastive loss, no adaptation; score: that loss",
    citation: "Qiu, Pfrommer, Kloft, Mandt, Rudolph: Neural Transformation Learning for Deep Anomaly Detection Beyond \
               Images, ICML 2021; defaults of its arrhythmia experiment",
    accepts: Accepts::ANY,
};

zsad_core::params! {
    /// The deterministic contrastive loss of learned views, without adaptation; see [`DEF`].
    pub struct Ntl {
        /// widths of the encoder's hidden layers
        hidden: Vec<usize> = vec![64; 5], in 1..=1 << 16;
        /// dimensions of the embedding
        latent: usize = 32, in 1..;
        /// batch_stats: the batch's own statistics at test time; running: those of the training; others per sample
        norm: Norm = Norm::Running;
        /// its training
        training: PooledParams = PooledParams { epochs: 200, batch: 128, lr: 5e-4, ..PooledParams::default() };
        /// the views
        views: ViewParams = ViewParams { views: 11, view_hidden: vec![200], ..ViewParams::default() };
        /// whether a view is added to the sample rather than taken instead of it
        residual: bool = true;
    }
}

impl PooledMethod for Ntl {
    type Model = Views;

    fn settle(&mut self, info: &DatasetInfo) -> Result<NetworkSpec> {
        let mut encoder =
            Sizes { hidden: Some(self.hidden.clone()), latent: self.latent, norm: self.norm, ..Sizes::default() };
        let network = encoder.settle(Backbone::Mlp, info, HeadKind::Plain)?;
        self.hidden.clone_from(&network.hidden);
        Ok(network)
    }

    fn training(&self) -> &PooledParams {
        &self.training
    }

    fn build(&self, spec: &NetworkSpec, b: &mut Builder) -> zsad_nn::Result<Views> {
        Views::new(&self.views, self.residual, spec, b)
    }
}

impl PooledModel for Views {
    fn loss(&self, x: &Tensor, _: PooledStep) -> zsad_nn::Result<Tensor> {
        Ok(self.losses(x, Phase::Pooled)?.0.mean(D::Minus1)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::methods::acr_ntl::tests::small;
    use crate::trained::detector::Model;
    use crate::trained::golden::{assert_close, built, params, wave};

    /// With the class of `acr_ntl`'s test:
    /// ```python
    /// m = Views(3, 2, 4, [5], 3, True); fill(m.parameters())
    /// print(m.losses(wave(2, 5, 3)[1])[0])
    /// ```
    #[test]
    fn residual_views_give_torchs_losses() {
        let (given, spec) = small(Norm::BatchStats);
        let (_, model) = built(|b| params::<Ntl>(given).build(&spec, b));
        let scores = model.scores(&wave(&[10, 3]).narrow(0, 5, 5).unwrap()).unwrap();
        assert_close(&scores, &[0.929439695, 0.851632605, 0.945433163, 0.929737257, 0.85951938]);
    }
}
