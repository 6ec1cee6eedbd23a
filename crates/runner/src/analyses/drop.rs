//! How much a shift costs: in ranking, and in false alarms at a threshold that was fixed on clean batches.

mod shown;

use std::collections::BTreeMap;

use rand::RngExt;
use zsad_core::rng::stream;
use zsad_core::{BatchSize, Contamination, Error, MetricInput, Pooling, Result, Shift};
use zsad_metrics::AUROC;
use zsad_store::CellNumber;

use super::{Analysis, AnalysisSpec, Cell, Cells, Entry, Labelled, Needs, Output, Registered, Table};
use shown::{Shown, figure, sections};

/// The registry's entry.
pub const DEF: Registered<ShiftDrop> = Registered::new(&SPEC);

static SPEC: AnalysisSpec = AnalysisSpec {
    name: "drop",
    version: 1,
    summary: "what a shift costs: AUROC clean and shifted on the same samples, and false alarms at a threshold fixed on clean batches",
    citation: "Cao, Zhu and Pang, Anomaly Detection Under Distribution Shift, ICCV 2023, for the shifts; the fixed threshold is ours",
};

zsad_core::params! {
    /// Parameters of the analysis.
    pub struct ShiftDrop {
        /// false-positive rate on the clean batches of a domain at which its threshold is fixed
        fpr: f64 = 0.05, in 0.0..=0.5;
        /// the threshold itself, for methods whose scores have one of their own; auto: from the clean batches
        threshold: Option<f64> = None;
        /// these methods alone, by their names in tables; empty: all
        methods: Vec<String> = vec![];
        /// resamples behind the 95 % interval of the drop: of domains, and in them of batches
        resamples: usize = 1000, in 1..=100_000;
    }
}

impl Analysis for ShiftDrop {
    fn needs(&self) -> Needs {
        Needs { shift: true, ..Needs::default() }
    }

    fn run(&self, cells: &Cells) -> Result<Output> {
        let mut groups: BTreeMap<Group, BTreeMap<Option<Shift>, Vec<&Cell>>> = BTreeMap::new();
        let wanted = |cell: &&Cell| self.methods.is_empty() || self.methods.contains(&cell.method);
        for cell in cells.iter().filter(wanted) {
            let (point, dataset, method) = (cell.point(), cell.dataset().to_owned(), cell.method.clone());
            let group = Group { dataset, method, size: point.size, contamination: point.contamination };
            groups.entry(group).or_default().entry(point.shift).or_default().push(cell);
        }
        let mut output = Output { table: Table::new(HEADER), ..Output::default() };
        let mut shown: Vec<Shown> = Vec::new();
        for (group, mut by_shift) in groups {
            let Some(clean) = by_shift.remove(&None) else { continue };
            let mut clean_of = BTreeMap::new();
            for cell in clean {
                clean_of.insert(cell.draw(), cells.batches(cell)?);
            }
            let mut costs = Vec::new();
            for (shift, shifted) in by_shift {
                let mut pairs = Vec::new();
                for cell in shifted {
                    if let Some(clean) = clean_of.get(&cell.draw()) {
                        pairs.extend(paired(clean, cells.batches(cell)?, cell)?);
                    }
                }
                if pairs.is_empty() {
                    continue;
                }
                let domains = self.costs(&pairs);
                for (pair, cost) in pairs.iter().zip(&domains) {
                    output.numbers.extend(cost.numbers(pair));
                }
                output.table.lines.extend(by_domain(&group, shift, &pairs, &domains));
                let all = self.whole(&group, shift, &pairs, &domains);
                output.table.push(group.line(shift, "", &all));
                costs.push((shift, all));
            }
            if !costs.is_empty() {
                shown.push((group, costs));
            }
        }
        if shown.is_empty() {
            return Err(Error::refused("no method has both clean and shifted cells of the same batches"));
        }
        output.remarks = vec![self.legend()];
        output.sections = sections(&shown);
        output.figure = Some(figure(&shown));
        Ok(output)
    }
}

const HEADER: &[&str] = &[
    "dataset",
    "method",
    "batch_size",
    "contamination",
    "shift",
    "domain",
    "n_batches",
    "auroc_clean",
    "auroc_shift",
    "drop",
    "drop_low",
    "drop_high",
    "fpr_clean",
    "fpr_fixed",
    "tpr_clean",
    "tpr_fixed",
];

/// Cells that differ in their shift, seed and fold alone.
#[derive(Debug, Clone, PartialEq)]
struct Group {
    dataset: String,
    size: BatchSize,
    contamination: Contamination,
    method: String,
}

impl Eq for Group {}

impl PartialOrd for Group {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Group {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let key = |g: &Group| (g.dataset.clone(), g.size, g.contamination, g.method.clone());
        key(self).cmp(&key(other))
    }
}

impl Group {
    fn line(&self, shift: Option<Shift>, domain: &str, cost: &Cost) -> Vec<Entry> {
        let (dataset, method) = (self.dataset.as_str(), self.method.as_str());
        let (low, high) = cost.interval.map_or((None, None), |(low, high)| (Some(low), Some(high)));
        let drop = cost.auroc.map(|[clean, shifted]| clean - shifted);
        let share = Entry::Share;
        vec![
            dataset.into(),
            method.into(),
            self.size.to_column().into(),
            Entry::Number(self.contamination.ratio()),
            Shift::to_column(shift).into(),
            domain.into(),
            cost.n.into(),
            share(cost.auroc.map(|a| a[0])),
            share(cost.auroc.map(|a| a[1])),
            share(drop),
            share(low),
            share(high),
            share(Some(cost.fpr[0])),
            share(Some(cost.fpr[1])),
            share(cost.tpr.map(|t| t[0])),
            share(cost.tpr.map(|t| t[1])),
        ]
    }
}

/// The batches of one domain in a clean cell and in the shifted one of the same draw.
struct Pair {
    cell_key: String,
    domain: String,
    pooling: Pooling,
    clean: Vec<Labelled>,
    shifted: Vec<Labelled>,
}

/// What the shift costs in some batches; of pairs, clean first.
#[derive(Debug, Clone, Default, PartialEq)]
struct Cost {
    n: usize,
    auroc: Option<[f64; 2]>,
    /// Drops of the units that are resampled: of batches, or of domains where scores are pooled.
    drops: Vec<f64>,
    interval: Option<(f64, f64)>,
    fpr: [f64; 2],
    tpr: Option<[f64; 2]>,
}

impl Cost {
    fn numbers(&self, pair: &Pair) -> Vec<CellNumber> {
        let number = |metric: &str, value| CellNumber {
            cell_key: pair.cell_key.clone(),
            domain: pair.domain.clone(),
            metric: metric.into(),
            group: String::new(),
            value,
        };
        let drop = self.auroc.map(|[clean, shifted]| clean - shifted);
        vec![number("drop", drop), number("fpr_fixed", Some(self.fpr[1])), number("tpr_fixed", self.tpr.map(|t| t[1]))]
    }
}

/// The domains of two cells that hold the same samples.
fn paired(clean: &[Labelled], shifted: Vec<Labelled>, cell: &Cell) -> Result<Vec<Pair>> {
    let place = |l: &Labelled| (l.batch.domain.clone(), l.batch.number);
    let same = |a: &Labelled, b: &Labelled| a.batch.labels == b.batch.labels && a.samples == b.samples;
    if clean.len() != shifted.len() || !clean.iter().zip(&shifted).all(|(a, b)| place(a) == place(b) && same(a, b)) {
        let what = format!("cell {}: its batches are not those of the clean cell", cell.record.cell_key);
        return Err(Error::failed(what));
    }
    let mut pairs: Vec<Pair> = Vec::new();
    for (clean, shifted) in clean.iter().zip(shifted) {
        let domain = shifted.batch.domain.clone();
        if pairs.last().is_none_or(|last| last.domain != domain) {
            let (cell_key, pooling) = (cell.record.cell_key.clone(), cell.point().pooling);
            pairs.push(Pair { cell_key, domain, pooling, clean: vec![], shifted: vec![] });
        }
        if let Some(last) = pairs.last_mut() {
            last.clean.push(clean.clone());
            last.shifted.push(shifted);
        }
    }
    Ok(pairs)
}

fn auroc(scores: &[f64], labels: &[bool]) -> Option<f64> {
    AUROC.compute(MetricInput::Samples { scores, labels }).value()
}

/// Scores of one label over some batches.
fn of_label(batches: &[Labelled], label: bool) -> Vec<f64> {
    let of = |l: &Labelled| {
        l.batch.items.iter().zip(&l.batch.labels).filter(|(_, l)| **l == label).map(|(s, _)| *s).collect()
    };
    batches.iter().flat_map(|l| -> Vec<f64> { of(l) }).collect()
}

fn share_above(scores: &[f64], threshold: f64) -> f64 {
    scores.iter().filter(|s| **s > threshold).count() as f64 / scores.len().max(1) as f64
}

/// The least of `normals` above which at most a share of `fpr` of them lies.
pub(super) fn threshold(mut normals: Vec<f64>, fpr: f64) -> f64 {
    normals.sort_by(f64::total_cmp);
    let above = (fpr * normals.len() as f64 + 1e-9).floor() as usize;
    normals.len().checked_sub(1 + above).map_or(f64::INFINITY, |i| normals[i])
}

impl ShiftDrop {
    fn costs(&self, pairs: &[Pair]) -> Vec<Cost> {
        pairs.iter().map(|pair| self.cost(pair)).collect()
    }

    /// What it costs in one domain of one cell.
    fn cost(&self, pair: &Pair) -> Cost {
        let both = [&pair.clean, &pair.shifted];
        let units: Vec<[f64; 2]> = match pair.pooling {
            Pooling::Batch => {
                let batch = |l: &Labelled| auroc(&l.batch.items, &l.batch.labels);
                let of = |(a, b): (&Labelled, &Labelled)| Some([batch(a)?, batch(b)?]);
                pair.clean.iter().zip(&pair.shifted).filter_map(of).collect()
            }
            Pooling::Domain => {
                let pooled = |batches: &Vec<Labelled>| {
                    let scores: Vec<f64> = batches.iter().flat_map(|l| l.batch.items.clone()).collect();
                    let labels: Vec<bool> = batches.iter().flat_map(|l| l.batch.labels.clone()).collect();
                    auroc(&scores, &labels)
                };
                both[1..].iter().filter_map(|b| Some([pooled(both[0])?, pooled(b)?])).collect()
            }
        };
        let normals = both.map(|b| of_label(b, false));
        let anomalies = both.map(|b| of_label(b, true));
        let fixed = self.threshold.unwrap_or_else(|| threshold(normals[0].clone(), self.fpr));
        Cost {
            n: pair.clean.len(),
            auroc: mean2(&units),
            drops: units.iter().map(|[a, b]| a - b).collect(),
            interval: None,
            fpr: [share_above(&normals[0], fixed), share_above(&normals[1], fixed)],
            tpr: (!anomalies[0].is_empty())
                .then(|| [share_above(&anomalies[0], fixed), share_above(&anomalies[1], fixed)]),
        }
    }

    /// The mean over domains and cells, with the interval of its drop.
    fn whole(&self, group: &Group, shift: Option<Shift>, pairs: &[Pair], costs: &[Cost]) -> Cost {
        let mean = |f: &dyn Fn(&Cost) -> Option<[f64; 2]>| mean2(&costs.iter().filter_map(f).collect::<Vec<_>>());
        Cost {
            n: costs.iter().map(|c| c.n).sum(),
            auroc: mean(&|c| c.auroc),
            drops: Vec::new(),
            interval: self.bootstrap(group, shift, pairs, costs),
            fpr: mean(&|c| Some(c.fpr)).unwrap_or_default(),
            tpr: mean(&|c| c.tpr),
        }
    }

    /// The 95 % interval of the mean drop: domains are drawn with replacement, and of each its batches.
    fn bootstrap(&self, group: &Group, shift: Option<Shift>, pairs: &[Pair], costs: &[Cost]) -> Option<(f64, f64)> {
        let mut domains: BTreeMap<&str, Vec<&[f64]>> = BTreeMap::new();
        for (pair, cost) in pairs.iter().zip(costs).filter(|(_, c)| !c.drops.is_empty()) {
            domains.entry(&pair.domain).or_default().push(&cost.drops);
        }
        let domains: Vec<Vec<&[f64]>> = domains.into_values().collect();
        if domains.iter().flatten().map(|d| d.len()).sum::<usize>() < 2 {
            return None;
        }
        let shift = Shift::to_column(shift);
        let axes = [
            ("purpose", "drop"),
            ("dataset", group.dataset.as_str()),
            ("method", &group.method),
            ("size", &group.size.to_column()),
            ("contamination", &group.contamination.to_string()),
            ("shift", &shift),
        ];
        let mut rng = stream(0, &axes);
        let mut means: Vec<f64> = (0..self.resamples)
            .map(|_| {
                let domain = |rng: &mut zsad_core::rng::Rng| {
                    let cells = &domains[rng.random_range(0..domains.len())];
                    let cell = |drops: &&[f64]| {
                        let n = drops.len();
                        (0..n).map(|_| drops[rng.random_range(0..n)]).sum::<f64>() / n as f64
                    };
                    cells.iter().map(cell).sum::<f64>() / cells.len() as f64
                };
                (0..domains.len()).map(|_| domain(&mut rng)).sum::<f64>() / domains.len() as f64
            })
            .collect();
        means.sort_by(f64::total_cmp);
        let at = |q: f64| means[((means.len() - 1) as f64 * q).round() as usize];
        Some((at(0.025), at(0.975)))
    }

    fn legend(&self) -> String {
        let fixed = match self.threshold {
            Some(threshold) => format!("above the score {threshold}"),
            None => format!(
                "above the score that {:.0} % of a domain's clean normals exceed: the threshold that a person would have set",
                self.fpr * 100.0
            ),
        };
        format!(
            "All numbers in per cent, means over domains and seeds; shifted and clean batches hold the same samples. drop: clean \
             less shifted AUROC in points, with its 95 % interval (domains and their batches resampled). fpr, tpr: the share of \
             normals and of anomalies {fixed}. A ranking hides what a fixed threshold shows: where everything moves alike, AUROC \
             stays and every normal alarms."
        )
    }
}

fn mean2(all: &[[f64; 2]]) -> Option<[f64; 2]> {
    let n = all.len() as f64;
    (!all.is_empty()).then(|| [0, 1].map(|i| all.iter().map(|v| v[i]).sum::<f64>() / n))
}

/// A line a domain, over all seeds.
fn by_domain(group: &Group, shift: Option<Shift>, pairs: &[Pair], costs: &[Cost]) -> Vec<Vec<Entry>> {
    let mut domains: BTreeMap<&str, Vec<&Cost>> = BTreeMap::new();
    pairs.iter().zip(costs).for_each(|(pair, cost)| domains.entry(&pair.domain).or_default().push(cost));
    let line = |(domain, costs): (&str, Vec<&Cost>)| {
        let mean =
            |f: &dyn Fn(&Cost) -> Option<[f64; 2]>| mean2(&costs.iter().filter_map(|c| f(c)).collect::<Vec<_>>());
        let cost = Cost {
            n: costs.iter().map(|c| c.n).sum(),
            auroc: mean(&|c| c.auroc),
            fpr: mean(&|c| Some(c.fpr)).unwrap_or_default(),
            tpr: mean(&|c| c.tpr),
            ..Cost::default()
        };
        group.line(shift, domain, &cost)
    };
    domains.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_threshold_lets_at_most_its_share_of_clean_normals_through() {
        let normals: Vec<f64> = (0..100).map(f64::from).collect();
        let t = threshold(normals.clone(), 0.05);
        assert_eq!((t, share_above(&normals, t)), (94.0, 0.05));
        // Ties: never more than the share.
        let tied = [vec![1.0; 90], vec![2.0; 10]].concat();
        assert_eq!(share_above(&tied, threshold(tied.clone(), 0.05)), 0.0);
        assert_eq!(share_above(&tied, threshold(tied.clone(), 0.10)), 0.10);
        assert_eq!(threshold(vec![], 0.05), f64::INFINITY);
    }

    fn labelled(scores: &[f64], labels: &[bool]) -> Labelled {
        let batch =
            zsad_core::LabelledBatch { domain: "d".into(), number: 0, items: scores.to_vec(), labels: labels.to_vec() };
        Labelled { samples: vec![String::new(); scores.len()], tags: zsad_core::Tags::none(scores.len()), batch }
    }

    #[test]
    fn a_score_that_moves_for_all_keeps_its_auroc_and_alarms_on_everything() {
        let labels: Vec<bool> = (0..21).map(|i| i == 20).collect();
        let clean: Vec<f64> = (0..21).map(f64::from).collect();
        let shifted: Vec<f64> = clean.iter().map(|s| s + 100.0).collect();
        let pair = Pair {
            cell_key: "k".into(),
            domain: "d".into(),
            pooling: Pooling::Batch,
            clean: vec![labelled(&clean, &labels)],
            shifted: vec![labelled(&shifted, &labels)],
        };
        let cost = ShiftDrop::default().cost(&pair);
        assert_eq!((cost.auroc, cost.fpr, cost.tpr), (Some([1.0, 1.0]), [0.05, 1.0], Some([1.0, 1.0])));
        let own = ShiftDrop { threshold: Some(110.0), ..ShiftDrop::default() }.cost(&pair);
        assert_eq!((own.fpr, own.tpr), ([0.0, 0.45], Some([0.0, 1.0])));
    }
}
