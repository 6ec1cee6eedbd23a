//! Batches and references of a person's own, scored.

use std::sync::Arc;

use zsad_core::detector::adapted;
use zsad_core::{
    Batch, Dataset, Detector, Environment, Error, FitContext, Method, Modality, Result, SampleRef, Samples, Scaling,
    Scores, Shots, Silent, Subset, TrainingData, Unlabelled, Values,
};
use zsad_data::memory::InMemory;
use zsad_data::standardise;

use crate::evaluate::check;

/// Who scores, and by which scale.
pub struct Scorer<'a> {
    /// The method, which is fitted on the batch unless there is a trained detector.
    pub method: Arc<dyn Method>,
    /// The trained detector.
    pub trained: Option<&'a dyn Detector>,
    /// How many references are wanted.
    pub shots: Shots,
    /// Kind and shape of the samples.
    pub modality: Modality,
    /// The scale of the samples.
    pub scaling: Scaling,
    /// Normal references of the target, before they are scaled.
    pub references: Option<Samples>,
    /// Seed of methods that draw.
    pub seed: u64,
    /// Device, caches, weights.
    pub env: &'a Environment,
}

impl Scorer<'_> {
    /// The batch of `samples`, and their scores.
    ///
    /// # Errors
    /// Where the method refuses the batch, or its scores are not all finite.
    pub fn batch(&self, samples: Samples) -> Result<(InMemory, Scores)> {
        self.beside(samples, self.references.clone())
    }

    /// The score of every reference, with the others as its references; nothing where there are fewer than two.
    ///
    /// # Errors
    /// As [`Scorer::batch`].
    pub fn leave_one_out(&self) -> Result<Vec<f64>> {
        let Some(references) = self.references.as_ref().filter(|r| r.len() > 1) else { return Ok(Vec::new()) };
        let without = |i: usize| {
            let others: Vec<usize> = (0..references.len()).filter(|&j| j != i).collect();
            let (_, scores) = self.beside(references.rows(&[i]), Some(references.rows(&others)))?;
            Ok(scores.samples[0])
        };
        (0..references.len()).map(without).collect()
    }

    fn beside(&self, samples: Samples, references: Option<Samples>) -> Result<(InMemory, Scores)> {
        let scaled = |samples: Samples| match &self.scaling {
            Scaling::None => samples,
            by => standardise::apply(by, &samples),
        };
        let batch = match references {
            None => InMemory::batch(self.modality.clone(), scaled(samples), None)?,
            Some(references) => {
                // A data set is in one precision.
                let (samples, references) = (scaled(samples), scaled(references));
                let is_single = |s: &Samples| matches!(s.values(), Values::F32(_));
                let keep = is_single(&samples) && is_single(&references);
                let double = |s: Samples| Samples::new(s.shape().to_vec(), Values::F64(s.to_f64().into_owned()));
                let one = |s: Samples| if keep { s } else { double(s) };
                InMemory::batch(self.modality.clone(), one(samples), Some(one(references)))?
            }
        };
        let fitted;
        let detector = match self.trained {
            Some(trained) => trained,
            None => {
                let data = TrainingData::new(&batch, &batch.info().folds[0]);
                let method = self.method.resolve(batch.info(), data.fold())?;
                fitted = method.fit(&FitContext { data: &data, seed: self.seed, env: self.env, progress: &Silent })?;
                fitted.as_ref()
            }
        };
        let scores = self.score(detector, &batch)?;
        Ok((batch, scores))
    }

    /// The scores of all samples of a batch, all finite.
    fn score(&self, detector: &dyn Detector, batch: &InMemory) -> Result<Scores, Error> {
        let domain = &batch.info().domains[0];
        let all = |subset: Subset| SampleRef::all(0, subset, domain.size(subset)).collect::<Vec<_>>();
        let (refs, support) = (all(Subset::Normal), all(Subset::Reference));
        let source = Unlabelled::new(batch);
        let own = adapted(detector, self.shots, &Batch::new(&source, &support, self.env))?;
        let scores = own.as_deref().unwrap_or(detector).score(&Batch::new(&source, &refs, self.env))?;
        check(&scores, refs.len())?;
        Ok(scores)
    }
}
