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
