//! Pictures of a batch as every method ranks it, from the stored scores: nothing is trained or scored again.

use std::path::PathBuf;

use zsad_core::{Environment, Error, LabelledBatch, MetricInput, Modality, Result};
use zsad_data::sampler;
use zsad_report::ranked::{self, Candidate, METHODS, Method, PICTURES, Picture, Ranking};
use zsad_store::{CellRecord, Row, RunFolder};

use crate::heatmaps::rgb;
use crate::library::{DataSet, Library, digest_of};

/// The metric by which a batch is chosen.
const BY: &str = "auroc";

/// Draws one batch of each data set of pictures in the run, and returns the paths: of all batches of the middle protocol
/// point and the least seed the one in the middle by AUROC of the method that is best there.
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

/// A scored batch, and the cell that it belongs to.
struct Scored {
    auroc: f64,
    cell: CellRecord,
    batch: LabelledBatch<f64>,
}

fn one(folder: &RunFolder, candidate: &Candidate, library: &Library, env: &Environment) -> Result<Option<PathBuf>> {
    let Some(best) = candidate.methods.first() else { return Ok(None) };
    let Some(record) = records(folder, best)?.into_iter().next() else { return Ok(None) };
    let dataset = library.get(&record.cell.fit.data.name, &record.asked.dataset_params)?;
    if !matches!(dataset.describe(env)?.info.modality, Modality::Image { .. }) {
        return Ok(None);
    }
    let mut all = Vec::new();
    for cell in records(folder, best)? {
        for batch in folder.scores(&cell.cell_key)? {
            if let Some(auroc) = auroc(&batch) {
                all.push(Scored { auroc, cell: cell.clone(), batch });
            }
        }
    }
    // Equals keep the order of folds, domains and batches.
    all.sort_by(|a, b| a.auroc.total_cmp(&b.auroc));
    let n = all.len();
    let Some(chosen) = all.into_iter().nth(n.saturating_sub(1) / 2) else { return Ok(None) };
    let (pictures, labels) = pictures(&dataset, &chosen, env)?;

    let mut rankings = Vec::new();
    for method in candidate.methods.iter().take(METHODS) {
        let of_fold = records(folder, method)?.into_iter().find(|r| r.cell.fit.fold == chosen.cell.cell.fit.fold);
        let Some(cell) = of_fold else { continue };
        let is_it = |b: &LabelledBatch<f64>| b.domain == chosen.batch.domain && b.number == chosen.batch.number;
        // Another draw is no batch to compare on.
        let batch = folder.scores(&cell.cell_key)?.into_iter().find(|b| is_it(b) && b.labels == labels);
        let Some((batch, auroc)) = batch.and_then(|b| auroc(&b).map(|auroc| (b, auroc))) else { continue };
        let mut order: Vec<usize> = (0..batch.items.len()).collect();
        order.sort_by(|&a, &b| batch.items[b].total_cmp(&batch.items[a]).then(a.cmp(&b)));
        rankings.push(Ranking { label: method.label.clone(), auroc, order });
    }
    let point = &candidate.point;
    let title =
        format!("{}: a batch of {}, {}, as each method ranks it", candidate.run, point.dataset, chosen.batch.domain);
    let cut =
        if pictures.len() > PICTURES { format!("; {PICTURES} of {} shown", pictures.len()) } else { String::new() };
    let note = format!(
        "Highest score first, anomalies framed; numbers: AUROC on this batch ({}, {}, seed {}, batch {}), the middle one of {n} by \
         AUROC of {}{cut}",
        point.size, point.contamination, candidate.seed, chosen.batch.number, best.label
    );
    let path = ranked::path(folder.root(), &point.dataset);
    ranked::write(&path, (&title, &note), &pictures, &rankings)?;
    Ok(Some(path))
}

/// The records of a method's cells.
fn records(folder: &RunFolder, method: &Method) -> Result<Vec<CellRecord>> {
    let found = method.cells.iter().map(|key| folder.record(key)).collect::<Result<Vec<_>>>()?;
    let missing = || Error::data(folder.root().join("records"), "a record is missing", "run the experiment again");
    found.into_iter().map(|record| record.ok_or_else(missing)).collect()
}

/// The AUROC of a batch; `None` where it holds one class alone.
fn auroc(batch: &LabelledBatch<f64>) -> Option<f64> {
    let input = MetricInput::Samples { scores: &batch.items, labels: &batch.labels };
    zsad_metrics::find(BY)?.compute(input).value()
}

/// The pictures of the chosen batch, which is drawn again, and its labels.
///
/// # Errors
/// Where the data at hand are not those of the run.
fn pictures(dataset: &DataSet, chosen: &Scored, env: &Environment) -> Result<(Vec<Picture>, Vec<bool>)> {
    let cell = &chosen.cell.cell;
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
    let domain = info.domains.iter().position(|d| d.name == chosen.batch.domain).ok_or_else(other)?;
    let drawn = sampler::test_batches(view.as_ref(), &info.folds[fold], domain, &cell.point, cell.seed())?;
    let drawn = drawn.into_iter().find(|b| b.number == chosen.batch.number && b.labels == chosen.batch.labels);
    let LabelledBatch { items, labels, .. } = drawn.ok_or_else(other)?;
    let picture = |(sample, &anomalous)| {
        let (image, size) = rgb(view.as_ref(), sample)?;
        Ok(Picture { anomalous, size, image })
    };
    let pictures = items.iter().zip(&labels).map(picture).collect::<Result<_>>()?;
    Ok((pictures, labels))
}
