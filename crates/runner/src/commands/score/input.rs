//! The batch of `zsad score`: an array file, a table, or a folder of pictures.

use std::path::Path;

use zsad_core::{Error, Fitted, Kind, MethodSpec, Params, PictureSpec, Result, Samples, Values};
use zsad_data::formats::npy::Numbers;
use zsad_data::formats::npz::Npz;
use zsad_data::formats::table::Table;
use zsad_data::picture_folder;

use crate::registry::Registry;
use crate::store::Store;

/// Reads `path`; `pictures` says how pictures become samples, where something does.
pub fn read(path: &Path, pictures: Option<&PictureSpec>) -> Result<(Kind, Samples)> {
    let extension = path.extension().and_then(|e| e.to_str()).map(str::to_lowercase);
    let (kind, samples) = match extension.as_deref() {
        _ if path.is_dir() => picture_folder::read(path, pictures)?,
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
    Ok((kind, samples))
}

/// How pictures become samples for a detector: as its training data did, as far as that is known.
pub fn pictures(spec: &MethodSpec, fitted: Option<&dyn Fitted>, checkpoint: Option<&Path>) -> Option<PictureSpec> {
    let registry = &Registry::BUILT_IN;
    let of = |dataset: &str, params: &Params| registry.dataset(dataset)?.picture(params);
    let by_default = |dataset: &str| of(dataset, &Params::defaults(registry.dataset(dataset)?.spec().params));
    // What `zsad run` wrote beside the model names the data set.
    let trained_on = checkpoint.and_then(Store::fit_beside).filter(|fit| fit.method == spec.name).and_then(|fit| {
        let def = registry.dataset(&fit.dataset)?;
        let given = serde_json::from_value(fit.dataset_params).unwrap_or_default();
        def.picture(&Params::validate(def.spec().params, &given).ok()?)
    });
    match fitted.and_then(Fitted::input) {
        Some(input) => {
            let official = match input[..] {
                // The official code has these two networks on pictures.
                [3, 32, 32] => by_default("cifar100"),
                [1, 28, 28] => by_default("omniglot"),
                _ => None,
            };
            let is_official = checkpoint.and_then(|p| p.extension()).is_some_and(|e| e == "pt" || e == "pth");
            let fits = |p: &PictureSpec| p.kind().shape() == input;
            trained_on.filter(fits).or(official.filter(|_| is_official)).or(match input[..] {
                [channels, height, width] => Some(PictureSpec::stretched(channels, height, width)),
                _ => None,
            })
        }
        // Methods on features of pictures take any size; those of one batch must have one.
        None if !spec.needs.tabular => trained_on.or_else(|| by_default("mvtec")),
        None => trained_on,
    }
}

fn finite(samples: &Samples) -> Result<(), String> {
    let d = samples.dim();
    match samples.to_f64().iter().position(|v| !v.is_finite()) {
        Some(i) => Err(format!("sample {}, value {} is not finite", i / d, i % d)),
        None => Ok(()),
    }
}

fn npz(path: &Path) -> Result<(Kind, Samples)> {
    let array = Npz::open(path)?.array("X")?;
    let kind = match array.shape[..] {
        [_, dim] if dim > 0 => Kind::Tabular { dim },
        [_, height, width] if height * width > 0 => Kind::Image { channels: 1, height, width },
        [_, channels @ (1 | 3), height, width] if height * width > 0 => Kind::Image { channels, height, width },
        _ => {
            let message = format!("`X` is {:?}", array.shape);
            return Err(Error::data(path, message, "want [n, d], [n, h, w], [n, 1, h, w] or [n, 3, h, w]"));
        }
    };
    let values = match array.numbers {
        Numbers::F32(values) => Values::F32(values),
        _ => Values::F64(array.into_f64()),
    };
    Ok((kind.clone(), Samples::new(kind.shape(), values)))
}

/// All columns of a table, in their order; they must be numbers.
fn table(path: &Path) -> Result<(Kind, Samples)> {
    let table = Table::read(path, None)?;
    let columns = table.names().iter().map(|name| table.numbers(name)).collect::<Result<Vec<_>>>()?;
    let values = (0..table.height()).flat_map(|row| columns.iter().map(move |column| column[row])).collect();
    Ok((Kind::Tabular { dim: columns.len() }, Samples::new(vec![columns.len()], Values::F64(values))))
}
