//! What an experiment comes to: its fits, each with its cells, and which of them are finished already.

mod why;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use zsad_core::key::key;
use zsad_core::record::{CellId, CellRecord, SCHEMA, Status};
use zsad_core::{DataDir, Dataset, Error, MetricDef, Result};

use crate::config::{DatasetChoice, Experiment, MethodChoice};
use crate::registry::Registry;
use crate::store::{Store, metric_id, read_json, write_json};

/// An experiment spread out.
pub struct Plan {
    /// Experiment name.
    pub experiment: String,
    /// Profile, or empty.
    pub profile: String,
    /// The data sets, opened once for all fits; what could not be opened keeps its error.
    pub datasets: Vec<Result<Arc<dyn Dataset>>>,
    /// Fits in the order of the file.
    pub fits: Vec<FitPlan>,
    /// Every record in the folder, by cell key.
    pub records: BTreeMap<String, CellRecord>,
}

/// One training and the cells that are scored with it.
pub struct FitPlan {
    /// Key of the fit.
    pub key: String,
    /// Index into [`Plan::datasets`].
    pub dataset: usize,
    /// Index into the data set's folds.
    pub fold: usize,
    /// The method and its parameters.
    pub method: MethodChoice,
    /// Base seed.
    pub seed: u64,
    /// Whether anything is trained; if not, the fit costs nothing.
    pub trains: bool,
    /// Its cells, one a protocol point.
    pub cells: Vec<CellPlan>,
}

/// One cell.
pub struct CellPlan {
    /// Key of the cell.
    pub key: String,
    /// What it is.
    pub id: CellId,
    /// What is left to do.
    pub state: State,
}

/// What is left to do for a cell.
pub enum State {
    /// Finished. The metrics listed came after it and are computed from its stored scores.
    Cached(Vec<&'static dyn MetricDef>),
    /// To be run, and why it is not cached.
    Outstanding(String),
}

/// The cells of the last run in a folder: `plan.json`.
#[derive(Debug, Serialize, Deserialize)]
pub struct SavedPlan {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Experiment name.
    pub experiment: String,
    /// Profile, or empty.
    pub profile: String,
    /// Its cells.
    pub cells: Vec<SavedCell>,
}

/// One cell of [`SavedPlan`].
#[derive(Debug, Serialize, Deserialize)]
pub struct SavedCell {
    /// Key of the cell.
    pub cell_key: String,
    /// Data set, as results call it.
    pub dataset: String,
    /// Method name.
    pub method: String,
}

impl SavedPlan {
    /// The plan that [`Plan::save`] wrote.
    ///
    /// # Errors
    /// Where there is none, or it is damaged.
    pub fn load(store: &Store) -> Result<Self> {
        let path = store.root().join("plan.json");
        let saved = read_json(&path)?;
        saved.ok_or_else(|| Error::data(&path, "missing or damaged", "`zsad run` writes it when it starts"))
    }
}

impl FitPlan {
    /// Whether any cell is to be run.
    pub fn is_outstanding(&self) -> bool {
        self.outstanding().next().is_some()
    }

    /// The cells to be run.
    pub fn outstanding(&self) -> impl Iterator<Item = &CellPlan> {
        self.cells.iter().filter(|c| matches!(c.state, State::Outstanding(_)))
    }
}

impl Plan {
    /// Opens the data sets and compares every cell with the records of `store`.
    ///
    /// # Errors
    /// Where the records of `store` cannot be read; a data set that cannot be opened is no error here.
    pub fn new(experiment: &Experiment, registry: &Registry, dir: &DataDir, store: &Store) -> Result<Plan> {
        let records = store.records()?;
        let mut datasets = Vec::new();
        let mut fits: Vec<FitPlan> = Vec::new();
        let mut seen = BTreeSet::new();
        for choice in &experiment.datasets {
            let opened = choice.def.open(&choice.params, dir);
            // An unopened data set has unknown folds; its cells fail under the nameless one.
            let folds = match &opened {
                Ok(dataset) => dataset.info().folds.iter().map(|f| f.name.clone()).collect(),
                Err(_) => vec![String::new()],
            };
            let revision = choice.def.revision(&choice.params, dir);
            for (fold, fold_name) in folds.iter().enumerate() {
                for method in &experiment.methods {
                    let trains = method.def.build(&method.params)?.trains();
                    for &seed in &experiment.seeds {
                        let ids = ids(experiment, choice, &revision, fold_name, method, seed);
                        let cells: Vec<_> = ids
                            .map(|id| (key(&cell_parts(&id)), id))
                            .filter(|(key, _)| seen.insert(key.clone()))
                            .map(|(key, id)| CellPlan { key, id, state: State::Cached(Vec::new()) })
                            .collect();
                        if let Some(first) = cells.first() {
                            let key = key(&fit_parts(&first.id));
                            let (dataset, method) = (datasets.len(), method.clone());
                            fits.push(FitPlan { key, dataset, fold, method, seed, trains, cells });
                        }
                    }
                }
            }
            datasets.push(opened);
        }
        let mut plan =
            Plan { experiment: experiment.name.clone(), profile: experiment.profile.clone(), datasets, fits, records };
        plan.compare(registry, store, &seen)?;
        Ok(plan)
    }

    /// Every cell.
    pub fn cells(&self) -> impl Iterator<Item = &CellPlan> {
        self.fits.iter().flat_map(|f| &f.cells)
    }

    /// The number of cells to be run.
    pub fn outstanding(&self) -> usize {
        self.fits.iter().map(|f| f.outstanding().count()).sum()
    }

    /// How a cell ended; `None` while it is outstanding.
    pub fn status(&self, cell: &CellPlan) -> Option<Status> {
        self.records.get(&cell.key).map(|r| r.status)
    }

    /// Writes down which cells the folder is for, so that `zsad status` knows how many are left.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub fn save(&self, store: &Store) -> Result<()> {
        let cell = |c: &CellPlan| SavedCell {
            cell_key: c.key.clone(),
            dataset: c.id.dataset_shown().to_owned(),
            method: c.id.method.clone(),
        };
        let saved = SavedPlan {
            schema: SCHEMA,
            experiment: self.experiment.clone(),
            profile: self.profile.clone(),
            cells: self.cells().map(cell).collect(),
        };
        write_json(&store.root().join("plan.json"), &saved)
    }

    /// Errors of the data sets that could not be opened.
    pub fn data_errors(&self) -> impl Iterator<Item = &Error> {
        self.datasets.iter().filter_map(|d| d.as_ref().err())
    }

    fn compare(&mut self, registry: &Registry, store: &Store, planned: &BTreeSet<String>) -> Result<()> {
        for cell in self.fits.iter_mut().flat_map(|f| &mut f.cells) {
            cell.state = match self.records.get(&cell.key) {
                Some(record) if record.status == Status::Failed => {
                    State::Outstanding(format!("failed before: {}", record.error.as_deref().unwrap_or_default()))
                }
                Some(record) => State::Cached(later_metrics(record, registry, store)?),
                None => State::Outstanding(why::not_cached(&cell.id, &self.records, planned)),
            };
        }
        Ok(())
    }
}

/// The sample-level metrics that neither `record` nor the folder has yet. Pixel metrics need maps, which are not
/// stored: they belong to the record alone.
fn later_metrics(record: &CellRecord, registry: &Registry, store: &Store) -> Result<Vec<&'static dyn MetricDef>> {
    let mut later = Vec::new();
    for &metric in registry.metrics.iter().filter(|m| !m.spec().pixel) {
        let id = metric_id(metric.spec());
        if record.status == Status::Ok
            && !record.metrics.contains(&id)
            && store.metric(&record.cell_key, &id)?.is_none()
        {
            later.push(metric);
        }
    }
    Ok(later)
}

fn ids<'a>(
    experiment: &'a Experiment,
    dataset: &'a DatasetChoice,
    revision: &'a str,
    fold: &'a str,
    method: &'a MethodChoice,
    seed: u64,
) -> impl Iterator<Item = CellId> + 'a {
    experiment.points.iter().map(move |&point| CellId {
        experiment: experiment.name.clone(),
        profile: experiment.profile.clone(),
        dataset: dataset.def.spec().name.to_owned(),
        dataset_label: dataset.label.clone(),
        dataset_revision: revision.to_owned(),
        dataset_params: dataset.params.to_json(),
        fold: fold.to_owned(),
        method: method.def.spec().name.to_owned(),
        method_version: method.def.spec().version,
        setting: method.def.setting(&method.params),
        params: method.params.to_json(),
        seed,
        point,
    })
}

/// What a fit's key is made of.
fn fit_parts(id: &CellId) -> Value {
    json!({
        "dataset": id.dataset,
        "dataset_revision": id.dataset_revision,
        "dataset_params": id.dataset_params,
        "fold": id.fold,
        "method": id.method,
        "method_version": id.method_version,
        "params": id.params,
        "seed": id.seed,
    })
}

/// What a cell's key is made of: the fit and the protocol point.
fn cell_parts(id: &CellId) -> Value {
    json!({"fit": fit_parts(id), "point": id.point})
}
