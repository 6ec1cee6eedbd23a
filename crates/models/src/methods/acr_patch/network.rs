//! What is trained: a network on the features at one position, and a centre.

use candle_core::{Tensor, Var};
use zsad_core::rng::stream;
use zsad_core::{Device, FitReport};
use zsad_nn::nets::{Mlp, MlpConfig};
use zsad_nn::{Init, ParamStore, Pass, loss::Distance};

use super::params::AcrPatch;

/// The published network, narrowed where the features have fewer channels than its layers, and its centre.
pub(super) struct FeatureSvdd {
    net: Mlp,
    centre: Var,
    distance: Distance,
    pub channels: usize,
    pub store: ParamStore,
}

impl FeatureSvdd {
    pub fn new(params: &AcrPatch, channels: usize, device: Device, seed: u64) -> zsad_nn::Result<Self> {
        let latent = params.latent;
        let mut store = ParamStore::on(device)?;
        let mut rng = stream(seed, &[("purpose", "init"), ("method", "acr_patch")]);
        let mut b = store.builder(&mut rng);
        let hidden: Vec<usize> = [512, 256, 128, 64, 32].into_iter().filter(|&w| w < channels.max(33)).collect();
        let net = Mlp::new(&mut b.scope("net"), &MlpConfig::acr(channels, &hidden, latent))?;
        let centre = b.add("center", &[latent], Init::Normal(0.0, 1.0))?;
        let distance = Distance::new(&mut b);
        Ok(FeatureSvdd { net, centre, distance, channels, store })
    }

    /// L_n = d and L_a = 1/d of the squared distance d to the centre, each batch of `pass` by its own statistics.
    pub fn losses(&self, x: &Tensor, pass: Pass) -> zsad_nn::Result<(Tensor, Tensor)> {
        self.distance.dsvdd(&self.net.forward(x, pass)?, &self.centre)
    }
}

/// The trained detector.
pub struct Trained {
    pub(super) params: AcrPatch,
    pub(super) network: FeatureSvdd,
    /// Standard deviation of the outliers' noise, in the features' own units.
    pub(super) noise: f64,
    pub(super) report: FitReport,
}
