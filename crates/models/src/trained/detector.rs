//! What every trained method leaves: a model with its parameters that scores batches.

use candle_core::{DType, Device, Tensor};
use zsad_core::{Batch, Codes, Detector, Error, FitReport, Result, Samples, Scores, State};
use zsad_nn::ParamStore;

use super::spec::{NetworkSpec, Norm};

/// A network that scores batches.
pub trait Model: Send + Sync + Sized + 'static {
    /// Scores `[n]` of one batch `[n, shape…]`; higher is more anomalous.
    fn scores(&self, x: &Tensor) -> zsad_nn::Result<Tensor>;

    /// Codes `[n, d]` of one batch and the centre `[d]` to which scores are squared distances; `None` where they are none.
    fn codes(&self, _x: &Tensor) -> zsad_nn::Result<Option<(Tensor, Tensor)>> {
        Ok(None)
    }

    /// The model that normal references `[k, shape…]` of the target make of it; `None` where it takes none.
    fn adapted(&self, _support: &Tensor) -> zsad_nn::Result<Option<Self>> {
        Ok(None)
    }
}

/// A trained detector.
pub struct Trained<M> {
    /// The network, as it was built.
    pub network: NetworkSpec,
    /// The values of its parameters.
    pub store: ParamStore,
    /// What scores.
    pub model: M,
    /// How it was trained.
    pub report: FitReport,
}

/// `samples` as a tensor `[n, shape…]`, if they are of the shape that was trained on.
pub(super) fn tensor(samples: &Samples, wanted: &[usize], device: &Device) -> Result<Tensor> {
    let got = samples.shape();
    if got != wanted {
        return Err(Error::refused(format!("trained on samples of shape {wanted:?}, and these have {got:?}")));
    }
    Tensor::from_slice(&samples.to_f32(), [&[samples.len()], got].concat(), device).map_err(Error::failed)
}

/// Refuses what has no batch statistics.
pub(super) fn ensure_statistics(batch: &Batch) -> Result<()> {
    if batch.len() < 2 {
        return Err(Error::refused("a batch of one has no batch statistics: two samples at least"));
    }
    Ok(())
}

/// What `compute` makes of a batch without gradients, in double precision.
pub(super) fn scores(compute: impl FnOnce() -> zsad_nn::Result<Tensor>) -> Result<Scores> {
    let scores = zsad_nn::no_grad(compute)?;
    let values = scores.to_dtype(DType::F64).and_then(|t| t.to_vec1::<f64>()).map_err(Error::failed)?;
    Ok(values.into())
}

impl<M: Model> Detector for Trained<M> {
    fn adapt(&self, support: &Batch) -> Result<Option<Box<dyn Detector>>> {
        let x = tensor(&support.samples()?, &self.network.input, self.store.device())?;
        let Some(model) = self.model.adapted(&x)? else { return Ok(None) };
        let (network, store, report) = (self.network.clone(), self.store.clone(), self.report.clone());
        Ok(Some(Box::new(Trained { network, store, model, report })))
    }

    fn score(&self, batch: &Batch) -> Result<Scores> {
        let x = tensor(&batch.samples()?, &self.network.input, self.store.device())?;
        if self.network.norm == Norm::BatchStats {
            ensure_statistics(batch)?;
        }
        scores(|| self.model.scores(&x))
    }

    fn codes(&self, batch: &Batch) -> Result<Option<Codes>> {
        let x = tensor(&batch.samples()?, &self.network.input, self.store.device())?;
        if self.network.norm == Norm::BatchStats {
            ensure_statistics(batch)?;
        }
        let Some((codes, centre)) = zsad_nn::no_grad(|| self.model.codes(&x))? else { return Ok(None) };
        let values = |t: Tensor| t.to_dtype(DType::F64)?.flatten_all()?.to_vec1().map_err(zsad_nn::Error::from);
        Ok(Some(Codes { values: values(codes)?, centre: values(centre)? }))
    }

    fn state(&self) -> Result<Option<State>> {
        let network = serde_json::to_value(&self.network).map_err(Error::failed)?;
        Ok(Some(self.store.state(network)?))
    }

    fn input(&self) -> Option<Vec<usize>> {
        Some(self.network.input.clone())
    }

    fn report(&self) -> FitReport {
        self.report.clone()
    }
}
