//! Models trained by the official ACR code (PyTorch state dicts), on this crate's networks.
//!
//! Li et al., Zero-Shot Anomaly Detection via Batch Normalization, NeurIPS 2023. The files say neither which network
//! they belong to nor its sizes: both are inferred from the tensors' names and shapes.

mod infer;

use std::path::Path;

use candle_core::Tensor;
use zsad_core::{Arrays, Device, Error, rng};

use crate::layers::Pass;
use crate::nets::{ConvNet, Mlp, Ntl};
use crate::weights::{self, to_candle};
use crate::{ParamStore, Result, loss};
pub use infer::{Architecture, NetworkConfig};

/// A network with trained weights.
#[derive(Debug, Clone)]
pub enum Network {
    /// Codes `[n, d]`.
    Mlp(Mlp),
    /// Codes `[n, d]`.
    ConvNet(ConvNet),
    /// Codes `[n, K + 1, d]`.
    Ntl(Ntl),
}

/// The temperature of the official contrastive loss.
pub const NTL_TEMPERATURE: f64 = 0.1;

/// An official model.
#[derive(Debug, Clone)]
pub struct OfficialModel {
    /// Which class of the official code it was.
    pub architecture: Architecture,
    /// The sizes of its network.
    pub config: NetworkConfig,
    /// The network.
    pub network: Network,
    /// The learned centre, `[d]` (of no use to [`Network::Ntl`]).
    pub center: Tensor,
    /// What scores a [`Network::Mlp`] or [`Network::ConvNet`].
    distance: loss::Distance,
    /// What scores a [`Network::Ntl`].
    contrastive: loss::Contrastive,
    /// All parameters of the network by this crate's names.
    pub params: ParamStore,
}

impl OfficialModel {
    /// Reads a `.pt` file. Nothing in it is executed.
    ///
    /// # Errors
    /// [`Error::Data`] where it is missing, damaged, or not the state dict of one of these networks; those of
    /// [`ParamStore::on`].
    pub fn load(path: &Path, device: Device) -> Result<Self> {
        Self::from_arrays(&weights::read(path)?, path, device)
    }

    /// The model behind named arrays; `path` is for messages.
    ///
    /// # Errors
    /// As [`OfficialModel::load`].
    pub fn from_arrays(arrays: &Arrays, path: &Path, device: Device) -> Result<Self> {
        let found = infer::infer(arrays).map_err(|what| {
            let hint = "wanted: the state dict of TabDSVDD, FeatureSVDD, TabNeutralAD, OmniglotDSVDD or Cifar100DSVDD";
            Error::data(path, what, hint)
        })?;
        let mut params = ParamStore::on(device)?;
        // Every initial value is replaced below.
        let mut rng = rng::stream(0, &[("purpose", "replaced")]);
        let mut builder = params.builder(&mut rng);
        let network = match &found.config {
            NetworkConfig::Mlp(config) => Network::Mlp(Mlp::new(&mut builder, config)?),
            NetworkConfig::ConvNet(config) => Network::ConvNet(ConvNet::new(&mut builder, config)?),
            NetworkConfig::Ntl(config) => Network::Ntl(Ntl::new(&mut builder, config)?),
        };
        let (distance, contrastive) =
            (loss::Distance::new(&mut builder), loss::Contrastive::new(&mut builder, NTL_TEMPERATURE));
        for (ours, tensor) in &found.values {
            params.set(ours, &to_candle(tensor, params.device())?).map_err(|e| Error::data(path, e, ""))?;
        }
        if let Some(left) = params.iter().find(|p| !found.values.iter().any(|(name, _)| *name == p.name)) {
            return Err(Error::data(path, format!("holds nothing for `{}`", left.name), "").into());
        }
        let center = to_candle(&found.center, params.device())?.flatten_all()?;
        let (architecture, config) = (found.architecture, found.config);
        Ok(OfficialModel { architecture, config, network, center, distance, contrastive, params })
    }

    /// The shape of one input.
    pub fn input(&self) -> Vec<usize> {
        match &self.config {
            NetworkConfig::Mlp(config) => vec![config.input],
            NetworkConfig::ConvNet(config) => config.input.to_vec(),
            NetworkConfig::Ntl(config) => vec![config.encoder.input],
        }
    }

    /// Codes of one test batch `[n, …]` under its own batch statistics.
    ///
    /// # Errors
    /// Where `x` does not have the network's input shape.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match &self.network {
            Network::Mlp(net) => net.forward(x, Pass::eval(1)),
            Network::ConvNet(net) => net.forward(x, Pass::eval(1)),
            Network::Ntl(net) => net.forward(x, Pass::eval(1)),
        }
    }

    /// The official scores of one test batch, `[n]`: squared distance to the centre, or the contrastive loss.
    ///
    /// # Errors
    /// As [`OfficialModel::forward`].
    pub fn scores(&self, x: &Tensor) -> Result<Tensor> {
        let codes = self.forward(x)?;
        match &self.network {
            Network::Mlp(_) | Network::ConvNet(_) => self.distance.squared(&codes, &self.center),
            Network::Ntl(_) => Ok(self.contrastive.losses(&codes)?.0),
        }
    }
}

#[cfg(test)]
mod tests;
