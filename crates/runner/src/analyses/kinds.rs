//! Whether anomalies fall apart into their kinds: a baseline that knows how many there are.

use std::collections::{BTreeMap, BTreeSet};

use zsad_core::{Batch, Error, Result, SampleRef, Unlabelled};
use zsad_metrics::clusters::{agreement, ward};
use zsad_models::families::features::weighted;
use zsad_store::CellNumber;

use super::found::Point;
use super::{Analysis, AnalysisSpec, Cell, Cells, Entry, Labelled, Needs, Output, Registered, Section, Table};
use crate::redrawn::{Redrawn, redrawn};

/// The registry's entry.
pub const DEF: Registered<Kinds> = Registered::new(&SPEC);

static SPEC: AnalysisSpec = AnalysisSpec {
    name: "kinds",
    version: 1,
    summary: "whether anomalies fall apart into kinds: Ward's clusters of their values, or of features where maps are high, against a tag, by NMI, adjusted Rand index and \
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
        /// values: the samples' own values; maps: features of a frozen network where the method's anomaly map is high, for each
        /// method that makes maps
        of: Of = Of::Values;
        /// with of: maps, how sharply weights follow the map: the standard deviations of a map by which its value must grow for
        /// the weight to grow e times
        temperature: f64 = 0.5, in 0.01..=100.0;
        /// samples of a domain that are clustered at most, those of the first batches
        most: usize = 2000, in 4..=5000;
    }
}

zsad_core::choices! {
    /// What of a sample is clustered.
    pub enum Of {
        /// Its values, as they are.
        Values = "values",
        /// A frozen network's features, where the method's anomaly map is high.
        Maps = "maps",
    }
}

/// What normals are called among the kinds.
const NORMAL: &str = "normal";

const HEADER: [&str; 11] = [
    "dataset",
    "method",
    "batch_size",
    "contamination",
    "shift",
    "domain",
    "kinds",
    "samples",
    "nmi",
    "ari",
    "matched_f1",
];

impl Analysis for Kinds {
    fn needs(&self) -> Needs {
        Needs { tags: vec![self.tag.clone()], ..Needs::default() }
    }

    fn run(&self, cells: &Cells) -> Result<Output> {
        let mut table = Table::new(&HEADER);
        let mut numbers = Vec::new();
        let mut seen = BTreeSet::new();
        for cell in cells.iter() {
            // Batches are the same for all methods, and so are their values.
            if self.of == Of::Values && !seen.insert((cell.draw(), cell.point().shift)) {
                continue;
            }
            let domains = match self.of {
                Of::Values => self.of_values(cell, cells)?,
                Of::Maps => self.of_maps(cell, cells)?,
            };
            for (domain, samples) in domains {
                let distinct: BTreeSet<&String> = samples.values().map(|(kind, _)| kind).collect();
                let Some(d) = samples.values().next().map(|(_, v)| v.len()).filter(|_| distinct.len() > 1) else {
                    continue;
                };
                let values: Vec<f64> = samples.values().flat_map(|(_, v)| v).copied().collect();
                let names: Vec<&String> = samples.values().map(|(kind, _)| kind).collect();
                let clusters = ward(&standardised(&values, d), d, distinct.len());
                let Some(found) = agreement(&names, &clusters) else { continue };
                let mut line = Point::of(cell).entries(if self.of == Of::Maps { &cell.method } else { "" });
                line.extend([domain.as_str().into(), distinct.len().into(), samples.len().into()]);
                line.extend([found.nmi, found.ari, found.matched_f1].map(|v| Entry::Number(Some(v))));
                table.push(line);
                for (metric, value) in [("nmi", found.nmi), ("ari", found.ari), ("matched_f1", found.matched_f1)] {
                    numbers.push(CellNumber {
                        cell_key: cell.record.cell_key.clone(),
                        domain: domain.clone(),
                        metric: metric.into(),
                        group: String::new(),
                        value: Some(value),
                    });
                }
            }
        }
        if table.lines.is_empty() {
            let maps = if self.of == Of::Maps { ", or no method makes maps" } else { "" };
            return Err(Error::refused(format!("no domain's anomalies are of two kinds of `{}`{maps}", self.tag)));
        }
        let of = match self.of {
            Of::Values => "standardised values",
            Of::Maps => {
                "EfficientNet-Lite0's features, averaged with weights that grow with the method's anomaly map, standardised"
            }
        };
        let remark = format!(
            "The distinct anomalies of a domain's batches in as many clusters as there are kinds of `{}` (Ward's linkage on {of}). nmi: \
             normalised mutual information; ari: 0 for chance; matched_f1: the share of samples in the cluster that is matched to \
             their kind. A baseline: it is told how many kinds there are.",
            self.tag
        );
        let sections = vec![Section { caption: "Clusters and kinds".into(), table: table.clone() }];
        Ok(Output { table, remarks: vec![remark], sections, numbers, ..Output::default() })
    }
}

/// The samples of a domain that are clustered: what kind each is, and what of it is compared.
type Samples = BTreeMap<SampleRef, (String, Vec<f64>)>;

impl Kinds {
    /// The kind of sample `i` of a batch, where it has one that counts.
    fn kind(&self, of: &Labelled, i: usize) -> Option<String> {
        match (of.batch.labels[i], self.normals) {
            (true, _) => of.tags.get(&self.tag)?.word(i),
            (false, true) => Some(NORMAL.to_owned()),
            (false, false) => None,
        }
    }

    fn of_values(&self, cell: &Cell, cells: &Cells) -> Result<Vec<(String, Samples)>> {
        let (record, env) = (&cell.record, cells.bench.env);
        let dataset = cells.bench.library.get(&record.cell.fit.data.name, &record.asked.dataset_params)?;
        let mut all = Vec::new();
        for of_domain in cells.batches(cell)?.chunk_by(|a, b| a.batch.domain == b.batch.domain) {
            let mut kinds: BTreeMap<SampleRef, String> = BTreeMap::new();
            let mut view = None;
            for of in of_domain {
                let redrawn: Redrawn = redrawn(&dataset, record, &of.batch, env)?;
                let room = self.most.saturating_sub(kinds.len());
                let known = redrawn.samples.iter().enumerate().filter_map(|(i, s)| Some((*s, self.kind(of, i)?)));
                kinds.extend(known.take(room));
                view = Some(redrawn.view);
            }
            let Some(view) = view.filter(|_| !kinds.is_empty()) else { continue };
            let values = view.gather(&kinds.keys().copied().collect::<Vec<_>>())?;
            let (d, values) = (values.dim(), values.to_f64());
            let rows = values.chunks_exact(d).map(<[f64]>::to_vec);
            let samples = kinds.into_iter().zip(rows).map(|((sample, kind), row)| (sample, (kind, row))).collect();
            all.push((of_domain[0].batch.domain.clone(), samples));
        }
        Ok(all)
    }

    /// The batches are scored again, for maps are not kept.
    fn of_maps(&self, cell: &Cell, cells: &Cells) -> Result<Vec<(String, Samples)>> {
        let stored = cells.batches(cell)?;
        let mut at = 0;
        let mut all: Vec<(String, Samples)> = Vec::new();
        cells.score_again(cell, |_, seen| {
            let of = &stored[at];
            at += 1;
            let Some(maps) = &seen.scores.maps else { return Ok(()) };
            if of.batch.labels != seen.batch.labels || of.batch.domain != seen.batch.domain {
                return Err(Error::failed("another batch than the one that was scored"));
            }
            if all.last().is_none_or(|(domain, _)| *domain != of.batch.domain) {
                all.push((of.batch.domain.clone(), Samples::new()));
            }
            let source = Unlabelled::new(seen.dataset);
            let (values, d) = weighted(&Batch::new(&source, seen.items, cells.bench.env), maps, self.temperature)?;
            let Some((_, samples)) = all.last_mut() else { return Ok(()) };
            let room = self.most.saturating_sub(samples.len());
            let rows = values.chunks_exact(d.max(1)).map(<[f64]>::to_vec).enumerate();
            let known = rows.filter_map(|(i, row)| Some((seen.items[i], (self.kind(of, i)?, row))));
            samples.extend(known.take(room));
            Ok(())
        })?;
        Ok(all)
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
