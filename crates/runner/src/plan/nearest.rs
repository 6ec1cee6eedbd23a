//! The record that differs least from a wanted cell, found without comparing each with each: a sweep of a hundred thousand
//! cells that is half done would not end.
//!
//! What a key is made of falls into two: what a training and its data are (one of few *classes*), and the place in the grid of
//! seeds and protocol points. Classes are compared with each other; within a class the place itself is looked up, then those
//! that differ in one thing, and only where there is none of these is every record looked at.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use zsad_core::Choice;
use zsad_core::job::CellId;
use zsad_store::{CellRecord, Status};

/// Named parts of a key.
pub type Parts = BTreeMap<String, String>;

/// What tells the place of a cell in the grid.
const PLACE: usize = 14;

/// The names of the parts of a place.
pub const PLACE_NAMES: [&str; PLACE] = [
    "seed",
    "batch_size",
    "contamination",
    "min_anomalies",
    "n_batches",
    "pooling",
    "reference_seed",
    "seed of draws",
    "shift",
    "anomaly_kinds",
    "reference_contamination",
    "labels",
    "abnormal_shots",
    "anomalies set aside",
];

/// The parts of a place; empty where there is none.
type Place = [String; PLACE];

/// The place of a cell in the grid.
pub fn place(id: &CellId) -> Place {
    let point = &id.point;
    let seed = |seed: Option<u64>| seed.map_or(String::new(), |s| s.to_string());
    [
        id.fit.seed.to_string(),
        point.size.to_column(),
        point.contamination.ratio().map_or("natural".into(), |r| r.to_string()),
        point.min_anomalies.to_string(),
        point.n_batches.to_string(),
        point.pooling.word().into(),
        seed(point.reference_seed),
        seed(point.draw_seed),
        point.shift.map_or(String::new(), |shift| shift.to_string()),
        point.anomaly_kinds.map_or("all".into(), |kinds| kinds.to_string()),
        point.reference_contamination.to_string(),
        point.labels.map_or("0".into(), |labels| labels.to_string()),
        point.anomalies_given().to_string(),
        point.anomalies_set_aside().to_string(),
    ]
}

/// A record as a neighbour: whether the plan wants it, which makes it no older self of another cell, and its number in the
/// order of keys. The least is preferred.
type Rank = (bool, usize);

/// Records that differ in their place alone.
struct Class {
    parts: Parts,
    records: Vec<(Place, Rank)>,
    exact: HashMap<Place, Rank>,
    /// With one part left out: which, and the others.
    but_one: HashMap<(usize, Place), Rank>,
}

impl Class {
    fn add(&mut self, place: Place, rank: Rank) {
        let less = |old: &mut Rank| *old = (*old).min(rank);
        for i in 0..PLACE {
            self.but_one.entry((i, without(&place, i))).and_modify(less).or_insert(rank);
        }
        self.exact.entry(place.clone()).and_modify(less).or_insert(rank);
        self.records.push((place, rank));
    }

    /// In how many parts the nearest record's place differs, and which it is.
    fn nearest(&self, place: &Place) -> Option<(usize, Rank)> {
        if let Some(rank) = self.exact.get(place) {
            return Some((0, *rank));
        }
        let but_one = (0..PLACE).filter_map(|i| self.but_one.get(&(i, without(place, i)))).min();
        if let Some(rank) = but_one {
            return Some((1, *rank));
        }
        let differences = |other: &Place| place.iter().zip(other).filter(|(a, b)| a != b).count();
        self.records.iter().map(|(other, rank)| (differences(other), *rank)).min()
    }
}

fn without(place: &Place, i: usize) -> Place {
    let mut place = place.clone();
    place[i].clear();
    place
}

/// Finished records, ready to be asked.
pub struct Nearest<'a> {
    records: Vec<&'a CellRecord>,
    /// By method and data set.
    kinds: BTreeMap<(&'a str, &'a str), Kind>,
}

#[derive(Default)]
struct Kind {
    classes: Vec<Class>,
    /// By their parts.
    numbers: BTreeMap<Parts, usize>,
    /// The first record whose data and weights are unknown.
    unidentified: Option<usize>,
}

impl<'a> Nearest<'a> {
    /// Those of `records` that are finished; `planned`: the keys of all wanted cells. `class` tells the parts of a cell that
    /// are not its place.
    pub fn new(
        records: &'a BTreeMap<String, CellRecord>,
        planned: &BTreeSet<&str>,
        class: impl Fn(&CellId) -> Parts,
    ) -> Self {
        let records: Vec<&CellRecord> = records.values().filter(|r| r.status != Status::Failed).collect();
        let mut kinds: BTreeMap<(&str, &str), Kind> = BTreeMap::new();
        for (number, record) in records.iter().enumerate() {
            let fit = &record.cell.fit;
            let kind = kinds.entry((&fit.method.name, &fit.data.name)).or_default();
            if !record.cell.is_identified() {
                kind.unidentified.get_or_insert(number);
                continue;
            }
            let parts = class(&record.cell);
            let next = kind.classes.len();
            let at = *kind.numbers.entry(parts.clone()).or_insert(next);
            if at == next {
                kind.classes.push(Class { parts, records: vec![], exact: HashMap::new(), but_one: HashMap::new() });
            }
            kind.classes[at].add(place(&record.cell), (planned.contains(record.cell_key.as_str()), number));
        }
        Nearest { records, kinds }
    }

    /// The record that differs in the fewest parts from a cell of these: of the same method and data set. Among equally near
    /// ones, a record that the plan no longer wants says more than one of its neighbours in the grid. And whether it is one of
    /// these.
    pub fn of(&self, id: &CellId, class: &Parts) -> Option<(&'a CellRecord, bool)> {
        let kind = self.kinds.get(&(id.fit.method.name.as_str(), id.fit.data.name.as_str()))?;
        let place = place(id);
        let mut best: Option<(usize, Rank)> = None;
        let mut consider = |far: usize, of: &Class| {
            if best.is_none_or(|(least, _)| far <= least)
                && let Some((more, rank)) = of.nearest(&place)
                && best.is_none_or(|least| (far + more, rank) < least)
            {
                best = Some((far + more, rank));
            }
        };
        // Its own class first: where that has a neighbour, the others are hardly looked at.
        let own = kind.numbers.get(class);
        own.into_iter().for_each(|&i| consider(0, &kind.classes[i]));
        for (_, other) in kind.classes.iter().enumerate().filter(|(i, _)| Some(i) != own) {
            consider(differing(&other.parts, class), other);
        }
        match best {
            Some((_, (planned, number))) => Some((self.records[number], planned)),
            None => Some((self.records[kind.unidentified?], false)),
        }
    }
}

/// In how many parts two classes differ.
fn differing(a: &Parts, b: &Parts) -> usize {
    let common = a.iter().filter(|(name, _)| b.contains_key(*name)).count();
    let equal = a.iter().filter(|(name, value)| b.get(*name) == Some(value)).count();
    a.len() + b.len() - common - equal
}

#[cfg(test)]
mod tests {
    use super::*;
    use zsad_core::job::FitId;
    use zsad_core::{BatchSize, Contamination, TestPoint};

    fn cell(version: u32, k: u64, seed: u64, size: usize, n_batches: usize) -> CellId {
        let mut fit = FitId { seed, ..FitId::default() };
        (fit.method.name, fit.method.version, fit.data.name) = ("knn".into(), version, "digits".into());
        (fit.method.params, fit.data.digest) = (serde_json::json!({ "k": k }), Some("d".into()));
        let (size, contamination) = (BatchSize::Total(size), Contamination::Ratio(0.1));
        let point = TestPoint { size, contamination, n_batches, ..TestPoint::default() };
        CellId { fit, test_digest: Some("t".into()), point, ..CellId::default() }
    }

    fn class(id: &CellId) -> Parts {
        let method = &id.fit.method;
        [("version", method.version.to_string()), ("k", method.params["k"].to_string())]
            .map(|(name, value)| (name.to_owned(), value))
            .into()
    }

    /// The least of all records, each looked at.
    fn plainly<'a>(
        records: &'a BTreeMap<String, CellRecord>,
        planned: &BTreeSet<&str>,
        id: &CellId,
    ) -> Option<(&'a str, bool)> {
        let far = |other: &CellId| {
            let places = place(other).iter().zip(&place(id)).filter(|(a, b)| a != b).count();
            places + differing(&class(other), &class(id))
        };
        let found = records.values().filter(|r| r.status != Status::Failed);
        let found = found.map(|r| (far(&r.cell), planned.contains(r.cell_key.as_str()), r.cell_key.as_str()));
        found.min().map(|(_, planned, key)| (key, planned))
    }

    #[test]
    fn it_is_the_record_that_looking_at_each_would_find() {
        // A grid of which a part is there, some of it failed, and an older version of it.
        let mut records = BTreeMap::new();
        let mut wanted = Vec::new();
        let mut state = 7u32;
        for k in [3, 5, 7] {
            for seed in 0..4 {
                for size in [10, 20, 30] {
                    for n_batches in [2, 5] {
                        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                        let version = 1 + (state >> 30);
                        let id = cell(version.min(2), k, seed, size, n_batches);
                        let status = if state >> 27 & 3 == 0 { Status::Failed } else { Status::Ok };
                        if state >> 24 & 7 > 2 {
                            let record = CellRecord { cell_key: id.key(), cell: id, status, ..CellRecord::default() };
                            records.insert(record.cell_key.clone(), record);
                        }
                        wanted.push(cell(2, k, seed, size, n_batches));
                        wanted.push(cell(3, k, seed + 100, size, 9));
                    }
                }
            }
        }
        let keys: Vec<String> = wanted.iter().map(CellId::key).collect();
        let planned: BTreeSet<&str> = keys.iter().map(String::as_str).collect();
        let nearest = Nearest::new(&records, &planned, class);
        for id in &wanted {
            let found = nearest.of(id, &class(id)).map(|(r, planned)| (r.cell_key.as_str(), planned));
            assert_eq!(found, plainly(&records, &planned, id), "{id:?}");
        }
        assert!(records.len() > 30);
    }
}
