//! The batch that stands for a run in a picture: the one that is most like the means of all methods that are shown.

use std::collections::BTreeMap;

use zsad_core::{Error, LabelledBatch, MetricInput, Result};
use zsad_report::ranked::Method;
use zsad_store::{CellRecord, RunFolder};

/// The metric by which batches are compared.
const BY: &str = "auroc";

/// Fold, domain and number of a batch.
pub type Place = (String, String, u32);

/// What a method made of a batch.
pub struct Scored {
    /// Its AUROC.
    pub auroc: f64,
    /// The batch with its scores.
    pub batch: LabelledBatch<f64>,
}

/// The batches of a method that have an AUROC, and the records of its cells, by fold.
pub struct MethodScores {
    /// Records by fold.
    pub cells: BTreeMap<String, CellRecord>,
    /// Batches by their places.
    pub batches: BTreeMap<Place, Scored>,
}

impl MethodScores {
    /// Those of the cells of `method`.
    ///
    /// # Errors
    /// Where a record or its scores are missing or damaged.
    pub fn read(folder: &RunFolder, method: &Method) -> Result<Self> {
        let (mut cells, mut batches) = (BTreeMap::new(), BTreeMap::new());
        for key in &method.cells {
            let missing = || Error::data(folder.root(), format!("cell {key} is missing"), "run the experiment again");
            let record = folder.record(key)?.ok_or_else(missing)?;
            let fold = &record.cell.fit.fold;
            for batch in folder.scores(key)? {
                let input = MetricInput::Samples { scores: &batch.items, labels: &batch.labels };
                // A batch of one class has none.
                if let Some(auroc) = zsad_metrics::find(BY).and_then(|metric| metric.compute(input).value()) {
                    batches.insert((fold.clone(), batch.domain.clone(), batch.number), Scored { auroc, batch });
                }
            }
            cells.insert(fold.clone(), record);
        }
        Ok(MethodScores { cells, batches })
    }

    fn mean(&self) -> f64 {
        self.batches.values().map(|b| b.auroc).sum::<f64>() / self.batches.len().max(1) as f64
    }
}

/// The batch whose AUROCs are nearest to the means of the methods, by the sum of squares, and of how many: all that every
/// method has scored. Of equals the first.
pub fn most_typical(scores: &[MethodScores]) -> Option<(Place, usize)> {
    let means: Vec<f64> = scores.iter().map(MethodScores::mean).collect();
    let labels = |of: &MethodScores, place: &Place| of.batches.get(place).map(|b| b.batch.labels.clone());
    let of_all = |place: &&Place| {
        let first = labels(&scores[0], place);
        scores.iter().all(|s| labels(s, place) == first)
    };
    let places: Vec<&Place> = scores.first()?.batches.keys().filter(of_all).collect();
    let distance = |place: &Place| -> f64 {
        let differences = scores.iter().zip(&means).map(|(s, mean)| s.batches[place].auroc - mean);
        differences.map(|d| d * d).sum()
    };
    let nearest = places.iter().min_by(|a, b| distance(a).total_cmp(&distance(b)))?;
    Some(((*nearest).clone(), places.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(aurocs: &[f64]) -> MethodScores {
        let batch = |i: usize| {
            let batch = LabelledBatch { domain: "d".into(), number: i as u32, items: vec![0.0], labels: vec![true] };
            ((String::new(), "d".to_owned(), i as u32), Scored { auroc: aurocs[i], batch })
        };
        MethodScores { cells: BTreeMap::new(), batches: (0..aurocs.len()).map(batch).collect() }
    }

    #[test]
    fn the_batch_that_is_most_like_the_means_of_all_methods_is_chosen() {
        // Means 0.8 and 0.6: the distances are 0.04 + 0.16, 0 + 0.01, 0.04 + 0.09.
        let all = [scores(&[1.0, 0.8, 0.6]), scores(&[1.0, 0.5, 0.3])];
        assert_eq!(most_typical(&all), Some(((String::new(), "d".into(), 1), 3)));
        // What one method has not scored, or drawn otherwise, is no batch to compare on.
        let mut fewer = scores(&[1.0, 0.8]);
        fewer.batches.values_mut().next().unwrap().batch.labels = vec![false];
        let (place, n) = most_typical(&[scores(&[0.9, 0.1, 0.9]), fewer]).unwrap();
        assert_eq!((place.2, n), (1, 1));
        assert_eq!(most_typical(&[scores(&[])]), None);
    }
}
