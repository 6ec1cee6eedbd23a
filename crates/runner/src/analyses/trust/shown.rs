//! What was found, as tables.

use std::collections::{BTreeMap, BTreeSet};

use zsad_store::{BatchNumbers, BatchPlace};
use zsad_trust::{Accuracy, Assessment, Decision, Judged, Rules, assess, decide};

use super::super::{Entry, Output, Section, Table};
use super::Trust;
use super::judged::Line;

/// A method in a table: data set, samples of a batch, domains that were learnt from, name.
type Place<'a> = (&'a str, usize, &'a str, &'a str);

impl Trust {
    /// The tables of judged batches, after what is `said` of others.
    pub(super) fn output(&self, lines: &[Line], said: Vec<String>) -> Output {
        // What is asked for is a share before rounding to whole samples.
        let shown = |line: &&Line| share(line) <= self.up_to + 0.5 / line.judged.labels.len() as f64;
        let mut cases: BTreeMap<Place, Vec<&Line>> = BTreeMap::new();
        for line in lines.iter().filter(shown) {
            let key = (line.dataset.as_str(), line.judged.labels.len(), line.from.as_str(), line.method.as_str());
            cases.entry(key).or_default().push(line);
        }
        let mut table = Table::new(&COLUMNS);
        for ((dataset, size, from, method), own) in &cases {
            let judged: Vec<Judged> = own.iter().map(|l| l.judged.clone()).collect();
            if let Some(found) = assess(&judged, self.cost_reject) {
                table.push(all_numbers(dataset, *size, from, method, judged.len(), &found));
            }
        }
        let remarks = [REMARK.to_owned()].into_iter().chain(said).collect();
        Output { sections: self.sections(&cases), table, remarks, batches: self.batches(lines), ..Output::default() }
    }

    fn sections(&self, cases: &BTreeMap<Place, Vec<&Line>>) -> Vec<Section> {
        let mut sections = Vec::new();
        let pages: BTreeSet<_> = cases.keys().map(|&(dataset, size, from, _)| (dataset, size, from)).collect();
        for (dataset, size, from) in pages {
            let own: Vec<(&str, &Vec<&Line>)> =
                cases.iter().filter(|(k, _)| (k.0, k.1, k.2) == (dataset, size, from)).map(|(k, v)| (k.3, v)).collect();
            let levels: BTreeSet<u64> = own.iter().flat_map(|(_, lines)| lines.iter().map(|l| level(l))).collect();
            let named = |columns: &[&str]| Table::new(&[&["method"], columns].concat());
            let mut tables = [named(&ACCURACY), named(&[]), named(&ACCURACY), named(&DECISIONS)];
            tables[1].header.extend(levels.iter().map(|level| format!("{level} %")));
            tables[2].header.extend(["trusted: all", "best half", "best quarter"].map(String::from));
            for (method, lines) in own {
                let judged: Vec<Judged> = lines.iter().map(|l| l.judged.clone()).collect();
                let Some(found) = assess(&judged, self.cost_reject) else { continue };
                let estimates = levels.iter().map(|&of| Entry::Share(mean_estimate(lines, of))).collect();
                let auroc = [accuracy(found.auroc.as_ref()), found.trusted.map(Entry::Share).to_vec()].concat();
                let all = [accuracy(Some(&found.contamination)), estimates, auroc, decisions(&found)];
                for (table, numbers) in tables.iter_mut().zip(all) {
                    table.push([vec![method.into()], numbers].concat());
                }
            }
            let of = format!("{dataset}, batches of {size}, calibrated on {from} domains");
            let captions = ["Contamination", "Mean estimate of the contamination by the true one", "AUROC", "Samples"];
            let section = |(what, table): (&str, Table)| Section { caption: format!("{what}: {of}"), table };
            sections.extend(captions.into_iter().zip(tables).map(section));
        }
        sections
    }
}

/// The share of anomalies in a batch.
fn share(line: &Line) -> f64 {
    let labels = &line.judged.labels;
    labels.iter().filter(|l| **l).count() as f64 / labels.len() as f64
}

/// The same in whole per cent.
fn level(line: &Line) -> u64 {
    (100.0 * share(line)).round() as u64
}

/// The mean estimate over the batches of a level.
fn mean_estimate(lines: &[&Line], of: u64) -> Option<f64> {
    let own: Vec<f64> =
        lines.iter().filter(|l| level(l) == of).map(|l| l.judged.judgement.contamination.mean).collect();
    (!own.is_empty()).then(|| own.iter().sum::<f64>() / own.len() as f64)
}

const REMARK: &str = "Every batch judged by its scores alone, as `zsad score --trust` does, and held against its labels. off: mean absolute \
    error; constant: that of the calibration's mean; r: correlation of estimate and truth; held: the share of nominal 90 % \
    intervals that hold the truth; width: theirs. trusted: the mean AUROC of all batches, and of those whose expected AUROC is \
    highest. Brier and ECE (ten bins) are of the samples' probabilities; undecided: the share that is left undecided; wrong: the \
    share of wrong decisions among the others, and without leaving any; cost: of a sample. All but r and Brier in per cent.";

const ACCURACY: [&str; 5] = ["off", "constant", "r", "held", "width"];
const DECISIONS: [&str; 6] = ["Brier", "ECE", "undecided", "wrong", "wrong, all decided", "cost"];
const COLUMNS: [&str; 24] = [
    "dataset",
    "size",
    "calibrated_on",
    "method",
    "batches",
    "contamination_mae",
    "contamination_mae_constant",
    "contamination_correlation",
    "contamination_coverage",
    "contamination_width",
    "auroc_mae",
    "auroc_mae_constant",
    "auroc_correlation",
    "auroc_coverage",
    "auroc_width",
    "brier",
    "ece",
    "rejected",
    "error_accepted",
    "error_all",
    "cost",
    "auroc_all",
    "auroc_best_half",
    "auroc_best_quarter",
];

fn accuracy(of: Option<&Accuracy>) -> Vec<Entry> {
    let share = |f: fn(&Accuracy) -> f64| Entry::Share(of.map(f));
    let correlation = Entry::Number(of.and_then(|a| a.correlation));
    vec![share(|a| a.mae), share(|a| a.mae_constant), correlation, share(|a| a.coverage), share(|a| a.width)]
}

fn decisions(found: &Assessment) -> Vec<Entry> {
    let shares = [found.ece, found.rejected, found.error_accepted, found.error_all, found.cost];
    [Entry::Number(Some(found.brier))].into_iter().chain(shares.map(|v| Entry::Share(Some(v)))).collect()
}

fn all_numbers(dataset: &str, size: usize, from: &str, method: &str, n: usize, found: &Assessment) -> Vec<Entry> {
    let place = vec![dataset.into(), size.into(), from.into(), method.into(), n.into()];
    let (share, auroc) = (accuracy(Some(&found.contamination)), accuracy(found.auroc.as_ref()));
    [place, share, auroc, decisions(found), found.trusted.map(Entry::Share).to_vec()].concat()
}

/// What is said of single batches.
const BATCH: [&str; 9] = [
    "contamination_est",
    "contamination_lo",
    "contamination_hi",
    "auroc_est",
    "auroc_lo",
    "auroc_hi",
    "novelty_p",
    "rejected",
    "reasons_against",
];

impl Trust {
    fn batches(&self, lines: &[Line]) -> BatchNumbers {
        let place = |l: &Line| BatchPlace { cell_key: l.cell_key.clone(), domain: l.domain.clone(), batch: l.number };
        let rules = Rules { cost_reject: self.cost_reject, ..Rules::default() };
        let values = |line: &Line| {
            let found = &line.judged.judgement;
            let is_rejected = |p: &&f64| decide(**p, self.cost_reject) == Decision::Rejected;
            let rejected = found.probabilities.iter().filter(is_rejected).count() as f64;
            let (share, auroc) = (&found.contamination, &found.auroc);
            let against = rules.on(found).against.len() as f64;
            let rejected = rejected / found.probabilities.len() as f64;
            [share.mean, share.lo, share.hi, auroc.mean, auroc.lo, auroc.hi, found.novelty_p, rejected, against]
        };
        let all: Vec<[f64; 9]> = lines.iter().map(values).collect();
        let column = |(i, name): (usize, &&str)| ((*name).to_owned(), all.iter().map(|v| Some(v[i])).collect());
        let columns = BATCH.iter().enumerate().map(column).collect();
        BatchNumbers { places: lines.iter().map(place).collect(), sizes: Vec::new(), columns }
    }
}
