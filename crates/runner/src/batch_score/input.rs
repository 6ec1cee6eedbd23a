//! The batch of `zsad score`: an array file, a table, or a folder of pictures.

use std::path::Path;

use zsad_core::{Detector, Error, MethodSpec, Modality, PictureGeometry, Preprocessing, Result, Samples, Values};
use zsad_data::formats::npy::Numbers;
use zsad_data::formats::npz::Npz;
use zsad_store::ModelStore;

use super::own::{Columns, Own};
use super::pictures::PictureArgs;
use crate::library::given;
use crate::registry::Registry;

/// How what is read becomes samples.
pub struct How<'a> {
    /// Pictures.
    pub geometry: &'a PictureGeometry,
    /// What was asked for of pictures.
    pub pictures: &'a PictureArgs,
    /// What was asked for of a table's columns.
    pub columns: Columns<'a>,
    /// What a training learnt of a table's columns.
    pub learnt: Option<&'a Preprocessing>,
}

/// Reads `path`.
pub fn read(path: &Path, how: &How) -> Result<Own> {
    let extension = path.extension().and_then(|e| e.to_str()).map(str::to_lowercase);
    let own = match extension.as_deref() {
        _ if path.is_dir() => Own::pictures(path, how.geometry, how.pictures)?,
        Some("npz") => {
            let (modality, samples) = npz(path)?;
            Own::unnamed(modality, samples)
        }
        Some("csv" | "tsv" | "parquet") => Own::table(path, &how.columns, how.learnt)?,
        _ if !path.exists() => return Err(Error::data(path, "no such file or folder", "")),
        _ => {
            return Err(Error::data(
                path,
                "not a batch",
                "give an .npz, .csv or .parquet file, or a folder of pictures",
            ));
        }
    };
    if own.samples.is_empty() {
        return Err(Error::data(path, "there are no samples", "a batch needs some"));
    }
    if own.features.is_empty() && how.columns.names().next().is_some() {
        let hint = "--id, --group and --exclude are for .csv, .tsv and .parquet";
        return Err(Error::Config(format!("{}: there are no columns to name; hint: {hint}", path.display())));
    }
    if own.pictures.is_none() && how.pictures.given() {
        let message = format!("{}: the options for pictures are for a folder of them", path.display());
        return Err(Error::Config(format!("{message}; hint: drop --resize, --crop, --aspect and --skip-bad")));
    }
    finite(&own.samples).map_err(|what| Error::data(path, what, "remove or mend these samples"))?;
    Ok(own)
}

/// Whether a model file is one of the official ACR code.
pub fn is_official(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == "pt" || e == "pth")
}

/// How the pictures that a model was trained on became samples, as far as that is known: its file says it, or what lies
/// beside it names the data set.
pub fn trained_on(
    spec: &MethodSpec,
    trained: &dyn Detector,
    said: Option<PictureGeometry>,
    checkpoint: &Path,
    registry: &Registry,
) -> Option<PictureGeometry> {
    let beside = || {
        let fit = ModelStore::fit_beside(checkpoint).filter(|fit| fit.fit.method.name == spec.name)?;
        registry.dataset(&fit.fit.data.name)?.configure(&given(&fit.dataset_params)).ok()?.image()
    };
    let known = said.or_else(beside);
    let Some(input) = trained.input() else { return known };
    let fits = |p: &PictureGeometry| p.modality().shape() == input;
    // The official code's networks on pictures are for data sets that are here as well.
    let official = || registry.default_images().find(fits).filter(|_| is_official(checkpoint));
    known.filter(fits).or_else(official).or(match input[..] {
        [channels, height, width] => Some(PictureGeometry::stretched(channels, height, width)),
        _ => None,
    })
}

fn finite(samples: &Samples) -> Result<(), String> {
    let d = samples.dim();
    match samples.values().first_not_finite() {
        Some(i) => Err(format!("sample {}, value {} is not finite", i / d, i % d)),
        None => Ok(()),
    }
}

fn npz(path: &Path) -> Result<(Modality, Samples)> {
    let array = Npz::open(path)?.array("X")?;
    let modality = match array.shape[..] {
        [_, dim] if dim > 0 => Modality::rows(dim),
        [_, height, width] if height * width > 0 => Modality::Image { channels: 1, height, width },
        [_, channels @ (1 | 3), height, width] if height * width > 0 => Modality::Image { channels, height, width },
        _ => {
            let message = format!("`X` is {:?}", array.shape);
            return Err(Error::data(path, message, "want [n, d], [n, h, w], [n, 1, h, w] or [n, 3, h, w]"));
        }
    };
    let values = match array.numbers {
        Numbers::F32(values) => Values::F32(values),
        _ => Values::F64(array.into_f64()),
    };
    Ok((modality.clone(), Samples::new(modality.shape(), values)))
}
