//! Sheets of images, masks and anomaly maps. Maps are too large to be kept, so one batch a category is scored again.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use zsad_core::job::{CellJob, FitJob};
use zsad_core::params::All;
use zsad_core::{Dataset, Environment, Error, Modality, Result, SampleRef, Shots, TestPoint, suggest};
use zsad_report::heatmaps::{self, Sample};
use zsad_store::{CellRecord, ModelStore, Row, RunFolder, Status};

use crate::evaluate::{CellInput, Seen, score_domain};
use crate::executor::fit::Bench;
use crate::library::Library;
use crate::registry::Registry;

/// Samples on a sheet, as far as the batch has them.
const ANOMALOUS: usize = 4;
const NORMAL: usize = 2;

/// The metrics by which the method of a sheet is chosen: the second where data have no masks.
const BY: [&str; 2] = ["pixel_auroc", "auroc"];

/// Which samples of a batch stand on its sheet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pick {
    /// Some anomalies and some normals.
    Few,
    /// So many, those with the highest scores.
    Top(usize),
    /// All, the highest score first.
    All,
    /// Those of this name, or whose folder has it.
    Name(String),
}

impl FromStr for Pick {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            _ if text == "all" => Ok(Pick::All),
            Some(("top", n)) => match n.parse() {
                Ok(n) if n > 0 => Ok(Pick::Top(n)),
                _ => Err("want top:N with N from 1".into()),
            },
            _ if text.is_empty() => Err("want top:N, all, or the name of a sample".into()),
            _ => Ok(Pick::Name(text.to_owned())),
        }
    }
}

/// Writes the sheet of every category of pictures for which a method of the run makes maps: the one that is best there, by
/// pixels where data have masks.
pub fn write_all(
    folder: &RunFolder,
    store: &ModelStore,
    rows: &[Row],
    env: &Environment,
    pick: &Pick,
) -> Result<Vec<PathBuf>> {
    let registry = Registry::built_in();
    // Maps are what methods make that take nothing but pictures.
    let takes_pictures = |row: &Row| registry.method(&row.fit().method.name).is_some_and(|m| !m.spec().accepts.tabular);
    let mut by_category: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for row in rows.iter().filter(|r| r.record.status == Status::Ok && takes_pictures(r)) {
        by_category.entry(&row.result.domain).or_default().push(row);
    }
    let library = Library::new(registry);
    let checkpoint_every = Duration::MAX;
    let bench = Bench { registry: &registry, library: &library, env, folder, store, checkpoint_every };
    let mut paths = Vec::new();
    for (category, mut rows) in by_category {
        let worth = |row: &Row| BY.map(|metric| row.metric(metric).unwrap_or(f64::NEG_INFINITY));
        rows.sort_by(|a, b| worth(b).partial_cmp(&worth(a)).unwrap_or(Ordering::Equal));
        // Most make maps, and the first one is asked alone.
        for row in rows {
            let record = folder.record(&row.record.cell_key)?;
            let record = record.ok_or_else(|| Error::data(folder.root(), "a record is missing", ""))?;
            if let Some(path) = sheet(&bench, &record, category, pick)? {
                paths.push(path);
                break;
            }
        }
    }
    if paths.is_empty() {
        let message = format!("{}: no method of this run makes anomaly maps", folder.root().display());
        return Err(Error::Config(format!("{message}; hint: patchcore, padim and spade do, and acr_patch and resad")));
    }
    Ok(paths)
}

/// The sheet of a category; `None` where the method makes no maps.
fn sheet(bench: &Bench, record: &CellRecord, category: &str, pick: &Pick) -> Result<Option<PathBuf>> {
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
    let mut samples = None;
    score_domain(ready.detector.as_ref(), &input, domain, |seen| {
        if seen.scores.maps.is_some() {
            samples = Some(chosen(&seen, pick)?);
        }
        Ok(())
    })?;
    let Some(samples) = samples else { return Ok(None) };
    let path = heatmaps::path(bench.folder.root(), category);
    let shots = match ready.shots {
        Shots::Number(0) => String::new(),
        Shots::Number(k) => format!(", {k} references"),
        Shots::Word(All) => ", all references".to_owned(),
    };
    let title = format!("{category}: {}{shots}, seed {}", job.method(), job.id.seed);
    heatmaps::write(&path, &title, &samples, None)?;
    Ok(Some(path))
}

/// The samples to be shown.
fn chosen(seen: &Seen, pick: &Pick) -> Result<Vec<Sample>> {
    let Seen { batch, dataset, items, scores, masks, .. } = *seen;
    let maps = scores.maps.as_ref().ok_or_else(|| Error::refused("the method made no maps"))?;
    let &[height, width] = maps.shape.as_slice() else {
        return Err(Error::refused("heat maps are drawn over images"));
    };
    let name = |i: usize| {
        let sample = &batch.items[i];
        dataset.sample_name(sample).unwrap_or_else(|| format!("number {}", sample.index))
    };
    let of = |anomalous, n| (0..batch.items.len()).filter(move |&i| batch.labels[i] == anomalous).take(n);
    let mut highest: Vec<usize> = (0..batch.items.len()).collect();
    highest.sort_by(|&a, &b| scores.samples[b].total_cmp(&scores.samples[a]).then(a.cmp(&b)));
    let picked: Vec<usize> = match pick {
        Pick::Few => of(true, ANOMALOUS).chain(of(false, NORMAL)).collect(),
        Pick::All => highest,
        Pick::Top(n) => highest.into_iter().take(*n).collect(),
        Pick::Name(wanted) => {
            let is_wanted = |name: &str| name == wanted || name.split('/').any(|part| part == wanted);
            let found: Vec<usize> = highest.iter().copied().filter(|&i| is_wanted(&name(i))).collect();
            if found.is_empty() {
                let names: Vec<String> = highest.iter().map(|&i| name(i)).collect();
                let hint = suggest::hint(wanted, names.iter().map(String::as_str));
                let message = format!("no sample of the first batch of `{}` is called `{wanted}`", batch.domain);
                return Err(Error::Config(format!("{message}; hint: {hint}")));
            }
            found
        }
    };
    let part = |i: usize| i * height * width..(i + 1) * height * width;
    let mut samples = Vec::new();
    for i in picked {
        let (image, size) = rgb(dataset, &items[i])?;
        samples.push(Sample {
            name: name(i),
            anomalous: Some(batch.labels[i]),
            score: scores.samples[i],
            size,
            image,
            mask: masks.map(|m| m.values[part(i)].to_vec()),
            map: maps.values[part(i)].to_vec(),
        });
    }
    Ok(samples)
}

/// An image as `[height, width, 3]` bytes, its values stretched from the least to the greatest; with height and width.
pub fn rgb(dataset: &dyn Dataset, sample: &SampleRef) -> Result<(Vec<u8>, (usize, usize))> {
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
    let bytes = (0..plane).flat_map(|pixel| (0..3).map(move |c| (pixel, c))).map(|(pixel, c)| byte(pixel, c)).collect();
    Ok((bytes, (height, width)))
}
