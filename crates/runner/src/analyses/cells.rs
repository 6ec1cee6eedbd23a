//! The finished cells of a run as analyses see them: their scores, with the tags of their samples.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use zsad_core::job::{CellJob, FitJob};
use zsad_core::key::canonical_json;
use zsad_core::{Error, LabelledBatch, Result, Tags, TestPoint};
use zsad_data::sampler;
use zsad_report::labels::labels;
use zsad_store::{CellRecord, Row, RunFolder, Scored, Status};

use crate::config::tags::{Stored, TagFile};
use crate::evaluate::{CellInput, Seen, score_domain};
use crate::executor::fit::Bench;

/// A person's own tags by what results call the data set.
pub type OwnTags = BTreeMap<String, Arc<TagFile>>;

/// One finished cell.
#[derive(Debug, Clone)]
pub struct Cell {
    /// Its record, as it is asked for today, without results.
    pub record: Arc<CellRecord>,
    /// What tables call its method beside its namesakes.
    pub method: String,
}

impl Cell {
    /// What results call its data set.
    pub fn dataset(&self) -> &str {
        &self.record.asked.dataset
    }

    /// Its protocol point.
    pub fn point(&self) -> &TestPoint {
        &self.record.cell.point
    }

    /// The seed of its batches.
    pub fn seed(&self) -> u64 {
        self.record.cell.seed()
    }

    /// Everything that its batches depend on, save their shift: cells that are equal in this hold the same samples.
    pub fn draw(&self) -> String {
        let id = crate::exchange::without_method(&self.record.cell);
        let point = TestPoint { shift: None, ..id.point };
        zsad_core::job::CellId { point, ..id }.key()
    }
}

/// A batch with scores, labels and tags.
#[derive(Debug, Clone, PartialEq)]
pub struct Labelled {
    /// The batch with its scores.
    pub batch: LabelledBatch<f64>,
    /// Its samples; see [`zsad_store::Facts::samples`].
    pub samples: Vec<String>,
    /// The tags of its samples.
    pub tags: Tags,
}

/// The finished cells of a run, sorted by data set, method, point and seed.
pub struct Cells<'a> {
    /// Where the scores are, and what it takes to score again.
    pub bench: Bench<'a>,
    cells: Vec<Cell>,
    own: OwnTags,
}

impl<'a> Cells<'a> {
    /// The finished cells that `rows` are of.
    pub fn new(rows: &[Row], own: OwnTags, bench: Bench<'a>) -> Self {
        let mut records: BTreeMap<&str, &Arc<CellRecord>> = BTreeMap::new();
        for row in rows.iter().filter(|row| row.record.status == Status::Ok) {
            records.entry(&row.record.cell_key).or_insert(&row.record);
        }
        let kind = |r: &CellRecord| {
            let id = &r.cell.fit.method;
            (r.asked.method_or(&id.name).to_owned(), id.version, canonical_json(&r.asked.params))
        };
        let kinds: BTreeSet<_> = records.values().map(|r| kind(r)).collect();
        let named: Vec<(&str, u32, &str)> = kinds.iter().map(|(n, v, p)| (n.as_str(), *v, p.as_str())).collect();
        let labels: BTreeMap<_, String> = kinds.iter().zip(labels(&named)).collect();
        let cell =
            |record: &&Arc<CellRecord>| Cell { record: (*record).clone(), method: labels[&kind(record)].clone() };
        let mut cells: Vec<Cell> = records.values().map(cell).collect();
        cells.sort_by_cached_key(|c| {
            let point = c.point();
            let place = (c.dataset().to_owned(), c.record.cell.fit.fold.clone(), c.method.clone());
            (place, point.size, point.contamination, point.shift, c.seed(), c.record.cell_key.clone())
        });
        Cells { bench, cells, own }
    }

    /// Those that were scored without labels.
    pub fn iter(&self) -> impl Iterator<Item = &Cell> {
        self.cells.iter().filter(|cell| cell.point().labels.is_none())
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Cell> {
        self.cells.iter()
    }

    /// Those that were given labels.
    pub fn with_labels(&self) -> impl Iterator<Item = &Cell> {
        self.cells.iter().filter(|cell| cell.point().labels.is_some())
    }

    /// The folder of the run.
    pub fn folder(&self) -> &'a RunFolder {
        self.bench.folder
    }

    /// The digests of a person's own tags, by data set.
    pub fn tag_digests(&self) -> BTreeMap<&str, &str> {
        self.own.iter().map(|(name, file)| (name.as_str(), file.digest.as_str())).collect()
    }

    /// The batches of a cell.
    ///
    /// # Errors
    /// [`Error::Data`] where its scores are missing or damaged.
    pub fn batches(&self, cell: &Cell) -> Result<Vec<Labelled>> {
        let Scored { batches, facts } = self.folder().scored(&cell.record.cell_key)?;
        let mut tags = facts.tags.clone();
        if let Some(file) = self.own.get(cell.dataset()) {
            let domains = batches.iter().flat_map(|b| b.items.iter().map(|_| b.domain.as_str()));
            let stored: Vec<Stored> = domains
                .zip(facts.samples.iter().zip(&facts.names))
                .map(|(domain, (sample, name))| match sample.rsplit_once(':') {
                    Some((other, id)) => Stored { domain: other, id, name },
                    None => Stored { domain, id: sample, name },
                })
                .collect();
            if stored.iter().any(|s| s.id.is_empty()) {
                let why =
                    "scores of a version that did not say which samples they are of: tags cannot be joined to them";
                let hint = "run the experiment in another folder, or leave out `tags`";
                return Err(Error::data(self.folder().root(), why, hint));
            }
            for (name, values) in file.tags(&stored).iter() {
                tags = tags.with(name, values.clone());
            }
        }
        let mut start = 0;
        let mut all = Vec::new();
        for batch in batches {
            let rows: Vec<usize> = (start..start + batch.items.len()).collect();
            start += batch.items.len();
            let samples = rows.iter().map(|&i| facts.samples[i].clone()).collect();
            all.push(Labelled { samples, tags: tags.pick(&rows), batch });
        }
        Ok(all)
    }

    /// Scores a cell again, for what is not kept of a batch, such as its maps; `see` is told the name of the domain.
    ///
    /// # Errors
    /// Where its model or its data are not there; those of the method and of `see`.
    pub fn score_again(&self, cell: &Cell, mut see: impl FnMut(&str, Seen) -> Result<()>) -> Result<()> {
        let (record, bench) = (&cell.record, &self.bench);
        let of = CellJob { key: record.cell_key.clone(), id: record.cell.clone(), asked: record.asked.clone() };
        let (key, id, learns) = (record.fit_key.clone(), record.cell.fit.clone(), true);
        let job = FitJob { key, id, learns, cells: vec![of.clone()] };
        let ready = bench.ready(&job, &of, &|_| {})?;
        let (view, fold) = bench.view(&job, &of)?;
        let (info, point) = (view.info(), &of.id.point);
        let fold = &info.folds[fold];
        let input =
            CellInput { dataset: view.as_ref(), fold, point, seed: of.id.seed(), shots: ready.shots, env: bench.env };
        for &domain in &fold.meta_test {
            if point.skip_small && sampler::counts(info, fold, domain, point).is_err() {
                continue;
            }
            let name = &info.domains[domain].name;
            score_domain(ready.detector.as_ref(), &input, domain, |seen| see(name, seen))?;
        }
        Ok(())
    }
}
