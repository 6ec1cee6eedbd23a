//! Pictures of a batch as every method ranks it, from the stored scores: nothing is trained or scored again.

use std::path::PathBuf;

use zsad_core::{Environment, Modality, Result};
use zsad_report::ranked::{self, Candidate, METHODS, Method, PICTURES, Picture, Ranking};
use zsad_store::{Row, RunFolder};

use crate::heatmaps::rgb;
use crate::library::Library;
use crate::redrawn::redrawn;
use crate::typical::{MethodScores, Scored, most_typical};

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

fn one(folder: &RunFolder, candidate: &Candidate, library: &Library, env: &Environment) -> Result<Option<PathBuf>> {
    let shown = &candidate.methods[..candidate.methods.len().min(METHODS)];
    let scores = shown.iter().map(|method| MethodScores::read(folder, method)).collect::<Result<Vec<_>>>()?;
    let Some(record) = scores.first().and_then(|s| s.cells.values().next()) else { return Ok(None) };
    let dataset = library.get(&record.cell.fit.data.name, &record.asked.dataset_params)?;
    if !matches!(dataset.describe(env)?.info.modality, Modality::Image { .. }) {
        return Ok(None);
    }
    let Some((place, n)) = most_typical(&scores) else { return Ok(None) };
    let first = &scores[0];
    let (cell, batch) = (&first.cells[&place.0], &first.batches[&place].batch);
    let drawn = redrawn(&dataset, cell, batch, env)?;
    let picture = |(sample, &anomalous)| {
        let (image, size) = rgb(drawn.view.as_ref(), sample)?;
        Ok(Picture { anomalous, size, image })
    };
    let pictures = drawn.samples.iter().zip(&batch.labels).map(picture).collect::<Result<Vec<_>>>()?;
    let ranking = |(method, scores): (&Method, &MethodScores)| {
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
        "Highest score first, anomalies framed; numbers: AUROC on this batch ({}, {}{}, seed {}, batch {number}), of {n} the one \
         nearest to the methods' means{cut}",
        point.size,
        point.contamination,
        point.shifted(),
        candidate.seed
    );
    let path = ranked::path(folder.root(), &point.dataset);
    ranked::write(&path, (&title, &note), &pictures, &rankings)?;
    Ok(Some(path))
}
