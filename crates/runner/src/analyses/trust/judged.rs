//! The batches of a run, judged by calibrations of other domains.

use std::collections::BTreeMap;

use zsad_core::job::MethodId;
use zsad_core::{Dataset, Detector, Error, Fold, LabelledBatch, Method, ParamProblem, Result, Shots, Silent};
use zsad_trust::{Calibration, Episode, Judged, Settings};

use super::super::{Cell, Cells};
use super::Trust;
use crate::executor::fit::restore;
use crate::library::given;
use crate::trust::episodes::{Pool, Scoring, untrained};

/// A method in a group of cells that hold the same batches.
pub(super) struct Scorer<'a> {
    /// What tables call it.
    name: &'a str,
    /// Its cells, by contamination and all else that tells points apart.
    cells: Vec<&'a Cell>,
    detector: Box<dyn Detector>,
    shots: Shots,
    pub learns: bool,
}

/// A judged batch.
pub(super) struct Line {
    pub cell_key: String,
    pub dataset: String,
    pub method: String,
    /// Which domains it was judged by.
    pub from: String,
    pub domain: String,
    pub number: u32,
    pub judged: Judged,
}

/// What was found so far.
#[derive(Default)]
pub(super) struct Found {
    /// Judged batches.
    pub lines: Vec<Line>,
    /// Why others were not.
    pub said: Vec<String>,
}

/// Methods that scored the same batches.
pub(super) struct Case<'a> {
    pub trust: &'a Trust,
    pub cells: &'a Cells<'a>,
    pub scorers: &'a [Scorer<'a>],
    /// The data set as the fold reads it.
    pub view: &'a dyn Dataset,
    /// Seed of the batches.
    pub seed: u64,
    /// What results call the data set.
    pub dataset: &'a str,
}

/// Domains whose batches are judged, and by what.
#[derive(Clone, Copy)]
pub(super) struct Pools<'a> {
    /// The domains.
    pub domains: &'a [usize],
    /// A fold that tests those that teach.
    pub from: &'a Fold,
    /// What tables call those.
    pub name: &'a str,
}

impl Case<'_> {
    /// Judges batches, those of each of the `judged` scorers.
    ///
    /// # Errors
    /// Where scores cannot be read, or a method cannot score simulated batches.
    pub fn judge(&self, judged: &[usize], pools: &Pools, found: &mut Found) -> Result<()> {
        let (scorers, Pools { domains, from, name }) = (self.scorers, *pools);
        let trust = self.trust;
        let names: Vec<&str> = domains.iter().map(|&d| self.view.info().domains[d].name.as_str()).collect();
        // Whoever helps scores a batch by itself.
        let helps = |i: usize| trust.together && !scorers[i].learns && scorers[i].shots == Shots::Number(0);
        let at_work: Vec<usize> = (0..scorers.len()).filter(|i| judged.contains(i) || helps(*i)).collect();
        let stored =
            at_work.iter().map(|&i| Stored::read(self.cells, &scorers[i], &names)).collect::<Result<Vec<_>>>()?;
        let mut sizes: Vec<usize> = stored.iter().flat_map(|s| s.0.values()).map(|(_, b)| b.items.len()).collect();
        sizes.sort_unstable();
        sizes.dedup();
        let env = self.cells.bench.env;
        let pool = Pool { dataset: self.view, fold: from, seed: self.seed, env };
        let scoring: Vec<Scoring> = at_work
            .iter()
            .map(|&i| Scoring { detector: scorers[i].detector.as_ref(), shots: scorers[i].shots })
            .collect();
        for size in sizes {
            let drawn = match pool.draw(size, trust.episodes, &scoring, &Silent) {
                Err(Error::Refused(why)) => {
                    found.said.push(format!("not judged: {why}"));
                    continue;
                }
                drawn => drawn?,
            };
            for (own, &scorer) in at_work.iter().enumerate().filter(|(_, i)| judged.contains(i)) {
                // The judged one first, then those that help.
                let order: Vec<usize> =
                    [own].into_iter().chain((0..at_work.len()).filter(|&k| k != own && helps(at_work[k]))).collect();
                let episodes: Vec<Episode> = drawn.episodes.iter().map(|e| reordered(e, &order)).collect();
                let calibration = Calibration::fit(&episodes, Settings::default())?;
                let of = |key: &Key| -> Option<Vec<&[f64]>> {
                    let all = order.iter().map(|&k| stored[k].0.get(key).map(|(_, b)| b.items.as_slice()));
                    all.collect()
                };
                for (key, (cell, batch)) in &stored[own].0 {
                    let Some(scores) = of(key).filter(|_| batch.items.len() == size) else { continue };
                    let judged = Judged {
                        judgement: calibration.judge(&scores)?,
                        scores: batch.items.clone(),
                        labels: batch.labels.clone(),
                        prior: calibration.prior(),
                    };
                    found.lines.push(Line {
                        cell_key: cell.record.cell_key.clone(),
                        dataset: self.dataset.to_owned(),
                        method: scorers[scorer].name.to_owned(),
                        from: name.to_owned(),
                        domain: batch.domain.clone(),
                        number: batch.number,
                        judged,
                    });
                }
            }
        }
        Ok(())
    }
}

fn reordered(episode: &Episode, order: &[usize]) -> Episode {
    let scores = order.iter().map(|&k| episode.scores[k].clone()).collect();
    Episode { domain: episode.domain, labels: episode.labels.clone(), scores }
}

/// What tells a batch among those of a method: its point, domain and number.
type Key = (String, String, u32);

/// The stored batches of a method, with their cells.
struct Stored<'a>(BTreeMap<Key, (&'a Cell, LabelledBatch<f64>)>);

impl<'a> Stored<'a> {
    fn read(cells: &Cells, scorer: &Scorer<'a>, domains: &[&str]) -> Result<Self> {
        let mut all = BTreeMap::new();
        for &cell in &scorer.cells {
            let point = serde_json::to_string(cell.point()).map_err(|e| Error::failed(e.to_string()))?;
            for batch in cells.folder().scores(&cell.record.cell_key)? {
                if domains.contains(&batch.domain.as_str()) {
                    all.insert((point.clone(), batch.domain.clone(), batch.number), (cell, batch));
                }
            }
        }
        Ok(Stored(all))
    }
}

/// The methods of a group, ready to score.
///
/// # Errors
/// Where a trained model is not in the store.
pub(super) fn scorers<'a>(
    cells: &Cells,
    group: &[&'a Cell],
    view: &dyn Dataset,
    fold: usize,
) -> Result<Vec<Scorer<'a>>> {
    let mut by_fit: BTreeMap<(&str, &str), Vec<&'a Cell>> = BTreeMap::new();
    for &cell in group {
        by_fit.entry((cell.method.as_str(), cell.record.fit_key.as_str())).or_default().push(cell);
    }
    let bench = &cells.bench;
    // Scores that were made elsewhere can be judged by nobody here: there is no method to simulate batches with.
    by_fit.retain(|_, own| bench.registry.method(&own[0].record.cell.fit.method.name).is_some());
    let one = |((name, fit_key), own): ((&'a str, &'a str), Vec<&'a Cell>)| {
        let record = &own[0].record;
        let MethodId { name: registered, params, .. } = &record.cell.fit.method;
        let def = bench.registry.expect_method(registered)?;
        let method = def.configure(&given(params)).map_err(|p| ParamProblem::error(registered, p))?;
        let method = method.resolve(view.info(), &view.info().folds[fold])?;
        let detector = ready(cells, method.as_ref(), fit_key, view, fold, record.cell.fit.seed)?;
        Ok(Scorer { name, cells: own, detector, shots: method.shots(), learns: method.learns() })
    };
    by_fit.into_iter().map(one).collect()
}

fn ready(
    cells: &Cells,
    method: &dyn Method,
    fit_key: &str,
    view: &dyn Dataset,
    fold: usize,
    seed: u64,
) -> Result<Box<dyn Detector>> {
    let bench = &cells.bench;
    if !method.learns() {
        return untrained(method, (view, &view.info().folds[fold]), seed, bench.env);
    }
    let Some(record) = bench.store.fit(fit_key)? else {
        let hint = "name its store with --store, or run the experiment again";
        return Err(Error::data(bench.store.root(), format!("the model of fit {fit_key} is not there"), hint));
    };
    restore(bench.registry, &bench.store.model_path(fit_key), &bench.store.load(&record)?, bench.env)
}
