//! What an experiment comes to: its fits, each with its cells, and which of them are finished already.

mod made;
mod nearest;
#[cfg(test)]
mod tests;
mod why;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;
use zsad_core::job::{Asked, CellId, CellJob, DataId, FitId, FitJob, MethodId};
use zsad_core::{AbnormalShots, DatasetInfo, Environment, Error, Fold, Method, Result, Shots, Supervision, TestPoint};
use zsad_data::sampler;
use zsad_store::run_folder::FileList;
use zsad_store::{CellRecord, RunFolder, Status};

pub use made::{Plan, PlannedFit, State};

use crate::config::{DatasetChoice, Experiment, MethodChoice};
use crate::library::{Library, digest_of};

/// What an experiment wants, before anything is compared.
#[derive(Default)]
pub struct Wanted {
    /// Its fits.
    pub jobs: Vec<FitJob>,
    /// The files behind every digest of data in them.
    pub files: BTreeMap<String, FileList>,
    /// Data sets that cannot be used, and why.
    pub unusable: Vec<(String, Error)>,
    /// Domains that are too small for a point, and what becomes of them, a line each.
    pub too_small: BTreeSet<String>,
}

impl Wanted {
    /// Spreads out `experiment`. Data sets are described, not read, as far as their bytes were seen before; one that
    /// cannot be used is no error here: its cells are wanted, and fail when they are run.
    pub fn new(experiment: &Experiment, library: &Library, env: &Environment) -> Wanted {
        let mut wanted = Wanted::default();
        let mut positions: HashMap<String, usize> = HashMap::new();
        let mut seen = BTreeSet::new();
        for choice in &experiment.datasets {
            let dataset = library.of(choice.def.spec(), &choice.source);
            let (params, test_params) = dataset.params();
            let (name, version) = (dataset.spec.name.to_owned(), dataset.spec.version);
            let described = match dataset.describe(env) {
                Ok(described) => Some(described),
                Err(failure) => {
                    wanted.unusable.push((choice.label.clone(), failure));
                    None
                }
            };
            // Of what cannot be used the folds are not known: its cells fail under an unnamed one.
            let folds: Vec<Option<&Fold>> = match described {
                Some(d) => d.info.folds.iter().map(Some).collect(),
                None => vec![None],
            };
            for fold in folds {
                if let (Some(described), Some(fold)) = (described, fold) {
                    wanted.too_small.extend(small_domains(&experiment.points, &described.info, fold));
                }
                let (training, tests) = match (described, fold) {
                    (Some(described), Some(fold)) => {
                        let (training, tests) = described.files(fold);
                        let digests = (Some(digest_of(&training)), Some(digest_of(&tests)));
                        wanted.files.extend(digests.0.clone().map(|d| (d, training)));
                        wanted.files.extend(digests.1.clone().map(|d| (d, tests)));
                        digests
                    }
                    _ => (None, None),
                };
                for method in &experiment.methods {
                    let about = described.map(|d| &d.info).zip(fold);
                    let id = method_id(method, about, env);
                    for &seed in &experiment.seeds {
                        let (name, params, digest) = (name.clone(), params.clone(), training.clone());
                        let fit = FitId {
                            data: DataId { name, version, params, digest },
                            fold: fold.map(|f| f.name.clone()).unwrap_or_default(),
                            method: id.clone(),
                            seed: experiment.training_seed.unwrap_or(seed),
                            device: zsad_core::simd::kind(method.def.placement().device(env.device)),
                        };
                        let cells =
                            cells(experiment, choice, &test_params, (method, &fit, seed), (tests.as_ref(), about));
                        let cells: Vec<CellJob> = cells.into_iter().filter(|c| seen.insert(c.key.clone())).collect();
                        if cells.is_empty() {
                            continue;
                        }
                        let key = fit.key();
                        match positions.get(&key) {
                            Some(&at) => wanted.jobs[at].cells.extend(cells),
                            None => {
                                positions.insert(key.clone(), wanted.jobs.len());
                                let learns = method.method.learns();
                                wanted.jobs.push(FitJob { key, id: fit, learns, cells });
                            }
                        }
                    }
                }
            }
        }
        wanted
    }

    /// What a worker has to do: those of the fits that are its `own`, compared with their records alone. It is not asked why
    /// a cell is to be run, and of other workers' records nothing is read.
    pub fn own(self, experiment: &Experiment, own: &[bool], records: &BTreeMap<String, CellRecord>) -> Plan {
        let state = |cell: &CellJob| match records.get(&cell.key) {
            Some(record) if record.status != Status::Failed => State::Cached,
            _ => State::Outstanding(String::new()),
        };
        let states: Vec<Vec<State>> = self.jobs.iter().map(|j| j.cells.iter().map(state).collect()).collect();
        let mut plan = self.planned(experiment, states);
        plan.fits.iter_mut().zip(own).for_each(|(fit, own)| fit.asked = *own);
        plan
    }

    /// What there is to make tables from, nothing of which is to be run.
    pub fn all(self, experiment: &Experiment, records: &BTreeMap<String, CellRecord>) -> Plan {
        let own = vec![true; self.jobs.len()];
        self.own(experiment, &own, records)
    }

    /// The difference between what is wanted and the records that are there.
    pub fn diff(self, experiment: &Experiment, folder: &RunFolder, records: &BTreeMap<String, CellRecord>) -> Plan {
        let planned: BTreeSet<&str> = self.jobs.iter().flat_map(|j| &j.cells).map(|c| c.key.as_str()).collect();
        let why = why::Why::new(records, &planned, &self.files, folder);
        let state = |cell: &CellJob| match records.get(&cell.key) {
            Some(record) if record.status == Status::Failed => {
                State::Outstanding(format!("failed before: {}", record.error.as_deref().unwrap_or_default()))
            }
            Some(_) => State::Cached,
            None => why.not_cached(&cell.id),
        };
        let states: Vec<Vec<State>> = self.jobs.iter().map(|j| j.cells.iter().map(state).collect()).collect();
        self.planned(experiment, states)
    }

    fn planned(self, experiment: &Experiment, states: Vec<Vec<State>>) -> Plan {
        let fit = |(job, states)| PlannedFit { job, states, asked: true };
        Plan {
            experiment: experiment.name.clone(),
            profile: experiment.profile.clone(),
            fits: self.jobs.into_iter().zip(states).map(fit).collect(),
            files: self.files,
            unusable: self.unusable,
            too_small: self.too_small,
            datasets: experiment.datasets.len(),
        }
    }
}

/// The method at the values that it will truly have; as it was asked for where it does not apply, which running it says.
fn method_id(choice: &MethodChoice, about: Option<(&DatasetInfo, &Fold)>, env: &Environment) -> MethodId {
    let spec = choice.def.spec();
    let resolved = about.and_then(|(info, fold)| choice.method.resolve(info, fold).ok());
    let method = resolved.as_ref().unwrap_or(&choice.method);
    let artifacts = digests(method.as_ref(), env).unwrap_or_default();
    MethodId { name: spec.name.into(), version: spec.version, params: method.values(), artifacts }
}

/// The digests of the files that a method needs, by name: below the data folder where they lie there.
///
/// # Errors
/// Where one is missing.
pub fn digests(method: &dyn Method, env: &Environment) -> Result<BTreeMap<String, String>> {
    let name =
        |path: &std::path::Path| path.strip_prefix(&env.data.path).unwrap_or(path).to_string_lossy().into_owned();
    method.artifacts(env)?.iter().map(|path| Ok((name(path), env.digests.file(path)?))).collect()
}

/// What becomes of the domains of a fold that are too small for a point: a line each.
fn small_domains(points: &[TestPoint], info: &DatasetInfo, fold: &Fold) -> Vec<String> {
    let mut lines = Vec::new();
    for point in points {
        let small = too_small(info, fold, point);
        let all = small.len() == fold.meta_test.len();
        let what = if point.skip_small && !all { "left out" } else { "the point is refused" };
        let line = |e: Error| format!("{}, {}: {what}: {e}", point.size, point.contamination);
        // One of them refuses the whole point; more need not be said.
        let said = if point.skip_small && !all { small.len() } else { 1 };
        lines.extend(small.into_iter().take(said).map(line));
    }
    lines
}

/// Why domains of a fold are too small for a batch of this point, each in turn.
fn too_small(info: &DatasetInfo, fold: &Fold, point: &TestPoint) -> Vec<Error> {
    fold.meta_test.iter().filter_map(|&d| sampler::counts(info, fold, d, point).err()).collect()
}

fn cells(
    experiment: &Experiment,
    choice: &DatasetChoice,
    test_params: &Value,
    (method, fit, seed): (&MethodChoice, &FitId, u64),
    (tests, about): (Option<&String>, Option<(&DatasetInfo, &Fold)>),
) -> Vec<CellJob> {
    let asked = Asked {
        experiment: experiment.name.clone(),
        profile: experiment.profile.clone(),
        dataset: choice.label.clone(),
        dataset_params: choice.source.values.clone(),
        method: method.label.clone(),
        setting: method.method.supervision(),
        params: method.method.values(),
    };
    let draw_seed = experiment.training_seed.map(|_| seed);
    let takes_abnormal = method.method.takes_abnormal_shots();
    let cell = |&point: &TestPoint| {
        // What makes no difference has one form, so that keys are equal.
        let skip_small = point.skip_small && about.is_some_and(|(i, f)| !too_small(i, f, &point).is_empty());
        // A method that takes no labelled anomalies is scored once, on batches without those that are set aside.
        let given = if takes_abnormal { point.anomalies_given() } else { 0 };
        let abnormal_shots = point.abnormal_shots.map(|shots| AbnormalShots { given, ..shots });
        let point = TestPoint { draw_seed, skip_small, abnormal_shots, ..point };
        let (test_params, test_digest) = (test_params.clone(), tests.cloned());
        let id = CellId { fit: fit.clone(), test_params, test_digest, point };
        // Batches of few kinds of anomalies or without some, and references that hold some, are other questions, and stand in
        // tables of their own.
        let mut dataset = asked.dataset.clone();
        if let Some(kinds) = point.anomaly_kinds {
            dataset += &format!("(anomaly_kinds={kinds})");
        }
        if point.reference_contamination > 0.0 {
            dataset += &format!("(reference_contamination={})", point.reference_contamination);
        }
        if point.anomalies_set_aside() > 0 {
            dataset += &format!("(set_aside={})", point.anomalies_set_aside());
        }
        // With labels of the batch, or labelled anomalies, a method is another one, and stands in a line of its own.
        let (method, setting) = match (point.labels, point.anomalies_given()) {
            (Some(labels), 0) => (format!("{}({labels})", asked.method), Supervision::FewLabel),
            (Some(labels), given) => {
                (format!("{}(abnormal_shots={given}, {labels})", asked.method), Supervision::FewLabel)
            }
            (None, 0) => (asked.method.clone(), asked.setting),
            (None, given) => (format!("{}(abnormal_shots={given})", asked.method), asked.setting),
        };
        CellJob { key: id.key(), id, asked: Asked { dataset, method, setting, ..asked.clone() } }
    };
    // A method without references has nothing to do with what is among them.
    let takes_some = method.method.shots() != Shots::Number(0);
    let points = experiment.points.iter().filter(|point| takes_some || point.reference_contamination == 0.0);
    points.map(cell).collect()
}
