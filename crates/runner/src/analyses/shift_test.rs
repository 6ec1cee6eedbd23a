//! Whether a batch differs from a reference at all, by the tests that monitor data streams; and how little that says here.

mod compared;

use std::collections::BTreeMap;

use zsad_core::{Error, MetricInput, Result};
use zsad_metrics::AUROC;
use zsad_metrics::stats::mid_ranks;
use zsad_store::{BatchNumbers, BatchPlace, CellNumber};

use super::found::Point;
use super::{Analysis, AnalysisSpec, Cells, Entry, Output, Registered, Section, Table};
use compared::Said;

/// The registry's entry.
pub const DEF: Registered<ShiftTest> = Registered::new(&SPEC);

static SPEC: AnalysisSpec = AnalysisSpec {
    name: "shift_test",
    version: 1,
    summary: "classical two-sample tests of each batch against reference samples, and whether they say anything of AUROC; opens \
              the data again",
    citation: "Rabanser, Günnemann and Lipton, Failing Loudly, NeurIPS 2019",
};

zsad_core::choices! {
    /// What a batch is compared with.
    pub enum Reference {
        /// The domain's own normals that are not in the batch: data monitoring.
        Domain = "domain",
        /// Normals of the meta-train domains: of other distributions by construction.
        MetaTrain = "meta_train",
    }
}

zsad_core::choices! {
    /// How.
    pub enum Test {
        /// Kolmogorov and Smirnov's test of every dimension, Bonferroni's correction over dimensions.
        Ks = "ks",
        /// Maximum mean discrepancy with permutations.
        Mmd = "mmd",
    }
}

zsad_core::params! {
    /// Parameters of the analysis.
    pub struct ShiftTest {
        /// domain: against the domain's own normals outside the batch; meta_train: against normals of the meta-train domains,
        /// from which a new domain differs by construction
        reference: Reference = Reference::Domain;
        /// ks: a test of each dimension, corrected for their number; mmd: one of all dimensions, by permutations
        test: Test = Test::Ks;
        /// reference samples
        n_ref: usize = 200, in 2..=100_000;
        /// dimensions after a sparse random projection; samples of fewer are taken as they are
        dimensions: usize = 32, in 1..=10_000;
        /// permutations behind an MMD's probability
        permutations: usize = 200, in 1..=100_000;
        /// a batch is called shifted below this probability
        alpha: f64 = 0.05, in 0.0..=1.0;
    }
}

impl Analysis for ShiftTest {
    fn run(&self, cells: &Cells) -> Result<Output> {
        // Batches are the same for all methods: each draw is tested once.
        let mut tested: BTreeMap<String, Vec<Said>> = BTreeMap::new();
        let mut lines: BTreeMap<Point, Vec<Said>> = BTreeMap::new();
        let mut by_method: BTreeMap<(String, String), Vec<(f64, f64)>> = BTreeMap::new();
        let mut batches = BatchNumbers { columns: columns(), ..BatchNumbers::default() };
        let mut numbers = Vec::new();
        for cell in cells.iter() {
            cells.bench.env.stop.check()?;
            let scored = cells.batches(cell)?;
            let draw = format!("{} {:?}", cell.draw(), cell.point().shift);
            if !tested.contains_key(&draw) {
                let said = self.test(cell, &scored, cells)?;
                lines.entry(Point::of(cell)).or_default().extend(&said);
                tested.insert(draw.clone(), said);
            }
            let said = &tested[&draw];
            let mut by_domain: BTreeMap<&str, Vec<bool>> = BTreeMap::new();
            for (of, said) in scored.iter().zip(said) {
                let (cell_key, domain) = (cell.record.cell_key.clone(), of.batch.domain.clone());
                batches.places.push(BatchPlace { cell_key, domain, batch: of.batch.number });
                let values = [said.statistic, said.p, f64::from(u8::from(said.p < self.alpha))];
                batches.columns.iter_mut().zip(values).for_each(|((_, column), v)| column.push(Some(v)));
                by_domain.entry(&of.batch.domain).or_default().push(said.p < self.alpha);
                let input = MetricInput::Samples { scores: &of.batch.items, labels: &of.batch.labels };
                if let Some(auroc) = AUROC.compute(input).value() {
                    let method = (cell.dataset().to_owned(), cell.method.clone());
                    by_method.entry(method).or_default().push((said.statistic, auroc));
                }
            }
            numbers.extend(by_domain.into_iter().map(|(domain, rejected)| CellNumber {
                cell_key: cell.record.cell_key.clone(),
                domain: domain.to_owned(),
                metric: "shift_rejected".into(),
                group: String::new(),
                value: Some(share(&rejected)),
            }));
        }
        if lines.is_empty() {
            return Err(Error::refused("there are no finished cells"));
        }
        let mut table = Table::new(&[
            "dataset",
            "batch_size",
            "contamination",
            "shift",
            "n_batches",
            "rejected",
            "statistic",
            "n_ref",
        ]);
        for (point, said) in &lines {
            let rejected: Vec<bool> = said.iter().map(|s| s.p < self.alpha).collect();
            let statistic = said.iter().map(|s| s.statistic).sum::<f64>() / said.len() as f64;
            let mut line = point.entries("");
            // All methods see the same batches.
            line.remove(1);
            line.extend([
                said.len().into(),
                Entry::Share(Some(share(&rejected))),
                Entry::Number(Some(statistic)),
                self.n_ref.into(),
            ]);
            table.push(line);
        }
        let mut related = Table::new(&["dataset", "method", "rank correlation of statistic and AUROC", "batches"]);
        for ((dataset, method), pairs) in &by_method {
            let (statistic, auroc): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
            let line = [
                dataset.as_str().into(),
                method.as_str().into(),
                Entry::Number(spearman(&statistic, &auroc)),
                pairs.len().into(),
            ];
            related.push(line.into());
        }
        let sections = vec![
            Section { caption: format!("Batches called shifted at {}", self.alpha), table: table.clone() },
            Section { caption: "Does the test say how well a method ranks?".into(), table: related },
        ];
        Ok(Output { table, remarks: vec![self.legend()], sections, numbers, batches, figure: None })
    }
}

fn columns() -> Vec<(String, Vec<Option<f64>>)> {
    ["shift_statistic", "shift_p", "shift_rejected"].map(|name| (name.to_owned(), Vec::new())).to_vec()
}

fn share(of: &[bool]) -> f64 {
    of.iter().filter(|r| **r).count() as f64 / of.len().max(1) as f64
}

impl ShiftTest {
    fn legend(&self) -> String {
        let against = match self.reference {
            Reference::Domain => {
                "the domain's own normals outside the batch: what is rejected without a shift are false alarms, \
                                  and anomalies in the batch"
            }
            Reference::MetaTrain => {
                "normals of the meta-train domains, from which a new domain differs by construction: that a \
                                     test rejects says nothing of the detector"
            }
        };
        format!(
            "Each batch against {against}. statistic: the greatest distance of distribution functions over dimensions (ks), or the \
             unbiased MMD². The second table asks what a user wants to know: whether batches that the test finds far off are \
             ranked worse. A rank correlation near 0 says that the test does not tell."
        )
    }
}

/// Spearman's rank correlation; `None` where one side is constant.
fn spearman(a: &[f64], b: &[f64]) -> Option<f64> {
    let (a, b) = (mid_ranks(a), mid_ranks(b));
    let n = a.len() as f64;
    let mean = |v: &[f64]| v.iter().sum::<f64>() / n;
    let (ma, mb) = (mean(&a), mean(&b));
    let sum = |f: &dyn Fn(usize) -> f64| (0..a.len()).map(f).sum::<f64>();
    let length = (sum(&|i| (a[i] - ma).powi(2)) * sum(&|i| (b[i] - mb).powi(2))).sqrt();
    (length > 0.0).then(|| sum(&|i| (a[i] - ma) * (b[i] - mb)) / length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_correlated_as_scipy_does() {
        // scipy.stats.spearmanr([1, 2, 2, 4, 9], [3, 1, 4, 8, 7]).statistic
        let found = spearman(&[1.0, 2.0, 2.0, 4.0, 9.0], &[3.0, 1.0, 4.0, 8.0, 7.0]).unwrap();
        assert!((found - 0.7181848464596079).abs() < 1e-12, "{found}");
        assert_eq!(spearman(&[1.0, 1.0], &[0.0, 2.0]), None);
    }
}
