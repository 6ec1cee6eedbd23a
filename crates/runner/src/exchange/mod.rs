//! Test batches for methods that run elsewhere, and their scores as rows like any other.
//!
//! A *draw* is the test batches of one data set, fold, protocol point and seed, whatever the method.

pub mod export;
pub mod import;

use std::collections::BTreeMap;
use std::sync::Arc;

use zsad_core::job::{Asked, CellId, FitId, MethodId};
use zsad_core::{AbnormalShots, Dataset, Environment, Error, LabelledBatch, Result, SampleRef, TestPoint};
use zsad_data::sampler;
use zsad_data::shift::Shifted;
use zsad_store::Facts;

use crate::facts::facts;
use crate::library::{DataSet, Library};
use crate::plan::Wanted;

/// The name under which results know a method that ran elsewhere.
pub const IMPORTED: &str = "imported";

/// One draw.
pub struct Draw {
    /// Its cell, without a method.
    pub id: CellId,
    /// How it was asked for, without a method.
    pub asked: Asked,
}

/// The batches of a draw.
pub struct Drawn {
    /// The data set as the fold reads it.
    pub view: Arc<dyn Dataset>,
    /// Domain by domain, batch by batch.
    pub batches: Vec<LabelledBatch<SampleRef>>,
    /// What is known of their samples.
    pub facts: Facts,
}

/// What all cells of one draw have in common.
pub fn without_method(id: &CellId) -> CellId {
    let fit = FitId { method: MethodId::default(), seed: id.seed(), device: String::new(), ..id.fit.clone() };
    // References, labels and what becomes of small domains are not in the batches' own draw; which anomalies are set aside is.
    let abnormal_shots = id.point.abnormal_shots.map(|shots| AbnormalShots { given: 0, ..shots });
    let reference_seed = id.point.reference_seed.filter(|_| abnormal_shots.is_some());
    let point = TestPoint { draw_seed: None, reference_seed, labels: None, abnormal_shots, ..id.point };
    CellId { fit, point, ..id.clone() }
}

/// The draws of an experiment, by key.
pub fn draws(wanted: &Wanted) -> BTreeMap<String, Draw> {
    let mut draws = BTreeMap::new();
    for cell in wanted.jobs.iter().flat_map(|job| &job.cells) {
        let id = without_method(&cell.id);
        let asked = Asked { method: String::new(), params: serde_json::json!({}), ..cell.asked.clone() };
        draws.entry(id.key()).or_insert(Draw { id, asked });
    }
    draws
}

impl Draw {
    /// Draws the batches, as a run does.
    ///
    /// # Errors
    /// Where data are missing or damaged, or a domain is too small and may not be left out.
    pub fn draw(&self, library: &Library, env: &Environment) -> Result<Drawn> {
        let dataset = library.get(&self.id.fit.data.name, &self.asked.dataset_params)?;
        let fold = DataSet::fold(dataset.open(env)?.info(), &self.id.fit.fold)?;
        let view = dataset.view(env, fold)?;
        let fold = &view.info().folds[fold].clone();
        let point = &self.id.point;
        if point.anomaly_kinds.is_some() {
            let why = "copies of anomalies are made while a batch is scored, and are in no file";
            return Err(Error::refused(format!(
                "{why}; hint: leave `anomaly_kinds` out, or run the method as `external`"
            )));
        }
        let mut batches = Vec::new();
        for &domain in &fold.meta_test {
            if point.skip_small && sampler::counts(view.info(), fold, domain, point).is_err() {
                continue;
            }
            let drawn = sampler::test_batches(view.as_ref(), fold, domain, point, self.id.seed())?;
            batches.extend(drawn.into_iter().map(|batch| (domain, batch)));
        }
        let (mut all, mut known) = (Vec::new(), Facts::default());
        let Some(by) = point.shift else {
            for (domain, batch) in batches {
                known.append(facts(view.as_ref(), domain, &batch, (None, None))?);
                all.push(batch);
            }
            return Ok(Drawn { view, batches: all, facts: known });
        };
        let shifted = Shifted::new(view.clone(), by)?;
        for (domain, batch) in batches {
            let (items, which) = shifted.batch(fold, point, self.id.seed(), &batch);
            known.append(facts(view.as_ref(), domain, &batch, (Some(&which), None))?);
            all.push(batch.with(items));
        }
        Ok(Drawn { view: Arc::new(shifted), batches: all, facts: known })
    }

    /// Data set, seed, size and contamination, as a person knows the draw.
    pub fn label(&self) -> String {
        let TestPoint { size, contamination, shift, .. } = &self.id.point;
        let shifted = shift.map_or(String::new(), |shift| format!(", shift {shift}"));
        format!("{}, seed {}, {size}, contamination {contamination}{shifted}", self.asked.dataset, self.id.seed())
    }
}
