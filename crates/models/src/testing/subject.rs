//! One method, configured for the suite, on one data set: fits and batches for the checks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use zsad_core::method::Silent;
use zsad_core::{
    AnomalySource, Dataset, Device, Error, FitContext, Fitted, Method, MethodDef, Params, Pool, Result, SampleRef,
    TestBatch,
};
use zsad_data::memory::{InMemory, MemoryDomain};

use super::{EPOCHS, STEPS, TASK_BATCH, TASKS};

/// A method on a data set, at the suite's parameters.
pub(super) struct Subject<'a> {
    pub def: &'a dyn MethodDef,
    pub dataset: &'a dyn Dataset,
    pub method: Box<dyn Method>,
    shots: usize,
    seed: u64,
}

impl<'a> Subject<'a> {
    /// Configures `def`, for one training step or epoch if `short`.
    pub fn new(def: &'a dyn MethodDef, dataset: &'a dyn Dataset, short: bool) -> Result<Self> {
        let mut given = BTreeMap::new();
        let (steps, epochs) = if short { (1, 1) } else { (STEPS, EPOCHS) };
        for (name, value) in [("steps", steps), ("epochs", epochs), ("tasks", TASKS), ("task_batch", TASK_BATCH)] {
            if def.spec().params.iter().any(|p| p.name == name) {
                given.insert(name.to_owned(), value.into());
            }
        }
        let params = Params::validate(def.spec().params, &given).map_err(|problems| {
            let messages: Vec<_> = problems.into_iter().map(|p| p.message).collect();
            Error::Config(format!("its defaults are not valid: {}", messages.join("; ")))
        })?;
        Ok(Subject { def, dataset, method: def.build(&params)?, shots: def.shots(&params), seed: 7 })
    }

    /// Fits on the data set's only fold.
    pub fn fit(&self) -> Result<Box<dyn Fitted>> {
        let fold = &self.dataset.info().folds[0];
        self.method.fit(&FitContext {
            dataset: self.dataset,
            fold,
            seed: self.seed,
            device: Device::Cpu,
            cache: None,
            progress: &Silent,
        })
    }

    /// Fits and scores the first batch on a pool of `threads`.
    pub fn run_on(&self, threads: usize) -> Result<(Box<dyn Fitted>, Vec<f64>)> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().map_err(Error::failed)?;
        pool.install(|| {
            let fitted = self.fit()?;
            let scores = self.score(fitted.as_ref(), &self.batch(0, 0))?;
            Ok((fitted, scores))
        })
    }

    /// The meta-test domains.
    pub fn domains(&self) -> &[usize] {
        &self.dataset.info().folds[0].meta_test
    }

    /// Batch `b` of the `domain`-th meta-test domain: 36 normals, 4 anomalies, interleaved.
    pub fn batch(&self, domain: usize, b: u32) -> Vec<SampleRef> {
        let domain = self.domains()[domain] as u32;
        let at = |pool, index| SampleRef { domain, pool, index };
        (0..40)
            .map(|i| match i % 10 {
                6 => at(Pool::Anomalous, 4 * b + i / 10),
                _ => at(Pool::Normal, 36 * b + i - (i + 3) / 10),
            })
            .collect()
    }

    /// Scores of `refs`, all of one domain.
    pub fn score(&self, fitted: &dyn Fitted, refs: &[SampleRef]) -> Result<Vec<f64>> {
        self.score_in(self.dataset, fitted, refs)
    }

    /// The same for samples of any data set, with references of their domain if the method wants them.
    pub fn score_in(&self, dataset: &dyn Dataset, fitted: &dyn Fitted, refs: &[SampleRef]) -> Result<Vec<f64>> {
        let references = self.references(refs[0].domain);
        fitted.score(&TestBatch::new(dataset, refs, &references, None)).map(|s| s.samples)
    }

    /// A data set of one domain whose normals are the samples of `refs`, whatever they were, in this order.
    pub fn nameless(&self, refs: &[SampleRef]) -> Result<InMemory> {
        let references = self.references(refs[0].domain);
        let reference = if references.is_empty() { None } else { Some(self.dataset.gather(&references)?) };
        let normal = self.dataset.gather(refs)?;
        let domain = MemoryDomain { name: "nameless".into(), normal, anomalous: None, reference };
        let kind = self.dataset.info().kind.clone();
        InMemory::new("nameless", kind, vec![domain], vec![], AnomalySource::OtherDomains)
    }

    fn references(&self, domain: u32) -> Vec<SampleRef> {
        (0..self.shots as u32).map(|index| SampleRef { domain, pool: Pool::Reference, index }).collect()
    }
}

/// A temporary folder's file for a checkpoint.
pub(super) fn checkpoint(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{name}.safetensors"))
}
