//! A stored batch with its samples, which are drawn again: a run keeps scores and labels, not data.

use std::sync::Arc;

use zsad_core::{Dataset, Environment, Error, LabelledBatch, Result, SampleRef};
use zsad_data::sampler;
use zsad_data::shift::Shifted;
use zsad_store::CellRecord;

use crate::library::{DataSet, digest_of};

/// The samples of a batch of `record`, and where they are read.
pub struct Redrawn {
    /// The data set as the fold reads it.
    pub view: Arc<dyn Dataset>,
    /// The number of the fold.
    pub fold: usize,
    /// The samples, in the order of the scores.
    pub samples: Vec<SampleRef>,
}

/// Draws `batch` again.
///
/// # Errors
/// [`Error::Data`] where the data at hand are not those of the run.
pub fn redrawn(
    dataset: &DataSet,
    record: &CellRecord,
    batch: &LabelledBatch<f64>,
    env: &Environment,
) -> Result<Redrawn> {
    let cell = &record.cell;
    let described = dataset.describe(env)?;
    let fold = DataSet::fold(&described.info, &cell.fit.fold)?;
    let other = || Error::data(&env.data.path, "other data than those of the run", "name its data folder with --data");
    let (training, tests) = described.files(&described.info.folds[fold]);
    let known = [(&cell.fit.data.digest, training), (&cell.test_digest, tests)];
    if known.iter().any(|(digest, files)| digest.as_ref().is_some_and(|d| *d != digest_of(files))) {
        return Err(other());
    }
    let view = dataset.view(env, fold)?;
    let info = view.info();
    let domain = info.domains.iter().position(|d| d.name == batch.domain).ok_or_else(other)?;
    let drawn = sampler::test_batches(view.as_ref(), &info.folds[fold], domain, &cell.point, cell.seed())?;
    let drawn = drawn.into_iter().find(|b| b.number == batch.number && b.labels == batch.labels);
    let drawn = drawn.ok_or_else(other)?;
    match cell.point.shift {
        None => Ok(Redrawn { view, fold, samples: drawn.items }),
        Some(by) => {
            let shifted = Shifted::new(view, by)?;
            let (samples, _) = shifted.batch(&shifted.info().folds[fold], &cell.point, cell.seed(), &drawn);
            Ok(Redrawn { view: Arc::new(shifted), fold, samples })
        }
    }
}
