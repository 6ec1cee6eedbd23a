//! Sheets of images, masks and anomaly maps. Maps are too large to be kept, so one batch a category is scored again.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;
use zsad_core::method::Silent;
use zsad_core::record::{CellRecord, Row};
use zsad_core::{
    DataDir, Dataset, Device, Error, FitContext, Fitted, Fold, Kind, MethodDef, ParamSpec, Params, Result, TestBatch,
};
use zsad_data::sampler;
use zsad_report::heatmaps::{self, Sample};

use crate::registry::Registry;
use crate::store::Store;

/// Samples on a sheet, as far as the batch has them.
const ANOMALOUS: usize = 4;
const NORMAL: usize = 2;

/// Writes the sheet of every category that has pixel metrics, made by the method that is best there.
pub fn write_all(store: &Store, rows: &[Row], data: &DataDir) -> Result<Vec<PathBuf>> {
    let mut best: BTreeMap<&str, &Row> = BTreeMap::new();
    for row in rows.iter().filter(|r| r.pixel_auroc.is_some()) {
        let other = best.entry(&row.domain).or_insert(row);
        if row.pixel_auroc > other.pixel_auroc {
            *other = row;
        }
    }
    if best.is_empty() {
        let message = "no method of this run made anomaly maps on data with masks";
        return Err(Error::Config(format!("{}: {message}", store.root().display())));
    }
    let records = store.records()?;
    let mut paths = Vec::new();
    for (category, row) in best {
        let record = records.get(&row.cell_key).ok_or_else(|| Error::data(store.root(), "a record is missing", ""))?;
        paths.push(sheet(store, record, category, data)?);
    }
    Ok(paths)
}

fn sheet(store: &Store, record: &CellRecord, category: &str, data: &DataDir) -> Result<PathBuf> {
    let cell = &record.cell;
    let gone = |what: &str, name: &str| Error::Config(format!("{what} `{name}` is no longer registered"));
    let def = Registry::BUILT_IN.method(&cell.method).ok_or_else(|| gone("method", &cell.method))?;
    let source = Registry::BUILT_IN.dataset(&cell.dataset).ok_or_else(|| gone("data set", &cell.dataset))?;
    let params = stored(def.spec().params, &cell.params)?;
    let opened = source.open(&stored(source.spec().params, &cell.dataset_params)?, data)?;
    let missing = |what: &str| Error::failed(format!("{}: {what} is not there any more", cell.dataset));
    let fold = opened.info().folds.iter().find(|f| f.name == cell.fold).ok_or_else(|| missing("the fold"))?;
    let dataset = opened.in_fold(fold)?.unwrap_or_else(|| opened.clone());
    let domain = dataset.info().domains.iter().position(|d| d.name == category).ok_or_else(|| missing(category))?;

    let fitted = detector(store, record, def, &params, dataset.as_ref(), fold)?;
    let batches = sampler::test_batches(dataset.as_ref(), fold, domain, &cell.point, cell.seed)?;
    let batch = batches.first().ok_or_else(|| missing("the test batch"))?;
    let references = match def.shots(&params) {
        0 => Vec::new(),
        k => sampler::references(dataset.as_ref(), domain, k, cell.seed, &batch.refs)?,
    };
    let scores = fitted.score(&TestBatch::new(dataset.as_ref(), &batch.refs, &references, None))?;
    let maps = scores.maps.ok_or_else(|| Error::refused(format!("{} made no maps", cell.method)))?;
    let masks = dataset.masks(&batch.refs)?;

    let of = |anomalous, n| (0..batch.refs.len()).filter(move |&i| batch.labels[i] == anomalous).take(n);
    let pixels = maps.height * maps.width;
    let part = |i: usize| i * pixels..(i + 1) * pixels;
    let mut samples = Vec::new();
    for i in of(true, ANOMALOUS).chain(of(false, NORMAL)) {
        samples.push(Sample {
            name: dataset.sample_name(&batch.refs[i]).unwrap_or_else(|| format!("number {}", batch.refs[i].index)),
            anomalous: batch.labels[i],
            score: scores.samples[i],
            image: rgb(dataset.as_ref(), &batch.refs[i..=i])?,
            mask: masks.as_ref().map(|m| m.values[part(i)].to_vec()),
            map: maps.values[part(i)].to_vec(),
        });
    }
    let path = heatmaps::path(store.root(), category);
    let shots = match def.shots(&params) {
        0 => String::new(),
        k => format!(", {k} references"),
    };
    let title = format!("{category}: {}{shots}, seed {}", cell.method, cell.seed);
    heatmaps::write(&path, &title, (maps.height, maps.width), &samples)?;
    Ok(path)
}

/// The trained model of the record, or a fit of what needs no training.
fn detector(
    store: &Store,
    record: &CellRecord,
    def: &dyn MethodDef,
    params: &Params,
    dataset: &dyn Dataset,
    fold: &Fold,
) -> Result<Box<dyn Fitted>> {
    let method = def.build(params)?;
    if method.trains() {
        return method.load(&store.model_path(&record.fit_key), Device::Cpu);
    }
    let (seed, device) = (record.cell.seed, Device::Cpu);
    method.fit(&FitContext { dataset, fold, seed, device, cache: None, progress: &Silent })
}

/// The parameters of a record, which were valid when it was written.
fn stored(specs: &[ParamSpec], params: &Value) -> Result<Params> {
    let given = params.as_object().into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect();
    Params::validate(specs, &given).map_err(|problems| {
        let messages: Vec<_> = problems.into_iter().map(|p| p.message).collect();
        Error::Config(format!("the record's parameters are not of this version: {}", messages.join(", ")))
    })
}

/// An image as `[height, width, 3]` bytes, stretched from its least to its greatest value.
fn rgb(dataset: &dyn Dataset, sample: &[zsad_core::SampleRef]) -> Result<Vec<u8>> {
    let Kind::Image { channels, height, width } = dataset.info().kind else {
        return Err(Error::refused("heat maps are drawn over images"));
    };
    let samples = dataset.gather(sample)?;
    let values = samples.to_f32();
    let least = values.iter().copied().fold(f32::INFINITY, f32::min);
    let range = (values.iter().copied().fold(f32::NEG_INFINITY, f32::max) - least).max(f32::MIN_POSITIVE);
    let plane = height * width;
    let byte =
        |pixel: usize, c: usize| ((values[c.min(channels - 1) * plane + pixel] - least) / range * 255.0).round() as u8;
    Ok((0..plane).flat_map(|pixel| (0..3).map(move |c| (pixel, c))).map(|(pixel, c)| byte(pixel, c)).collect())
}
