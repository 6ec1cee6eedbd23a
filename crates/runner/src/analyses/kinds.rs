//! Whether anomalies fall apart into their kinds: a baseline that knows how many there are.

use std::collections::{BTreeMap, BTreeSet};

use zsad_core::{Error, Result, SampleRef};
use zsad_metrics::clusters::{agreement, ward};
use zsad_store::CellNumber;

use super::found::Point;
use super::{Analysis, AnalysisSpec, Cells, Entry, Needs, Output, Registered, Section, Table};
use crate::redrawn::{Redrawn, redrawn};

/// The registry's entry.
pub const DEF: Registered<Kinds> = Registered::new(&SPEC);

static SPEC: AnalysisSpec = AnalysisSpec {
    name: "kinds",
    version: 1,
    summary: "whether anomalies fall apart into kinds: Ward's clusters of their values against a tag, by NMI, adjusted Rand index and \
              matched F1; opens the data again",
    citation: "metrics as in Huang et al., AnomalyNCD: Towards Novel Anomaly Class Discovery in Industrial Scenarios, CVPR 2025; \
               the clustering is a baseline of ours",
};

zsad_core::params! {
    /// Parameters of the analysis.
    pub struct Kinds {
        /// the tag that names the kinds; there are as many clusters as kinds
        tag: String = "defect".into();
        /// normals are one kind more
        normals: bool = false;
        /// samples of a domain that are clustered at most, those of the first batches
        most: usize = 2000, in 4..=5000;
    }
}

/// What normals are called among the kinds.
const NORMAL: &str = "normal";

impl Analysis for Kinds {
    fn needs(&self) -> Needs {
        Needs { tags: vec![self.tag.clone()], ..Needs::default() }
    }

    fn run(&self, cells: &Cells) -> Result<Output> {
        let mut table = Table::new(&[
            "dataset",
            "batch_size",
            "contamination",
            "shift",
            "domain",
            "kinds",
            "samples",
            "nmi",
            "ari",
            "matched_f1",
        ]);
        let mut numbers = Vec::new();
        let mut seen = BTreeSet::new();
        for cell in cells.iter() {
            // Batches are the same for all methods.
            if !seen.insert((cell.draw(), cell.point().shift)) {
                continue;
            }
            let (record, env) = (&cell.record, cells.bench.env);
            let dataset = cells.bench.library.get(&record.cell.fit.data.name, &record.asked.dataset_params)?;
            let scored = cells.batches(cell)?;
            for of_domain in scored.chunk_by(|a, b| a.batch.domain == b.batch.domain) {
                let mut kinds: BTreeMap<SampleRef, String> = BTreeMap::new();
                let mut view = None;
                for of in of_domain {
                    let Some(values) = of.tags.get(&self.tag) else { continue };
                    let redrawn: Redrawn = redrawn(&dataset, record, &of.batch, env)?;
                    for (i, (sample, anomalous)) in redrawn.samples.iter().zip(&of.batch.labels).enumerate() {
                        let kind = match (anomalous, self.normals) {
                            (true, _) => values.word(i),
                            (false, true) => Some(NORMAL.to_owned()),
                            (false, false) => None,
                        };
                        if kinds.len() < self.most {
                            kinds.extend(kind.map(|kind| (*sample, kind)));
                        }
                    }
                    view = Some(redrawn.view);
                }
                let distinct: BTreeSet<&String> = kinds.values().collect();
                let (Some(view), true) = (view, distinct.len() > 1) else { continue };
                let samples: Vec<SampleRef> = kinds.keys().copied().collect();
                let names: Vec<&String> = kinds.values().collect();
                let values = view.gather(&samples)?;
                let d = values.dim();
                let clusters = ward(&standardised(&values.to_f64(), d), d, distinct.len());
                let Some(found) = agreement(&names, &clusters) else { continue };
                let domain = &of_domain[0].batch.domain;
                let mut line = Point::of(cell).entries("");
                line.remove(1);
                line.extend([domain.as_str().into(), distinct.len().into(), samples.len().into()]);
                line.extend([found.nmi, found.ari, found.matched_f1].map(|v| Entry::Number(Some(v))));
                table.push(line);
                for (metric, value) in [("nmi", found.nmi), ("ari", found.ari), ("matched_f1", found.matched_f1)] {
                    numbers.push(CellNumber {
                        cell_key: record.cell_key.clone(),
                        domain: domain.clone(),
                        metric: metric.into(),
                        group: String::new(),
                        value: Some(value),
                    });
                }
            }
        }
        if table.lines.is_empty() {
            return Err(Error::refused(format!("no domain's anomalies are of two kinds of `{}`", self.tag)));
        }
        let remark = format!(
            "The distinct anomalies of a domain's batches in as many clusters as there are kinds of `{}` (Ward's linkage on \
             standardised values). nmi: normalised mutual information; ari: 0 for chance; matched_f1: the share of samples in the \
             cluster that is matched to their kind. A baseline: it is told how many kinds there are.",
            self.tag
        );
        let sections = vec![Section { caption: "Clusters and kinds".into(), table: table.clone() }];
        Ok(Output { table, remarks: vec![remark], sections, numbers, ..Output::default() })
    }
}

/// Every column less its mean, over its deviation; columns that never change are 0.
fn standardised(values: &[f64], d: usize) -> Vec<f64> {
    let n = (values.len() / d) as f64;
    let column = |k: usize| values.iter().skip(k).step_by(d);
    let moments: Vec<(f64, f64)> = (0..d)
        .map(|k| {
            let mean = column(k).sum::<f64>() / n;
            (mean, (column(k).map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt())
        })
        .collect();
    let scale = |(i, v): (usize, &f64)| {
        let (mean, deviation) = moments[i % d];
        if deviation > 0.0 { (v - mean) / deviation } else { 0.0 }
    };
    values.iter().enumerate().map(scale).collect()
}
