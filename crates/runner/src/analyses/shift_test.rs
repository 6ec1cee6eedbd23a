//! Whether a batch differs from a reference at all, by the tests that monitor data streams; and how little that says here.

use std::collections::{BTreeMap, HashSet};

use rand::RngExt;
use rand::seq::index;
use zsad_core::rng::stream;
use zsad_core::{Dataset, Error, MetricInput, Result, SampleRef, Subset};
use zsad_metrics::AUROC;
use zsad_metrics::stats::{kolmogorov_smirnov, mid_ranks, mmd, mmd_p};
use zsad_store::{BatchNumbers, BatchPlace, CellNumber};

use super::found::Point;
use super::{Analysis, AnalysisSpec, Cell, Cells, Entry, Labelled, Output, Registered, Section, Table};
use crate::redrawn::{Redrawn, redrawn};

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

/// What a test said of a batch.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Said {
    statistic: f64,
    p: f64,
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
    /// The tests of all batches of a cell, in their order.
    fn test(&self, cell: &Cell, scored: &[Labelled], cells: &Cells) -> Result<Vec<Said>> {
        let (record, env) = (&cell.record, cells.bench.env);
        let dataset = cells.bench.library.get(&record.cell.fit.data.name, &record.asked.dataset_params)?;
        let mut all = Vec::new();
        for of in scored {
            let Redrawn { view, fold, samples } = redrawn(&dataset, record, &of.batch, env)?;
            let place = format!("{} {} {}", record.cell.fit.fold, of.batch.domain, of.batch.number);
            // A shifted view has every domain twice; what is in the batch must not be in the reference clean either.
            let domains = view.info().domains.len() / if cell.point().shift.is_some() { 2 } else { 1 };
            let clean = |r: &SampleRef| SampleRef { domain: r.domain % domains as u32, ..*r };
            let own: HashSet<SampleRef> = samples.iter().map(clean).collect();
            let reference = self.reference(view.as_ref(), fold, &of.batch.domain, &own, cell.seed(), &place)?;
            let (x, y) = (view.gather(&samples)?, view.gather(&reference)?);
            let (d, dimensions) = (x.dim(), self.dimensions.min(x.dim()));
            let [x, y] = [x, y].map(|values| project(&values.to_f64(), d, dimensions));
            all.push(self.compare(&x, &y, dimensions, &place)?);
        }
        Ok(all)
    }

    /// The samples that a batch is compared with.
    fn reference(
        &self,
        view: &dyn Dataset,
        fold: usize,
        domain: &str,
        own: &HashSet<SampleRef>,
        seed: u64,
        place: &str,
    ) -> Result<Vec<SampleRef>> {
        let info = view.info();
        let domains: Vec<usize> = match self.reference {
            Reference::MetaTrain => info.folds[fold].meta_train.clone(),
            Reference::Domain => info.domains.iter().position(|d| d.name == domain).into_iter().collect(),
        };
        let normals = |&d: &usize| SampleRef::all(d, Subset::Normal, info.domains[d].normal);
        let all: Vec<SampleRef> = domains.iter().flat_map(normals).filter(|r| !own.contains(r)).collect();
        if all.len() < 2 {
            return Err(Error::refused(format!(
                "domain `{domain}` has no normals outside its batch; hint: reference: meta_train"
            )));
        }
        let mut rng = stream(seed, &[("purpose", "shift_test"), ("dataset", &info.name), ("batch", place)]);
        Ok(index::sample(&mut rng, all.len(), self.n_ref.min(all.len())).into_iter().map(|i| all[i]).collect())
    }

    fn compare(&self, x: &[f64], y: &[f64], dimensions: usize, place: &str) -> Result<Said> {
        let few = || Error::refused("two samples a side are the least that can be compared");
        match self.test {
            Test::Ks => {
                let column =
                    |values: &[f64], k: usize| values.iter().skip(k).step_by(dimensions).copied().collect::<Vec<_>>();
                let tests: Option<Vec<(f64, f64)>> =
                    (0..dimensions).map(|k| kolmogorov_smirnov(&column(x, k), &column(y, k))).collect();
                let tests = tests.ok_or_else(few)?;
                let statistic = tests.iter().map(|t| t.0).fold(0.0, f64::max);
                let least = tests.iter().map(|t| t.1).fold(1.0, f64::min);
                Ok(Said { statistic, p: (least * dimensions as f64).min(1.0) })
            }
            Test::Mmd => {
                let mut rng = stream(0, &[("purpose", "shift_test_permutations"), ("batch", place)]);
                let (statistic, ..) = mmd(x, y, dimensions).ok_or_else(few)?;
                let p = mmd_p(x, y, dimensions, self.permutations, &mut rng).ok_or_else(few)?;
                Ok(Said { statistic, p })
            }
        }
    }

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

/// Points of `d` values after a sparse random projection to `dimensions`, always the same (Achlioptas, Database-Friendly
/// Random Projections, 2003); as they are where there are no more.
fn project(values: &[f64], d: usize, dimensions: usize) -> Vec<f64> {
    if dimensions >= d {
        return values.to_vec();
    }
    let mut rng =
        stream(0, &[("purpose", "sparse_projection"), ("from", &d.to_string()), ("to", &dimensions.to_string())]);
    let mut entry = || match rng.random_range(0..6u8) {
        0 => 1.0,
        1 => -1.0,
        _ => 0.0,
    };
    let matrix: Vec<f64> = (0..d * dimensions).map(|_| entry()).collect();
    let of = |row: &[f64], k: usize| row.iter().zip(&matrix[k * d..(k + 1) * d]).map(|(v, m)| v * m).sum::<f64>();
    values.chunks_exact(d).flat_map(|row| (0..dimensions).map(move |k| (row, k))).map(|(row, k)| of(row, k)).collect()
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
    fn a_projection_keeps_differences_and_is_always_the_same() {
        let values: Vec<f64> = (0..300).map(|i| f64::from(i % 17)).collect();
        let small = project(&values, 100, 8);
        assert_eq!((small.len(), &small), (24, &project(&values, 100, 8)));
        assert_eq!(project(&values, 3, 8), values);
    }

    #[test]
    fn far_batches_are_rejected_and_own_ones_are_not() {
        let draw = |seed: u64, n: usize, shift: f64| -> Vec<f64> {
            let mut rng = stream(seed, &[("purpose", "test")]);
            (0..n * 4).map(|_| rng.random::<f64>() + shift).collect()
        };
        let reference = draw(0, 100, 0.0);
        for test in [Test::Ks, Test::Mmd] {
            let of = ShiftTest { test, ..ShiftTest::default() };
            assert!(of.compare(&draw(1, 20, 0.0), &reference, 4, "a").unwrap().p > 0.05);
            assert!(of.compare(&draw(2, 20, 0.5), &reference, 4, "a").unwrap().p < 0.01);
        }
    }

    #[test]
    fn ranks_are_correlated_as_scipy_does() {
        // scipy.stats.spearmanr([1, 2, 2, 4, 9], [3, 1, 4, 8, 7]).statistic
        let found = spearman(&[1.0, 2.0, 2.0, 4.0, 9.0], &[3.0, 1.0, 4.0, 8.0, 7.0]).unwrap();
        assert!((found - 0.7181848464596079).abs() < 1e-12, "{found}");
        assert_eq!(spearman(&[1.0, 1.0], &[0.0, 2.0]), None);
    }
}
