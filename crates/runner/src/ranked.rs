//! Pictures of a batch as every method ranks it, from the stored scores: nothing is trained or scored again.

use std::collections::BTreeMap;
use std::path::PathBuf;

use zsad_core::{Environment, Error, LabelledBatch, MetricInput, Modality, Result};
use zsad_data::sampler;
use zsad_report::ranked::{self, Candidate, METHODS, Method, PICTURES, Picture, Ranking};
use zsad_store::{CellRecord, Row, RunFolder};

use crate::heatmaps::rgb;
use crate::library::{DataSet, Library, digest_of};

/// The metric of a ranking.
const BY: &str = "auroc";

/// Draws one batch of each data set of pictures in the run, and returns the paths: of all batches of the middle protocol
/// point and the least seed the one whose AUROCs are nearest to the means of the methods, as the table has them. No method
/// is favoured, and a lucky batch is not chosen.
///
/// # Errors
/// Where the data are missing or are not those of the run, or a file cannot be read or written.
pub fn write_all(folder: &RunFolder, rows: &[Row], library: &Library, env: &Environment) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for candidate in ranked::candidates(rows) {
        paths.extend(one(folder, &candidate, library, env)?);
    }
    Ok(paths)
}

/// Fold, domain and number of a batch.
type Place = (String, String, u32);

/// What a method made of a batch.
struct Scored {
    auroc: f64,
    batch: LabelledBatch<f64>,
}

/// The batches of a method that have an AUROC, and the records of its cells, by fold.
struct Scores {
    cells: BTreeMap<String, CellRecord>,
    batches: BTreeMap<Place, Scored>,
}

impl Scores {
    fn read(folder: &RunFolder, method: &Method) -> Result<Self> {
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
        Ok(Scores { cells, batches })
    }

    fn mean(&self) -> f64 {
        self.batches.values().map(|b| b.auroc).sum::<f64>() / self.batches.len().max(1) as f64
    }
}

fn one(folder: &RunFolder, candidate: &Candidate, library: &Library, env: &Environment) -> Result<Option<PathBuf>> {
    let shown = &candidate.methods[..candidate.methods.len().min(METHODS)];
    let scores = shown.iter().map(|method| Scores::read(folder, method)).collect::<Result<Vec<_>>>()?;
    let Some(record) = scores.first().and_then(|s| s.cells.values().next()) else { return Ok(None) };
    let dataset = library.get(&record.cell.fit.data.name, &record.asked.dataset_params)?;
    if !matches!(dataset.describe(env)?.info.modality, Modality::Image { .. }) {
        return Ok(None);
    }
    let Some((place, n)) = most_typical(&scores) else { return Ok(None) };
    let first = &scores[0];
    let (cell, batch) = (&first.cells[&place.0], &first.batches[&place].batch);
    let pictures = pictures(&dataset, cell, batch, env)?;
    let ranking = |(method, scores): (&Method, &Scores)| {
        let Scored { auroc, batch } = &scores.batches[&place];
        let mut order: Vec<usize> = (0..batch.items.len()).collect();
        order.sort_by(|&a, &b| batch.items[b].total_cmp(&batch.items[a]).then(a.cmp(&b)));
        Ranking { label: method.label.clone(), auroc: *auroc, order }
    };
    let rankings: Vec<Ranking> = shown.iter().zip(&scores).map(ranking).collect();
    let (point, (_, domain, number)) = (&candidate.point, &place);
    let title = format!("{}: a batch of {}, {domain}, as each method ranks it", candidate.run, point.dataset);
    let cut =
        if pictures.len() > PICTURES { format!("; {PICTURES} of {} shown", pictures.len()) } else { String::new() };
    let note = format!(
        "Highest score first, anomalies framed; numbers: AUROC on this batch ({}, {}, seed {}, batch {number}), of {n} the one \
         nearest to the methods' means{cut}",
        point.size, point.contamination, candidate.seed
    );
    let path = ranked::path(folder.root(), &point.dataset);
    ranked::write(&path, (&title, &note), &pictures, &rankings)?;
    Ok(Some(path))
}

/// The batch whose AUROCs are nearest to the means of the methods, by the sum of squares, and of how many: all that every
/// method has scored. Of equals the first.
fn most_typical(scores: &[Scores]) -> Option<(Place, usize)> {
    let means: Vec<f64> = scores.iter().map(Scores::mean).collect();
    let labels = |of: &Scores, place: &Place| of.batches.get(place).map(|b| b.batch.labels.clone());
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

/// The pictures of a batch, which is drawn again.
///
/// # Errors
/// Where the data at hand are not those of the run.
fn pictures(
    dataset: &DataSet,
    record: &CellRecord,
    batch: &LabelledBatch<f64>,
    env: &Environment,
) -> Result<Vec<Picture>> {
    let cell = &record.cell;
    let described = dataset.describe(env)?;
    let fold = DataSet::fold(&described.info, &cell.fit.fold)?;
    let other = || Error::data(&env.data.path, "other data than those of the run", "name its data folder with --data");
    let (training, tests) = described.files(&described.info.folds[fold]);
    let known = [(&cell.fit.data.digest, training), (&cell.test_digest, tests)];
    if known.iter().any(|(digest, files)| digest.as_ref().is_some_and(|d| *d != digest_of(files))) {
        return Err(other());
    }
    let view = dataset.view(env, fold)?;
    let info = view.info();
    let domain = info.domains.iter().position(|d| d.name == batch.domain).ok_or_else(other)?;
    let drawn = sampler::test_batches(view.as_ref(), &info.folds[fold], domain, &cell.point, cell.seed())?;
    let drawn = drawn.into_iter().find(|b| b.number == batch.number && b.labels == batch.labels).ok_or_else(other)?;
    let picture = |(sample, &anomalous)| {
        let (image, size) = rgb(view.as_ref(), sample)?;
        Ok(Picture { anomalous, size, image })
    };
    drawn.items.iter().zip(&drawn.labels).map(picture).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(aurocs: &[f64]) -> Scores {
        let batch = |i: usize| {
            let batch = LabelledBatch { domain: "d".into(), number: i as u32, items: vec![0.0], labels: vec![true] };
            ((String::new(), "d".to_owned(), i as u32), Scored { auroc: aurocs[i], batch })
        };
        Scores { cells: BTreeMap::new(), batches: (0..aurocs.len()).map(batch).collect() }
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
