//! Models that the official ACR code trained and saved, as detectors of `acr_dsvdd` and `acr_ntl`.

use std::path::Path;

use candle_core::{DType, Tensor};
use zsad_core::{Device, Error, FitReport, Fitted, MethodSpec, Result, Scores, TestBatch};
use zsad_nn::official::{Network, OfficialModel};

/// A state dict of the official code on our networks.
pub(crate) struct Official {
    model: OfficialModel,
}

impl Official {
    /// Reads a `.pt` file for the method of `spec`.
    pub fn open(spec: &MethodSpec, path: &Path, device: Device) -> Result<Box<dyn Fitted>> {
        let model = OfficialModel::load(path, &zsad_nn::device::open(device)?)?;
        let method = if matches!(model.network, Network::Ntl(_)) { "acr_ntl" } else { "acr_dsvdd" };
        if method != spec.name {
            let what = format!("a model of the official {:?}, and the method is {}", model.architecture, spec.name);
            return Err(Error::data(path, what, format!("name the method {method}")));
        }
        Ok(Box::new(Official { model }))
    }

    fn compute(&self, values: &[f32], n: usize) -> zsad_nn::Result<Vec<f64>> {
        let shape = [&[n], self.model.input().as_slice()].concat();
        let x = Tensor::from_slice(values, shape, self.model.center.device())?;
        Ok(zsad_nn::no_grad(|| self.model.scores(&x))?.to_dtype(DType::F64)?.to_vec1()?)
    }
}

impl Fitted for Official {
    fn score(&self, batch: &TestBatch) -> Result<Scores> {
        let samples = batch.samples()?;
        let (got, wanted) = (samples.shape(), self.model.input());
        if got != wanted {
            return Err(Error::refused(format!("trained on samples of shape {wanted:?}, and these have {got:?}")));
        }
        if samples.len() < 2 {
            return Err(Error::refused("a batch of one has no batch statistics: two samples at least"));
        }
        Ok(self.compute(&samples.to_f32(), samples.len())?.into())
    }

    fn save(&self, path: &Path) -> Result<()> {
        Err(Error::data(path, "a model of the official code is read, not written", "keep its .pt file"))
    }

    fn input(&self) -> Option<Vec<usize>> {
        Some(self.model.input())
    }

    fn report(&self) -> FitReport {
        let notes = vec![("official".into(), format!("{:?}", self.model.architecture))];
        FitReport { parameters: self.model.params.count() as u64, notes, ..FitReport::default() }
    }
}
