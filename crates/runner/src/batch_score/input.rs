//! The batch of `zsad score`: an array file, a table, or a folder of pictures.

use std::path::Path;

use zsad_core::{Detector, Error, MethodSpec, Modality, PictureGeometry, Result, Samples, Values};
use zsad_data::formats::npy::Numbers;
use zsad_data::formats::npz::Npz;
use zsad_data::formats::table::Table;
use zsad_store::ModelStore;

use super::pictures::{PictureArgs, Pictures};
use crate::library::given;
use crate::registry::Registry;

/// A batch, or its references.
pub struct Input {
    /// Kind and shape of its samples.
    pub modality: Modality,
    /// The samples.
    pub samples: Samples,
    /// The pictures that they were, where they were.
    pub pictures: Option<Pictures>,
    /// What is to be said of it, a line each.
    pub said: Vec<String>,
}

/// Reads `path`; pictures become samples as `geometry` says.
pub fn read(path: &Path, geometry: &PictureGeometry, args: &PictureArgs) -> Result<Input> {
    let extension = path.extension().and_then(|e| e.to_str()).map(str::to_lowercase);
    if path.is_dir() {
        let (samples, pictures, said) = args.read(path, geometry)?;
        return Ok(Input { modality: geometry.modality(), samples, pictures: Some(pictures), said });
    }
    let (modality, samples) = match extension.as_deref() {
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
    if args.given() {
        let message = format!("{}: the options for pictures are for a folder of them", path.display());
        return Err(Error::Config(format!("{message}; hint: drop --resize, --crop, --aspect and --skip-bad")));
    }
    if samples.is_empty() {
        return Err(Error::data(path, "there are no samples", "a batch needs some"));
    }
    finite(&samples).map_err(|what| Error::data(path, what, "remove or mend these samples"))?;
    Ok(Input { modality, samples, pictures: None, said: Vec::new() })
}

impl Input {
    /// Whether these are pictures without colours.
    pub fn is_grey(&self) -> bool {
        self.pictures.as_ref().is_some_and(|p| p.all_grey)
    }

    /// The first of three equal channels alone.
    pub fn drop_colours(&mut self) {
        if let Modality::Image { channels: 3, height, width } = self.modality {
            let values = self.samples.to_f32();
            let first = values.chunks_exact(3 * height * width).flat_map(|image| &image[..height * width]).copied();
            let first: Vec<f32> = first.collect();
            self.modality = Modality::Image { channels: 1, height, width };
            self.samples = Samples::new(self.modality.shape(), Values::F32(first));
        }
    }
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

/// All columns of a table, in their order; they must be numbers.
fn table(path: &Path) -> Result<(Modality, Samples)> {
    let table = Table::read(path, None)?;
    let columns = table.names().iter().map(|name| table.numbers(name)).collect::<Result<Vec<_>>>()?;
    let values = (0..table.height()).flat_map(|row| columns.iter().map(move |column| column[row])).collect();
    Ok((Modality::rows(columns.len()), Samples::new(vec![columns.len()], Values::F64(values))))
}
