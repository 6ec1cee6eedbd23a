//! Rows in their places: protocol points × methods.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use zsad_core::key::canonical_json;
use zsad_core::{BatchSize, Contamination, Pooling, Shift, Supervision};
use zsad_store::{Row, Status};

use crate::labels::{compare, labels};
use crate::stats::Matrix;

/// One protocol point of one data set.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    /// Data set.
    pub dataset: String,
    /// How scores become metrics.
    pub pooling: Pooling,
    /// Batch size.
    pub size: BatchSize,
    /// What was done to the pictures.
    pub shift: Option<Shift>,
    /// Test contamination.
    pub contamination: Contamination,
}

impl fmt::Display for Point {
    /// Size, contamination and shift, as sentences say them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, contamination {}{}", self.size, self.contamination, self.shifted())
    }
}

impl Point {
    /// `, shift brightness@3`; nothing where nothing was shifted.
    pub fn shifted(&self) -> String {
        self.shift.map_or(String::new(), |shift| format!(", shift {shift}"))
    }
}

/// One method with one set of parameters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MethodKey {
    /// What it sees of the target; equals stand together.
    pub setting: Supervision,
    /// What results call it.
    pub method: String,
    /// Version.
    pub version: u32,
    /// Parameters, canonical JSON.
    pub params: String,
}

impl MethodKey {
    fn of(row: &Row) -> Self {
        MethodKey {
            setting: row.asked().setting,
            method: row.method().to_owned(),
            version: row.fit().method.version,
            params: canonical_json(&row.asked().params),
        }
    }

    /// Method, version and parameters.
    fn named(&self) -> (&str, u32, &str) {
        (&self.method, self.version, &self.params)
    }
}

/// The rows of one method at one point.
#[derive(Debug, Default, Clone)]
pub(crate) struct Cell<'a> {
    /// Rows with results.
    pub ok: Vec<&'a Row>,
    /// Rows of failed and refused cells.
    pub bad: Vec<&'a Row>,
}

impl Cell<'_> {
    /// The value of every seed and domain, over the given axes. `None` too where one place is taken twice: two cells
    /// of one name cannot be told apart.
    pub fn matrix(&self, seeds: &[u64], domains: &[&str], value: impl Fn(&Row) -> Option<f64>) -> Matrix {
        let mut values = vec![None; seeds.len() * domains.len()];
        for row in &self.ok {
            let position = (seeds.binary_search(&row.seed()), domains.binary_search(&row.result.domain.as_str()));
            if let (Ok(s), Ok(d)) = position {
                values[s * domains.len() + d] = value(row);
            }
        }
        Matrix { seeds: seeds.len(), domains: domains.len(), values }
    }

    /// Whether two cells of one seed and domain claim the same place.
    pub fn ambiguous(&self) -> bool {
        let positions: BTreeSet<_> = self.ok.iter().map(|r| (r.seed(), &r.result.domain)).collect();
        positions.len() < self.ok.len()
    }
}

/// All rows of a run in their places.
pub(crate) struct Grid<'a> {
    /// Points, in order.
    pub points: Vec<Point>,
    /// Methods, in order, each with the label that tells it from its namesakes.
    pub methods: Vec<(MethodKey, String)>,
    cells: BTreeMap<(Point, MethodKey), Cell<'a>>,
}

impl<'a> Grid<'a> {
    /// Sorts `rows` into points and methods.
    pub fn new(rows: &'a [Row]) -> Self {
        let mut cells: BTreeMap<(Point, MethodKey), Cell> = BTreeMap::new();
        for row in rows {
            let point = Point {
                dataset: row.asked().dataset.clone(),
                pooling: row.point().pooling,
                size: row.point().size,
                shift: row.point().shift,
                contamination: row.point().contamination,
            };
            let cell = cells.entry((point, MethodKey::of(row))).or_default();
            if row.record.status == Status::Ok { cell.ok.push(row) } else { cell.bad.push(row) }
        }
        let points = cells.keys().map(|(p, _)| p.clone()).collect::<BTreeSet<_>>().into_iter().collect();
        let keys: BTreeSet<MethodKey> = cells.keys().map(|(_, m)| m.clone()).collect();
        let mut keys: Vec<MethodKey> = keys.into_iter().collect();
        keys.sort_by(|a, b| a.setting.cmp(&b.setting).then_with(|| compare(a.named(), b.named())));
        let names: Vec<_> = keys.iter().map(MethodKey::named).collect();
        let labels = labels(&names);
        Grid { points, methods: keys.into_iter().zip(labels).collect(), cells }
    }

    /// The cell of a method at a point, if it was run.
    pub fn cell(&self, point: &Point, method: &MethodKey) -> Option<&Cell<'a>> {
        self.cells.get(&(point.clone(), method.clone()))
    }

    /// The seeds and domains that any method was measured on at a point, sorted.
    pub fn axes(&self, point: &Point) -> (Vec<u64>, Vec<&'a str>) {
        let ok = || self.methods.iter().filter_map(|(m, _)| self.cell(point, m)).flat_map(|c| &c.ok);
        // A domain that was too small has a row without batches.
        let rows = || ok().filter(|r| r.result.n_batches > 0);
        let seeds: BTreeSet<u64> = rows().map(|r| r.seed()).collect();
        let domains: BTreeSet<&str> = rows().map(|r| r.result.domain.as_str()).collect();
        (seeds.into_iter().collect(), domains.into_iter().collect())
    }

    /// Whether seeds are draws of test batches and references from the same trained models.
    pub fn redraws(&self) -> bool {
        let mut seeds: BTreeMap<&str, u64> = BTreeMap::new();
        let mut rows = self.cells.values().flat_map(|cell| &cell.ok).filter(|row| !row.record.fit_key.is_empty());
        rows.any(|row| *seeds.entry(&row.record.fit_key).or_insert(row.seed()) != row.seed())
    }

    /// The realised share of anomalies over all batches of a point.
    pub fn realised(&self, point: &Point) -> Option<f64> {
        let rows = self.methods.iter().filter_map(|(m, _)| self.cell(point, m)).flat_map(|c| &c.ok);
        let (anomalous, total) =
            rows.map(|r| &r.result).fold((0, 0), |(a, n), r| (a + r.n_anomalous, n + r.n_anomalous + r.n_normal));
        (total > 0).then(|| anomalous as f64 / total as f64)
    }
}

#[cfg(test)]
#[path = "grid_tests.rs"]
mod tests;
