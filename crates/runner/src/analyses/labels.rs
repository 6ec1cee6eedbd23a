//! What labels of a batch are worth, by how many they are and of which samples.

use std::collections::{BTreeMap, BTreeSet};

use zsad_core::{Error, MetricInput, Query, Result};
use zsad_metrics::AUROC;
use zsad_metrics::stats::crossed;
use zsad_store::CellNumber;
use zsad_trust::queried_share;

use super::found::{POINT, Point};
use super::{Analysis, AnalysisSpec, Cell, Cells, Entry, Labelled, Needs, Output, Registered, Section, Table};
use crate::facts;

/// The registry's entry.
pub const DEF: Registered<Labels> = Registered::new(&SPEC);

static SPEC: AnalysisSpec = AnalysisSpec {
    name: "labels",
    version: 1,
    summary: "what labels of a few samples of a batch are worth: AUROC of the rest with and without them, against labels of any samples, \
              and the contamination that they show",
    citation: "Li et al., Deep Anomaly Detection under Labeling Budget Constraints, ICML 2023 (SOEL): its ways to choose samples and its \
               estimate of the contamination; labels of a batch are ours",
};

zsad_core::params! {
    /// It has no parameters.
    pub struct Labels {
    }
}

/// What is said of batches, in this order.
const COLUMNS: [&str; 8] =
    ["found", "auroc_before", "auroc", "rest_before", "rest", "gain", "contamination_est", "contamination_off"];
const GAIN: usize = 5;

/// A batch's numbers; means over batches as well.
type Numbers = [Option<f64>; 8];

/// A method at a point, with so many labels of such samples.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Line {
    point: Point,
    method: String,
    labels: usize,
    query: Query,
}

/// What was found in each cell's domains, by seed and domain.
type Places = BTreeMap<(u64, String), Numbers>;

impl Analysis for Labels {
    fn needs(&self) -> Needs {
        Needs { labels: true, ..Needs::default() }
    }

    fn run(&self, cells: &Cells) -> Result<Output> {
        let mut lines: BTreeMap<Line, Places> = BTreeMap::new();
        let mut output = Output::default();
        for cell in cells.with_labels() {
            let Some(line) = line(cell) else { continue };
            for domain in cells.batches(cell)?.chunk_by(|a, b| a.batch.domain == b.batch.domain) {
                let all = domain.iter().map(of_batch).collect::<Result<Vec<_>>>()?;
                let (name, mean) = (domain[0].batch.domain.clone(), mean(&all));
                output.numbers.extend(COLUMNS.iter().zip(mean).map(|(metric, value)| CellNumber {
                    cell_key: cell.record.cell_key.clone(),
                    domain: name.clone(),
                    metric: (*metric).to_owned(),
                    group: String::new(),
                    value,
                }));
                lines.entry(line.clone()).or_default().insert((cell.seed(), name), mean);
            }
        }
        if lines.is_empty() {
            return Err(Error::refused("no cell was scored with labels of its batches"));
        }
        output.table = Table::new(&[&POINT[..], &["query", "labels"], &COLUMNS, &BESIDE].concat());
        let mut sections: BTreeMap<&Point, Table> = BTreeMap::new();
        for (line, places) in &lines {
            let random = lines.get(&Line { query: Query::Random, ..line.clone() });
            let numbers = mean(&places.values().copied().collect::<Vec<_>>());
            let gain = interval(places.iter().map(|(at, n)| (at, n[GAIN])));
            let over = random.filter(|_| line.query != Query::Random).map(|random| {
                let less = |(at, n): (&'_ (u64, String), &Numbers)| Some(n[2]? - random.get(at)?[2]?);
                interval(places.iter().map(|place| (place.0, less(place))))
            });
            let beside = [gain.1, gain.2].into_iter().chain(over.map_or([None; 3], <[Option<f64>; 3]>::from));
            let entries: Vec<Entry> = numbers
                .iter()
                .enumerate()
                .map(|(i, n)| if i == 0 { Entry::Number(*n) } else { Entry::Share(*n) })
                .chain(beside.map(Entry::Share))
                .collect();
            let mut row = line.point.entries(&line.method);
            row.extend([line.query.to_string().into(), line.labels.into()]);
            output.table.push(row.into_iter().chain(entries.clone()).collect());
            let page = sections.entry(&line.point).or_insert_with(|| Table::new(&PAGE));
            let shown = [line.method.as_str().into(), line.query.to_string().into(), line.labels.into()];
            page.push(shown.into_iter().chain(entries).collect());
        }
        output.sections =
            sections.into_iter().map(|(point, table)| Section { caption: point.to_string(), table }).collect();
        output.remarks = vec![REMARK.to_owned()];
        Ok(output)
    }
}

/// The columns behind those of batches.
const BESIDE: [&str; 5] = ["gain_low", "gain_high", "over_random", "over_random_low", "over_random_high"];

const PAGE: [&str; 16] = [
    "method",
    "query",
    "labels",
    "found",
    "AUROC without",
    "AUROC",
    "rest without",
    "rest",
    "gain",
    "contamination",
    "off",
    "gain from",
    "to",
    "over random",
    "from",
    "to",
];

const REMARK: &str = "In per cent, found apart; means over batches, domains and seeds, intervals of 95 % over seeds and domains. found: anomalies \
    among the labelled samples of a batch; AUROC without: of the first scores, without labels; AUROC: with them, labelled samples \
    standing where their labels say; rest without, rest: of the samples that were not labelled, by the first scores and by those \
    with labels; gain: the difference of these two, on the same samples; contamination: the share of anomalies that the labels show, \
    by SOEL's weights, and how far it is off in the mean. over random: AUROC less that with labels of any samples: a way to choose \
    them is worth its trouble where this is above 0. A batch of which all anomalies are labelled has no rest to rank.";

fn line(cell: &Cell) -> Option<Line> {
    let budget = cell.point().labels?;
    // The plan calls the method by its labels.
    let method = cell.method.replacen(&format!("({budget})"), "", 1);
    Some(Line { point: Point::of(cell), method, labels: budget.labels, query: budget.query })
}

/// A batch's numbers; see [`COLUMNS`].
fn of_batch(of: &Labelled) -> Result<Numbers> {
    let tag = |name: &str| {
        let values = of.tags.get(name);
        let values = values.ok_or_else(|| Error::failed(format!("scores without `{name}`: of another version")))?;
        Ok::<_, Error>((0..of.batch.items.len()).map(|i| values.number(i).unwrap_or_default()).collect::<Vec<f64>>())
    };
    let (labelled, first) = (tag(facts::LABELLED)?, tag(facts::FIRST_SCORE)?);
    let (scores, labels) = (&of.batch.items, &of.batch.labels);
    let asked: Vec<(usize, bool)> =
        labels.iter().enumerate().filter(|(i, _)| labelled[*i] > 0.0).map(|(i, l)| (i, *l)).collect();
    let rest: Vec<usize> = (0..labels.len()).filter(|i| labelled[*i] == 0.0).collect();
    let auroc = |scores: &[f64], labels: &[bool]| AUROC.compute(MetricInput::Samples { scores, labels }).value();
    let of_rest = |scores: &[f64]| {
        let pick = |i: &usize| (scores[*i], labels[*i]);
        let (scores, labels): (Vec<f64>, Vec<bool>) = rest.iter().map(pick).unzip();
        auroc(&scores, &labels)
    };
    let (before, after) = (of_rest(&first), of_rest(scores));
    let estimate = queried_share(&first, &asked);
    let realised = labels.iter().filter(|l| **l).count() as f64 / labels.len() as f64;
    Ok([
        Some(asked.iter().filter(|(_, label)| *label).count() as f64),
        auroc(&first, labels),
        auroc(scores, labels),
        before,
        after,
        before.zip(after).map(|(before, after)| after - before),
        estimate,
        estimate.map(|e| (e - realised).abs()),
    ])
}

/// Column by column the mean of those that are defined.
fn mean(values: &[Numbers]) -> Numbers {
    std::array::from_fn(|i| {
        let defined: Vec<f64> = values.iter().filter_map(|v| v[i]).collect();
        (!defined.is_empty()).then(|| defined.iter().sum::<f64>() / defined.len() as f64)
    })
}

/// The mean over seeds and domains, and the ends of its 95 % interval.
fn interval<'a>(
    values: impl Iterator<Item = (&'a (u64, String), Option<f64>)>,
) -> (Option<f64>, Option<f64>, Option<f64>) {
    let values: BTreeMap<(u64, &str), f64> =
        values.filter_map(|((seed, domain), v)| Some(((*seed, domain.as_str()), v?))).collect();
    if values.is_empty() {
        return (None, None, None);
    }
    let seeds: BTreeSet<u64> = values.keys().map(|(seed, _)| *seed).collect();
    let domains: BTreeSet<&str> = values.keys().map(|(_, domain)| *domain).collect();
    let table: Vec<Option<f64>> =
        seeds.iter().flat_map(|s| domains.iter().map(|d| values.get(&(*s, *d)).copied())).collect();
    let mean = values.values().sum::<f64>() / values.len() as f64;
    let half = crossed(&table, domains.len()).map(|spread| spread.half_width());
    (Some(mean), half.map(|h| mean - h), half.map(|h| mean + h))
}

#[cfg(test)]
mod tests {
    use super::*;
    use zsad_core::{LabelledBatch, Tags};

    #[test]
    fn a_batch_says_what_its_labels_found_and_what_the_rest_gained() {
        // Two anomalies of six; one is labelled, and one normal.
        let labels = vec![true, true, false, false, false, false];
        let first = [0.9, 0.2, 0.1, 0.3, 0.4, 0.8];
        let batch = LabelledBatch { domain: "d".into(), number: 0, items: vec![9.0, 0.6, 0.1, 0.3, 0.7, -9.0], labels };
        let tags = Tags::none(6)
            .numbers(facts::LABELLED, [1.0, 0.0, 0.0, 0.0, 0.0, 1.0].map(Some))
            .numbers(facts::FIRST_SCORE, first.map(Some));
        let of = Labelled { batch, samples: vec![String::new(); 6], tags };
        let [found, before, auroc, rest_before, rest, gain, estimate, off] = of_batch(&of).unwrap().map(Option::unwrap);
        assert_eq!((found, before, auroc), (1.0, 5.0 / 8.0, 7.0 / 8.0));
        assert_eq!((rest_before, rest), (1.0 / 3.0, 2.0 / 3.0));
        assert!((gain - 1.0 / 3.0).abs() < 1e-12 && (off - (estimate - 2.0 / 6.0).abs()).abs() < 1e-12);
        let untold = Labelled { tags: Tags::none(6), ..of };
        assert!(of_batch(&untold).unwrap_err().to_string().contains("labelled"));
    }

    #[test]
    fn an_interval_needs_two_seeds_or_domains() {
        let places = [((0, "a".to_owned()), Some(1.0)), ((0, "b".to_owned()), Some(3.0)), ((1, "a".to_owned()), None)];
        let (mean, low, high) = interval(places.iter().map(|(at, v)| (at, *v)));
        // Two values, one degree of freedom: 12.706 times the standard error, 1.
        assert_eq!(mean, Some(2.0));
        assert!((high.unwrap() - 14.706).abs() < 1e-3 && (low.unwrap() + 10.706).abs() < 1e-3);
        assert_eq!(interval(places[..1].iter().map(|(at, v)| (at, *v))), (Some(1.0), None, None));
    }
}
