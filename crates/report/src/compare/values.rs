//! What two methods have in common: the values of each domain at the same places.

use std::collections::{BTreeMap, BTreeSet};

use zsad_core::{Error, MetricSpec, Result, suggest};
use zsad_store::Row;

use crate::grid::{Grid, Point};
use crate::stats::Matrix;

/// A domain of a data set.
pub(crate) type Unit<'a> = (&'a str, &'a str);

/// Where a value was measured within a domain: the protocol point, and the seed.
type Place<'a> = (&'a Point, u64);

/// All values of a method.
pub(crate) struct Values<'a> {
    /// What tables call it.
    pub label: String,
    /// What results call it, which namesakes share.
    method: &'a str,
    of: BTreeMap<Unit<'a>, BTreeMap<Place<'a>, f64>>,
}

/// The values of every method of a run under a metric, in the order of tables.
///
/// # Errors
/// [`Error::Config`] where two cells claim one place, or nothing was measured.
pub(crate) fn collect<'a>(grid: &'a Grid<'a>, metric: &MetricSpec) -> Result<Vec<Values<'a>>> {
    let mut all = Vec::new();
    for (key, label) in &grid.methods {
        let mut of: BTreeMap<Unit, BTreeMap<Place, f64>> = BTreeMap::new();
        for point in &grid.points {
            let Some(cell) = grid.cell(point, key) else { continue };
            if cell.ambiguous() {
                let why = "several variants of the data set have this name, and their cells cannot be told apart";
                return Err(Error::Config(format!("{}: {why}; hint: give each an `as`", point.dataset)));
            }
            let value = |row: &&'a Row| Some((*row, row.metric(metric.name)?));
            for (row, value) in cell.ok.iter().filter_map(value) {
                let unit = (point.dataset.as_str(), row.result.domain.as_str());
                of.entry(unit).or_default().insert((point, row.seed()), value);
            }
        }
        if !of.is_empty() {
            all.push(Values { label: label.clone(), method: &key.method, of });
        }
    }
    if all.is_empty() {
        return Err(Error::Config(format!("no method has a value of `{}` here", metric.name)));
    }
    Ok(all)
}

/// Those that are called `names`, by their labels or by what namesakes share, in the order of `all`; all of them where
/// there are no names.
///
/// # Errors
/// [`Error::Config`] where nothing has one of the names.
pub(super) fn named<'v, 'a>(all: &'v [Values<'a>], names: &[String]) -> Result<Vec<&'v Values<'a>>> {
    let is = |v: &Values, name: &str| v.label == name || v.method == name;
    if let Some(unknown) = names.iter().find(|n| !all.iter().any(|v| is(v, n))) {
        let labels: BTreeSet<&str> = all.iter().flat_map(|v| [v.label.as_str(), v.method]).collect();
        return Err(Error::Config(format!("no method `{unknown}` here; hint: {}", suggest::hint(unknown, labels))));
    }
    Ok(all.iter().filter(|v| names.is_empty() || names.iter().any(|n| is(v, n))).collect())
}

/// The differences of two methods, first less second: a line a domain that both were measured on, a column a seed. The
/// protocol points that both have at a seed are averaged.
pub(crate) fn differences<'a>(a: &Values<'a>, b: &Values<'a>) -> (Vec<Unit<'a>>, Matrix) {
    let mut found: BTreeMap<Unit, BTreeMap<u64, Vec<f64>>> = BTreeMap::new();
    for (unit, first) in &a.of {
        let Some(second) = b.of.get(unit) else { continue };
        for (place, value) in first {
            if let Some(other) = second.get(place) {
                found.entry(*unit).or_default().entry(place.1).or_default().push(value - other);
            }
        }
    }
    let seeds: BTreeSet<u64> = found.values().flat_map(|by_seed| by_seed.keys().copied()).collect();
    let mean = |values: &Vec<f64>| values.iter().sum::<f64>() / values.len() as f64;
    let line = |by_seed: &BTreeMap<u64, Vec<f64>>| -> Vec<Option<f64>> {
        seeds.iter().map(|seed| by_seed.get(seed).map(mean)).collect()
    };
    let values = found.values().flat_map(line).collect();
    let units: Vec<Unit> = found.into_keys().collect();
    let matrix = Matrix { seeds: units.len(), domains: seeds.len(), values };
    (units, matrix)
}

/// The mean of every method in each domain over the places that all of them have: `[domain][method]`.
pub(crate) fn complete(methods: &[&Values]) -> Vec<Vec<f64>> {
    let Some((first, others)) = methods.split_first() else { return Vec::new() };
    let mut blocks = Vec::new();
    for (unit, values) in &first.of {
        let all_have = |place: &&Place| others.iter().all(|o| o.of.get(unit).is_some_and(|v| v.contains_key(place)));
        let places: Vec<&Place> = values.keys().filter(all_have).collect();
        let mean = |v: &&Values| {
            let of = &v.of[unit];
            places.iter().map(|place| of[*place]).sum::<f64>() / places.len() as f64
        };
        if !places.is_empty() {
            blocks.push(methods.iter().map(mean).collect());
        }
    }
    blocks
}
