//! What is odd about stored scores: they say nothing, next to nothing, or the same as another method's.

use std::collections::BTreeMap;

use zsad_core::{Error, LabelledBatch, Result, digest};
use zsad_store::{CellRecord, Finding, Oddity, RunFolder};

/// Scores are few-valued where more than this share of a cell's samples shares its score with another of its batch.
const SHARED: f64 = 0.9;
/// Batches smaller than this may well hold few values.
const SMALL: usize = 10;

/// What the scores of a cell look like.
struct Look {
    batches: usize,
    /// Batches with one value for all samples.
    constant: usize,
    /// Samples in batches that are not small, and how many of these share their score.
    samples: usize,
    shared: usize,
    /// A digest of all scores, in their order.
    digest: String,
}

impl Look {
    fn at(batches: &[LabelledBatch<f64>]) -> Self {
        let (mut constant, mut samples, mut shared) = (0, 0, 0);
        for LabelledBatch { items, .. } in batches {
            constant += usize::from(items.len() > 1 && items.iter().all(|s| *s == items[0]));
            if items.len() >= SMALL {
                let mut sorted = items.clone();
                sorted.sort_by(f64::total_cmp);
                samples += items.len();
                shared += sorted.chunk_by(|a, b| a == b).filter(|run| run.len() > 1).map(<[f64]>::len).sum::<usize>();
            }
        }
        let bytes: Vec<u8> = batches.iter().flat_map(|b| &b.items).flat_map(|s| s.to_bits().to_le_bytes()).collect();
        Look { batches: batches.len(), constant, samples, shared, digest: digest::of_bytes(&bytes) }
    }
}

/// What is odd about the scores of `records`.
///
/// # Errors
/// Where scores cannot be read.
pub fn odd(records: &[&CellRecord], folder: &RunFolder) -> Result<Vec<Finding>> {
    let looks = looks(records, folder)?;
    let mut by_method: BTreeMap<(&str, &str), Vec<(&CellRecord, &Look)>> = BTreeMap::new();
    let mut same: BTreeMap<(&str, &str), Vec<&CellRecord>> = BTreeMap::new();
    for (record, look) in records.iter().zip(&looks) {
        by_method.entry((&record.asked.dataset, method(record))).or_default().push((record, look));
        // Constant scores are alike without being copies of each other.
        if look.constant < look.batches {
            same.entry((&record.asked.dataset, &look.digest)).or_default().push(record);
        }
    }
    let mut found = Vec::new();
    for ((dataset, method), cells) in by_method {
        let finding = |kind, message: String, odd: Vec<&CellRecord>| Finding {
            kind,
            dataset: dataset.into(),
            method: method.into(),
            message,
            cells: odd.iter().map(|r| r.cell_key.clone()).collect(),
        };
        let constant: Vec<&CellRecord> = cells.iter().filter(|(_, l)| l.constant > 0).map(|(r, _)| *r).collect();
        if !constant.is_empty() {
            let count = |of: fn(&Look) -> usize| cells.iter().map(|(_, l)| of(l)).sum::<usize>();
            let (odd, all) = (count(|l| l.constant), count(|l| l.batches));
            let message = format!("in {odd} of {all} batches all samples have one score");
            found.push(finding(Oddity::ConstantScores, message, constant));
        }
        let few = |(_, l): &&(&CellRecord, &Look)| {
            l.constant < l.batches && l.samples > 0 && l.shared as f64 > SHARED * l.samples as f64
        };
        let few: Vec<&CellRecord> = cells.iter().filter(few).map(|(r, _)| *r).collect();
        if !few.is_empty() {
            let share = 100.0 * SHARED;
            let message =
                format!("in {} of {} cells over {share} % of samples share their score", few.len(), cells.len());
            found.push(finding(Oddity::FewValues, message, few));
        }
    }
    found.extend(copies(same.into_values()));
    Ok(found)
}

/// What the scores of each record look like, read by several threads. They are none of a pool's: the reader of Parquet uses one,
/// and a worker that waits for another begins a further record meanwhile, until ten thousand of them have filled its stack.
fn looks(records: &[&CellRecord], folder: &RunFolder) -> Result<Vec<Look>> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let look = |record: &&CellRecord| Ok(Look::at(&folder.scores(&record.cell_key)?));
    std::thread::scope(|scope| {
        let parts = records.chunks(records.len().div_ceil(threads).max(1));
        let readers: Vec<_> = parts.map(|part| scope.spawn(move || part.iter().map(look).collect())).collect();
        let mut looks = Vec::with_capacity(records.len());
        for reader in readers {
            let read: Result<Vec<Look>> = reader.join().unwrap_or_else(|_| Err(Error::failed("a thread broke down")));
            looks.extend(read?);
        }
        Ok(looks)
    })
}

/// Methods with the same scores, a finding a pair and data set.
fn copies<'a>(same: impl Iterator<Item = Vec<&'a CellRecord>>) -> Vec<Finding> {
    let mut pairs: BTreeMap<(&str, &str, &str), Vec<&CellRecord>> = BTreeMap::new();
    for cells in same {
        for (i, first) in cells.iter().enumerate() {
            // One method under two names is no surprise.
            for second in cells[i + 1..].iter().filter(|c| c.cell.fit.method != first.cell.fit.method) {
                let mut names = [method(first), method(second)];
                names.sort_unstable();
                pairs.entry((&first.asked.dataset, names[0], names[1])).or_default().extend([*first, *second]);
            }
        }
    }
    let finding = |((dataset, first, second), cells): ((&str, &str, &str), Vec<&CellRecord>)| Finding {
        kind: Oddity::IdenticalScores,
        dataset: dataset.into(),
        method: first.into(),
        message: format!("in {} cells its scores are those of {second}, to the bit", cells.len() / 2),
        cells: cells.iter().map(|r| r.cell_key.clone()).collect(),
    };
    pairs.into_iter().map(finding).collect()
}

fn method(record: &CellRecord) -> &str {
    record.asked.method_or(&record.cell.fit.method.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with one cell a method, and what is odd about it.
    fn found(methods: &[(&str, Vec<Vec<f64>>)]) -> Vec<(Oddity, String)> {
        let dir = tempfile::tempdir().unwrap();
        let folder = RunFolder::new(dir.path());
        folder.prepare().unwrap();
        let mut records = Vec::new();
        for (name, batches) in methods {
            let mut record = CellRecord { cell_key: (*name).into(), ..CellRecord::default() };
            record.cell.fit.method.name = (*name).into();
            let one = |(number, items): (usize, &Vec<f64>)| LabelledBatch {
                domain: "d".into(),
                number: number as u32,
                items: items.clone(),
                labels: vec![false; items.len()],
            };
            let batches: Vec<LabelledBatch<f64>> = batches.iter().enumerate().map(one).collect();
            let facts = zsad_store::Facts::unknown(batches.iter().map(|b| b.items.len()).sum());
            folder.put_record(&record, &batches, &facts).unwrap();
            records.push(record);
        }
        let records: Vec<&CellRecord> = records.iter().collect();
        odd(&records, &folder).unwrap().into_iter().map(|f| (f.kind, f.method)).collect()
    }

    #[test]
    fn scores_that_say_nothing_or_little_or_the_same_are_named() {
        let distinct: Vec<f64> = (0..20).map(f64::from).collect();
        let other: Vec<f64> = (0..20).map(|i| f64::from(i) + 0.5).collect();
        let binary: Vec<f64> = (0..20).map(|i| f64::from(i % 2)).collect();
        let pairs: Vec<f64> = (0..20).map(|i| f64::from(i / 2).min(6.0) + f64::from(i)).collect();
        let found = found(&[
            ("binary", vec![binary]),
            ("constant", vec![vec![1.0; 20], distinct.clone()]),
            ("copy", vec![distinct.clone()]),
            ("fine", vec![other]),
            ("original", vec![distinct]),
            ("fine too", vec![pairs]),
        ]);
        assert_eq!(
            found,
            [
                (Oddity::FewValues, "binary".into()),
                (Oddity::ConstantScores, "constant".into()),
                (Oddity::IdenticalScores, "copy".into()),
            ]
        );
    }
}
