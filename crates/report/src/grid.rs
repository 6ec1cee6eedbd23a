//! Rows in their places: protocol points × methods.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use zsad_core::record::Row;

use crate::labels::{compare, labels};
use crate::stats::Matrix;

/// How the batches of a point are sized.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Size {
    /// So many samples in all.
    Total(u64),
    /// So many normals, with anomalies on top.
    Normals(u64),
    /// Another size for every domain: all that there is.
    Varies,
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Size::Total(n) => write!(f, "batch size {n}"),
            Size::Normals(n) => write!(f, "{n} normals a batch"),
            Size::Varies => f.write_str("batch: all samples of the domain"),
        }
    }
}

/// Test contamination: a share, or `None` for the data as they are. Ordered, natural last.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level(pub Option<f64>);

impl Eq for Level {}

impl PartialOrd for Level {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Level {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let value = |l: &Level| l.0.unwrap_or(f64::INFINITY);
        value(self).total_cmp(&value(other))
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(r) => write!(f, "{} %", percent(r)),
            None => f.write_str("natural"),
        }
    }
}

/// A share in per cent with at most two decimals, without trailing zeros.
pub(crate) fn percent(share: f64) -> String {
    let text = format!("{:.2}", share * 100.0);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// One protocol point of one data set.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    /// Data set.
    pub dataset: String,
    /// How scores become metrics.
    pub pooling: String,
    /// Batch size.
    pub size: Size,
    /// Test contamination.
    pub level: Level,
}

/// One method with one set of parameters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MethodKey {
    /// Rank of the setting, so that equals stand together.
    setting_rank: usize,
    /// Name.
    pub method: String,
    /// Version.
    pub version: u32,
    /// Parameters, canonical JSON.
    pub params: String,
    /// Setting.
    pub setting: String,
}

const SETTINGS: [&str; 4] = ["zero_shot", "in_batch", "few_shot", "one_class"];

impl MethodKey {
    fn of(row: &Row) -> Self {
        MethodKey {
            setting_rank: SETTINGS.iter().position(|s| *s == row.setting).unwrap_or(SETTINGS.len()),
            method: row.method.clone(),
            version: row.method_version,
            params: row.params.clone(),
            setting: row.setting.clone(),
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
            let place = (seeds.binary_search(&row.seed), domains.binary_search(&row.domain.as_str()));
            if let (Ok(s), Ok(d)) = place {
                values[s * domains.len() + d] = value(row);
            }
        }
        Matrix { seeds: seeds.len(), domains: domains.len(), values }
    }

    /// Whether two cells of one seed and domain claim the same place.
    pub fn ambiguous(&self) -> bool {
        let places: BTreeSet<_> = self.ok.iter().map(|r| (r.seed, &r.domain)).collect();
        places.len() < self.ok.len()
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
        let mut parts: BTreeMap<(&str, &str), Vec<&Row>> = BTreeMap::new();
        for row in rows {
            parts.entry((&row.dataset, &row.pooling)).or_default().push(row);
        }
        let mut cells: BTreeMap<(Point, MethodKey), Cell> = BTreeMap::new();
        for ((dataset, pooling), rows) in parts {
            let sizes = Sizes::of(&rows);
            let mut known: BTreeMap<Level, BTreeSet<Size>> = BTreeMap::new();
            for row in rows.iter().filter(|r| r.status == "ok") {
                known.entry(Level(row.contamination)).or_default().insert(sizes.size(row));
            }
            for row in rows {
                let level = Level(row.contamination);
                // A cell that never got as far as a batch may not know its size: it stands at every size of its level.
                let places = match known.get(&level) {
                    Some(known) if row.batch_size.is_none() && row.status != "ok" => known.clone(),
                    _ => BTreeSet::from([sizes.size(row)]),
                };
                for size in places {
                    let point = Point { dataset: dataset.into(), pooling: pooling.into(), size, level };
                    let cell = cells.entry((point, MethodKey::of(row))).or_default();
                    if row.status == "ok" { cell.ok.push(row) } else { cell.bad.push(row) }
                }
            }
        }
        let points = cells.keys().map(|(p, _)| p.clone()).collect::<BTreeSet<_>>().into_iter().collect();
        let keys: BTreeSet<MethodKey> = cells.keys().map(|(_, m)| m.clone()).collect();
        let mut keys: Vec<MethodKey> = keys.into_iter().collect();
        keys.sort_by(|a, b| a.setting_rank.cmp(&b.setting_rank).then_with(|| compare(a.named(), b.named())));
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
        let rows = || self.methods.iter().filter_map(|(m, _)| self.cell(point, m)).flat_map(|c| &c.ok);
        let seeds: BTreeSet<u64> = rows().map(|r| r.seed).collect();
        let domains: BTreeSet<&str> = rows().map(|r| r.domain.as_str()).collect();
        (seeds.into_iter().collect(), domains.into_iter().collect())
    }

    /// The realised share of anomalies over all batches of a point.
    pub fn realised(&self, point: &Point) -> Option<f64> {
        let rows = self.methods.iter().filter_map(|(m, _)| self.cell(point, m)).flat_map(|c| &c.ok);
        let (anomalous, total) = rows.fold((0, 0), |(a, n), r| (a + r.n_anomalous, n + r.n_anomalous + r.n_normal));
        (total > 0).then(|| anomalous as f64 / total as f64)
    }
}

/// How the batch sizes of one data set and pooling are to be read: results hold the total alone.
struct Sizes {
    /// Totals that most domains share at some contamination; the others come from "all samples of the domain".
    fixed: BTreeSet<u64>,
    /// Whether the protocol fixes the normals, and the totals follow from the contamination.
    normals: Option<BTreeMap<(u64, Level), u64>>,
}

impl Sizes {
    fn of(rows: &[&Row]) -> Sizes {
        let ok = || rows.iter().filter(|r| r.status == "ok");
        let domains: BTreeSet<&str> = ok().map(|r| r.domain.as_str()).collect();
        let mut shared: BTreeMap<u64, BTreeSet<&str>> = BTreeMap::new();
        for row in ok() {
            shared.entry(row.batch_size.unwrap_or(0)).or_default().insert(&row.domain);
        }
        let common = |(n, d): (u64, BTreeSet<&str>)| (n > 0 && 2 * d.len() > domains.len()).then_some(n);
        let fixed: BTreeSet<u64> = shared.into_iter().filter_map(common).collect();
        let totals: BTreeSet<_> =
            ok().filter_map(|r| Some((r.batch_size.filter(|n| fixed.contains(n))?, Level(r.contamination)))).collect();
        let normals = if is_product(&totals) { None } else { Self::normals(ok().copied()) };
        Sizes { fixed, normals }
    }

    /// Normals a batch by (total, contamination), if every cell has a whole number of them and these make a full grid.
    fn normals<'r>(ok: impl Iterator<Item = &'r Row>) -> Option<BTreeMap<(u64, Level), u64>> {
        let mut found = BTreeMap::new();
        for row in ok {
            let each = row.n_normal / row.n_batches.max(1);
            let same = *found.entry((row.batch_size?, Level(row.contamination))).or_insert(each);
            if row.n_normal != each * row.n_batches || same != each {
                return None;
            }
        }
        let points: BTreeSet<_> = found.iter().map(|((_, level), normals)| (*normals, *level)).collect();
        is_product(&points).then_some(found)
    }

    fn size(&self, row: &Row) -> Size {
        let Some(total) = row.batch_size else { return Size::Varies };
        if let Some(normals) = &self.normals {
            let exact = normals.get(&(total, Level(row.contamination)));
            return exact.map_or(Size::Total(total), |n| Size::Normals(*n));
        }
        // A total that only failed cells know is shown as it stands.
        if row.status != "ok" || self.fixed.contains(&total) { Size::Total(total) } else { Size::Varies }
    }
}

/// Whether every size occurs with every level.
fn is_product(points: &BTreeSet<(u64, Level)>) -> bool {
    let sizes: BTreeSet<_> = points.iter().map(|p| p.0).collect();
    let levels: BTreeSet<_> = points.iter().map(|p| p.1).collect();
    points.len() == sizes.len() * levels.len()
}

#[cfg(test)]
#[path = "grid_tests.rs"]
mod tests;
