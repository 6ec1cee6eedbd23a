//! An autoencoder on the pooled normals: what it cannot rebuild is anomalous.

use candle_core::{D, Tensor, Var};
use zsad_core::{DatasetInfo, Method, MethodDef, MethodSpec, Needs, Params, Result, Setting};
use zsad_nn::{Init, params::Builder};

use crate::network::{Backbone, Network, NetworkSpec, Norm, Phase, Style};
use crate::pooled::{PoolSource, Pooled, PooledMethod, Step, batch, decay, epochs, lr, milestones};
use crate::settings::*;
use crate::trained::Model;

/// The registry's entry.
pub const DEF: Autoencoder = Autoencoder;

/// Reconstruction of standardised, flattened samples; see [`DEF`].
pub struct Autoencoder;

static SPEC: MethodSpec = MethodSpec {
    name: "autoencoder",
    version: 1,
    summary: "pooled training to rebuild its input, no adaptation; score: mean squared error",
    citation: "Aggarwal: Outlier Analysis, 2015, chapter 3; layers and training of PyOD's AutoEncoder, without its dropout",
    setting: Setting::ZeroShot,
    needs: Needs::ANY,
    params: &[
        widths("hidden", &[64, 32], "widths down to the code; the decoder mirrors them"),
        NORM_RUNNING,
        epochs(10),
        batch(32),
        lr(1e-3),
        milestones(&[]),
        decay(0.0),
        DOMAINS,
    ],
};

impl MethodDef for Autoencoder {
    fn spec(&self) -> &'static MethodSpec {
        &SPEC
    }

    fn build(&self, params: &Params) -> Result<Box<dyn Method>> {
        Ok(Box::new(PooledMethod { spec: &SPEC, params: params.clone(), network, build, amsgrad: false }))
    }
}

/// One perceptron d → hidden → … → code → … → hidden → d.
fn network(params: &Params, info: &DatasetInfo) -> Result<NetworkSpec> {
    let down: Vec<usize> = params.ints("hidden").iter().map(|&w| w as usize).collect();
    let hidden = down.iter().chain(down.iter().rev().skip(1)).copied().collect();
    let input = info.kind.shape();
    let latent = input.iter().product();
    Ok(NetworkSpec { backbone: Backbone::Mlp, input, hidden, latent, norm: Norm::of(params), style: Style::Plain })
}

struct Rebuilder {
    network: Network,
    /// Of the pool, by feature.
    mean: Var,
    /// Standard deviation of the pool, by feature; 1 where a feature is constant.
    scale: Var,
}

fn build(_: &Params, spec: &NetworkSpec, b: &mut Builder) -> zsad_nn::Result<Box<dyn Pooled>> {
    let network = Network::new(&mut b.scope("net"), spec)?;
    let mean = b.buffer("mean", &[spec.latent], Init::ZEROS)?;
    let scale = b.buffer("scale", &[spec.latent], Init::ONES)?;
    Ok(Box::new(Rebuilder { network, mean, scale }))
}

impl Rebuilder {
    /// Squared errors of standardised features, averaged: `[n]`.
    fn errors(&self, x: &Tensor, phase: Phase) -> zsad_nn::Result<Tensor> {
        let (mean, scale) = (self.mean.as_tensor().detach(), self.scale.as_tensor().detach());
        let x = x.flatten_from(1)?.broadcast_sub(&mean)?.broadcast_div(&scale)?;
        Ok((self.network.forward(&x, phase)? - &x)?.sqr()?.mean(D::Minus1)?)
    }
}

impl Model for Rebuilder {
    fn scores(&self, x: &Tensor) -> zsad_nn::Result<Tensor> {
        self.errors(x, Phase::Score)
    }
}

impl Pooled for Rebuilder {
    fn before(&self, pool: &PoolSource) -> zsad_nn::Result<()> {
        let (mean, scale) = pool.moments()?;
        self.mean.set(&mean)?;
        Ok(self.scale.set(&scale)?)
    }

    fn loss(&self, x: &Tensor, _: Step) -> zsad_nn::Result<Tensor> {
        Ok(self.errors(x, Phase::Pooled)?.mean(D::Minus1)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{assert_close, built, perceptron, wave};

    /// ```python
    /// x = wave(6, 3); m, s = x.mean(0), x.std(0, unbiased=False); z = (x - m) / s
    /// net = mlp(3, [4, 2, 4], 3, final=False); fill(net.parameters())
    /// print(m, s, ((net(z) - z) ** 2).mean(1))
    /// ```
    #[test]
    fn errors_are_those_of_torch() {
        let spec = perceptron(3, &[4, 2, 4], 3, Norm::BatchStats, Style::Plain);
        let (store, model) = built(build, &Params::defaults(SPEC.params), &spec);
        let device = store.device().clone();
        let mean = Tensor::new(&[-0.00216206115f32, -0.000107189514, 0.00199809503], &device).unwrap();
        store.set("mean", &mean).unwrap();
        store.set("scale", &Tensor::new(&[0.706864189f32, 0.704812884, 0.706564488], &device).unwrap()).unwrap();
        let errors = model.scores(&wave(&[6, 3])).unwrap();
        assert_close(&errors, &[0.994386247, 1.35697153, 1.25038894, 1.01589344, 1.35882426, 1.2284988]);
    }
}
