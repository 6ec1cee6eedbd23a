//! The groups behind a mean: where a method fails, and which harmless attribute it takes for an anomaly.

use std::collections::{BTreeMap, BTreeSet};

use zsad_core::{Error, MetricValue, Result, TagValues};
use zsad_metrics::grouped::Grouped;

use super::found::{Found, Unit, units};
use super::{Analysis, AnalysisSpec, Cells, Needs, Output, Registered};

/// The registry's entry.
pub const DEF: Registered<Slices> = Registered::new(&SPEC);

static SPEC: AnalysisSpec = AnalysisSpec {
    name: "slices",
    version: 1,
    summary: "AUROC by the groups of a tag, the worst of them, and whether an attribute of normals passes for an anomaly",
    citation: "worst-group evaluation as surveyed for spurious correlations; nuisance AUROC: ours",
};

zsad_core::params! {
    /// Parameters of the analysis.
    pub struct Slices {
        /// the tag by whose values samples are grouped
        tag: String = "shifted".into();
        /// groups of equal size that numbers are cut into where they have more than ten values
        bins: usize = 3, in 2..=10;
        /// normals and anomalies that a group needs in a domain to be counted among the worst
        least: usize = 5, in 1..;
    }
}

const METRICS: [&str; 4] = ["auroc_worst", "auroc_within", "auroc_normals", "nuisance_auroc"];

/// More values than these are cut into bins.
const FEW: usize = 10;

impl Analysis for Slices {
    fn needs(&self) -> Needs {
        Needs { tags: vec![self.tag.clone()], ..Needs::default() }
    }

    fn run(&self, cells: &Cells) -> Result<Output> {
        let mut found = Found::new(&METRICS);
        for cell in cells.iter() {
            let domains = units(cells.batches(cell)?, cell.point().pooling);
            let Some(cut) = self.cut(domains.iter().flat_map(|(_, units)| units)) else { continue };
            let all_groups =
                domains.iter().flat_map(|(_, units)| units).flat_map(|unit| self.groups(unit, &cut)).flatten();
            // Where all are of one group there is nothing to compare.
            if all_groups.collect::<BTreeSet<String>>().len() < 2 {
                continue;
            }
            for (domain, units) in domains {
                let grouped: Vec<Vec<Option<String>>> = units.iter().map(|unit| self.groups(unit, &cut)).collect();
                let all: Vec<Grouped> = units
                    .iter()
                    .zip(&grouped)
                    .map(|(unit, groups)| Grouped { scores: &unit.scores, labels: &unit.labels, groups })
                    .collect();
                let groups: BTreeSet<&str> = grouped.iter().flatten().flatten().map(String::as_str).collect();
                let mut sizes: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
                for (group, (normal, anomalous)) in all.iter().flat_map(Grouped::sizes) {
                    let size = sizes.entry(group).or_default();
                    *size = (size.0 + normal, size.1 + anomalous);
                }
                let each = |f: &dyn Fn(&Grouped) -> MetricValue| -> Vec<f64> {
                    all.iter().filter_map(|g| f(g).value()).collect()
                };
                let mut worst: Option<f64> = None;
                for group in groups {
                    let within = each(&|g| g.within(group));
                    let (normal, anomalous) = sizes[group];
                    if normal.min(anomalous) >= self.least && !within.is_empty() {
                        let mean = within.iter().sum::<f64>() / within.len() as f64;
                        worst = Some(worst.map_or(mean, |w| w.min(mean)));
                    }
                    found.add(cell, &domain, METRICS[1], group, &within);
                    found.add(cell, &domain, METRICS[2], group, &each(&|g| g.normals(group)));
                    found.add(cell, &domain, METRICS[3], group, &each(&|g| g.nuisance(group)));
                }
                found.add(cell, &domain, METRICS[0], "", worst.as_slice());
            }
        }
        if found.is_empty() {
            return Err(Error::refused(format!("no batch has samples of two groups of `{}`", self.tag)));
        }
        let remark = format!(
            "Groups by `{}`; means over domains and seeds. auroc_within G: normals and anomalies of G; auroc_normals G: normals of G \
             against all anomalies; auroc_worst: the least auroc_within of a domain's groups with {} of either at least; \
             nuisance_auroc G: the chance that a normal of G scores above a normal of another group. ½ is as it should be: \
             what lies far from it is a harmless difference that passes for an anomaly.",
            self.tag, self.least
        );
        let (table, sections) = (found.table(), found.sections());
        Ok(Output { table, remarks: vec![remark], sections, numbers: found.numbers, ..Output::default() })
    }
}

/// How values become groups.
enum Cut {
    /// By themselves.
    Values,
    /// By the upper ends of all groups but the last.
    Ends(Vec<f64>),
}

impl Slices {
    /// How the values of a cell are grouped; `None` where no sample has the tag.
    fn cut<'u>(&self, units: impl Iterator<Item = &'u Unit>) -> Option<Cut> {
        let mut numbers = Vec::new();
        let mut any = false;
        for unit in units {
            match unit.tags.get(&self.tag) {
                Some(TagValues::Numbers(values)) => numbers.extend(values.iter().flatten()),
                Some(TagValues::Words(values)) => any |= values.iter().any(Option::is_some),
                None => {}
            }
        }
        numbers.sort_by(f64::total_cmp);
        let mut distinct: Vec<f64> = numbers.clone();
        distinct.dedup();
        if numbers.is_empty() {
            return any.then_some(Cut::Values);
        }
        if distinct.len() <= FEW {
            return Some(Cut::Values);
        }
        let mut ends: Vec<f64> = (1..self.bins).map(|i| numbers[i * numbers.len() / self.bins - 1]).collect();
        ends.dedup();
        Some(Cut::Ends(ends))
    }

    /// The group of each sample.
    fn groups(&self, unit: &Unit, cut: &Cut) -> Vec<Option<String>> {
        let Some(values) = unit.tags.get(&self.tag) else { return vec![None; unit.scores.len()] };
        let group = |i: usize| match cut {
            Cut::Values => values.word(i),
            Cut::Ends(ends) => {
                let value = values.number(i)?;
                let at = ends.iter().position(|end| value <= *end);
                Some(match (at, at.and_then(|i| i.checked_sub(1))) {
                    (Some(i), None) => format!("≤ {}", ends[i]),
                    (Some(i), Some(before)) => format!("{} … {}", ends[before], ends[i]),
                    (None, _) => format!("> {}", ends[ends.len() - 1]),
                })
            }
        };
        (0..unit.scores.len()).map(group).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zsad_core::Tags;

    #[test]
    fn many_numbers_are_cut_into_groups_of_equal_size() {
        let values = (1..=30).map(|v| Some(f64::from(v)));
        let unit = Unit { scores: vec![0.0; 30], labels: vec![false; 30], tags: Tags::none(30).numbers("ppm", values) };
        let slices = Slices { tag: "ppm".into(), ..Slices::default() };
        let cut = slices.cut(std::iter::once(&unit)).unwrap();
        let groups = slices.groups(&unit, &cut);
        let count = |name: &str| groups.iter().filter(|g| g.as_deref() == Some(name)).count();
        assert_eq!([count("≤ 10"), count("10 … 20"), count("> 20")], [10, 10, 10]);
        let few = Unit { tags: Tags::none(30).numbers("ppm", (0..30).map(|i| Some(f64::from(i % 4)))), ..unit };
        let cut = slices.cut(std::iter::once(&few)).unwrap();
        assert_eq!(slices.groups(&few, &cut)[5].as_deref(), Some("1"));
    }
}
