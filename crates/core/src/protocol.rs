//! The test protocol: how large a batch is, how many of it are anomalous, how metrics are pooled.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::budget::Budget;
use crate::error::{Error, Result};
use crate::shift::Shift;

/// How a batch's size is said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BatchSize {
    /// This many samples in all.
    Total(usize),
    /// This many normals, with anomalies on top (the papers' way).
    Normals(usize),
    /// All normals of the domain, with anomalies on top.
    #[default]
    All,
}

impl fmt::Display for BatchSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BatchSize::Total(n) => write!(f, "batch size {n}"),
            BatchSize::Normals(n) => write!(f, "{n} normals a batch"),
            BatchSize::All => f.write_str("batch: all samples of the domain"),
        }
    }
}

impl BatchSize {
    /// As results write it: `20`, `normals=20` or `all`.
    pub fn to_column(self) -> String {
        match self {
            BatchSize::Total(n) => n.to_string(),
            BatchSize::Normals(n) => format!("normals={n}"),
            BatchSize::All => "all".into(),
        }
    }

    /// Reads what [`BatchSize::to_column`] wrote.
    pub fn from_column(text: &str) -> Option<Self> {
        match text.strip_prefix("normals=") {
            Some(n) => n.parse().ok().map(BatchSize::Normals),
            None if text == "all" => Some(BatchSize::All),
            None => text.parse().ok().map(BatchSize::Total),
        }
    }
}

/// Share of anomalies in a test batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Contamination {
    /// This share, 0 … 0.5.
    Ratio(f64),
    /// The data as they are: all genuine anomalies beside all normals (with [`BatchSize::All`]),
    /// or both in their natural proportion.
    #[default]
    Natural,
}

impl Contamination {
    /// The share, if one was asked for.
    pub fn ratio(self) -> Option<f64> {
        match self {
            Contamination::Ratio(r) => Some(r),
            Contamination::Natural => None,
        }
    }
}

impl From<Option<f64>> for Contamination {
    fn from(ratio: Option<f64>) -> Self {
        ratio.map_or(Contamination::Natural, Contamination::Ratio)
    }
}

// Shares are finite numbers, checked where they are read.
impl Eq for Contamination {}

impl PartialOrd for Contamination {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// By share; natural last.
impl Ord for Contamination {
    fn cmp(&self, other: &Self) -> Ordering {
        let value = |c: &Contamination| c.ratio().unwrap_or(f64::INFINITY);
        value(self).total_cmp(&value(other))
    }
}

impl fmt::Display for Contamination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Contamination::Ratio(r) => write!(f, "{} %", percent(*r)),
            Contamination::Natural => f.write_str("natural"),
        }
    }
}

/// A share in per cent with at most two decimals, without trailing zeros.
pub fn percent(share: f64) -> String {
    let text = format!("{:.2}", share * 100.0);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

crate::choices! {
    /// What becomes of a point where a domain is too small for a batch.
    pub enum TooSmall {
        /// The domain is left out, and said so.
        Skip = "skip",
        /// The point is refused.
        Refuse = "refuse",
    }
}

crate::choices! {
    /// How scores become one metric a domain.
    pub enum Pooling {
        /// A metric per batch, averaged over batches.
        Batch = "batch",
        /// The scores of all batches of a domain pooled first.
        Domain = "domain",
    }
}

/// Labelled anomalies of the target, with their masks, of which each domain sets some aside: no batch holds them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AbnormalShots {
    /// How many a method is given beside its normal references.
    pub given: usize,
    /// How many are set aside, 1 at least: the most that any cell of the experiment is given, so that all of them score the
    /// same batches.
    pub set_aside: usize,
}

/// One point of the test protocol's grid.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct TestPoint {
    /// Size of a batch.
    pub size: BatchSize,
    /// Share of anomalies.
    pub contamination: Contamination,
    /// At least so many anomalies where the share is above 0.
    pub min_anomalies: usize,
    /// Batches per domain.
    pub n_batches: usize,
    /// How scores become metrics.
    pub pooling: Pooling,
    /// The seed that draws the references of the target; `None`: the fit's own, so that both vary together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference_seed: Option<u64>,
    /// The seed that draws batches and references from a model that is trained once for all of them; `None`: the fit's own,
    /// so that each has a model of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draw_seed: Option<u64>,
    /// Whether domains that are too small for a batch are left out, and there are some; otherwise one of them refuses the
    /// whole point.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skip_small: bool,
    /// What is done to the pictures of the batches; `None`: nothing. It is not in the draw of the batches, so that shifted
    /// and clean cells hold the same samples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shift: Option<Shift>,
    /// How many different anomalies a batch holds, of which all further ones are copies, changed a little; `None`: all are
    /// different.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anomaly_kinds: Option<usize>,
    /// The share of anomalies among the references of methods that take some, 0 … 0.5: a person's references that were taken
    /// for normal.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub reference_contamination: f64,
    /// Labels that are given of every batch; `None`: none. They are not in the draw of the batches, so that cells with and
    /// without them hold the same samples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Budget>,
    /// Labelled anomalies that a method is given, and that batches are drawn without; `None`: all are in the batches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abnormal_shots: Option<AbnormalShots>,
}

fn is_zero(share: &f64) -> bool {
    *share == 0.0
}

/// How many normals and anomalies one batch holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchCounts {
    /// Normals.
    pub normal: usize,
    /// Anomalies.
    pub anomalous: usize,
}

impl TestPoint {
    /// How many labelled anomalies a method is given.
    pub fn anomalies_given(&self) -> usize {
        self.abnormal_shots.map_or(0, |shots| shots.given)
    }

    /// How many anomalies of a domain are in none of its batches.
    pub fn anomalies_set_aside(&self) -> usize {
        self.abnormal_shots.map_or(0, |shots| shots.set_aside)
    }

    /// The composition of a batch from a domain that has `normal` normals and `anomalous` anomalies to draw from.
    ///
    /// With a total of B: round(B·r) anomalies, halves away from zero. With n normals: ⌊n·r/(1−r)⌋.
    /// Never fewer than `min_anomalies` where r > 0.
    ///
    /// # Errors
    /// [`Error::Refused`] where the domain has too few of either, naming the numbers.
    pub fn counts(&self, normal: usize, anomalous: usize) -> Result<BatchCounts> {
        let wanted = match (self.size, self.contamination) {
            (BatchSize::Total(b), c) => {
                let r = match c {
                    Contamination::Ratio(r) => r,
                    Contamination::Natural => anomalous as f64 / (normal + anomalous).max(1) as f64,
                };
                let a = self.at_least(r, (b as f64 * r).round() as usize).min(b);
                BatchCounts { normal: b - a, anomalous: a }
            }
            (BatchSize::Normals(n), c) => self.on_top(n, c, normal, anomalous),
            (BatchSize::All, c) => self.on_top(normal, c, normal, anomalous),
        };
        for (want, have, what) in [(wanted.normal, normal, "normals"), (wanted.anomalous, anomalous, "anomalies")] {
            if want > have {
                return Err(Error::refused(format!("the batch wants {want} {what} and the domain has {have}")));
            }
        }
        Ok(wanted)
    }

    fn on_top(&self, n: usize, contamination: Contamination, normal: usize, anomalous: usize) -> BatchCounts {
        let a = match contamination {
            // The small term mends products such as 90 · 0.1 / 0.9 that fall just below a whole number.
            Contamination::Ratio(r) => self.at_least(r, (n as f64 * r / (1.0 - r) + 1e-9).floor() as usize),
            Contamination::Natural => (anomalous as f64 * n as f64 / normal.max(1) as f64).round() as usize,
        };
        BatchCounts { normal: n, anomalous: a }
    }

    fn at_least(&self, r: f64, a: usize) -> usize {
        if r > 0.0 { a.max(self.min_anomalies) } else { a }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(size: BatchSize, r: f64, min_anomalies: usize) -> TestPoint {
        TestPoint {
            size,
            contamination: Contamination::Ratio(r),
            min_anomalies,
            n_batches: 1,
            pooling: Pooling::Batch,
            reference_seed: None,
            draw_seed: None,
            skip_small: false,
            shift: None,
            anomaly_kinds: None,
            reference_contamination: 0.0,
            labels: None,
            abnormal_shots: None,
        }
    }

    #[test]
    fn totals_round_and_normals_take_the_papers_floor() {
        let counts = |p: TestPoint| p.counts(1000, 1000).map(|c| (c.normal, c.anomalous)).unwrap();
        assert_eq!(counts(point(BatchSize::Total(20), 0.1, 0)), (18, 2));
        assert_eq!(counts(point(BatchSize::Total(20), 0.01, 0)), (20, 0));
        assert_eq!(counts(point(BatchSize::Total(1), 0.5, 0)), (0, 1));
        assert_eq!(counts(point(BatchSize::Total(2), 0.5, 0)), (1, 1));
        // The Omniglot protocol: 1, 1, 2, 5 anomalies on 20 normals.
        for (r, a) in [(0.01, 1), (0.05, 1), (0.1, 2), (0.2, 5), (0.0, 0)] {
            assert_eq!(counts(point(BatchSize::Normals(20), r, 1)), (20, a));
        }
        // CIFAR-100-C: 1, 5, 11, 25 on 100.
        for (r, a) in [(0.01, 1), (0.05, 5), (0.1, 11), (0.2, 25)] {
            assert_eq!(counts(point(BatchSize::Normals(100), r, 0)), (100, a));
        }
        assert_eq!(counts(point(BatchSize::Normals(90), 0.1, 0)), (90, 10));
    }

    #[test]
    fn all_and_natural_take_what_is_there() {
        let mut p = point(BatchSize::All, 0.0, 0);
        p.contamination = Contamination::Natural;
        assert_eq!(p.counts(41, 119).unwrap(), BatchCounts { normal: 41, anomalous: 119 });
        p.size = BatchSize::Total(16);
        assert_eq!(p.counts(41, 119).unwrap(), BatchCounts { normal: 4, anomalous: 12 });
    }

    #[test]
    fn too_small_a_domain_is_refused_with_its_numbers() {
        let e = point(BatchSize::Total(50), 0.1, 0).counts(20, 100).unwrap_err();
        assert_eq!(e.to_string(), "the batch wants 45 normals and the domain has 20");
    }
}
