//! What a training is told and asked on its way: how far it is, and what it takes to go on after an interruption.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use zsad_core::job::FitJob;
use zsad_core::{Error, MethodSpec, Progress, Result, Simd, State};
use zsad_store::ModelStore;
use zsad_store::model::Model;

use super::fit::Ticks;
use super::{Event, Listener};
use crate::GIT_SHA;

/// Minutes between two checkpoints of a training, where nobody asks for others.
pub const CHECKPOINT_MINUTES: f64 = 10.0;

/// A training that keeps checkpoints in the store.
pub struct Training<'a> {
    ticks: Ticks<'a>,
    spec: &'static MethodSpec,
    store: &'a ModelStore,
    every: Duration,
    started: Instant,
    /// Seconds of the training before it was interrupted, and when it last kept a checkpoint.
    since: Mutex<(f64, Instant)>,
}

impl<'a> Training<'a> {
    /// The training of a method, which begins now.
    pub fn new(ticks: Ticks<'a>, spec: &'static MethodSpec, store: &'a ModelStore, every: Duration) -> Self {
        let started = Instant::now();
        Training { ticks, spec, store, every, started, since: Mutex::new((0.0, started)) }
    }

    /// Seconds so far, those before an interruption among them.
    pub fn seconds(&self) -> f64 {
        self.since().0 + self.started.elapsed().as_secs_f64()
    }

    fn since(&self) -> std::sync::MutexGuard<'_, (f64, Instant)> {
        // Two numbers are whole whatever panicked.
        self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn job(&self) -> &FitJob {
        self.ticks.job
    }

    fn note(&self, text: String) {
        let on: &Listener = self.ticks.on;
        on(Event::Note(format!("{}: {text}", self.job().label())));
    }

    /// The state of a checkpoint of this very program, and the seconds that it took to come there.
    fn usable(&self, model: Model) -> Result<(State, f64)> {
        let path = self.store.checkpoint_path(&self.job().key);
        model.expect_method(&path, self.spec.name, self.spec.version)?;
        let [build, simd] = ["build", "simd"].map(|entry| model.state.entry::<String>(entry));
        let (build, simd) = (build?, simd?);
        if build != GIT_SHA || simd != Simd::current().to_string() {
            // Last bits may differ between programs and between instruction sets, and nobody could tell afterwards.
            let what = format!("it was kept by the program of commit {build:?} with {simd}");
            return Err(Error::data(&path, what, "run that program to go on from it"));
        }
        let seconds = model.state.entry("seconds")?;
        Ok((model.state, seconds))
    }
}

impl Progress for Training<'_> {
    fn tick(&self, done: u64, total: u64, message: &str) -> Result<()> {
        self.ticks.tick(done, total, message)
    }

    fn interrupted(&self) -> Result<Option<State>> {
        let found = self.store.checkpoint(&self.job().key).transpose();
        let Some(found) = found.map(|model| model.and_then(|model| self.usable(model))) else { return Ok(None) };
        match found {
            Ok((state, seconds)) => {
                let step: u64 = state.entry("step")?;
                self.note(format!("goes on after step {step}, where it was interrupted"));
                self.since().0 = seconds;
                Ok(Some(state))
            }
            Err(e) => {
                self.note(format!("{e}; training from the start"));
                Ok(None)
            }
        }
    }

    fn is_due(&self) -> bool {
        self.since().1.elapsed() >= self.every
    }

    fn keep(&self, mut state: State) -> Result<()> {
        let facts = [("build", GIT_SHA.into()), ("simd", Simd::current().to_string().into())];
        for (name, value) in facts.into_iter().chain([("seconds", self.seconds().into())]) {
            state.network[name] = value;
        }
        let id = &self.job().id.method;
        let (method, version, params) = (self.spec.name.into(), self.spec.version, id.params.clone());
        let model = Model { method, version, params, state, preprocessing: None, pictures: None };
        // A training is worth more than its checkpoint: where that cannot be written it goes on without.
        if let Err(e) = self.store.put_checkpoint(&self.job().key, &model) {
            self.note(format!("no checkpoint: {e}"));
        }
        self.since().1 = Instant::now();
        Ok(())
    }
}
