//! Sheets of images, masks and anomaly maps. Maps are too large to be kept, so one batch a category is scored again.

use std::collections::BTreeMap;
use std::path::PathBuf;

use zsad_core::job::{CellJob, FitJob};
use zsad_core::params::All;
use zsad_core::{
    Dataset, Environment, Error, LabelledBatch, Masks, Modality, Result, SampleRef, Scores, Shots, TestPoint,
};
use zsad_report::heatmaps::{self, Sample};
use zsad_store::{CellRecord, ModelStore, Row, RunFolder};

use crate::evaluate::{CellInput, score_domain};
use crate::executor::fit::Bench;
use crate::library::Library;
use crate::registry::Registry;

/// Samples on a sheet, as far as the batch has them.
const ANOMALOUS: usize = 4;
const NORMAL: usize = 2;

/// The metric by which the method of a sheet is chosen.
const BY: &str = "pixel_auroc";

/// Writes the sheet of every category that has pixel metrics, made by the method that is best there.
pub fn write_all(folder: &RunFolder, store: &ModelStore, rows: &[Row], env: &Environment) -> Result<Vec<PathBuf>> {
    let mut best: BTreeMap<&str, &Row> = BTreeMap::new();
    for row in rows.iter().filter(|r| r.metric(BY).is_some()) {
        let other = best.entry(&row.result.domain).or_insert(row);
        if row.metric(BY) > other.metric(BY) {
            *other = row;
        }
    }
    if best.is_empty() {
        let message = "no method of this run made anomaly maps on data with masks";
        return Err(Error::Config(format!("{}: {message}", folder.root().display())));
    }
    let registry = Registry::built_in();
    let library = Library::new(registry);
    let bench = Bench { registry: &registry, library: &library, env, folder, store };
    let mut paths = Vec::new();
    for (category, row) in best {
        let record = folder.record(&row.record.cell_key)?;
        let record = record.ok_or_else(|| Error::data(folder.root(), "a record is missing", ""))?;
        paths.push(sheet(&bench, &record, category)?);
    }
    Ok(paths)
}

fn sheet(bench: &Bench, record: &CellRecord, category: &str) -> Result<PathBuf> {
    let cell = CellJob { key: record.cell_key.clone(), id: record.cell.clone(), asked: record.asked.clone() };
    let (key, id, learns) = (record.fit_key.clone(), record.cell.fit.clone(), true);
    let job = FitJob { key, id, learns, cells: vec![cell.clone()] };
    let ready = bench.ready(&job, &cell, &|_| {})?;
    let (view, fold) = bench.view(&job, &cell)?;
    let missing = || Error::failed(format!("{}: `{category}` is not there any more", job.id.data.name));
    let domain = view.info().domains.iter().position(|d| d.name == category).ok_or_else(missing)?;
    let input = CellInput {
        dataset: view.as_ref(),
        fold: &view.info().folds[fold],
        // The first batch stays the same when fewer are asked for.
        point: &TestPoint { n_batches: 1, ..cell.id.point },
        seed: cell.id.seed(),
        shots: ready.shots,
        env: bench.env,
    };
    let mut samples = Vec::new();
    let mut size = (0, 0);
    score_domain(ready.detector.as_ref(), &input, domain, |batch, scores, masks| {
        (samples, size) = chosen(view.as_ref(), batch, scores, masks)?;
        Ok(())
    })?;
    let path = heatmaps::path(bench.folder.root(), category);
    let shots = match ready.shots {
        Shots::Number(0) => String::new(),
        Shots::Number(k) => format!(", {k} references"),
        Shots::Word(All) => ", all references".to_owned(),
    };
    let title = format!("{category}: {}{shots}, seed {}", job.id.method.name, job.id.seed);
    heatmaps::write(&path, &title, size, &samples)?;
    Ok(path)
}

/// The samples to be shown, anomalies first, and the size of their maps.
fn chosen(
    dataset: &dyn Dataset,
    batch: &LabelledBatch<SampleRef>,
    scores: &Scores,
    masks: Option<&Masks>,
) -> Result<(Vec<Sample>, (usize, usize))> {
    let maps = scores.maps.as_ref().ok_or_else(|| Error::refused("the method made no maps"))?;
    let &[height, width] = maps.shape.as_slice() else {
        return Err(Error::refused("heat maps are drawn over images"));
    };
    let of = |anomalous, n| (0..batch.items.len()).filter(move |&i| batch.labels[i] == anomalous).take(n);
    let part = |i: usize| i * height * width..(i + 1) * height * width;
    let mut samples = Vec::new();
    for i in of(true, ANOMALOUS).chain(of(false, NORMAL)) {
        let sample = &batch.items[i];
        samples.push(Sample {
            name: dataset.sample_name(sample).unwrap_or_else(|| format!("number {}", sample.index)),
            anomalous: batch.labels[i],
            score: scores.samples[i],
            image: rgb(dataset, sample)?,
            mask: masks.map(|m| m.values[part(i)].to_vec()),
            map: maps.values[part(i)].to_vec(),
        });
    }
    Ok((samples, (height, width)))
}

/// An image as `[height, width, 3]` bytes, stretched from its least to its greatest value.
fn rgb(dataset: &dyn Dataset, sample: &SampleRef) -> Result<Vec<u8>> {
    let Modality::Image { channels, height, width } = dataset.info().modality else {
        return Err(Error::refused("heat maps are drawn over images"));
    };
    let samples = dataset.gather(std::slice::from_ref(sample))?;
    let values = samples.to_f32();
    let min = values.iter().copied().fold(f32::INFINITY, f32::min);
    let range = (values.iter().copied().fold(f32::NEG_INFINITY, f32::max) - min).max(f32::MIN_POSITIVE);
    let plane = height * width;
    let byte =
        |pixel: usize, c: usize| ((values[c.min(channels - 1) * plane + pixel] - min) / range * 255.0).round() as u8;
    Ok((0..plane).flat_map(|pixel| (0..3).map(move |c| (pixel, c))).map(|(pixel, c)| byte(pixel, c)).collect())
}
