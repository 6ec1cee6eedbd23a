//! Whether batches can be trusted: what calibrations say of the run's own batches, against their labels.

mod judged;
mod shown;

use std::collections::BTreeMap;

use rand::seq::SliceRandom;
use zsad_core::job::CellId;
use zsad_core::rng::stream;
use zsad_core::{Error, Fold, Result, TestPoint};
use zsad_store::BatchPlace;

use super::{Analysis, AnalysisSpec, Cell, Cells, Output, Registered};
use crate::library::DataSet;
use judged::{Case, Found, Pools, scorers};

/// The registry's entry.
pub const DEF: Registered<Trust> = Registered::new(&SPEC);

static SPEC: AnalysisSpec = AnalysisSpec {
    name: "trust",
    version: 1,
    summary: "contamination, expected AUROC and decisions of every batch, learnt from simulated batches, against its labels",
    citation: "ours; rejection: Chow 1970; novelty: hierarchical conformal inference (Lee, Barber, Willett 2023)",
};

zsad_core::choices! {
    /// Which domains batches are simulated from.
    pub enum From {
        /// Methods without training from the meta-train domains, trained ones from other meta-test domains.
        Auto = "auto",
        /// The meta-train domains.
        Train = "train",
        /// The meta-test domains that are not judged.
        Test = "test",
    }
}

zsad_core::params! {
    /// Parameters of the analysis.
    pub struct Trust {
        /// simulated batches of each size
        episodes: usize = 600, in 120..;
        /// where they are drawn from: auto: methods without training from the meta-train domains, trained ones, which know
        /// those, from the meta-test domains, in five parts of which each is judged by the others; train; test
        calibrate_on: From = From::Auto;
        /// whether the scores of all methods that score a batch by itself help to judge each of them
        together: bool = true;
        /// batches with a larger share of anomalies are left out of the tables: at one half nobody can tell which is the
        /// normal one
        up_to: f64 = 0.5, in 0.0..=0.5;
        /// cost of leaving a sample undecided, where a wrong decision costs 1
        cost_reject: f64 = 0.1, in 0.0..=0.5;
    }
}

/// Parts that meta-test domains are cut into where they judge each other.
const PARTS: usize = 5;

impl Analysis for Trust {
    fn run(&self, cells: &Cells) -> Result<Output> {
        let Found { lines, said } = self.judged(cells)?;
        Ok(self.output(&lines, said))
    }
}

/// What cells of one calibration share: data set, fold, seed, and all of the point but contamination and shift.
fn place(cell: &Cell) -> String {
    let CellId { fit, test_params, test_digest, point } = crate::exchange::without_method(&cell.record.cell);
    let point =
        TestPoint { shift: None, contamination: zsad_core::Contamination::Ratio(0.0), min_anomalies: 0, ..point };
    // In the order of the tables.
    format!("{} {}", cell.dataset(), CellId { fit, test_params, test_digest, point }.key())
}

/// The contamination that calibrations estimate of every batch of a run, with the analysis' own parameters.
///
/// # Errors
/// [`Error::Refused`] where no batch could be judged, saying why.
pub fn contaminations(cells: &Cells) -> Result<BTreeMap<BatchPlace, f64>> {
    let place = |line: &judged::Line| BatchPlace {
        cell_key: line.cell_key.clone(),
        domain: line.domain.clone(),
        batch: line.number,
    };
    let lines = Trust::default().judged(cells)?.lines;
    Ok(lines.iter().map(|line| (place(line), line.judged.judgement.contamination.mean)).collect())
}

impl Trust {
    /// Every batch that can be judged, and why others are not.
    fn judged(&self, cells: &Cells) -> Result<Found> {
        let mut groups: BTreeMap<String, Vec<&Cell>> = BTreeMap::new();
        for cell in cells.iter() {
            groups.entry(place(cell)).or_default().push(cell);
        }
        let mut found = Found::default();
        for group in groups.values() {
            self.group(cells, group, &mut found)?;
        }
        found.said.sort();
        found.said.dedup();
        if found.lines.is_empty() {
            return Err(Error::refused(format!("no batch could be judged: {}", found.said.join("; "))));
        }
        Ok(found)
    }

    fn group(&self, cells: &Cells, group: &[&Cell], found: &mut Found) -> Result<()> {
        let Some(first) = group.first() else { return Ok(()) };
        let bench = &cells.bench;
        let record = &first.record;
        let dataset = bench.library.get(&record.cell.fit.data.name, &record.asked.dataset_params)?;
        let fold = DataSet::fold(&dataset.describe(bench.env)?.info, &record.cell.fit.fold)?;
        let view = dataset.view(bench.env, fold)?;
        let scorers = scorers(cells, group, view.as_ref(), fold)?;
        let own = &view.info().folds[fold];
        let (seed, dataset) = (first.seed(), first.dataset());
        let case = Case { trust: self, cells, scorers: &scorers, view: view.as_ref(), seed, dataset };
        let on_train = |i: &usize| match self.calibrate_on {
            From::Auto => !scorers[*i].learns,
            From::Train => true,
            From::Test => false,
        } && own.meta_train.len() > 1;
        let (by_train, by_test): (Vec<usize>, Vec<usize>) = (0..scorers.len()).partition(on_train);
        if by_train.iter().any(|&i| scorers[i].learns) {
            let why = "trained methods were judged by domains that they were trained on, where they are too good";
            found.said.push(why.into());
        }
        if !by_train.is_empty() {
            let from = Fold { name: own.name.clone(), ..Fold::single([], own.meta_train.iter().copied()) };
            let name = format!("{} meta-train", own.meta_train.len());
            case.judge(&by_train, &Pools { domains: &own.meta_test, from: &from, name: &name }, found)?;
        }
        if by_test.is_empty() {
            return Ok(());
        }
        let mut domains = own.meta_test.clone();
        domains.shuffle(&mut stream(seed, &[("purpose", "trust"), ("fold", &own.name)]));
        let parts = PARTS.min(domains.len());
        for part in 0..parts {
            let is_theirs = |place: usize| place % parts == part;
            let of = |theirs: bool| {
                domains.iter().enumerate().filter(move |(i, _)| is_theirs(*i) == theirs).map(|(_, d)| *d)
            };
            let from = Fold { name: own.name.clone(), ..Fold::single([], of(false)) };
            let theirs: Vec<usize> = of(true).collect();
            case.judge(&by_test, &Pools { domains: &theirs, from: &from, name: "other meta-test" }, found)?;
        }
        Ok(())
    }
}
