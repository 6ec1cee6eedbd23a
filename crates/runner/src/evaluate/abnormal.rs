//! Labelled anomalies of a domain that a method is given.

use zsad_core::{
    AbnormalReferences, Batch, Dataset, Environment, Error, Masks, Result, SampleRef, TestPoint, Unlabelled,
};
use zsad_data::sampler;

/// The samples and where they are anomalous.
pub struct Given {
    samples: Vec<SampleRef>,
    masks: Masks,
}

/// What a point gives of a domain; `None`: nothing.
///
/// # Errors
/// [`Error::Refused`] where the domain has no masks; that of the data set where they cannot be read.
pub fn given(dataset: &dyn Dataset, domain: usize, point: &TestPoint, seed: u64) -> Result<Option<Given>> {
    let mut samples = sampler::set_aside(dataset.info(), domain, point, seed);
    samples.truncate(point.anomalies_given());
    if samples.is_empty() {
        return Ok(None);
    }
    let without = || {
        let name = &dataset.info().domains[domain].name;
        let hint = "leave the domain out, or run with `abnormal_shots: 0`";
        Error::refused(format!(
            "`abnormal_shots` gives anomalies with their masks, and domain `{name}` has none; hint: {hint}"
        ))
    };
    let masks = dataset.masks(&samples)?.ok_or_else(without)?;
    Ok(Some(Given { samples, masks }))
}

impl Given {
    /// The same as a method sees it.
    pub fn to_method<'a>(&'a self, source: &'a Unlabelled<'a>, env: &'a Environment) -> AbnormalReferences<'a> {
        AbnormalReferences { batch: Batch::new(source, &self.samples, env), masks: self.masks.clone() }
    }
}

#[cfg(test)]
mod tests {
    use zsad_core::{
        AbnormalShots, AnomalySource, BatchSize, Contamination, DataDir, DatasetInfo, Detector, Fold, Modality,
        Samples, Scores, Shots, Silent, Subset, Values,
    };
    use zsad_data::memory::{InMemory, MemoryDomain};

    use super::*;
    use crate::evaluate::{CellInput, score_cell};

    /// Three references, ten normals and five anomalies, all pixels of which are anomalous; or none has a mask.
    struct Pictures(InMemory, bool);

    impl Dataset for Pictures {
        fn info(&self) -> &DatasetInfo {
            self.0.info()
        }

        fn gather(&self, refs: &[SampleRef]) -> Result<Samples> {
            self.0.gather(refs)
        }

        fn masks(&self, refs: &[SampleRef]) -> Result<Option<Masks>> {
            let values = refs.iter().flat_map(|r| [u8::from(r.subset == Subset::Anomalous); 4]).collect();
            Ok(self.1.then_some(Masks { shape: vec![2, 2], values }))
        }
    }

    fn pictures(masks: bool) -> Pictures {
        let modality = Modality::Image { channels: 1, height: 2, width: 2 };
        let some = |n: usize| Samples::new(modality.shape(), Values::F32((0..4 * n).map(|i| i as f32).collect()));
        let (anomalous, reference) = (Some(some(5)), Some(some(3)));
        let domain = MemoryDomain { name: "d".into(), normal: some(10), anomalous, reference };
        let fold = Fold { name: String::new(), meta_train: vec![], meta_test: vec![0] };
        let set = InMemory::new("s", modality.clone(), vec![domain], vec![fold], AnomalySource::Genuine).unwrap();
        Pictures(set, masks)
    }

    /// Scores by how many anomalous pixels it was shown.
    struct Told(f64);

    impl Detector for Told {
        fn adapt(&self, _: &Batch) -> Result<Option<Box<dyn Detector>>> {
            Ok(Some(Box::new(Told(0.0))))
        }

        fn adapt_beside(&self, _: &Batch, anomalies: &AbnormalReferences) -> Result<Option<Box<dyn Detector>>> {
            assert_eq!(4 * anomalies.batch.len(), anomalies.masks.values.len());
            Ok(Some(Box::new(Told(anomalies.masks.values.iter().map(|&m| f64::from(m)).sum()))))
        }

        fn score(&self, batch: &Batch) -> Result<Scores> {
            Ok(vec![self.0; batch.len()].into())
        }
    }

    #[test]
    fn a_method_is_shown_what_was_set_aside_with_its_masks_and_no_batch_holds_it() {
        let score = |given: usize, masks: bool| {
            let set = pictures(masks);
            let point = TestPoint {
                size: BatchSize::All,
                contamination: Contamination::Natural,
                n_batches: 1,
                abnormal_shots: Some(AbnormalShots { given, set_aside: 2 }),
                ..TestPoint::default()
            };
            let env = Environment::new(DataDir::resolve(None));
            let (fold, shots) = (&set.info().folds[0], Shots::Number(1));
            let input = CellInput { dataset: &set, fold, point: &point, seed: 3, shots, env: &env };
            score_cell(&Told(-1.0), &input, &[], &Silent)
        };
        for (given, shown) in [(0, 0.0), (1, 4.0), (2, 8.0)] {
            let outcome = score(given, true).unwrap();
            assert_eq!(outcome.batches[0].items, [shown; 13], "ten normals and three of five anomalies");
            assert_eq!((outcome.domains[0].n_normal, outcome.domains[0].n_anomalous), (10, 3));
        }
        assert!(score(0, false).is_ok(), "what is given to no method needs no masks");
        let refused = score(1, false).err().unwrap();
        assert!(matches!(refused, Error::Refused(_)), "{refused:?}");
        assert!(refused.to_string().contains("domain `d` has none"), "{refused}");
    }
}
