//! How much a shift costs: in ranking, and in false alarms at a threshold that was fixed on clean batches.

mod cost;
mod shown;

use std::collections::BTreeMap;

use rand::RngExt;
use zsad_core::rng::stream;
use zsad_core::{Error, Result, Shift};

use super::found::Point;
use super::{Analysis, AnalysisSpec, Cell, Cells, Entry, Needs, Output, Registered, Table};
use cost::{Cost, Pair, mean2, paired};
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
            let group = Group { point: Point { shift: None, ..Point::of(cell) }, method: cell.method.clone() };
            groups.entry(group).or_default().entry(cell.point().shift).or_default().push(cell);
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
                let domains: Vec<Cost> = pairs.iter().map(|pair| self.cost(pair)).collect();
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

/// A method at a point, its shift left out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    point: Point,
    method: String,
}

impl Group {
    fn line(&self, shift: Option<Shift>, domain: &str, cost: &Cost) -> Vec<Entry> {
        let (low, high) = cost.interval.map_or((None, None), |(low, high)| (Some(low), Some(high)));
        let drop = cost.auroc.map(|[clean, shifted]| clean - shifted);
        let share = Entry::Share;
        let mut line = Point { shift, ..self.point.clone() }.entries(&self.method);
        line.extend([
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
        ]);
        line
    }
}

impl ShiftDrop {
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
            ("dataset", group.point.dataset.as_str()),
            ("method", &group.method),
            ("size", &group.point.size.to_column()),
            ("contamination", &group.point.contamination.to_string()),
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
