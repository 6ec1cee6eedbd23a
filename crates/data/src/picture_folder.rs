//! A folder of a person's own pictures as one batch.

use std::path::{Path, PathBuf};

use image::{ColorType, DynamicImage, ImageReader};
use rayon::prelude::*;
use zsad_core::{Error, Kind, PictureSpec, Result, Samples, Values};

use crate::files::damaged;
use crate::resize::{Filter, center_crop, resize, shorter_side};

/// All pictures of `folder` in the order of their names, each as `spec` says; without one, at their size, which must be
/// one for all, with values 0 … 1, and grey where all of them are. Other files and folders are passed over.
///
/// # Errors
/// [`Error::Data`] where there are no pictures, one does not decode, or sizes differ without a `spec`.
pub fn read(folder: &Path, spec: Option<&PictureSpec>) -> Result<(Kind, Samples)> {
    let io = |e: std::io::Error| Error::io(folder, &e);
    let entries = std::fs::read_dir(folder).map_err(io)?.collect::<std::io::Result<Vec<_>>>().map_err(io)?;
    let mut paths: Vec<PathBuf> = entries.iter().map(|e| e.path()).filter(|p| p.is_file() && is_picture(p)).collect();
    paths.sort();
    let pictures = paths.par_iter().map(|p| open(p)).collect::<Result<Vec<_>>>()?;
    let Some(first) = pictures.first() else {
        return Err(Error::data(folder, "no pictures here", "want .png, .jpg, .jpeg or .bmp files"));
    };
    let spec = match spec {
        Some(spec) => spec.clone(),
        None => {
            if let Some(i) = pictures.iter().position(|p| size(p) != size(first)) {
                let ((h, w), (first_h, first_w)) = (size(&pictures[i]), size(first));
                let what = format!("{w}×{h} beside {first_w}×{first_h} of {}", paths[0].display());
                return Err(Error::data(&paths[i], what, "all pictures of a batch must have one size"));
            }
            let (height, width) = size(first);
            PictureSpec::stretched(if pictures.iter().all(is_grey) { 1 } else { 3 }, height, width)
        }
    };
    let values: Vec<Vec<f32>> = pictures.into_par_iter().map(|p| sample(p, &spec)).collect();
    let kind = spec.kind();
    Ok((kind.clone(), Samples::new(kind.shape(), Values::F32(values.concat()))))
}

/// `[channels, height, width]` of one picture.
fn sample(picture: DynamicImage, spec: &PictureSpec) -> Vec<f32> {
    let from = size(&picture);
    let c = spec.channels;
    let pixels = if c == 1 { picture.into_luma8().into_raw() } else { picture.into_rgb8().into_raw() };
    // The specification's filters are words of this very list.
    let filter = Filter::from_word(spec.filter).unwrap_or(Filter::Bicubic);
    let wanted = (spec.height, spec.width);
    let pixels = match spec.cut_from {
        None => resize(&pixels, c, from, wanted, filter),
        Some((side, stretch)) => {
            let size = if stretch { (side, side) } else { shorter_side(from, side) };
            center_crop(&resize(&pixels, c, from, size, filter), c, size, wanted)
        }
    };
    let channel = |(k, &(mean, deviation)): (usize, &(f32, f32))| {
        let bytes = pixels.iter().skip(k).step_by(c);
        bytes.map(|&b| (f32::from(b) / 255.0 - mean) / deviation).collect::<Vec<f32>>()
    };
    spec.scale.iter().enumerate().flat_map(channel).collect()
}

/// The format is told by the content, not by the name.
fn open(path: &Path) -> Result<DynamicImage> {
    let reader = ImageReader::open(path).and_then(|r| r.with_guessed_format()).map_err(|e| Error::io(path, &e))?;
    let picture = reader.decode().map_err(|e| damaged(path, e))?;
    match size(&picture) {
        (0, _) | (_, 0) => Err(damaged(path, "a picture without pixels")),
        _ => Ok(picture),
    }
}

/// Height and width.
fn size(picture: &DynamicImage) -> (usize, usize) {
    (picture.height() as usize, picture.width() as usize)
}

fn is_grey(picture: &DynamicImage) -> bool {
    matches!(picture.color(), ColorType::L8 | ColorType::L16 | ColorType::La8 | ColorType::La16)
}

fn is_picture(path: &Path) -> bool {
    let extension = path.extension().and_then(|e| e.to_str()).map(str::to_lowercase);
    extension.is_some_and(|e| ["png", "jpg", "jpeg", "bmp"].contains(&e.as_str()))
}
