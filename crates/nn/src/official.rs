//! Models trained by the official ACR code (PyTorch state dicts), on this crate's networks.
//!
//! Li et al., Zero-Shot Anomaly Detection via Batch Normalization, NeurIPS 2023. The files say neither which network
//! they belong to nor its sizes: both are inferred from the tensors' names and shapes.

mod infer;

use std::path::Path;

use candle_core::{DType, Device, Tensor};
use zsad_core::{Error, rng};

use crate::checkpoint::{NamedTensors, read_tensors};
use crate::layers::Pass;
use crate::nets::{ConvNet, ConvNetConfig, Mlp, MlpConfig, Ntl, NtlConfig};
use crate::{ParamStore, Result, loss};

/// The classes of the official code whose state dicts are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// `TabDSVDD` (AnoShift): an MLP over vectors.
    TabDsvdd,
    /// `FeatureSVDD` (MVTec AD): an MLP over patch features.
    FeatureSvdd,
    /// `TabNeutralAD` (AnoShift): learned views and an encoder.
    TabNeutralAd,
    /// `OmniglotDSVDD`: convolutions over 1 × 28 × 28.
    OmniglotDsvdd,
    /// `Cifar100DSVDD`: convolutions over 3 × 32 × 32.
    Cifar100Dsvdd,
}

/// The sizes of a network.
#[derive(Debug, Clone, PartialEq)]
pub enum NetworkConfig {
    /// See [`Mlp`].
    Mlp(MlpConfig),
    /// See [`ConvNet`].
    ConvNet(ConvNetConfig),
    /// See [`Ntl`].
    Ntl(NtlConfig),
}

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
    /// All parameters of the network by this crate's names.
    pub params: ParamStore,
}

impl OfficialModel {
    /// Reads a `.pt` file. Nothing in it is executed.
    ///
    /// # Errors
    /// [`Error::Data`] where it is missing, damaged, or not the state dict of one of these networks.
    pub fn load(path: &Path, device: &Device) -> Result<Self> {
        Self::from_tensors(&read_tensors(path)?, path, device)
    }

    /// The model behind named tensors; `path` is for messages.
    ///
    /// # Errors
    /// As [`OfficialModel::load`].
    pub fn from_tensors(tensors: &NamedTensors, path: &Path, device: &Device) -> Result<Self> {
        let found = infer::infer(tensors).map_err(|what| {
            let remedy =
                "wanted: the state dict of TabDSVDD, FeatureSVDD, TabNeutralAD, OmniglotDSVDD or Cifar100DSVDD";
            Error::data(path, what, remedy)
        })?;
        let mut params = ParamStore::new(device, DType::F32);
        // Every initial value is replaced below.
        let mut rng = rng::stream(0, &[("purpose", "replaced")]);
        let mut builder = params.builder(&mut rng);
        let network = match &found.config {
            NetworkConfig::Mlp(config) => Network::Mlp(Mlp::new(&mut builder, config)?),
            NetworkConfig::ConvNet(config) => Network::ConvNet(ConvNet::new(&mut builder, config)?),
            NetworkConfig::Ntl(config) => Network::Ntl(Ntl::new(&mut builder, config)?),
        };
        for (ours, tensor) in &found.values {
            params.set(ours, &tensor.to_candle(device)?).map_err(|e| Error::data(path, e, ""))?;
        }
        if let Some(left) = params.iter().find(|p| !found.values.iter().any(|(name, _)| *name == p.name)) {
            return Err(Error::data(path, format!("holds nothing for `{}`", left.name), "").into());
        }
        let center = Tensor::from_slice(found.center.values(), found.center.values().len(), device)?;
        Ok(OfficialModel { architecture: found.architecture, config: found.config, network, center, params })
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
            Network::Mlp(_) | Network::ConvNet(_) => loss::squared_distance(&codes, &self.center),
            Network::Ntl(_) => Ok(loss::ntl(&codes, NTL_TEMPERATURE)?.0),
        }
    }
}

#[cfg(test)]
mod tests;
