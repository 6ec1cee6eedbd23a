//! What the rows of a run themselves show to be odd; see [`zsad_store::findings`].

use std::collections::BTreeMap;

use zsad_store::{Finding, Oddity, Row};

use crate::grid::{Cell, Grid, MethodKey, Point};
use crate::stats::Matrix;
use crate::table::headline;

/// A mean AUROC below this is odd where an interval says little: of fewer values than …
const BELOW_CHANCE: f64 = 0.45;
/// … these.
const FEW: usize = 8;
/// A cell that took so many times the median of its like is slow …
const TIMES: f64 = 10.0;
/// … given so many seconds more, and …
const SECONDS: f64 = 5.0;
/// … so many of its like.
const LIKE: usize = 3;

/// Everything odd; `control`: the name of the untrained control of a method of this name.
pub fn of_rows(rows: &[Row], control: impl Fn(&str) -> Option<&'static str>) -> Vec<Finding> {
    let grid = Grid::new(rows);
    let mut found = one_class(rows);
    for (method, label) in &grid.methods {
        let mut points: BTreeMap<&str, Vec<&Point>> = BTreeMap::new();
        for point in grid.points.iter().filter(|p| grid.cell(p, method).is_some_and(|c| !c.ambiguous())) {
            points.entry(&point.dataset).or_default().push(point);
        }
        for (dataset, points) in points {
            let about = About { grid: &grid, method, label, dataset, points: &points };
            found.extend(about.below_chance());
            found.extend(about.below_control(&control));
            found.extend(about.slow());
        }
    }
    found
}

/// Batches of one class; the rows say how many, so that no cell is marked again.
fn one_class(rows: &[Row]) -> Vec<Finding> {
    let mut counts: BTreeMap<(&str, String), (usize, usize)> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.point().contamination.ratio() != Some(0.0)) {
        let shifted = row.point().shift.map_or(String::new(), |shift| format!(", shift {shift}"));
        let point = format!("{}, contamination {}{shifted}", row.point().size, row.point().contamination);
        let count = counts.entry((&row.asked().dataset, point)).or_default();
        *count = (count.0 + row.result.n_undefined, count.1 + row.result.n_batches);
    }
    let odd = counts.into_iter().filter(|(_, (undefined, _))| *undefined > 0);
    odd.map(|((dataset, point), (undefined, all))| Finding {
        kind: Oddity::OneClass,
        dataset: dataset.to_owned(),
        method: String::new(),
        message: format!("{point}: {undefined} of {all} scored batches hold one class only, and have no metric"),
        cells: Vec::new(),
    })
    .collect()
}

/// One method on one data set.
struct About<'a> {
    grid: &'a Grid<'a>,
    method: &'a MethodKey,
    label: &'a str,
    dataset: &'a str,
    points: &'a [&'a Point],
}

impl<'a> About<'a> {
    fn finding(&self, kind: Oddity, message: String, cells: Vec<String>) -> Finding {
        Finding { kind, dataset: self.dataset.to_owned(), method: self.label.to_owned(), message, cells }
    }

    /// The cells at a point; there are some at each of `points`.
    fn cell(&self, point: &Point) -> Option<&Cell<'a>> {
        self.grid.cell(point, self.method)
    }

    fn values(&self, point: &Point, method: &MethodKey) -> Option<Matrix> {
        let (seeds, domains) = self.grid.axes(point);
        let cell = self.grid.cell(point, method).filter(|c| !c.ambiguous())?;
        Some(cell.matrix(&seeds, &domains, |r| r.metric(headline().name)))
    }

    /// One finding of what `odd` says of points: that of the first, the number of the others, and the cells of all.
    fn at_points(&self, kind: Oddity, odd: impl Fn(&Point) -> Option<String>) -> Option<Finding> {
        let found: Vec<(&Point, String)> = self.points.iter().filter_map(|p| Some((*p, odd(p)?))).collect();
        let (first, said) = found.first()?;
        let others = match found.len() - 1 {
            0 => String::new(),
            n => format!(" (and at {n} of {} other points)", self.points.len() - 1),
        };
        let cells = found.iter().filter_map(|(p, _)| self.cell(p)).flat_map(|c| &c.ok);
        let cells = cells.map(|r| r.record.cell_key.clone()).collect::<std::collections::BTreeSet<_>>();
        let message = format!("{first}: {said}{others}");
        Some(self.finding(kind, message, cells.into_iter().collect()))
    }

    fn below_chance(&self) -> Option<Finding> {
        self.at_points(Oddity::BelowChance, |point| {
            let values = self.values(point, self.method)?;
            let mean = values.mean()?;
            let few = values.values.iter().flatten().count() < FEW;
            let below = match values.half_width().filter(|_| !few) {
                Some(half) => mean + half < 0.5,
                None => mean < BELOW_CHANCE,
            };
            let how = match self.scaling() {
                Some("none") => "`standardise: pool` brings the features to one scale",
                _ => "see whether labels and domains are what they should be",
            };
            let said = || format!("AUROC {:.1}, it ranks anomalies below normals; hint: {how}", mean * 100.0);
            below.then(said)
        })
    }

    /// How the data set scales its features, where it does.
    fn scaling(&self) -> Option<&str> {
        let row = self.points.iter().filter_map(|p| self.cell(p)).find_map(|c| c.ok.first())?;
        row.fit().data.params.get("standardise")?.as_str()
    }

    fn below_control(&self, control: impl Fn(&str) -> Option<&'static str>) -> Option<Finding> {
        let registered = |method: &MethodKey, point: &Point| -> Option<&str> {
            Some(&self.grid.cell(point, method)?.ok.first()?.fit().method.name)
        };
        self.at_points(Oddity::BelowControl, |point| {
            let control = control(registered(self.method, point)?)?;
            let is_control = |(m, _): &&(MethodKey, String)| registered(m, point) == Some(control);
            let (method, label) = self.grid.methods.iter().find(is_control)?;
            let difference = self.values(point, self.method)?.less(&self.values(point, method)?)?;
            let mean = difference.mean().filter(|mean| *mean < 0.0)?;
            let sure = match difference.half_width() {
                Some(half) if -mean > half => "",
                _ => ", which may be chance",
            };
            Some(format!("AUROC {:.1} points below its untrained control {label}{sure}", -mean * 100.0))
        })
    }

    fn slow(&self) -> Option<Finding> {
        self.at_points(Oddity::Slow, |point| {
            let cell = self.cell(point)?;
            let times = |of: fn(&Row) -> Option<f64>| -> BTreeMap<&str, f64> {
                cell.ok.iter().filter_map(|r| Some((r.record.cell_key.as_str(), of(r)?))).collect()
            };
            let scoring = times(|r| r.record.score_seconds);
            let training = times(|r| r.record.fit_seconds);
            [("scoring", scoring), ("training", training)].into_iter().find_map(|(what, times)| outlier(what, &times))
        })
    }
}

/// A time far beyond its like, as a sentence.
fn outlier(what: &str, times: &BTreeMap<&str, f64>) -> Option<String> {
    let mut sorted: Vec<f64> = times.values().copied().collect();
    sorted.sort_by(f64::total_cmp);
    let median = crate::stats::quantile(&sorted, 0.5)?;
    let most = *sorted.last()?;
    let odd = sorted.len() >= LIKE && most > TIMES * median && most > median + SECONDS;
    odd.then(|| format!("{what} took {most:.1} s, its like {median:.1} s (median of {})", sorted.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Flat, metrics, row};
    use zsad_store::CellRecord;

    fn rows(values: &[(&str, u64, &str, f64)]) -> Vec<Row> {
        let one = |&(method, seed, domain, auroc): &(&str, u64, &str, f64)| Flat {
            method: method.into(),
            seed,
            domain: domain.into(),
            metrics: metrics(&[("auroc", auroc)]),
            cell_key: format!("{method}{seed}"),
            ..row()
        };
        values.iter().map(one).map(Row::from).collect()
    }

    fn kinds(found: &[Finding]) -> Vec<(Oddity, &str)> {
        found.iter().map(|f| (f.kind, f.method.as_str())).collect()
    }

    #[test]
    fn a_method_that_ranks_the_wrong_way_is_named_and_one_at_chance_is_not() {
        let mut values = Vec::new();
        for (d, wobble) in [("a", 0.02), ("b", -0.02), ("c", 0.01), ("d", -0.01)] {
            values.extend([("knn", 0, d, 0.3 + wobble), ("lof", 0, d, 0.49 + 10.0 * wobble)]);
        }
        let found = of_rows(&rows(&values), |_| None);
        assert_eq!(kinds(&found), [(Oddity::BelowChance, "knn")]);
        assert!(found[0].message.contains("AUROC 30.0") && found[0].cells == ["knn0"], "{found:?}");
    }

    #[test]
    fn a_trained_method_below_its_control_is_named() {
        let mut values = Vec::new();
        for (d, wobble) in [("a", 0.02), ("b", -0.02), ("c", 0.01)] {
            values.extend([("acr", 0, d, 0.8 + wobble), ("own", 0, d, 0.9), ("floor", 0, d, 0.85)]);
        }
        let control = |name: &str| ["acr", "own"].contains(&name).then_some("floor");
        let found = of_rows(&rows(&values), control);
        assert_eq!(kinds(&found), [(Oddity::BelowControl, "acr")]);
        assert!(found[0].message.contains("4.7 points below its untrained control floor"), "{found:?}");
        assert_eq!(of_rows(&rows(&values), |_| Some("absent")), []);
    }

    #[test]
    fn one_cell_that_took_far_longer_than_its_like_is_named() {
        let values: Vec<(&str, u64, &str, f64)> = (0..4).map(|s| ("knn", s, "a", 0.9)).collect();
        let slow = |seconds: [f64; 4]| {
            let mut rows = rows(&values);
            for (row, s) in rows.iter_mut().zip(seconds) {
                let record = CellRecord { score_seconds: Some(s), ..(*row.record).clone() };
                row.record = std::sync::Arc::new(record);
            }
            kinds(&of_rows(&rows, |_| None)).len()
        };
        assert_eq!(slow([1.0, 1.2, 60.0, 0.9]), 1);
        assert_eq!(slow([1.0, 1.2, 5.0, 0.9]), 0, "not ten times");
        assert_eq!(slow([0.01, 0.02, 0.9, 0.01]), 0, "not worth a word");
    }

    #[test]
    fn batches_of_one_class_are_counted_where_there_should_be_two() {
        let mut all = rows(&[("knn", 0, "a", 0.9)]);
        all[0].result.n_undefined = 3;
        let found = of_rows(&all, |_| None);
        assert_eq!(kinds(&found), [(Oddity::OneClass, "")]);
        assert!(found[0].message.contains("3 of 10 scored batches"), "{found:?}");
    }
}
