//! How long trainings will take, by earlier ones of the same method on the same data set.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use zsad_core::job::FitJob;
use zsad_store::ModelStore;

/// What the length of a training is called.
const LENGTHS: [&str; 2] = ["steps", "epochs"];
/// Where the results of a checkout lie, which know what their trainings took.
const PUBLISHED: &str = "results/published";

/// Seconds of earlier trainings.
#[derive(Debug, Default)]
pub struct Costs {
    /// Of a method on a data set: for a step or an epoch, and for a whole training that has no length.
    known: BTreeMap<(String, String), (Vec<f64>, Vec<f64>)>,
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

    /// Seconds that a training will take: the median of earlier ones, by length; `None` where there is none.
    pub fn of(&self, job: &FitJob) -> Option<f64> {
        let (each, whole) = self.known.get(&(job.id.method.name.clone(), job.id.data.name.clone()))?;
        match length(&job.id.method.params) {
            Some(length) => Some(median(each)? * length),
            None => median(whole),
        }
    }
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
    use zsad_core::job::FitId;

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
}
