//! The trained part: constraintors and flows, and beside them the codebooks.

use candle_core::Var;
use zsad_core::Device;
use zsad_core::rng::stream;
use zsad_nn::{Init, Result};

use super::params::ResAdPp;
use crate::methods::resad::layers::FeatureLayers;

/// See the module.
pub(super) struct Network {
    pub layers: FeatureLayers,
    /// One `[codes, channels]` a layer, if there are any.
    pub codebooks: Vec<Var>,
}

impl Network {
    /// Fresh layers of so many `channels`, drawn from `seed`.
    pub fn new(params: &ResAdPp, channels: &[usize], device: Device, seed: u64) -> Result<Self> {
        let mut layers = FeatureLayers::new(&params.flow, channels, device, seed)?;
        let codes = params.codes;
        let bound = 1.0 / codes.max(1) as f64;
        let mut rng = stream(seed, &[("purpose", "init"), ("method", "resad_pp")]);
        let mut b = layers.store.builder(&mut rng);
        let book = |(i, &channels): (usize, &usize)| {
            b.scope("codebook").add(&i.to_string(), &[codes, channels], Init::Uniform(-bound, bound))
        };
        let codebooks = if codes > 0 { channels.iter().enumerate().map(book).collect::<Result<_>>()? } else { vec![] };
        Ok(Network { layers, codebooks })
    }
}
