//! How long fits will take, by earlier ones of the same method on the same data set; where there are none, by their like.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use zsad_core::job::FitJob;
use zsad_core::{BatchSize, TestPoint};
use zsad_store::{CellRecord, ModelStore};

/// What the length of a training is called.
const LENGTHS: [&str; 2] = ["steps", "epochs"];
/// Where the results of a checkout lie, which know what their trainings took.
const PUBLISHED: &str = "results/published";

/// Seconds of a training that nothing is known of: for a step or an epoch, and for a whole one that has no length.
const UNKNOWN: (f64, f64) = (0.1, 30.0);
/// Seconds of a sample's score that nothing is known of, all domains of its data set together.
const UNKNOWN_SCORE: f64 = 2e-3;
/// Samples of a batch that holds all there are.
const ALL: f64 = 200.0;
/// Seconds that a fit takes in any case: data are opened, files are written.
const LEAST: f64 = 0.05;

/// Method and data set.
type Kind = (String, String);

/// Seconds of earlier fits.
#[derive(Debug, Default)]
pub struct Costs {
    /// Of trainings: for a step or an epoch, and for a whole training that has no length.
    known: BTreeMap<Kind, (Vec<f64>, Vec<f64>)>,
    /// Of scoring: for one sample a domain.
    scoring: BTreeMap<Kind, Vec<f64>>,
}

impl Costs {
    /// What the store remembers, and the published results of a checkout where the program runs in one. What cannot be read
    /// is left out: an estimate needs no more.
    pub fn known(store: &ModelStore) -> Self {
        let mut costs = Costs::default();
        for fit in store.keys().iter().filter_map(|key| store.fit(key).ok().flatten()) {
            costs.add((&fit.fit.method.name, &fit.fit.data.name), &fit.fit.method.params, fit.fit_seconds);
        }
        let Ok(published) = std::fs::read_dir(Path::new(PUBLISHED)) else { return costs };
        for rows in published.flatten().filter_map(|folder| zsad_store::read_results(&folder.path()).ok()) {
            let mut fits = BTreeMap::new();
            for row in rows.iter().filter(|row| !row.record.fit_key.is_empty()) {
                fits.entry(&row.record.fit_key).or_insert(row);
            }
            for row in fits.into_values() {
                let Some(seconds) = row.record.fit_seconds else { continue };
                let id = &row.fit().method;
                let params = if length(&id.params).is_some() { &id.params } else { &row.asked().params };
                costs.add((&id.name, &row.asked().dataset), params, seconds);
            }
        }
        costs
    }

    fn add(&mut self, (method, dataset): (&str, &str), params: &Value, seconds: f64) {
        let known = self.known.entry((method.to_owned(), dataset.to_owned())).or_default();
        match length(params) {
            Some(length) => known.0.push(seconds / length),
            None => known.1.push(seconds),
        }
    }

    /// Learns from the records of a run, too.
    pub fn learn(&mut self, records: &BTreeMap<String, CellRecord>) {
        let mut fits = BTreeMap::new();
        for record in records.values() {
            let (method, data) = (&record.cell.fit.method, &record.cell.fit.data);
            if let Some(seconds) = record.score_seconds {
                let kind = (method.name.clone(), data.name.clone());
                self.scoring.entry(kind).or_default().push(seconds / samples(&record.cell.point));
            }
            if let Some(seconds) = record.fit_seconds {
                fits.insert(&record.fit_key, (method, &data.name, seconds));
            }
        }
        for (method, data, seconds) in fits.into_values() {
            self.add((&method.name, data), &method.params, seconds);
        }
    }

    /// These costs with one number for all that is known of a kind, so that many questions are answered quickly.
    pub fn summed_up(self) -> Model {
        let middle = |(kind, of): (Kind, (Vec<f64>, Vec<f64>))| (kind, (median(&of.0), median(&of.1)));
        let scoring = self.scoring.into_iter().filter_map(|(kind, of)| Some((kind, median(&of)?)));
        Model { trainings: self.known.into_iter().map(middle).collect(), scoring: scoring.collect() }
    }

    /// Seconds that a training will take: the median of earlier ones, by length; `None` where there is none.
    pub fn of(&self, job: &FitJob) -> Option<f64> {
        let (each, whole) = self.known.get(&(job.id.method.name.clone(), job.id.data.name.clone()))?;
        match length(&job.id.method.params) {
            Some(length) => Some(median(each)? * length),
            None => median(whole),
        }
    }
}

/// What a fit costs, by method and data set.
#[derive(Debug, Default)]
pub struct Model {
    trainings: BTreeMap<Kind, (Option<f64>, Option<f64>)>,
    scoring: BTreeMap<Kind, f64>,
}

impl Model {
    /// Seconds that a fit will take with these cells, its training among them unless that was done before. What is not known
    /// of the method on its data set is taken from the method on others, then from other methods on the data set.
    pub fn seconds(&self, job: &FitJob, is_trained: bool) -> f64 {
        let kind = (job.id.method.name.as_str(), job.id.data.name.as_str());
        let training = if is_trained || !job.learns { 0.0 } else { self.training(kind, &job.id.method.params) };
        let each = nearest(&self.scoring, kind, |s| Some(*s)).unwrap_or(UNKNOWN_SCORE);
        let samples: f64 = job.cells.iter().map(|c| samples(&c.id.point)).sum();
        training + each * samples + LEAST
    }

    fn training(&self, kind: (&str, &str), params: &Value) -> f64 {
        match length(params) {
            Some(length) => nearest(&self.trainings, kind, |t| t.0).unwrap_or(UNKNOWN.0) * length,
            None => nearest(&self.trainings, kind, |t| t.1).unwrap_or(UNKNOWN.1),
        }
    }
}

/// What is known of a kind, else the median of what is known of its method, else of its data set.
fn nearest<T>(known: &BTreeMap<Kind, T>, (method, data): (&str, &str), of: impl Fn(&T) -> Option<f64>) -> Option<f64> {
    let like = |is_like: &dyn Fn(&Kind) -> bool| {
        let found: Vec<f64> = known.iter().filter(|(k, _)| is_like(k)).filter_map(|(_, t)| of(t)).collect();
        median(&found)
    };
    like(&|(m, d)| m == method && d == data)
        .or_else(|| like(&|(m, _)| m == method))
        .or_else(|| like(&|(_, d)| d == data))
}

/// Samples that are scored at a point, a domain.
fn samples(point: &TestPoint) -> f64 {
    let batch = match point.size {
        BatchSize::Total(n) | BatchSize::Normals(n) => n as f64,
        BatchSize::All => ALL,
    };
    (batch * point.n_batches as f64).max(1.0)
}

/// The length of a training that has one.
fn length(params: &Value) -> Option<f64> {
    LENGTHS.iter().find_map(|name| params.get(name)?.as_f64()).filter(|length| *length > 0.0)
}

fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use zsad_core::job::{CellJob, FitId};

    #[test]
    fn a_training_costs_what_earlier_ones_cost_by_length() {
        let mut costs = Costs::default();
        for (steps, seconds) in [(100, 10.0), (1000, 120.0), (50, 4.0)] {
            costs.add(("acr", "digits"), &json!({ "steps": steps }), seconds);
        }
        let job = |method: &str, steps: u64| {
            let mut id = FitId::default();
            (id.method.name, id.data.name, id.method.params) =
                (method.into(), "digits".into(), json!({ "steps": steps }));
            FitJob { key: id.key(), id, learns: true, cells: vec![] }
        };
        // 0.1, 0.12 and 0.08 s a step.
        assert_eq!(costs.of(&job("acr", 10_000)).map(|s| s.round()), Some(1000.0));
        assert_eq!(costs.of(&job("oe", 10_000)), None);
    }

    #[test]
    fn what_is_not_known_is_taken_from_its_like() {
        let mut costs = Costs::default();
        costs.add(("acr", "digits"), &json!({ "steps": 100 }), 10.0);
        costs.add(("oe", "mnist"), &json!({}), 7.0);
        let mut record = CellRecord { score_seconds: Some(4.0), ..CellRecord::default() };
        (record.cell.fit.method.name, record.cell.fit.data.name) = ("acr".into(), "digits".into());
        record.cell.point = TestPoint { size: BatchSize::Total(20), n_batches: 10, ..TestPoint::default() };
        costs.learn(&BTreeMap::from([("a".to_owned(), record.clone())]));
        let model = costs.summed_up();
        let seconds = |method: &str, data: &str, params: Value, is_trained| {
            let mut id = record.cell.fit.clone();
            (id.method.name, id.data.name, id.method.params) = (method.into(), data.into(), params);
            let cell = CellJob { key: String::new(), id: record.cell.clone(), asked: Default::default() };
            let job = FitJob { key: id.key(), id, learns: true, cells: vec![cell; 2] };
            ((model.seconds(&job, is_trained) - LEAST) * 1e6).round() / 1e6
        };
        // 0.1 s a step, and 4 s for each of the two cells.
        assert_eq!(seconds("acr", "digits", json!({"steps": 50}), false), 13.0);
        assert_eq!(seconds("acr", "digits", json!({"steps": 50}), true), 8.0);
        // The method elsewhere; another method on the same data; nothing at all.
        assert_eq!(seconds("acr", "mnist", json!({"steps": 50}), false), 13.0);
        assert_eq!(seconds("new", "mnist", json!({}), false), 7.0 + 400.0 * UNKNOWN_SCORE);
        assert_eq!(seconds("new", "new", json!({"epochs": 2}), false), 2.0 * UNKNOWN.0 + 400.0 * UNKNOWN_SCORE);
    }
}
