//! The tests themselves: which samples a batch is compared with, and what the comparison says.

use std::collections::HashSet;

use rand::RngExt;
use rand::seq::index;
use zsad_core::rng::stream;
use zsad_core::{Dataset, Error, Result, SampleRef, Subset};
use zsad_metrics::stats::{kolmogorov_smirnov, mmd, mmd_p};

use super::super::{Cell, Cells, Labelled};
use super::{Reference, ShiftTest, Test};
use crate::redrawn::{Redrawn, redrawn};

/// What a test said of a batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Said {
    /// The greatest distance of distribution functions, or the unbiased MMD².
    pub statistic: f64,
    /// Its probability without a difference, corrected for the number of dimensions.
    pub p: f64,
}

impl ShiftTest {
    /// The tests of all batches of a cell, in their order.
    pub fn test(&self, cell: &Cell, scored: &[Labelled], cells: &Cells) -> Result<Vec<Said>> {
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
}
