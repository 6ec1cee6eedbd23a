//! What a second method's scores of the same batches add to those of a first.

use std::collections::{BTreeMap, BTreeSet};

use zsad_core::{Error, MetricInput, Result, Supervision};
use zsad_metrics::AUROC;
use zsad_metrics::stats::{crossed, rank_shares, z_scores};

use super::found::{Point, Unit, units};
use super::{Analysis, AnalysisSpec, Cell, Cells, Entry, Output, Registered, Section, Table};

/// The registry's entry.
pub const DEF: Registered<Evidence> = Registered::new(&SPEC);

static SPEC: AnalysisSpec = AnalysisSpec {
    name: "evidence",
    version: 1,
    summary: "what the scores of a batch by one method add to those of another: a + e/β of every pair, beside each alone",
    citation: "EPHAD: post-hoc evidence for detectors trained on contaminated data, NeurIPS 2025 (arXiv 2510.21296), \
               equation 8; the scaling is ours",
};

zsad_core::choices! {
    /// How scores of two methods are made comparable.
    pub enum Scale {
        /// Ranks in the batch, equals sharing theirs, divided by its size.
        Rank = "rank",
        /// Scores less their mean, divided by their standard deviation over the batch.
        Standardised = "standardised",
        /// As they are.
        None = "none",
    }
}

zsad_core::params! {
    /// Parameters of the analysis.
    pub struct Evidence {
        /// methods whose scores are added to, by their names in tables; empty: all that were trained elsewhere (zero_shot)
        prior: Vec<String> = vec![];
        /// methods whose scores are added; empty: all that see the batch alone (in_batch)
        evidence: Vec<String> = vec![];
        /// temperature of the evidence: at 0.5 it counts twice as much as the prior, as published
        beta: f64 = 0.5, in 0.001..;
        /// rank: ranks in the batch; standardised: less their mean, in standard deviations; none: as they are, as published
        scale: Scale = Scale::Rank;
    }
}

impl Scale {
    fn of(self, scores: &[f64]) -> Vec<f64> {
        match self {
            Scale::Rank => rank_shares(scores),
            Scale::Standardised => z_scores(scores),
            Scale::None => scores.to_vec(),
        }
    }
}

/// The domains of a cell, each with its units.
type Domains = Vec<OfDomain>;

/// A domain with its units.
type OfDomain = (String, Vec<Unit>);

/// What is known of a pair at a point: AUROC of the prior, of the evidence and of both, by seed and domain.
type Measured = BTreeMap<(u64, String), [f64; 3]>;

impl Analysis for Evidence {
    fn run(&self, cells: &Cells) -> Result<Output> {
        // Cells of one draw hold the same batches.
        let mut draws: BTreeMap<(Point, String), Vec<&Cell>> = BTreeMap::new();
        for cell in cells.iter() {
            draws.entry((Point::of(cell), cell.draw())).or_default().push(cell);
        }
        let mut found: BTreeMap<(Point, String, String), Measured> = BTreeMap::new();
        for ((point, _), group) in draws {
            let priors: Vec<&Cell> = group.iter().copied().filter(|c| self.is_prior(c)).collect();
            let evidence: Vec<&Cell> = group.iter().copied().filter(|c| self.is_evidence(c)).collect();
            if priors.is_empty() || evidence.is_empty() {
                continue;
            }
            let read = |cell: &Cell| Ok(units(cells.batches(cell)?, cell.point().pooling));
            let seen: Vec<Domains> = evidence.iter().map(|cell| read(cell)).collect::<Result<_>>()?;
            for prior in priors {
                let alone = read(prior)?;
                for (cell, seen) in evidence.iter().zip(&seen).filter(|(cell, _)| cell.method != prior.method) {
                    let pair = (point.clone(), prior.method.clone(), cell.method.clone());
                    let measured = found.entry(pair).or_default();
                    for (domain, aurocs) in self.measure(&alone, seen) {
                        measured.insert((prior.seed(), domain), aurocs);
                    }
                }
            }
        }
        found.retain(|_, measured| !measured.is_empty());
        if found.is_empty() {
            let why = "no batch was scored both by a method for `prior` and by one for `evidence`";
            return Err(Error::refused(format!("{why}; hint: name them as the table does")));
        }
        let mut output = Output { table: Table::new(HEADER), remarks: vec![self.legend()], ..Output::default() };
        for ((point, prior, evidence), measured) in &found {
            let line = line(point, prior, evidence, measured);
            let caption = point.to_string();
            if output.sections.last().is_none_or(|section| section.caption != caption) {
                output.sections.push(Section { caption, table: Table::new(&HEADER[4..]) });
            }
            if let Some(section) = output.sections.last_mut() {
                section.table.push(line[4..].to_vec());
            }
            output.table.push(line);
        }
        Ok(output)
    }
}

const HEADER: &[&str] = &[
    "dataset",
    "batch_size",
    "contamination",
    "shift",
    "prior",
    "evidence",
    "n",
    "auroc_prior",
    "auroc_evidence",
    "auroc_both",
    "gain",
    "gain_low",
    "gain_high",
];

impl Evidence {
    fn is_prior(&self, cell: &Cell) -> bool {
        let trained = cell.record.asked.setting == Supervision::ZeroShot;
        if self.prior.is_empty() { trained } else { self.prior.contains(&cell.method) }
    }

    fn is_evidence(&self, cell: &Cell) -> bool {
        let in_batch = cell.record.asked.setting == Supervision::InBatch;
        if self.evidence.is_empty() { in_batch } else { self.evidence.contains(&cell.method) }
    }

    /// a + e/β of a batch.
    fn both(&self, prior: &[f64], evidence: &[f64]) -> Vec<f64> {
        let (a, e) = (self.scale.of(prior), self.scale.of(evidence));
        a.iter().zip(e).map(|(a, e)| a + e / self.beta).collect()
    }

    /// By domain, the means over units of which all three have a number.
    fn measure(&self, prior: &Domains, evidence: &Domains) -> Vec<(String, [f64; 3])> {
        let auroc = |scores: &[f64], labels: &[bool]| AUROC.compute(MetricInput::Samples { scores, labels }).value();
        let of_unit = |(a, e): (&Unit, &Unit)| {
            let both = self.both(&a.scores, &e.scores);
            Some([auroc(&a.scores, &a.labels)?, auroc(&e.scores, &a.labels)?, auroc(&both, &a.labels)?])
        };
        let of_domain = |(prior, evidence): (&OfDomain, &OfDomain)| {
            let ((domain, a), (other, e)) = (prior, evidence);
            let alike = domain == other && a.len() == e.len() && a.iter().zip(e).all(|(a, e)| a.labels == e.labels);
            let units: Vec<[f64; 3]> = if alike { a.iter().zip(e).filter_map(of_unit).collect() } else { Vec::new() };
            let mean = |i: usize| units.iter().map(|u| u[i]).sum::<f64>() / units.len() as f64;
            (!units.is_empty()).then(|| (domain.clone(), [mean(0), mean(1), mean(2)]))
        };
        prior.iter().zip(evidence).filter_map(of_domain).collect()
    }

    fn legend(&self) -> String {
        format!(
            "All numbers in per cent, means over domains and seeds of the same batches. both: a + e/β with β {}, scores {}. gain: \
             both less the better of the two alone (which a person could not know), in points, with its 95 % interval over \
             seeds and domains.",
            self.beta,
            match self.scale {
                Scale::Rank => "as ranks in the batch",
                Scale::Standardised => "standardised over the batch",
                Scale::None => "as they are",
            }
        )
    }
}

fn line(point: &Point, prior: &str, evidence: &str, measured: &Measured) -> Vec<Entry> {
    let n = measured.len() as f64;
    let mean = |i: usize| measured.values().map(|v| v[i]).sum::<f64>() / n;
    let better = if mean(0) >= mean(1) { 0 } else { 1 };
    let gain = mean(2) - mean(better);
    let seeds: BTreeSet<u64> = measured.keys().map(|(seed, _)| *seed).collect();
    let domains: BTreeSet<&String> = measured.keys().map(|(_, domain)| domain).collect();
    let gains: Vec<Option<f64>> = seeds
        .iter()
        .flat_map(|&seed| domains.iter().map(move |domain| (seed, (*domain).clone())))
        .map(|place| measured.get(&place).map(|v| v[2] - v[better]))
        .collect();
    let half = crossed(&gains, domains.len()).map(|spread| spread.half_width());
    let mut entries = point.entries("");
    // The point's second entry is the method.
    entries.remove(1);
    entries.extend([prior.into(), evidence.into(), measured.len().into()]);
    let shares =
        [Some(mean(0)), Some(mean(1)), Some(mean(2)), Some(gain), half.map(|h| gain - h), half.map(|h| gain + h)];
    entries.extend(shares.map(Entry::Share));
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(scale: Scale, a: &[f64], e: &[f64]) -> Vec<f64> {
        Evidence { scale, ..Evidence::default() }.both(a, e)
    }

    /// ```python
    /// import numpy as np; from scipy.stats import rankdata, zscore
    /// a, e = np.array([.2, .9, .4, .7, .1]), np.array([1.1, 3, 1, 1.4, 1.2])
    /// print(a + e / .5, zscore(a) + zscore(e) / .5, (rankdata(a) + rankdata(e) / .5) / 5)
    /// ```
    #[test]
    fn evidence_counts_twice_whatever_the_scale() {
        let (a, e) = ([0.2, 0.9, 0.4, 0.7, 0.1], [1.1, 3.0, 1.0, 1.4, 1.2]);
        let want = [
            (Scale::None, [2.4, 6.9, 2.4, 3.5, 2.5]),
            (Scale::Standardised, [-2.050907642, 5.399314453, -1.65529947, 0.42081342, -2.113920762]),
            (Scale::Rank, [1.2, 3.0, 1.0, 2.4, 1.4]),
        ];
        for (scale, want) in want {
            let got = both(scale, &a, &e);
            assert!(got.iter().zip(want).all(|(g, w)| (g - w).abs() < 1e-8), "{scale:?}: {got:?}");
        }
        assert_eq!(both(Scale::Standardised, &a, &[1.0; 5]), both(Scale::Standardised, &a, &[2.0; 5]));
    }

    #[test]
    fn a_gain_is_over_the_better_half() {
        let point = Point {
            dataset: "d".into(),
            size: zsad_core::BatchSize::All,
            shift: None,
            contamination: zsad_core::Contamination::Natural,
        };
        let of = |domain: &str, values| ((0, domain.to_owned()), values);
        let measured = BTreeMap::from([of("a", [0.7, 0.9, 0.8]), of("b", [0.6, 0.5, 0.9])]);
        let line = line(&point, "p", "e", &measured);
        let shares: Vec<f64> = line.iter().filter_map(|e| if let Entry::Share(v) = e { *v } else { None }).collect();
        // Means 65, 70 and 85; gains over the evidence −10 and 40: 15 ± 12.706 · 25.
        let want = [0.65, 0.7, 0.85, 0.15, 0.15 - 12.7062 * 0.25, 0.15 + 12.7062 * 0.25];
        assert!(shares.iter().zip(want).all(|(g, w)| (g - w).abs() < 1e-4), "{shares:?}");
    }
}
