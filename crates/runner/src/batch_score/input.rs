//! The batch of `zsad score`: an array file, a table, or a folder of pictures.

use std::path::Path;

use zsad_core::{Detector, Error, ImageSpec, MethodSpec, Modality, Preprocessing, Result, Samples, Values};
use zsad_data::formats::npy::Numbers;
use zsad_data::formats::npz::Npz;
use zsad_data::image_folder;

use zsad_store::ModelStore;

use super::own::{Columns, Own};
use crate::library::given;
use crate::registry::Registry;

/// Reads `path`; `images` says how pictures become samples, where something does, and `learnt` how a table's columns do.
pub fn read(path: &Path, images: Option<&ImageSpec>, columns: &Columns, learnt: Option<&Preprocessing>) -> Result<Own> {
    let extension = path.extension().and_then(|e| e.to_str()).map(str::to_lowercase);
    let unnamed = |(modality, samples)| Own::unnamed(modality, samples);
    let own = match extension.as_deref() {
        _ if path.is_dir() => unnamed(image_folder::read(path, images)?),
        Some("npz") => unnamed(npz(path)?),
        Some("csv" | "tsv" | "parquet") => Own::table(path, columns, learnt)?,
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
    if own.features.is_empty() && columns.names().next().is_some() {
        let hint = "--id, --group and --exclude are for .csv, .tsv and .parquet";
        return Err(Error::Config(format!("{}: there are no columns to name; hint: {hint}", path.display())));
    }
    finite(&own.samples).map_err(|what| Error::data(path, what, "remove or mend these samples"))?;
    Ok(own)
}

/// Whether a model file is one of the official ACR code.
pub fn is_official(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == "pt" || e == "pth")
}

/// How pictures become samples for a detector: as its training data did, as far as that is known.
pub fn images(
    spec: &MethodSpec,
    trained: Option<&dyn Detector>,
    checkpoint: Option<&Path>,
    registry: &Registry,
) -> Option<ImageSpec> {
    // What `zsad run` wrote beside the model names the data set.
    let fit = checkpoint.and_then(ModelStore::fit_beside).filter(|fit| fit.fit.method.name == spec.name);
    let trained_on = fit.and_then(|fit| {
        let def = registry.dataset(&fit.fit.data.name)?;
        def.configure(&given(&fit.dataset_params)).ok()?.image()
    });
    match trained.and_then(Detector::input) {
        Some(input) => {
            let fits = |p: &ImageSpec| p.modality().shape() == input;
            // The official code's networks on pictures are for data sets that are here as well.
            let official = || registry.default_images().find(fits).filter(|_| checkpoint.is_some_and(is_official));
            trained_on.filter(fits).or_else(official).or(match input[..] {
                [channels, height, width] => Some(ImageSpec::stretched(channels, height, width)),
                _ => None,
            })
        }
        // Methods on features of pictures take any size; those of one batch must have one.
        None if !spec.accepts.tabular => {
            trained_on.or_else(|| registry.default_images().find(|p| p.cut_from.is_some()))
        }
        None => trained_on,
    }
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
