//! Models that the official ACR code trained and saved, as detectors of `acr_dsvdd` and `acr_ntl`.

use std::path::Path;

use zsad_core::{Batch, Detector, Device, Error, FitReport, MethodSpec, Result, Scores};
use zsad_nn::official::{Network, OfficialModel};

use super::detector::{ensure_statistics, scores, tensor};

/// A state dict of the official code on our networks.
struct Official(OfficialModel);

/// Reads a `.pt` file for the method of `spec`.
///
/// # Errors
/// [`Error::Data`] where it is missing, damaged or of another method.
pub(super) fn open(spec: &MethodSpec, path: &Path, device: Device) -> Result<Box<dyn Detector>> {
    let model = OfficialModel::load(path, device)?;
    let method = if matches!(model.network, Network::Ntl(_)) { "acr_ntl" } else { "acr_dsvdd" };
    if method != spec.name {
        let what = format!("a model of the official {:?}, and the method is {}", model.architecture, spec.name);
        return Err(Error::data(path, what, format!("name the method {method}")));
    }
    Ok(Box::new(Official(model)))
}

impl Detector for Official {
    fn score(&self, batch: &Batch) -> Result<Scores> {
        let x = tensor(&batch.samples()?, &self.0.input(), self.0.center.device())?;
        ensure_statistics(batch)?;
        scores(|| self.0.scores(&x))
    }

    fn input(&self) -> Option<Vec<usize>> {
        Some(self.0.input())
    }

    fn report(&self) -> FitReport {
        let notes = vec![("official".into(), format!("{:?}", self.0.architecture))];
        FitReport { parameters: self.0.params.count() as u64, notes, ..FitReport::default() }
    }
}
