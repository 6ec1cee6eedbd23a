//! One job: a fit is trained, or found in the store, and scores all its cells. A failure stays in its cell.

use std::sync::Arc;
use std::time::Duration;

use zsad_core::job::{CellJob, FitJob};
use zsad_core::panics::guarded;
use zsad_core::{
    Dataset, Detector, Environment, Error, FitContext, Method, MethodSpec, ParamProblem, Progress, Result, Shots, Stop,
    TrainingData, state,
};
use zsad_metrics::Metric;
use zsad_store::model::Model;
use zsad_store::record::Provenance;
use zsad_store::{CellRecord, FitRecord, ModelStore, RunFolder, SCHEMA, Status, provenance};

use super::training::Training;
use super::{Event, Listener};
use crate::GIT_SHA;
use crate::evaluate::{CellInput, Outcome, score_cell};
use crate::library::{DataSet, Library, given};
use crate::plan::digests;
use crate::registry::Registry;

/// How long to wait before looking again for what another run is doing.
pub const WAIT: Duration = Duration::from_millis(200);

/// Where jobs run and leave what they find.
#[derive(Clone, Copy)]
pub struct Bench<'a> {
    /// What can be named.
    pub registry: &'a Registry,
    /// The data sets.
    pub library: &'a Library,
    /// Device, caches, weights.
    pub env: &'a Environment,
    /// Where records go.
    pub folder: &'a RunFolder,
    /// Where trained models are kept.
    pub store: &'a ModelStore,
    /// How long a training works before it keeps a checkpoint.
    pub checkpoint_every: Duration,
}

/// A detector ready to score.
pub struct Ready {
    /// The detector.
    pub detector: Box<dyn Detector>,
    /// The references that its method wants.
    pub shots: Shots,
    /// Seconds of its training, where there was one.
    pub seconds: Option<f64>,
}

/// A [`Progress`] that tells a listener.
pub struct Ticks<'a> {
    /// Whose.
    pub job: &'a FitJob,
    /// Who hears of it.
    pub on: &'a Listener<'a>,
    stop: &'a Stop,
}

impl Progress for Ticks<'_> {
    fn tick(&self, done: u64, total: u64, message: &str) -> Result<()> {
        (self.on)(Event::Tick { job: self.job, done, total, message });
        self.stop.check()
    }
}

impl Bench<'_> {
    /// Trains or loads, then scores and records every cell of `job`.
    ///
    /// # Errors
    /// Where a record cannot be stored; [`Error::Stopped`] where the run should end.
    pub fn run(&self, job: &FitJob, on: &Listener) -> Result<()> {
        on(Event::Started(job));
        let mut ready: Option<Result<Ready>> = None;
        for cell in &job.cells {
            self.env.stop.check()?;
            // The first cell's data train: what only tests read may differ, what training reads does not.
            let ready = ready.get_or_insert_with(|| guarded(|| self.ready(job, cell, on)));
            let scored = match ready {
                Ok(ready) => guarded(|| self.score(job, cell, ready, on)),
                Err(failure) => Err(failure.clone()),
            };
            if matches!(scored, Err(Error::Stopped)) {
                return Err(Error::Stopped);
            }
            let seconds = ready.as_ref().ok().and_then(|r| r.seconds);
            let (record, failure) = self.record(job, cell, scored, seconds)?;
            on(Event::Cell { job, record: &record, failure: failure.as_ref() });
        }
        let trained = ready.and_then(|r| r.ok()).and_then(|r| r.seconds);
        on(Event::Finished { job, trained });
        Ok(())
    }

    /// The method of a job and its description.
    ///
    /// # Errors
    /// [`Error::Config`] where it is not of this version.
    pub fn method(&self, job: &FitJob) -> Result<(&'static MethodSpec, Arc<dyn Method>)> {
        let id = &job.id.method;
        let def = self.registry.expect_method(&id.name)?;
        let method = def.configure(&given(&id.params)).map_err(|problems| ParamProblem::error(&id.name, problems))?;
        Ok((def.spec(), method))
    }

    /// The detector of a fit: from the store where it was trained before, else fitted and, if it learned something, kept.
    ///
    /// # Errors
    /// Where the method does not apply, or data are missing, or training fails.
    pub fn ready(&self, job: &FitJob, cell: &CellJob, on: &Listener) -> Result<Ready> {
        let dataset = self.library.get(&job.id.data.name, &cell.asked.dataset_params)?;
        let (spec, method) = self.method(job)?;
        let described = dataset.describe(self.env)?;
        spec.accepts.check(&described.info.modality)?;
        let fold = DataSet::fold(&described.info, &job.id.fold)?;
        let method = method.resolve(&described.info, &described.info.folds[fold])?;
        // What is missing is named before anything is trained.
        digests(method.as_ref(), self.env)?;
        let shots = method.shots();
        let ready = |detector, seconds| Ok(Ready { detector, shots, seconds });
        if !method.learns() {
            let ticks = self.ticks(job, on);
            return ready(self.fit(job, &dataset, fold, method.as_ref(), &ticks)?, None);
        }
        loop {
            if let Some((detector, seconds)) = self.stored(job, spec, on)? {
                return ready(detector, Some(seconds));
            }
            if let Some(_lease) = self.store.lease(&job.key)? {
                // Another run may have finished between the first look and the lease.
                if let Some((detector, seconds)) = self.stored(job, spec, on)? {
                    return ready(detector, Some(seconds));
                }
                let training = Training::new(self.ticks(job, on), spec, self.store, self.checkpoint_every);
                let detector = self.fit(job, &dataset, fold, method.as_ref(), &training)?;
                let seconds = training.seconds();
                self.keep(job, cell, spec, detector.as_ref(), (&dataset, fold), seconds)?;
                return ready(detector, Some(seconds));
            }
            self.env.stop.check()?;
            std::thread::sleep(WAIT);
        }
    }

    fn fit(
        &self,
        job: &FitJob,
        dataset: &DataSet,
        fold: usize,
        method: &dyn Method,
        progress: &dyn Progress,
    ) -> Result<Box<dyn Detector>> {
        let view = dataset.view(self.env, fold)?;
        let data = TrainingData::new(view.as_ref(), &view.info().folds[fold]);
        method.fit(&FitContext { data: &data, seed: job.id.seed, env: self.env, progress })
    }

    /// The trained model of a fit, if it is there and whole.
    fn stored(&self, job: &FitJob, spec: &MethodSpec, on: &Listener) -> Result<Option<(Box<dyn Detector>, f64)>> {
        let Some(record) = self.store.fit(&job.key)? else { return Ok(None) };
        let path = self.store.model_path(&job.key);
        let load = || {
            let model = self.store.load(&record)?;
            model.expect_method(&path, spec.name, spec.version)?;
            restore(self.registry, &path, &model, self.env)
        };
        match load() {
            Ok(detector) => Ok(Some((detector, record.fit_seconds))),
            Err(e) => {
                on(Event::Note(format!("{}: {e}; training again", job.label())));
                Ok(None)
            }
        }
    }

    fn keep(
        &self,
        job: &FitJob,
        cell: &CellJob,
        spec: &MethodSpec,
        detector: &dyn Detector,
        (dataset, fold): (&DataSet, usize),
        fit_seconds: f64,
    ) -> Result<()> {
        let Some(state) = detector.state()? else { return Ok(()) };
        let record = FitRecord {
            schema: SCHEMA,
            fit_key: job.key.clone(),
            fit: job.id.clone(),
            dataset_params: cell.asked.dataset_params.clone(),
            digest: state::digest(&state.arrays),
            fit_seconds,
            report: detector.report(),
            provenance: self.provenance(job),
        };
        let (method, version, params) = (spec.name.into(), spec.version, job.id.method.params.clone());
        let preprocessing = dataset.preprocessing(self.env, fold)?;
        let pictures = dataset.source.image();
        self.store.put(&record, &Model { method, version, params, state, preprocessing, pictures })
    }

    /// The data set of a cell as its fold reads it, and the fold's number.
    ///
    /// # Errors
    /// Where the data are missing or damaged.
    pub fn view(&self, job: &FitJob, cell: &CellJob) -> Result<(Arc<dyn Dataset>, usize)> {
        let dataset = self.library.get(&job.id.data.name, &cell.asked.dataset_params)?;
        let fold = DataSet::fold(dataset.open(self.env)?.info(), &job.id.fold)?;
        Ok((dataset.view(self.env, fold)?, fold))
    }

    fn ticks<'b>(&'b self, job: &'b FitJob, on: &'b Listener) -> Ticks<'b> {
        Ticks { job, on, stop: &self.env.stop }
    }

    fn score(&self, job: &FitJob, cell: &CellJob, ready: &Ready, on: &Listener) -> Result<Outcome> {
        let (view, fold) = self.view(job, cell)?;
        let fold = &view.info().folds[fold];
        let (point, seed) = (&cell.id.point, cell.id.seed());
        let input = CellInput { dataset: view.as_ref(), fold, point, seed, shots: ready.shots, env: self.env };
        score_cell(ready.detector.as_ref(), &input, &self.registry.measured_at(point), &self.ticks(job, on))
    }

    /// How and where `job` is computed.
    fn provenance(&self, job: &FitJob) -> Provenance {
        let asked = self.env.device;
        let def = self.registry.method(&job.id.method.name);
        let device = def.map_or(asked, |def| def.placement().device(asked));
        provenance::of_record(GIT_SHA, device, self.env.threads)
    }

    /// Stores what came of a cell.
    fn record(
        &self,
        job: &FitJob,
        cell: &CellJob,
        scored: Result<Outcome>,
        fit_seconds: Option<f64>,
    ) -> Result<(CellRecord, Option<Error>)> {
        let (outcome, failure) = match scored {
            Ok(outcome) => (Some(outcome), None),
            Err(failure) => (None, Some(failure)),
        };
        let score_seconds = outcome.as_ref().map(|o| o.seconds);
        let (domains, batches, facts, shift) =
            outcome.map_or_else(Default::default, |o| (o.domains, o.batches, o.facts, o.shift));
        let dataset = self.library.get(&job.id.data.name, &cell.asked.dataset_params);
        let notes = dataset.ok().and_then(|d| d.describe(self.env).ok().map(|d| d.info.notes.clone()));
        let record = CellRecord {
            schema: SCHEMA,
            cell_key: cell.key.clone(),
            fit_key: job.key.clone(),
            cell: cell.id.clone(),
            asked: cell.asked.clone(),
            status: failure.as_ref().map_or(Status::Ok, Status::from),
            error: failure.as_ref().map(Error::to_string),
            domains,
            metrics: self.registry.measured_at(&cell.id.point).iter().map(|m: &&Metric| m.spec.id()).collect(),
            fit_seconds,
            score_seconds,
            notes: notes.unwrap_or_default().into_iter().chain(shift).collect(),
            provenance: self.provenance(job),
        };
        self.folder.put_record(&record, &batches, &facts)?;
        Ok((record, failure))
    }
}

/// The detector that a model file holds.
///
/// # Errors
/// [`Error::Data`] where the file is not one of this version of its method.
pub fn restore(
    registry: &Registry,
    path: &std::path::Path,
    model: &Model,
    env: &Environment,
) -> Result<Box<dyn Detector>> {
    let damaged = |e: Error| match e {
        data @ Error::Data { .. } => data,
        other => Error::data(path, other, "delete it and train again"),
    };
    let def = registry.expect_method(&model.method)?;
    let configured = def.configure(&given(&model.params));
    let method = configured.map_err(|problems| damaged(ParamProblem::error(&model.method, problems)))?;
    method.restore(&model.state, env).map_err(damaged)
}
