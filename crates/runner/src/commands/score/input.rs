//! The batch of `zsad score`: an array file, a table, or a folder of images.

use std::path::{Path, PathBuf};

use image::{ColorType, DynamicImage};
use zsad_core::{Error, Kind, Result, Samples, Values};
use zsad_data::formats::npy::Numbers;
use zsad_data::formats::npz::Npz;
use zsad_data::formats::table::Table;
use zsad_data::memory::InMemory;

/// Reads `path`.
pub fn read(path: &Path) -> Result<InMemory> {
    let (kind, samples) = match path.extension().and_then(|e| e.to_str()) {
        _ if path.is_dir() => images(path)?,
        Some("npz") => npz(path)?,
        Some("csv" | "parquet") => table(path)?,
        _ => {
            return Err(Error::data(path, "not a batch", "give an .npz, .csv or .parquet file, or a folder of images"));
        }
    };
    if samples.is_empty() {
        return Err(Error::data(path, "there are no samples", "a batch needs some"));
    }
    InMemory::batch(kind, samples).map_err(|e| Error::data(path, e, "remove or mend these samples"))
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

/// All images of a folder by name, values 0 … 1; grey where all of them are.
fn images(folder: &Path) -> Result<(Kind, Samples)> {
    let io = |e: std::io::Error| Error::io(folder, &e);
    let entries = std::fs::read_dir(folder).map_err(io)?.collect::<std::io::Result<Vec<_>>>().map_err(io)?;
    let mut paths: Vec<PathBuf> = entries.iter().map(|e| e.path()).filter(|p| is_image(p)).collect();
    paths.sort();
    let open = |path: &PathBuf| image::open(path).map_err(|e| Error::data(path, e, "mend or remove it"));
    let images = paths.iter().map(open).collect::<Result<Vec<DynamicImage>>>()?;
    let Some(first) = images.first() else {
        return Err(Error::data(folder, "no images here", "want .png, .jpg or .bmp files"));
    };
    let (width, height) = (first.width() as usize, first.height() as usize);
    if let Some(i) = images.iter().position(|i| (i.width(), i.height()) != (first.width(), first.height())) {
        let (w, h) = (images[i].width(), images[i].height());
        let message = format!("{w}×{h} beside {width}×{height} of {}", paths[0].display());
        return Err(Error::data(&paths[i], message, "all images of a batch must have one size"));
    }
    let grey =
        images.iter().all(|i| matches!(i.color(), ColorType::L8 | ColorType::L16 | ColorType::La8 | ColorType::La16));
    let channels = if grey { 1 } else { 3 };
    let mut values = Vec::with_capacity(images.len() * channels * height * width);
    for image in images {
        let bytes = if grey { image.into_luma8().into_raw() } else { image.into_rgb8().into_raw() };
        for c in 0..channels {
            values.extend(bytes.iter().skip(c).step_by(channels).map(|&b| f32::from(b) / 255.0));
        }
    }
    Ok((Kind::Image { channels, height, width }, Samples::new(vec![channels, height, width], Values::F32(values))))
}

fn is_image(path: &Path) -> bool {
    let extension = path.extension().and_then(|e| e.to_str()).map(str::to_lowercase);
    extension.is_some_and(|e| ["png", "jpg", "jpeg", "bmp"].contains(&e.as_str()))
}
