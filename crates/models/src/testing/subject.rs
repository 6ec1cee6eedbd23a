//! One method, configured for the suite, on one data set: fits and batches for the checks.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use zsad_core::detector::adapted_beside;
use zsad_core::{
    AbnormalReferences, AnomalySource, Batch, Dataset, Detector, Device, Environment, Error, FitContext, Fold, Given,
    Method, MethodDef, ParamProblem, Progress, Result, SampleRef, Silent, State, Subset, TrainingData, Unlabelled,
};
use zsad_data::memory::{InMemory, MemoryDomain};

use super::masked::Masked;
use super::{EPOCHS, MAPS, STEPS, TASK_BATCH, TASKS, weights};

/// Methods that keep their default number of epochs, which is less than the suite's: each of their steps is long.
const OWN_EPOCHS: &[&str] = &["af_clip"];

/// A method on a data set, at the suite's parameters.
pub(super) struct Subject<'a> {
    pub def: &'a dyn MethodDef,
    dataset: &'a dyn Dataset,
    /// As it was configured.
    pub configured: Arc<dyn Method>,
    /// With all parameters settled for the data, as the frame runs it.
    pub method: Arc<dyn Method>,
    /// Without a cache.
    pub env: Environment,
}

/// A detector on a data set, and where its caches are.
struct Scoring<'a> {
    dataset: &'a dyn Dataset,
    detector: &'a dyn Detector,
    env: &'a Environment,
    /// Labelled anomalies that it is given.
    shown: &'a [SampleRef],
}

impl<'a> Subject<'a> {
    /// Configures `def` on `device`, for one training step or epoch if `short`.
    pub fn new(def: &'a dyn MethodDef, dataset: &'a dyn Dataset, device: Device, short: bool) -> Result<Self> {
        let (steps, epochs) = if short { (1, 1) } else { (STEPS, EPOCHS) };
        let wanted =
            [("steps", steps), ("epochs", epochs), ("tasks", TASKS), ("task_batch", TASK_BATCH), ("maps", MAPS)];
        let declared = def.params();
        let given: Given = wanted
            .into_iter()
            .filter(|(name, _)| declared.iter().any(|p| p.name == *name))
            .filter(|(name, _)| short || *name != "epochs" || !OWN_EPOCHS.contains(&def.spec().name))
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        let configured = def.configure(&given).map_err(|problems| ParamProblem::error("its defaults", problems))?;
        let method = configured.resolve(dataset.info(), &dataset.info().folds[0])?;
        let env = Environment { device, ..Environment::new(weights::data(def)?) };
        Ok(Subject { def, dataset, configured, method, env })
    }

    /// The same for one training step or epoch.
    pub fn short(&self) -> Result<Self> {
        Subject::new(self.def, self.dataset, self.env.device, true)
    }

    /// The data set's only fold.
    pub fn fold(&self) -> &'a Fold {
        &self.dataset.info().folds[0]
    }

    /// The data set's description.
    pub fn resolve(&self, method: &dyn Method) -> Result<Arc<dyn Method>> {
        method.resolve(self.dataset.info(), self.fold())
    }

    /// Fits the settled method.
    pub fn fit(&self) -> Result<Box<dyn Detector>> {
        self.fit_in(self.method.as_ref(), &self.env)
    }

    /// Fits a method elsewhere.
    pub fn fit_in(&self, method: &dyn Method, env: &Environment) -> Result<Box<dyn Detector>> {
        let data = TrainingData::new(self.dataset, self.fold());
        method.fit(&FitContext { data: &data, seed: 7, env, progress: &Silent })
    }

    /// Fits the settled method, interrupted after each step of `at` and taken up again from what it kept, with features kept
    /// in `cache`.
    pub fn fit_interrupted(&self, at: &[u64], cache: PathBuf) -> Result<Box<dyn Detector>> {
        let env = &self.cached(cache);
        let (kept, left) = (Mutex::default(), Mutex::new(at.to_vec()));
        let data = TrainingData::new(self.dataset, self.fold());
        let progress = &Interrupting { kept, left };
        loop {
            let fitted = self.method.fit(&FitContext { data: &data, seed: 7, env, progress });
            if !matches!(fitted, Err(Error::Stopped)) {
                return fitted;
            }
        }
    }

    /// The environment with a cache.
    fn cached(&self, cache: PathBuf) -> Environment {
        let env = Environment::new(self.env.data.clone()).with_cache(Some(cache), false);
        Environment { device: self.env.device, ..env }
    }

    /// Fits and scores the first batch on a pool of `threads`.
    pub fn run_on(&self, threads: usize) -> Result<(Box<dyn Detector>, Vec<f64>)> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().map_err(Error::failed)?;
        pool.install(|| {
            let detector = self.fit()?;
            let scores = self.score(detector.as_ref(), &self.batch(0, 0))?;
            Ok((detector, scores))
        })
    }

    /// Fits and scores the first batch twice, with features kept in `cache`.
    pub fn run_cached(&self, cache: PathBuf) -> Result<[Vec<f64>; 2]> {
        let env = self.cached(cache);
        let detector = self.fit_in(self.method.as_ref(), &env)?;
        let batch = self.batch(0, 0);
        let shown = self.shown(batch[0].domain);
        let scoring = Scoring { dataset: self.dataset, detector: detector.as_ref(), env: &env, shown: &shown };
        Ok([self.scores(&scoring, &batch)?, self.scores(&scoring, &batch)?])
    }

    /// The meta-test domains.
    pub fn domains(&self) -> &[usize] {
        &self.fold().meta_test
    }

    /// Batch `b` of the `domain`-th meta-test domain: 36 normals, 4 anomalies, interleaved.
    pub fn batch(&self, domain: usize, b: u32) -> Vec<SampleRef> {
        let domain = self.domains()[domain] as u32;
        let at = |subset, index| SampleRef { domain, subset, index };
        (0..40)
            .map(|i| match i % 10 {
                6 => at(Subset::Anomalous, 4 * b + i / 10),
                _ => at(Subset::Normal, 36 * b + i - (i + 3) / 10),
            })
            .collect()
    }

    /// Scores of `refs`, all of one domain, beside references of it if the method wants them.
    pub fn score(&self, detector: &dyn Detector, refs: &[SampleRef]) -> Result<Vec<f64>> {
        let shown = self.shown(refs[0].domain);
        self.scores(&Scoring { dataset: self.dataset, detector, env: &self.env, shown: &shown }, refs)
    }

    /// Scores of the samples of `refs`, whatever they were, as the normals of a data set of one domain.
    pub fn score_unnamed(&self, detector: &dyn Detector, refs: &[SampleRef]) -> Result<Vec<f64>> {
        let support = self.support(refs[0].domain);
        let reference = if support.is_empty() { None } else { Some(self.dataset.gather(&support)?) };
        let normal = self.dataset.gather(refs)?;
        let shown = self.shown(refs[0].domain);
        let anomalous = if shown.is_empty() { None } else { Some(self.dataset.gather(&shown)?) };
        let shown: Vec<SampleRef> = SampleRef::all(0, Subset::Anomalous, shown.len()).collect();
        let domain = MemoryDomain { name: "unnamed".into(), normal, anomalous, reference };
        let modality = self.dataset.info().modality.clone();
        let unnamed = InMemory::new("unnamed", modality, vec![domain], vec![], AnomalySource::OtherDomains)?;
        let refs: Vec<SampleRef> = SampleRef::all(0, Subset::Normal, refs.len()).collect();
        self.scores(&Scoring { dataset: &Masked(&unnamed), detector, env: &self.env, shown: &shown }, &refs)
    }

    fn scores(&self, on: &Scoring, refs: &[SampleRef]) -> Result<Vec<f64>> {
        let (source, support) = (Unlabelled::new(on.dataset), self.support(refs[0].domain));
        let support = Batch::new(&source, &support, on.env);
        let masks = if on.shown.is_empty() { None } else { on.dataset.masks(on.shown)? };
        let shown = masks.map(|masks| AbnormalReferences { batch: Batch::new(&source, on.shown, on.env), masks });
        let own = adapted_beside(on.detector, self.method.shots(), &support, shown.as_ref())?;
        own.as_deref().unwrap_or(on.detector).score(&Batch::new(&source, refs, on.env)).map(|scores| scores.samples)
    }

    /// A labelled anomaly that no batch holds, for methods that take some.
    fn shown(&self, domain: u32) -> Vec<SampleRef> {
        let index = self.dataset.info().domains[domain as usize].anomalous as u32 - 1;
        let last = SampleRef { domain, subset: Subset::Anomalous, index };
        if self.method.takes_abnormal_shots() { vec![last] } else { vec![] }
    }

    fn support(&self, domain: u32) -> Vec<SampleRef> {
        let have = self.dataset.info().domains[domain as usize].reference;
        SampleRef::all(domain as usize, Subset::Reference, self.method.shots().of(have)).collect()
    }
}

/// Ends a training after each of some steps, and holds what it keeps.
struct Interrupting {
    kept: Mutex<Option<State>>,
    left: Mutex<Vec<u64>>,
}

impl Progress for Interrupting {
    fn tick(&self, done: u64, _total: u64, message: &str) -> Result<()> {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        // Reading data ticks as well.
        match left.first() {
            Some(&at) if at == done && message.starts_with("loss") => {
                left.remove(0);
                Err(Error::Stopped)
            }
            _ => Ok(()),
        }
    }

    fn interrupted(&self) -> Result<Option<State>> {
        Ok(self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    fn keep(&self, state: State) -> Result<()> {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(state);
        Ok(())
    }
}
