//! Numbers of cells and domains, gathered into one table a protocol point: what most analyses print.

use std::collections::BTreeMap;

use zsad_core::{BatchSize, Contamination, Pooling, Shift, Tags};
use zsad_store::CellNumber;

use super::{Cell, Entry, Labelled, Section, Table};

/// A protocol point of a data set.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    /// The data set.
    pub dataset: String,
    /// Batch size.
    pub size: BatchSize,
    /// What was done to the pictures.
    pub shift: Option<Shift>,
    /// Contamination.
    pub contamination: Contamination,
}

impl Point {
    /// That of a cell.
    pub fn of(cell: &Cell) -> Self {
        let point = cell.point();
        let dataset = cell.dataset().to_owned();
        Point { dataset, size: point.size, shift: point.shift, contamination: point.contamination }
    }

    /// As a line of a table begins: data set, method, size, contamination, shift.
    pub fn entries(&self, method: &str) -> Vec<Entry> {
        vec![
            self.dataset.as_str().into(),
            method.into(),
            self.size.to_column().into(),
            Entry::Number(self.contamination.ratio()),
            Shift::to_column(self.shift).into(),
        ]
    }
}

/// The names of [`Point::entries`].
pub const POINT: [&str; 5] = ["dataset", "method", "batch_size", "contamination", "shift"];

impl std::fmt::Display for Point {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, {}, contamination {}", self.dataset, self.size, self.contamination)?;
        self.shift.map_or(Ok(()), |shift| write!(f, ", shift {shift}"))
    }
}

/// Samples that are measured at once: a batch, or all batches of a domain.
#[derive(Debug, Clone, PartialEq)]
pub struct Unit {
    /// Scores.
    pub scores: Vec<f64>,
    /// `true` where the sample is an anomaly.
    pub labels: Vec<bool>,
    /// Tags.
    pub tags: Tags,
}

/// The units of every domain of a cell, as its protocol pools.
pub fn units(batches: Vec<Labelled>, pooling: Pooling) -> Vec<(String, Vec<Unit>)> {
    let mut domains: Vec<(String, Vec<Unit>)> = Vec::new();
    for Labelled { batch, tags, .. } in batches {
        if domains.last().is_none_or(|(domain, _)| *domain != batch.domain) {
            domains.push((batch.domain.clone(), Vec::new()));
        }
        let Some((_, units)) = domains.last_mut() else { continue };
        match units.last_mut().filter(|_| pooling == Pooling::Domain) {
            Some(all) => {
                all.scores.extend(batch.items);
                all.labels.extend(batch.labels);
                all.tags.append(tags);
            }
            None => units.push(Unit { scores: batch.items, labels: batch.labels, tags }),
        }
    }
    domains
}

/// What is known of each metric and group.
type Values = BTreeMap<(usize, String), Vec<f64>>;

/// Numbers of cells, by point and method.
#[derive(Debug, Default)]
pub struct Found {
    /// All of them, for `metrics.parquet`.
    pub numbers: Vec<CellNumber>,
    /// The metrics, in the order in which they came.
    metrics: Vec<&'static str>,
    means: BTreeMap<Point, BTreeMap<String, Values>>,
}

impl Found {
    /// Nothing yet; columns come in the order of `metrics`.
    pub fn new(metrics: &[&'static str]) -> Self {
        Found { metrics: metrics.to_vec(), ..Found::default() }
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.means.values().flat_map(BTreeMap::values).all(BTreeMap::is_empty)
    }

    /// Adds a number of a domain in a cell: the mean of `values`, which are those of its units that have one.
    pub fn add(&mut self, cell: &Cell, domain: &str, metric: &'static str, group: &str, values: &[f64]) {
        let value = (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64);
        let (cell_key, domain) = (cell.record.cell_key.clone(), domain.to_owned());
        self.numbers.push(CellNumber { cell_key, domain, metric: metric.into(), group: group.into(), value });
        let place = self.metrics.iter().position(|m| *m == metric).unwrap_or(self.metrics.len());
        let of_method = self.means.entry(Point::of(cell)).or_default().entry(cell.method.clone()).or_default();
        if let Some(value) = value {
            of_method.entry((place, group.to_owned())).or_default().push(value);
        }
    }

    fn name(&self, (place, group): &(usize, String)) -> String {
        let metric = self.metrics.get(*place).copied().unwrap_or_default();
        if group.is_empty() { metric.to_owned() } else { format!("{metric} {group}") }
    }

    /// A line a point, method, metric and group: the mean over domains and seeds, and of how many.
    pub fn table(&self) -> Table {
        let mut table = Table::new(&[&POINT[..], &["metric", "group", "value", "n"]].concat());
        for (point, methods) in &self.means {
            for (method, values) in methods {
                for ((place, group), values) in values {
                    let metric = self.metrics.get(*place).copied().unwrap_or_default();
                    let mut line = point.entries(method);
                    let mean = values.iter().sum::<f64>() / values.len() as f64;
                    line.extend([metric.into(), group.as_str().into(), Entry::Number(Some(mean)), values.len().into()]);
                    table.push(line);
                }
            }
        }
        table
    }

    /// A table a point: methods as lines, metrics and groups as columns.
    pub fn sections(&self) -> Vec<Section> {
        let mut sections = Vec::new();
        for (point, methods) in &self.means {
            let columns: std::collections::BTreeSet<&(usize, String)> =
                methods.values().flat_map(BTreeMap::keys).collect();
            if columns.is_empty() {
                continue;
            }
            let names: Vec<String> = columns.iter().map(|column| self.name(column)).collect();
            let header: Vec<&str> = std::iter::once("method").chain(names.iter().map(String::as_str)).collect();
            let mut table = Table::new(&header);
            for (method, values) in methods {
                let mean = |column: &&(usize, String)| {
                    let values = values.get(*column)?;
                    Some(values.iter().sum::<f64>() / values.len() as f64)
                };
                let numbers = columns.iter().map(|column| Entry::Number(mean(column)));
                table.push(std::iter::once(method.as_str().into()).chain(numbers).collect());
            }
            sections.push(Section { caption: point.to_string(), table });
        }
        sections
    }
}
