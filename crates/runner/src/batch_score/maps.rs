//! Anomaly maps of a person's own batch as files: one of each picture, and a sheet of the highest scores.

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use zsad_core::{Error, Maps, PictureGeometry, Result, SampleRef, Scores, Subset, file};
use zsad_data::formats::npy::{self, Array, Numbers};
use zsad_data::image_folder;
use zsad_data::memory::InMemory;
use zsad_report::heatmaps::{self, Range, Sample};

use crate::heatmaps::rgb;

/// An overlay has the size of its picture, up to so many pixels.
const LONGEST: usize = 1024;
/// Pixels of a picture on the sheet.
const THUMBNAIL: usize = 224;
/// Pictures on the sheet.
const MOST: usize = 40;

/// Where the pictures of a batch are.
pub enum Source<'a> {
    /// In files, which became samples as the geometry says.
    Files(&'a [PathBuf], &'a PictureGeometry),
    /// In the batch itself.
    Batch(&'a InMemory),
}

/// A picture with its map in its own size.
pub struct Shown {
    /// Red, green and blue, `[height, width, 3]`.
    pub image: Vec<u8>,
    /// The map's value at every pixel, `None` where the sample does not show it.
    pub values: Vec<Option<f32>>,
    /// Height and width.
    pub size: (usize, usize),
}

impl Source<'_> {
    /// Picture number `i` without a map, at most `longest` pixels long where it is a file: red, green and blue, `[height,
    /// width, 3]`, and its height and width.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn picture(&self, i: usize, longest: usize) -> Result<(Vec<u8>, (usize, usize))> {
        match self {
            Source::Files(paths, _) => image_folder::thumbnail(&paths[i], longest),
            Source::Batch(batch) => {
                let sample = SampleRef { domain: 0, subset: Subset::Normal, index: i as u32 };
                rgb(*batch, &sample)
            }
        }
    }

    /// Picture number `i`, as [`Source::picture`], with its map.
    ///
    /// # Errors
    /// As there.
    pub fn shown(&self, i: usize, map: &[f32], longest: usize) -> Result<Shown> {
        let (image, size) = self.picture(i, longest)?;
        let values = match self {
            Source::Files(_, geometry) => {
                let value = |(y, x): (usize, usize)| {
                    let at = geometry.place(size, (y as f64 + 0.5, x as f64 + 0.5))?;
                    Some(bilinear(map, (geometry.height, geometry.width), at))
                };
                (0..size.0).flat_map(|y| (0..size.1).map(move |x| (y, x))).map(value).collect()
            }
            Source::Batch(_) => map.iter().map(|v| Some(*v)).collect(),
        };
        Ok(Shown { image, values, size })
    }
}

/// Writes `<name>.overlay.png` and `<name>.npy` of every picture into `dir`, and `sheet.png` under `title`, the highest
/// score first. What is to be said of it comes back.
///
/// # Errors
/// [`Error::Data`] where a file cannot be written, or a picture cannot be read any more; [`Error::Refused`] where the maps
/// are not of pictures.
pub fn write(dir: &Path, title: &str, scores: &Scores, names: &[String], source: &Source) -> Result<String> {
    let maps = scores.maps.as_ref().ok_or_else(|| Error::refused("the method made no maps"))?;
    let &[height, width] = maps.shape.as_slice() else {
        return Err(Error::refused("heat maps are drawn over images"));
    };
    let map = |i: usize| &maps.values[i * height * width..(i + 1) * height * width];
    let range = Range::of(maps.values.chunks_exact(height * width))?;
    let one = |(i, name): (usize, &String)| {
        let mut bytes = Vec::new();
        let array = Array { shape: vec![height, width], numbers: Numbers::F32(map(i).to_vec()) };
        let path = dir.join(format!("{name}.npy"));
        npy::write(&mut bytes, &array).map_err(|e| Error::io(&path, &e))?;
        file::write(&path, &bytes)?;
        let Shown { image, values, size } = source.shown(i, map(i), LONGEST)?;
        file::write(&dir.join(format!("{name}.overlay.png")), &heatmaps::overlay(&image, &values, size, &range)?)
    };
    names.par_iter().enumerate().map(one).collect::<Result<()>>()?;

    let mut order: Vec<usize> = (0..names.len()).collect();
    order.sort_by(|&a, &b| scores.samples[b].total_cmp(&scores.samples[a]).then(a.cmp(&b)));
    order.truncate(MOST);
    let sample = |&i: &usize| {
        let Shown { image, values, size } = source.shown(i, map(i), THUMBNAIL)?;
        let map = values.into_iter().map(|v| v.unwrap_or(range.low as f32)).collect();
        Ok(Sample { name: names[i].clone(), anomalous: None, score: scores.samples[i], size, image, mask: None, map })
    };
    let samples = order.par_iter().map(sample).collect::<Result<Vec<_>>>()?;
    heatmaps::write(&dir.join("sheet.png"), title, &samples, Some(&range))?;
    let most =
        if names.len() > MOST { format!(" (the {MOST} highest of {} scores)", names.len()) } else { String::new() };
    Ok(format!("{}: {} maps and overlays, and sheet.png{most}", dir.display(), names.len()))
}

/// Puts the maps of a batch, whose samples are these rows, among those of `all`.
pub fn keep(all: &mut Scores, maps: &Maps, rows: &[usize]) {
    let (n, positions) = (all.samples.len(), maps.positions());
    let empty = || Maps { shape: maps.shape.clone(), values: vec![0.0; n * positions] };
    let whole = all.maps.get_or_insert_with(empty);
    for (map, &row) in maps.values.chunks_exact(positions).zip(rows) {
        whole.values[row * positions..(row + 1) * positions].copy_from_slice(map);
    }
}

/// The error of a method that makes no maps.
pub fn none(method: &str) -> Error {
    let hint = "drop --maps; of pictures, patchcore, padim and spade make some beside --references";
    Error::Config(format!("{method} makes no anomaly maps; hint: {hint}"))
}

/// The value of a map at a position in pixels from the top and from the left, a pixel's centre at one half.
fn bilinear(map: &[f32], (height, width): (usize, usize), (y, x): (f64, f64)) -> f32 {
    let along = |at: f64, n: usize| {
        let at = (at - 0.5).clamp(0.0, (n - 1) as f64);
        let low = at as usize;
        (low, (low + 1).min(n - 1), at - low as f64)
    };
    let ((y0, y1, dy), (x0, x1, dx)) = (along(y, height), along(x, width));
    let at = |y: usize, x: usize| f64::from(map[y * width + x]);
    let row = |y: usize| at(y, x0) * (1.0 - dx) + at(y, x1) * dx;
    (row(y0) * (1.0 - dy) + row(y1) * dy) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    // np.interp over both axes of [[0, 1], [2, 5]], centres at one half, ends repeated
    #[test]
    fn a_map_is_read_between_its_pixels() {
        let map = [0.0, 1.0, 2.0, 5.0];
        let at = |y, x| bilinear(&map, (2, 2), (y, x));
        assert_eq!((at(0.5, 0.5), at(1.0, 1.0), at(1.5, 1.25), at(0.0, 2.0)), (0.0, 2.0, 4.25, 1.0));
    }
}
