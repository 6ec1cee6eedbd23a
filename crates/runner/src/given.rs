//! Labels that a person gives of a test batch: which samples are asked for, what a method makes of the answers, and how the
//! labelled samples are ranked.

use zsad_core::rng::stream;
use zsad_core::{Batch, Budget, Detector, LabelledBatch, Result, SampleRef, Scores, Unlabelled};
use zsad_data::query;

use crate::evaluate::CellInput;

/// What labels made of a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Given {
    /// Which samples were labelled.
    pub labelled: Vec<bool>,
    /// The scores without labels, by which samples are asked for.
    pub first: Vec<f64>,
}

/// Scores a batch without labels, asks for some, and scores what is left of it without the anomalies that they show, which
/// keep their first scores. Maps are left out: labels are of whole samples.
///
/// # Errors
/// Those of the method; [`zsad_core::Error::Refused`] where every sample would be labelled.
pub fn score(
    detector: &dyn Detector,
    input: &CellInput,
    source: &Unlabelled,
    items: &[SampleRef],
    (batch, budget): (&LabelledBatch<SampleRef>, Budget),
) -> Result<(Scores, Given)> {
    let CellInput { point, env, .. } = *input;
    let whole = Batch::new(source, items, env);
    let first = detector.score(&whole)?.samples;
    crate::evaluate::check(&first.clone().into(), items.len())?;
    let axes = [
        ("purpose", "query"),
        ("dataset", input.dataset.info().name.as_str()),
        ("fold", &input.fold.name),
        ("domain", &batch.domain),
        ("point", &query::point_name(point)),
        ("batch", &batch.number.to_string()),
        ("labels", &budget.to_string()),
    ];
    // Without a share the protocol names none: half is what a method takes for granted at most.
    let share = point.contamination.ratio().unwrap_or(0.5);
    let asked = query::choose(budget, &first, share, || whole.samples(), &mut stream(input.seed, &axes))?;
    let mut labelled = vec![false; items.len()];
    asked.iter().for_each(|&i| labelled[i] = true);
    let known: Vec<bool> = (0..items.len()).map(|i| labelled[i] && batch.labels[i]).collect();
    if !known.contains(&true) {
        return Ok((first.clone().into(), Given { labelled, first }));
    }
    let rest: Vec<usize> = (0..items.len()).filter(|&i| !known[i]).collect();
    let scores = match detector.score_beside(&whole, &known)? {
        Some(scores) => scores,
        None => {
            let left: Vec<SampleRef> = rest.iter().map(|&i| items[i]).collect();
            detector.score(&Batch::new(source, &left, env))?
        }
    };
    crate::evaluate::check(&scores, rest.len())?;
    let mut all = first.clone();
    rest.iter().zip(scores.samples).for_each(|(&i, score)| all[i] = score);
    Ok((all.into(), Given { labelled, first }))
}

/// The samples of scored batches that were not labelled.
pub fn rest(batches: &[LabelledBatch<f64>], labelled: &[Vec<bool>]) -> Vec<LabelledBatch<f64>> {
    let of = |(batch, labelled): (&LabelledBatch<f64>, &Vec<bool>)| {
        let kept = || (0..batch.items.len()).filter(|&i| !labelled[i]);
        let labels = kept().map(|i| batch.labels[i]).collect();
        LabelledBatch { labels, ..batch.with(kept().map(|i| batch.items[i]).collect()) }
    };
    batches.iter().zip(labelled).map(of).collect()
}

/// Puts the labelled samples of the batches of a domain where their labels say: anomalies above every score, normals below.
pub fn place(batches: &mut [LabelledBatch<f64>], labelled: &[Vec<bool>]) {
    let scores = || batches.iter().flat_map(|b| &b.items).copied();
    let (low, high) = scores().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), s| (l.min(s), h.max(s)));
    // A margin that is seen next to scores of any size.
    let margin = (high - low).max(f64::EPSILON * high.abs().max(low.abs()) * 4.0).max(f64::MIN_POSITIVE);
    let (low, high) = (low - margin, high + margin);
    for (batch, labelled) in batches.iter_mut().zip(labelled) {
        for (score, (is_anomaly, _)) in
            batch.items.iter_mut().zip(batch.labels.iter().zip(labelled)).filter(|(_, (_, labelled))| **labelled)
        {
            *score = if *is_anomaly { high } else { low };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labelled_samples_stand_at_their_labels_over_all_batches_of_a_domain() {
        let batch = |items: &[f64], labels: &[bool]| LabelledBatch {
            domain: "d".into(),
            number: 0,
            items: items.to_vec(),
            labels: labels.to_vec(),
        };
        let mut batches = [batch(&[0.1, 0.9, 0.5], &[true, false, false]), batch(&[3.0, 7.0], &[false, true])];
        let labelled = [vec![true, true, false], vec![false, false]];
        let left = rest(&batches, &labelled);
        assert_eq!((left[0].items.as_slice(), left[0].labels.as_slice()), (&[0.5][..], &[false][..]));
        assert_eq!(left[1], batches[1]);
        place(&mut batches, &labelled);
        // The scores spread over 6.9.
        assert_eq!((batches[0].items[0], batches[0].items[2]), (7.0 + 6.9, 0.5));
        assert!(batches[0].items[1] < 0.1 && batches[1].items == [3.0, 7.0]);
        // Of scores that are all one there is an above and a below as well.
        let mut one = [batch(&[5.0, 5.0, 5.0], &[true, false, false])];
        place(&mut one, &[vec![true, true, false]]);
        assert!(one[0].items[0] > 5.0 && one[0].items[1] < 5.0);
    }
}
