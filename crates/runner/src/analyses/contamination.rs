//! How contaminated a pool is, by its scores alone: γGMM of all methods together, and rules of thumb of each.

use std::collections::BTreeMap;

use zsad_core::{Error, Result};
use zsad_trust::gamma::{self, Belief};
use zsad_trust::{quantile, split};

use super::{Analysis, AnalysisSpec, Cell, Cells, Entry, Labelled, Output, Registered, Section, Table};
use crate::batch_score::threshold::{self, Rule};

/// The registry's entry.
pub const DEF: Registered<Contamination> = Registered::new(&SPEC);

static SPEC: AnalysisSpec = AnalysisSpec {
    name: "contamination",
    version: 1,
    summary: "the share of anomalies in a pool: γGMM's posterior from all methods' scores, and rules of thumb of each",
    citation: "Perini, Bürkner, Klami, ICML 2023 (γGMM); Tukey 1977; Iglewicz and Hoaglin 1993; Otsu 1979",
};

zsad_core::params! {
    /// Parameters of the analysis.
    pub struct Contamination {
        /// components of the mixture at most
        components: usize = 100, in 2..;
        /// a contamination that is believed to be exceeded once in a hundred
        high_gamma: f64 = 0.15, in 0.0..=0.5;
        /// contaminations from here on are cut off
        gamma_max: f64 = 0.25, in 0.0..=0.5;
    }
}

const COLUMNS: [&str; 12] = [
    "dataset",
    "domain",
    "batch",
    "seed",
    "n",
    "method",
    "estimator",
    "estimate",
    "lo",
    "hi",
    "realised",
    "f1_at_estimate",
];

impl Analysis for Contamination {
    fn run(&self, cells: &Cells) -> Result<Output> {
        // Cells of one draw hold the same samples.
        let mut draws: BTreeMap<String, Vec<&Cell>> = BTreeMap::new();
        cells
            .iter()
            .for_each(|cell| draws.entry(format!("{} {}", cell.dataset(), cell.draw())).or_default().push(cell));
        let mut found = Vec::new();
        let mut small = false;
        for own in draws.values() {
            let batches = own.iter().map(|cell| cells.batches(cell)).collect::<Result<Vec<_>>>()?;
            let Some(first) = batches.first() else { continue };
            for (i, batch) in first.iter().enumerate() {
                let same = |other: &Vec<Labelled>| other.get(i).is_some_and(|b| b.batch.labels == batch.batch.labels);
                if !batches.iter().all(same) {
                    return Err(Error::failed(format!("{}: methods scored other batches", own[0].dataset())));
                }
                let scores: Vec<&[f64]> = batches.iter().map(|b| b[i].batch.items.as_slice()).collect();
                small |= scores[0].len() < gamma::LEAST;
                found.extend(self.pool(own, batch, &scores)?);
            }
        }
        let mut table = Table::new(&COLUMNS);
        found.iter().for_each(|line| table.push(line.entries()));
        let mut remarks = vec![REMARK.to_owned()];
        if small {
            remarks.push(format!(
                "γGMM is left out where a pool has fewer than {} samples: it gives no answer there.",
                gamma::LEAST
            ));
        }
        Ok(Output { table, remarks, sections: sections(&found), ..Output::default() })
    }
}

const REMARK: &str = "Shares of anomalies in per cent, by scores alone. gamma_gmm: the posterior's mean and its 90 % interval, from the \
    scores of all methods together; no answer where the belief (a high contamination once in a hundred) cannot be met. iqr: scores \
    above the third quartile by 1.5 interquartile ranges (Tukey); mad: above the median by 3.5 robust deviations; otsu: the upper of two \
    groups. off: mean absolute error; held: the share of intervals that hold the truth; F1: of the estimated share of highest scores, \
    and of the true share.";

impl Contamination {
    fn pool(&self, own: &[&Cell], batch: &Labelled, scores: &[&[f64]]) -> Result<Vec<Line>> {
        let belief =
            Belief { components: self.components, high: self.high_gamma, most: self.gamma_max, ..Belief::default() };
        let is_pool = scores[0].len() >= gamma::LEAST && scores.len() > 1;
        let joint = if is_pool { gamma::contamination(scores, &belief, own[0].seed())? } else { None };
        let mut lines = Vec::new();
        for (cell, scores) in own.iter().zip(scores) {
            let line = |estimator, estimate: f64, interval| Line {
                dataset: cell.dataset().to_owned(),
                domain: batch.batch.domain.clone(),
                batch: batch.batch.number,
                seed: cell.seed(),
                method: cell.method.clone(),
                estimator,
                estimate,
                interval,
                labels: batch.batch.labels.clone(),
                scores: scores.to_vec(),
            };
            lines.extend(joint.map(|j| line("gamma_gmm", j.mean, Some((j.lo, j.hi)))));
            let mut sorted = scores.to_vec();
            sorted.sort_by(f64::total_cmp);
            let above = |border: f64| sorted.iter().filter(|s| **s > border).count() as f64 / sorted.len() as f64;
            let (low, high) = (quantile(&sorted, 0.25), quantile(&sorted, 0.75));
            lines.push(line("iqr", above(high + 1.5 * (high - low)), None));
            // As `zsad score --threshold auto` without references.
            let flags = threshold::decide(Rule::Auto, scores, &[]).flags;
            lines.push(line("mad", flags.iter().filter(|f| **f).count() as f64 / flags.len() as f64, None));
            lines.push(line("otsu", split(scores).upper, None));
        }
        Ok(lines)
    }
}

/// An estimate for a pool.
struct Line {
    dataset: String,
    domain: String,
    batch: u32,
    seed: u64,
    method: String,
    estimator: &'static str,
    estimate: f64,
    interval: Option<(f64, f64)>,
    labels: Vec<bool>,
    scores: Vec<f64>,
}

impl Line {
    fn realised(&self) -> f64 {
        self.labels.iter().filter(|l| **l).count() as f64 / self.labels.len() as f64
    }

    /// F1 of the samples with the highest scores, a share of all.
    fn f1(&self, share: f64) -> f64 {
        let mut order: Vec<usize> = (0..self.scores.len()).collect();
        order.sort_by(|&a, &b| self.scores[b].total_cmp(&self.scores[a]).then(a.cmp(&b)));
        let taken = (share * order.len() as f64).round() as usize;
        let hits = order[..taken.min(order.len())].iter().filter(|&&i| self.labels[i]).count();
        let anomalous = self.labels.iter().filter(|l| **l).count();
        if taken + anomalous == 0 { 1.0 } else { 2.0 * hits as f64 / (taken + anomalous) as f64 }
    }

    fn entries(&self) -> Vec<Entry> {
        let (lo, hi) = self.interval.unzip();
        vec![
            self.dataset.as_str().into(),
            self.domain.as_str().into(),
            (self.batch as usize).into(),
            self.seed.to_string().into(),
            self.labels.len().into(),
            self.method.as_str().into(),
            self.estimator.into(),
            Entry::Share(Some(self.estimate)),
            Entry::Share(lo),
            Entry::Share(hi),
            Entry::Share(Some(self.realised())),
            Entry::Share(Some(self.f1(self.estimate))),
        ]
    }
}

fn sections(found: &[Line]) -> Vec<Section> {
    let mut cases: BTreeMap<&str, BTreeMap<(&str, &str), Vec<&Line>>> = BTreeMap::new();
    for line in found {
        cases.entry(&line.dataset).or_default().entry((&line.method, line.estimator)).or_default().push(line);
    }
    let section = |(dataset, lines): (&str, BTreeMap<(&str, &str), Vec<&Line>>)| {
        let header = ["method", "estimator", "pools", "estimate", "true", "off", "held", "F1", "F1 at the true share"];
        let mut table = Table::new(&header);
        for ((method, estimator), own) in lines {
            let mean = |of: &dyn Fn(&Line) -> f64| {
                Entry::Share(Some(own.iter().map(|l| of(l)).sum::<f64>() / own.len() as f64))
            };
            let held: Option<Vec<f64>> = own
                .iter()
                .map(|l| l.interval.map(|(lo, hi)| f64::from(u8::from((lo..=hi).contains(&l.realised())))))
                .collect();
            table.push(vec![
                method.into(),
                estimator.into(),
                own.len().into(),
                mean(&|l| l.estimate),
                mean(&Line::realised),
                mean(&|l| (l.estimate - l.realised()).abs()),
                Entry::Share(held.map(|h| h.iter().sum::<f64>() / h.len() as f64)),
                mean(&|l| l.f1(l.estimate)),
                mean(&|l| l.f1(l.realised())),
            ]);
        }
        Section { caption: dataset.to_owned(), table }
    };
    cases.into_iter().map(section).collect()
}
