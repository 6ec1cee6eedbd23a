//! What a shift costs in the batches of one domain.

use zsad_core::{Error, MetricInput, Pooling, Result};
use zsad_metrics::AUROC;
use zsad_store::CellNumber;

use super::super::{Cell, Labelled};
use super::ShiftDrop;

/// The batches of one domain in a clean cell and in the shifted one of the same draw.
pub(super) struct Pair {
    pub cell_key: String,
    pub domain: String,
    pub pooling: Pooling,
    pub clean: Vec<Labelled>,
    pub shifted: Vec<Labelled>,
}

/// What the shift costs in some batches; of pairs, clean first.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Cost {
    pub n: usize,
    pub auroc: Option<[f64; 2]>,
    /// Drops of the units that are resampled: of batches, or of domains where scores are pooled.
    pub drops: Vec<f64>,
    pub interval: Option<(f64, f64)>,
    pub fpr: [f64; 2],
    pub tpr: Option<[f64; 2]>,
}

impl Cost {
    pub fn numbers(&self, pair: &Pair) -> Vec<CellNumber> {
        let number = |metric: &str, value| CellNumber {
            cell_key: pair.cell_key.clone(),
            domain: pair.domain.clone(),
            metric: metric.into(),
            group: String::new(),
            value,
        };
        let drop = self.auroc.map(|[clean, shifted]| clean - shifted);
        vec![number("drop", drop), number("fpr_fixed", Some(self.fpr[1])), number("tpr_fixed", self.tpr.map(|t| t[1]))]
    }
}

/// The domains of two cells that hold the same samples.
pub(super) fn paired(clean: &[Labelled], shifted: Vec<Labelled>, cell: &Cell) -> Result<Vec<Pair>> {
    let place = |l: &Labelled| (l.batch.domain.clone(), l.batch.number);
    let same = |a: &Labelled, b: &Labelled| a.batch.labels == b.batch.labels && a.samples == b.samples;
    if clean.len() != shifted.len() || !clean.iter().zip(&shifted).all(|(a, b)| place(a) == place(b) && same(a, b)) {
        let what = format!("cell {}: its batches are not those of the clean cell", cell.record.cell_key);
        return Err(Error::failed(what));
    }
    let mut pairs: Vec<Pair> = Vec::new();
    for (clean, shifted) in clean.iter().zip(shifted) {
        let domain = shifted.batch.domain.clone();
        if pairs.last().is_none_or(|last| last.domain != domain) {
            let (cell_key, pooling) = (cell.record.cell_key.clone(), cell.point().pooling);
            pairs.push(Pair { cell_key, domain, pooling, clean: vec![], shifted: vec![] });
        }
        if let Some(last) = pairs.last_mut() {
            last.clean.push(clean.clone());
            last.shifted.push(shifted);
        }
    }
    Ok(pairs)
}

fn auroc(scores: &[f64], labels: &[bool]) -> Option<f64> {
    AUROC.compute(MetricInput::Samples { scores, labels }).value()
}

/// Scores of one label over some batches.
fn of_label(batches: &[Labelled], label: bool) -> Vec<f64> {
    let of = |l: &Labelled| {
        l.batch.items.iter().zip(&l.batch.labels).filter(|(_, l)| **l == label).map(|(s, _)| *s).collect()
    };
    batches.iter().flat_map(|l| -> Vec<f64> { of(l) }).collect()
}

fn share_above(scores: &[f64], threshold: f64) -> f64 {
    scores.iter().filter(|s| **s > threshold).count() as f64 / scores.len().max(1) as f64
}

/// The least of `normals` above which at most a share of `fpr` of them lies.
fn threshold(mut normals: Vec<f64>, fpr: f64) -> f64 {
    normals.sort_by(f64::total_cmp);
    let above = (fpr * normals.len() as f64 + 1e-9).floor() as usize;
    normals.len().checked_sub(1 + above).map_or(f64::INFINITY, |i| normals[i])
}

impl ShiftDrop {
    /// What it costs in one domain of one cell.
    pub(super) fn cost(&self, pair: &Pair) -> Cost {
        let both = [&pair.clean, &pair.shifted];
        let units: Vec<[f64; 2]> = match pair.pooling {
            Pooling::Batch => {
                let batch = |l: &Labelled| auroc(&l.batch.items, &l.batch.labels);
                let of = |(a, b): (&Labelled, &Labelled)| Some([batch(a)?, batch(b)?]);
                pair.clean.iter().zip(&pair.shifted).filter_map(of).collect()
            }
            Pooling::Domain => {
                let pooled = |batches: &Vec<Labelled>| {
                    let scores: Vec<f64> = batches.iter().flat_map(|l| l.batch.items.clone()).collect();
                    let labels: Vec<bool> = batches.iter().flat_map(|l| l.batch.labels.clone()).collect();
                    auroc(&scores, &labels)
                };
                both[1..].iter().filter_map(|b| Some([pooled(both[0])?, pooled(b)?])).collect()
            }
        };
        let normals = both.map(|b| of_label(b, false));
        let anomalies = both.map(|b| of_label(b, true));
        let fixed = self.threshold.unwrap_or_else(|| threshold(normals[0].clone(), self.fpr));
        Cost {
            n: pair.clean.len(),
            auroc: mean2(&units),
            drops: units.iter().map(|[a, b]| a - b).collect(),
            interval: None,
            fpr: [share_above(&normals[0], fixed), share_above(&normals[1], fixed)],
            tpr: (!anomalies[0].is_empty())
                .then(|| [share_above(&anomalies[0], fixed), share_above(&anomalies[1], fixed)]),
        }
    }
}

/// The mean of both sides.
pub(super) fn mean2(all: &[[f64; 2]]) -> Option<[f64; 2]> {
    let n = all.len() as f64;
    (!all.is_empty()).then(|| [0, 1].map(|i| all.iter().map(|v| v[i]).sum::<f64>() / n))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_threshold_lets_at_most_its_share_of_clean_normals_through() {
        let normals: Vec<f64> = (0..100).map(f64::from).collect();
        let t = threshold(normals.clone(), 0.05);
        assert_eq!((t, share_above(&normals, t)), (94.0, 0.05));
        // Ties: never more than the share.
        let tied = [vec![1.0; 90], vec![2.0; 10]].concat();
        assert_eq!(share_above(&tied, threshold(tied.clone(), 0.05)), 0.0);
        assert_eq!(share_above(&tied, threshold(tied.clone(), 0.10)), 0.10);
        assert_eq!(threshold(vec![], 0.05), f64::INFINITY);
    }

    fn labelled(scores: &[f64], labels: &[bool]) -> Labelled {
        let batch =
            zsad_core::LabelledBatch { domain: "d".into(), number: 0, items: scores.to_vec(), labels: labels.to_vec() };
        Labelled { samples: vec![String::new(); scores.len()], tags: zsad_core::Tags::none(scores.len()), batch }
    }

    #[test]
    fn a_score_that_moves_for_all_keeps_its_auroc_and_alarms_on_everything() {
        let labels: Vec<bool> = (0..21).map(|i| i == 20).collect();
        let clean: Vec<f64> = (0..21).map(f64::from).collect();
        let shifted: Vec<f64> = clean.iter().map(|s| s + 100.0).collect();
        let pair = Pair {
            cell_key: "k".into(),
            domain: "d".into(),
            pooling: Pooling::Batch,
            clean: vec![labelled(&clean, &labels)],
            shifted: vec![labelled(&shifted, &labels)],
        };
        let cost = ShiftDrop::default().cost(&pair);
        assert_eq!((cost.auroc, cost.fpr, cost.tpr), (Some([1.0, 1.0]), [0.05, 1.0], Some([1.0, 1.0])));
        let own = ShiftDrop { threshold: Some(110.0), ..ShiftDrop::default() }.cost(&pair);
        assert_eq!((own.fpr, own.tpr), ([0.0, 0.45], Some([0.0, 1.0])));
    }
}
