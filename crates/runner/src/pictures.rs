//! Pictures of scored samples for a page: the test batches are drawn again, and must be those of the run.

use std::cell::RefCell;

use zsad_core::{Dataset, Environment, Error, LabelledBatch, Modality, Result, SampleRef};
use zsad_data::sampler;
use zsad_report::html::{Bringer, Thumbnail};
use zsad_store::{CellRecord, RunFolder};

use crate::heatmaps::rgb;
use crate::library::{DataSet, Library, digest_of};
use crate::registry::Registry;

/// Samples of the data sets that are here.
pub struct Samples<'a> {
    library: Library,
    env: &'a Environment,
    /// The batches of the cell and domain that were asked for last: all of its batches are asked for in turn.
    last: RefCell<Option<(String, Vec<LabelledBatch<SampleRef>>)>>,
}

impl<'a> Samples<'a> {
    /// Those that the registry knows.
    pub fn new(registry: Registry, env: &'a Environment) -> Self {
        Samples { library: Library::new(registry), env, last: RefCell::default() }
    }

    /// The batch that was scored, sample by sample.
    fn drawn(
        &self,
        view: &dyn Dataset,
        fold: usize,
        record: &CellRecord,
        batch: &LabelledBatch<f64>,
    ) -> Result<Vec<SampleRef>> {
        let info = view.info();
        let key = format!("{} {}", record.cell_key, batch.domain);
        let mut last = self.last.borrow_mut();
        if last.as_ref().is_none_or(|(k, _)| *k != key) {
            let domain = info.domains.iter().position(|d| d.name == batch.domain).ok_or_else(|| changed(record))?;
            let (point, seed) = (&record.cell.point, record.cell.seed());
            *last = Some((key, sampler::test_batches(view, &info.folds[fold], domain, point, seed)?));
        }
        let found = last.iter().flat_map(|(_, all)| all).find(|b| b.number == batch.number && b.labels == batch.labels);
        Ok(found.ok_or_else(|| changed(record))?.items.clone())
    }
}

fn changed(record: &CellRecord) -> Error {
    Error::failed(format!("the data of {} are not those of the run", record.asked.dataset))
}

impl Bringer for Samples<'_> {
    fn bring(
        &self,
        _: &RunFolder,
        record: &CellRecord,
        batch: &LabelledBatch<f64>,
        samples: &[usize],
    ) -> Result<Vec<Thumbnail>> {
        let dataset = self.library.get(&record.cell.fit.data.name, &record.asked.dataset_params)?;
        let described = dataset.describe(self.env)?;
        if !matches!(described.info.modality, Modality::Image { .. }) {
            return Err(Error::refused(format!("{} holds no pictures", record.asked.dataset)));
        }
        let fold = DataSet::fold(&described.info, &record.cell.fit.fold)?;
        let tests = digest_of(&described.files(&described.info.folds[fold]).1);
        if record.cell.test_digest.as_ref().is_some_and(|digest| *digest != tests) {
            return Err(changed(record));
        }
        let view = dataset.view(self.env, fold)?;
        let drawn = self.drawn(view.as_ref(), fold, record, batch)?;
        let one = |&i: &usize| {
            let sample = &drawn[i];
            let (image, size) = rgb(view.as_ref(), sample)?;
            let name = view.sample_name(sample).unwrap_or_else(|| format!("number {}", sample.index));
            Thumbnail::of(name, image, size)
        };
        samples.iter().map(one).collect()
    }
}
