//! What every trained method leaves: a model with its parameters, scored, saved and loaded alike.

use std::path::Path;

use candle_core::{DType, Tensor};
use zsad_core::rng::stream;
use zsad_core::{Device, Error, FitReport, Fitted, MethodSpec, Params, Result, Samples, Scores, TestBatch};
use zsad_nn::checkpoint::{self, Checkpoint, CheckpointMeta, HostTensor};
use zsad_nn::{ParamStore, params::Builder};

use crate::network::{NetworkSpec, Norm};

/// A network that scores batches.
pub(crate) trait Model: Send + Sync {
    /// Scores `[n]` of one batch `[n, shape…]`; higher is more anomalous.
    fn scores(&self, x: &Tensor) -> zsad_nn::Result<Tensor>;

    /// The model that normal references `[k, shape…]` of the target make of it, if the method wants them.
    fn adapted(&self, _references: &Tensor) -> zsad_nn::Result<Option<Box<dyn Model>>> {
        Ok(None)
    }
}

/// Builds a method's model from its parameters and network, registering its parameters.
pub(crate) type Build<M> = fn(&Params, &NetworkSpec, &mut Builder) -> zsad_nn::Result<Box<M>>;

/// A trained detector.
pub(crate) struct Trained {
    pub spec: &'static MethodSpec,
    pub params: Params,
    pub network: NetworkSpec,
    pub store: ParamStore,
    pub model: Box<dyn Model>,
    pub report: FitReport,
}

/// An empty store on `device`, and the model that `build` registers in it, with weights drawn from `seed`.
pub(crate) fn fresh<M: ?Sized>(
    spec: &MethodSpec,
    build: Build<M>,
    params: &Params,
    network: &NetworkSpec,
    device: Device,
    seed: u64,
) -> Result<(ParamStore, Box<M>)> {
    let mut store = ParamStore::new(&zsad_nn::device::open(device)?, DType::F32);
    let mut rng = stream(seed, &[("purpose", "init"), ("method", spec.name)]);
    let model = build(params, network, &mut store.builder(&mut rng))?;
    Ok((store, model))
}

/// Reads what [`Trained::save`](Fitted::save) wrote; parameters and network are those of the file.
pub(crate) fn load<M: ?Sized>(
    spec: &'static MethodSpec,
    build: Build<M>,
    path: &Path,
    device: Device,
    model: fn(&Params, &NetworkSpec, &ParamStore, Box<M>) -> Box<dyn Model>,
) -> Result<Box<dyn Fitted>> {
    let file = Checkpoint::load(path)?;
    file.expect_method(spec.name, spec.version)?;
    let damaged = |what: String| Error::data(path, what, "delete it and train again");
    let given = serde_json::from_value(file.meta.params.clone()).map_err(|e| damaged(format!("parameters: {e}")))?;
    let params = Params::validate(spec.params, &given)
        .map_err(|problems| damaged(problems.into_iter().map(|p| p.message).collect::<Vec<_>>().join("; ")))?;
    let network: NetworkSpec =
        serde_json::from_value(file.meta.network.clone()).map_err(|e| damaged(format!("network: {e}")))?;
    let (store, built) = fresh(spec, build, &params, &network, device, 0)?;
    file.expect_tensors(store.iter().map(|p| (p.name.as_str(), p.var.dims())))?;
    for p in store.iter() {
        let value = file.tensor(&p.name)?.to_candle(store.device()).map_err(Error::failed)?;
        store.set(&p.name, &value)?;
    }
    let report = FitReport { parameters: store.count() as u64, ..FitReport::default() };
    let model = model(&params, &network, &store, built);
    Ok(Box::new(Trained { spec, params, network, store, model, report }))
}

impl Trained {
    /// `samples` as a tensor, if they are of the shape that the network was trained on.
    fn tensor(&self, samples: &Samples) -> Result<Tensor> {
        if samples.shape() != self.network.input {
            let (got, wanted) = (samples.shape(), &self.network.input);
            return Err(Error::refused(format!("trained on samples of shape {wanted:?}, and these have {got:?}")));
        }
        let shape = [&[samples.len()], samples.shape()].concat();
        Tensor::from_slice(&samples.to_f32(), shape, self.store.device()).map_err(Error::failed)
    }

    fn compute(&self, x: &Tensor, references: Option<&Tensor>) -> zsad_nn::Result<Vec<f64>> {
        let adapted = references.map(|r| self.model.adapted(r)).transpose()?.flatten();
        let scores = zsad_nn::no_grad(|| adapted.as_ref().unwrap_or(&self.model).scores(x))?;
        Ok(scores.to_dtype(DType::F64)?.to_vec1()?)
    }
}

impl Fitted for Trained {
    fn score(&self, batch: &TestBatch) -> Result<Scores> {
        let x = self.tensor(&batch.samples()?)?;
        if batch.len() < 2 && self.network.norm == Norm::BatchStats {
            return Err(Error::refused("a batch of one has no batch statistics: two samples at least"));
        }
        let wanted = self.spec.needs.references;
        let references = if wanted { Some(self.tensor(&batch.references()?)?) } else { None };
        let scores = self.compute(&x, references.as_ref())?;
        match scores.iter().position(|s| !s.is_finite()) {
            Some(i) => Err(Error::failed(format!("the score of sample {i} is {}", scores[i]))),
            None => Ok(scores.into()),
        }
    }

    fn save(&self, path: &Path) -> Result<()> {
        let network = serde_json::to_value(&self.network).map_err(Error::failed)?;
        let (method, method_version) = (self.spec.name.to_owned(), self.spec.version);
        let meta = CheckpointMeta { method, method_version, params: self.params.to_json(), network };
        let tensors = self.store.iter().map(|p| Ok((p.name.clone(), HostTensor::from_candle(&p.var)?)));
        let tensors = tensors.collect::<candle_core::Result<_>>().map_err(Error::failed)?;
        checkpoint::save(path, &meta, &tensors)
    }

    fn input(&self) -> Option<Vec<usize>> {
        Some(self.network.input.clone())
    }

    fn report(&self) -> FitReport {
        self.report.clone()
    }
}

/// A loss curve that keeps the mean of every so many steps, at most [`LossCurve::POINTS`] of them.
pub(crate) struct LossCurve {
    every: u64,
    sum: f64,
    points: Vec<(u64, f64)>,
}

impl LossCurve {
    const POINTS: u64 = 300;

    /// The curve of a training of `steps`.
    pub fn new(steps: u64) -> Self {
        LossCurve { every: steps.div_ceil(Self::POINTS).max(1), sum: 0.0, points: Vec::new() }
    }

    /// The loss of step `step`, counted from 1; the last few steps may not fill a point.
    pub fn push(&mut self, step: u64, loss: f64) {
        self.sum += loss;
        if step.is_multiple_of(self.every) {
            self.points.push((step, self.sum / self.every as f64));
            self.sum = 0.0;
        }
    }

    /// Its points.
    pub fn into_points(self) -> Vec<(u64, f64)> {
        self.points
    }
}
