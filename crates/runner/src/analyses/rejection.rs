//! Which predictions are stable enough to be accepted, and what it costs to leave the others undecided.

mod decided;

use std::collections::BTreeMap;

use zsad_core::{Contamination, Error, Result};
use zsad_metrics::rejection::{self, Costs};
use zsad_store::BatchPlace;

use super::found::{POINT, Point};
use super::trust::contaminations;
use super::{Analysis, AnalysisSpec, Cell, Cells, Entry, Labelled, Output, Registered, Section, Table};
use decided::{COLUMNS, Decided, Values, mean, numbers, percentile};

/// The registry's entry.
pub const DEF: Registered<Rejection> = Registered::new(&SPEC);

static SPEC: AnalysisSpec = AnalysisSpec {
    name: "rejection",
    version: 1,
    summary: "predictions that another sample of the same size would change are rejected: how many, at what cost, and how wrong the \
              accepted ones are",
    citation: "Perini and Davis, Unsupervised Anomaly Detection with Rejection, NeurIPS 2023 (RejEx), on the stability of Perini, \
               Vercruyssen and Davis, ECML 2020 (ExCeeD)",
};

zsad_core::choices! {
    /// Which share of a batch is predicted anomalous.
    pub enum Gamma {
        /// That of the protocol.
        Nominal = "nominal",
        /// That of the batch's labels.
        Realised = "realised",
        /// What a calibration estimates of the batch's scores.
        Estimated = "estimated",
    }
}

zsad_core::choices! {
    /// The scores that a score is compared with.
    pub enum Train {
        /// Those of its own batch.
        Batch = "batch",
        /// Those of the domain's other batches.
        Domain = "domain",
    }
}

zsad_core::params! {
    /// Parameters of the analysis.
    pub struct Rejection {
        /// tolerances T: a prediction is rejected where the smaller probability is above e^−T; 32, the paper's, is meant for
        /// thousands of samples and rejects 84 % of a batch of 20
        tolerance: Vec<usize> = vec![4, 8], in 1..=700;
        /// nominal: the share of anomalies that the protocol asks for; realised: that of the batch's labels, which a user
        /// does not know; estimated: what the analysis `trust`, with its own defaults, makes of the batch's scores, all that a
        /// user can know
        gamma: Gamma = Gamma::Nominal;
        /// batch: scores are compared with their own batch; domain: with those of the domain's other batches
        train: Train = Train::Batch;
        /// cost of a normal that is called anomalous
        cost_false_positive: f64 = 1.0, in 0.0..;
        /// cost of an anomaly that is called normal
        cost_false_negative: f64 = 1.0, in 0.0..;
        /// cost of a rejection; auto: gamma
        cost_reject: Option<f64> = None, in 0.0..;
        /// the bound on the rejected share holds with probability 1 − delta
        delta: f64 = 0.1, in 0.0..=1.0;
    }
}

impl Analysis for Rejection {
    fn run(&self, cells: &Cells) -> Result<Output> {
        let mut means: BTreeMap<(Point, String, usize), Vec<Values>> = BTreeMap::new();
        let mut output = Output::default();
        let mut columns: Vec<Vec<Option<f64>>> = vec![Vec::new(); self.tolerance.len()];
        let estimated = match self.gamma {
            Gamma::Estimated => contaminations(cells)?,
            Gamma::Nominal | Gamma::Realised => BTreeMap::new(),
        };
        for cell in cells.iter() {
            let batches = cells.batches(cell)?;
            for of_domain in batches.chunk_by(|a, b| a.batch.domain == b.batch.domain) {
                let mut by_tolerance: Vec<Vec<Values>> = vec![Vec::new(); self.tolerance.len()];
                for (i, of) in of_domain.iter().enumerate() {
                    let train = self.training(of_domain, i);
                    let domain = of.batch.domain.clone();
                    let place = BatchPlace { cell_key: cell.record.cell_key.clone(), domain, batch: of.batch.number };
                    // A batch of which nothing is estimated is not decided.
                    let gamma = match self.gamma {
                        Gamma::Estimated => estimated.get(&place).copied(),
                        Gamma::Nominal | Gamma::Realised => Some(self.gamma(cell, of)),
                    };
                    output.batches.places.push(place);
                    for (t, tolerance) in self.tolerance.iter().enumerate() {
                        let decided = gamma.and_then(|gamma| self.decide(&train, of, gamma, *tolerance as f64));
                        columns[t].push(decided.map(|d| d.rejected));
                        by_tolerance[t].extend(decided.map(|d| d.values()));
                    }
                }
                for (tolerance, values) in self.tolerance.iter().zip(by_tolerance) {
                    let mean = mean(&values);
                    output.numbers.extend(numbers(cell, &of_domain[0].batch.domain, *tolerance, &mean));
                    means.entry((Point::of(cell), cell.method.clone(), *tolerance)).or_default().push(mean);
                }
            }
        }
        if means.values().flatten().all(|values| values[0].is_none()) {
            return Err(Error::refused(
                "no batch could be decided: the domains have one batch each; hint: train: batch",
            ));
        }
        let named = self.tolerance.iter().map(|tolerance| format!("rejected_t{tolerance}"));
        output.batches.columns = named.zip(columns).collect();
        output.table = Table::new(&[&POINT[..], &["tolerance"], &COLUMNS].concat());
        let mut shown: BTreeMap<&Point, Table> = BTreeMap::new();
        for ((point, method, tolerance), values) in &means {
            let entries = || mean(values).into_iter().map(Entry::Share);
            let mut line = point.entries(method);
            line.push((*tolerance).into());
            line.extend(entries());
            output.table.push(line);
            let page = shown.entry(point).or_insert_with(|| Table::new(&[&["method", "T"][..], &COLUMNS].concat()));
            page.push([method.as_str().into(), (*tolerance).into()].into_iter().chain(entries()).collect());
        }
        output.sections =
            shown.into_iter().map(|(point, table)| Section { caption: point.to_string(), table }).collect();
        output.remarks = vec![self.legend()];
        Ok(output)
    }
}

impl Rejection {
    /// The scores that those of batch number `i` are compared with.
    fn training(&self, of_domain: &[Labelled], i: usize) -> Vec<f64> {
        match self.train {
            Train::Batch => of_domain[i].batch.items.clone(),
            Train::Domain => {
                let others = of_domain.iter().enumerate().filter(|(j, _)| *j != i);
                others.flat_map(|(_, l)| l.batch.items.iter().copied()).collect()
            }
        }
    }

    fn gamma(&self, cell: &Cell, of: &Labelled) -> f64 {
        let labels = &of.batch.labels;
        let realised = labels.iter().filter(|l| **l).count() as f64 / labels.len().max(1) as f64;
        match (self.gamma, cell.point().contamination) {
            (Gamma::Nominal, Contamination::Ratio(ratio)) => ratio,
            _ => realised,
        }
    }

    /// The decisions on a batch; `None` where there is nothing to compare it with.
    fn decide(&self, train: &[f64], of: &Labelled, gamma: f64, tolerance: f64) -> Option<Decided> {
        let n = train.len();
        if n == 0 {
            return None;
        }
        let threshold = percentile(train, 1.0 - gamma);
        let costs = Costs {
            false_positive: self.cost_false_positive,
            false_negative: self.cost_false_negative,
            rejection: self.cost_reject.unwrap_or(gamma),
        };
        let (mut rejected, mut wrong, mut cost, mut cost_all) = (0, 0, 0.0, 0.0);
        for (score, label) in of.batch.items.iter().zip(&of.batch.labels) {
            let mistake = match (*score > threshold, *label) {
                (true, false) => costs.false_positive,
                (false, true) => costs.false_negative,
                _ => 0.0,
            };
            cost_all += mistake;
            let k = train.iter().filter(|s| *s <= score).count();
            if rejection::is_accepted(n, k, gamma, tolerance) {
                cost += mistake;
                wrong += usize::from((*score > threshold) != *label);
            } else {
                cost += costs.rejection;
                rejected += 1;
            }
        }
        let samples = of.batch.items.len();
        let share = |v: f64| v / samples as f64;
        Some(Decided {
            rejected: share(rejected as f64),
            expected: rejection::expected_rejected(n, gamma, tolerance),
            bound: rejection::bound(n, gamma, tolerance, self.delta),
            cost: share(cost),
            cost_all: share(cost_all),
            error_accepted: (rejected < samples).then(|| wrong as f64 / (samples - rejected) as f64),
            acceptable: f64::from(u8::from(rejection::is_top_acceptable(n, gamma, tolerance))),
        })
    }

    fn legend(&self) -> String {
        let gamma = match self.gamma {
            Gamma::Nominal => "the protocol's share of anomalies (that of the batch's labels where it is `natural`)",
            Gamma::Realised => "the batch's own share of anomalies",
            Gamma::Estimated => {
                "the share of anomalies that a calibration on other domains estimates of the batch's scores"
            }
        };
        format!(
            "In per cent, means over batches, domains and seeds; gamma: {gamma}. rejected: the share of predictions that are left \
             undecided; expected_rejected: what theory expects; bound: what at most is rejected with probability {:.0} %, empty \
             where it is not defined; cost: mistakes at {} and {}, rejections at {}; cost_all: the same with nothing rejected; \
             error_accepted: mistakes among what is accepted; acceptable: the share of batches in which the highest score \
             could be accepted as an anomaly at all: where that is 0, the batch is too small for the tolerance, and nothing is \
             ever called anomalous.",
            (1.0 - self.delta) * 100.0,
            self.cost_false_positive,
            self.cost_false_negative,
            self.cost_reject.map_or("gamma".to_owned(), |c| c.to_string()),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zsad_core::{LabelledBatch, Tags};

    fn batch(n: usize, anomalies: usize) -> Labelled {
        let items: Vec<f64> = (0..n).map(|i| i as f64).collect();
        let labels = (0..n).map(|i| i >= n - anomalies).collect();
        let batch = LabelledBatch { domain: "d".into(), number: 0, items, labels };
        Labelled { samples: vec![String::new(); n], tags: Tags::none(n), batch }
    }

    #[test]
    fn a_perfect_ranking_pays_for_rejections_alone() {
        let of = batch(200, 20);
        let decided = Rejection::default().decide(&of.batch.items, &of, 0.1, 8.0).unwrap();
        assert_eq!((decided.cost_all, decided.error_accepted, decided.acceptable), (0.0, Some(0.0), 1.0));
        // A sample of ranks from 1 to n in a batch of its own: what is rejected is what theory expects, to a sample.
        assert!((decided.rejected - decided.expected.unwrap()).abs() < 1.5 / 200.0, "{decided:?}");
        assert!((decided.cost - 0.1 * decided.rejected).abs() < 1e-12);
        assert!(decided.bound.unwrap() > decided.rejected);
    }

    #[test]
    fn a_small_batch_says_nothing_and_that_is_said() {
        let of = batch(20, 2);
        let decided = Rejection::default().decide(&of.batch.items, &of, 0.1, 4.0).unwrap();
        assert_eq!(decided.acceptable, 0.0);
        // numpy.percentile(range(20), 90) = 17.1
        assert!((percentile(&of.batch.items, 0.9) - 17.1).abs() < 1e-12);
        let domain = Rejection { train: Train::Domain, ..Rejection::default() };
        assert!(domain.training(&[batch(20, 2)], 0).is_empty());
        assert_eq!(domain.decide(&[], &of, 0.1, 4.0), None);
    }
}
