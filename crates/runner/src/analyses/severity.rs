//! Whether scores grow with the severity of an anomaly.

use zsad_core::{Error, MetricValue, Result};
use zsad_metrics::graded::{auroc_levels, c_index, kendall_tau};

use super::found::{Found, Unit, units};
use super::{Analysis, AnalysisSpec, Cells, Needs, Output, Registered};

/// The registry's entry.
pub const DEF: Registered<Severity> = Registered::new(&SPEC);

static SPEC: AnalysisSpec = AnalysisSpec {
    name: "severity",
    version: 1,
    summary: "whether scores grow with the severity of an anomaly: C-index, Kendall's tau-b, AUROC of each level",
    citation: "Cao et al., MAD-Bench: anomaly detection at multiple levels of severity, 2024",
};

zsad_core::params! {
    /// Parameters of the analysis.
    pub struct Severity {
        /// the tag that says how severe an anomaly is, a number rounded up to whole levels; normals are of level 0,
        /// whatever their tag says, and anomalies without it are left out
        tag: String = "severity".into();
    }
}

const METRICS: [&str; 3] = ["c_index", "kendall_tau", "auroc_level"];

impl Analysis for Severity {
    fn needs(&self) -> Needs {
        Needs { tags: vec![self.tag.clone()], ..Needs::default() }
    }

    fn run(&self, cells: &Cells) -> Result<Output> {
        let mut found = Found::new(&METRICS);
        for cell in cells.iter() {
            for (domain, units) in units(cells.batches(cell)?, cell.point().pooling) {
                let graded: Vec<(Vec<f64>, Vec<f64>)> = units.iter().filter_map(|unit| self.graded(unit)).collect();
                // A domain without such a tag says nothing.
                if graded.is_empty() {
                    continue;
                }
                let each = |f: fn(&[f64], &[f64]) -> MetricValue| -> Vec<f64> {
                    graded.iter().filter_map(|(severity, scores)| f(severity, scores).value()).collect()
                };
                found.add(cell, &domain, METRICS[0], "", &each(c_index));
                found.add(cell, &domain, METRICS[1], "", &each(kendall_tau));
                let mut levels: Vec<(f64, f64)> = Vec::new();
                for (severity, scores) in &graded {
                    levels
                        .extend(auroc_levels(severity, scores).into_iter().filter_map(|(l, v)| Some((l, v.value()?))));
                }
                levels.sort_by(|a, b| a.0.total_cmp(&b.0));
                for of_level in levels.chunk_by(|a, b| a.0 == b.0) {
                    let values: Vec<f64> = of_level.iter().map(|l| l.1).collect();
                    found.add(cell, &domain, METRICS[2], &of_level[0].0.to_string(), &values);
                }
            }
        }
        if found.is_empty() {
            let why = format!("no batch has anomalies of more than one level of `{}`", self.tag);
            return Err(Error::refused(format!("{why}; hint: larger batches, or pooling: domain")));
        }
        let remark = format!(
            "Means over domains and seeds. c_index: of all pairs of different `{}` the share whose score grows with it, ties one \
             half (½ is chance); kendall_tau: tau-b, −1 … 1; auroc_level L: anomalies of level L against normals.",
            self.tag
        );
        let (table, sections) = (found.table(), found.sections());
        Ok(Output { table, remarks: vec![remark], sections, numbers: found.numbers, ..Output::default() })
    }
}

impl Severity {
    /// Levels and scores of the samples that have a level; `None` where no anomaly has.
    fn graded(&self, unit: &Unit) -> Option<(Vec<f64>, Vec<f64>)> {
        let tag = unit.tags.get(&self.tag)?;
        let (mut severity, mut scores) = (Vec::new(), Vec::new());
        for (i, (score, anomalous)) in unit.scores.iter().zip(&unit.labels).enumerate() {
            let level = match (anomalous, tag.number(i)) {
                (false, _) => 0.0,
                (true, Some(level)) => level.ceil(),
                (true, None) => continue,
            };
            severity.push(level);
            scores.push(*score);
        }
        severity.iter().any(|s| *s > 0.0).then_some((severity, scores))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zsad_core::Tags;

    #[test]
    fn levels_are_rounded_up_and_anomalies_without_one_left_out() {
        let tags = Tags::none(4).numbers("severity", [Some(3.0), Some(0.4), None, Some(2.0)]);
        let unit = Unit { scores: vec![0.1, 0.2, 0.3, 0.4], labels: vec![false, true, true, true], tags };
        let graded = Severity::default().graded(&unit).unwrap();
        assert_eq!(graded, (vec![0.0, 1.0, 2.0], vec![0.1, 0.2, 0.4]));
        let none = Unit { tags: Tags::none(4), ..unit };
        assert_eq!(Severity::default().graded(&none), None);
    }
}
