//! The batch of `zsad score`: an array file, a table, or a folder of pictures.

use std::path::Path;

use zsad_core::{Detector, Error, ImageSpec, MethodSpec, Modality, Result, Samples, Values};
use zsad_data::formats::npy::Numbers;
use zsad_data::formats::npz::Npz;
use zsad_data::formats::table::Table;
use zsad_data::image_folder;

use zsad_store::ModelStore;

use crate::library::given;
use crate::registry::Registry;

/// Reads `path`; `images` says how pictures become samples, where something does.
pub fn read(path: &Path, images: Option<&ImageSpec>) -> Result<(Modality, Samples)> {
    let extension = path.extension().and_then(|e| e.to_str()).map(str::to_lowercase);
    let (modality, samples) = match extension.as_deref() {
        _ if path.is_dir() => image_folder::read(path, images)?,
        Some("npz") => npz(path)?,
        Some("csv" | "tsv" | "parquet") => table(path)?,
        _ if !path.exists() => return Err(Error::data(path, "no such file or folder", "")),
        _ => {
            return Err(Error::data(
                path,
                "not a batch",
                "give an .npz, .csv or .parquet file, or a folder of pictures",
            ));
        }
    };
    if samples.is_empty() {
        return Err(Error::data(path, "there are no samples", "a batch needs some"));
    }
    finite(&samples).map_err(|what| Error::data(path, what, "remove or mend these samples"))?;
    Ok((modality, samples))
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

/// All columns of a table, in their order; they must be numbers.
fn table(path: &Path) -> Result<(Modality, Samples)> {
    let table = Table::read(path, None)?;
    let columns = table.names().iter().map(|name| table.numbers(name)).collect::<Result<Vec<_>>>()?;
    let values = (0..table.height()).flat_map(|row| columns.iter().map(move |column| column[row])).collect();
    Ok((Modality::rows(columns.len()), Samples::new(vec![columns.len()], Values::F64(values))))
}
