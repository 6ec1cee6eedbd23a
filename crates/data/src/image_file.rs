//! Image files as samples.
//!
//! PNG and BMP give Pillow's bytes. JPEG is decoded by other code than Pillow's libjpeg and can differ by three grey
//! levels where its colours are subsampled.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use image::{ColorType, DynamicImage, ImageReader};
use zsad_core::{Choice, Error, ImageSpec, Result};

use crate::files::damaged;
use crate::resize::{Filter, center_crop, resize, shorter_side};

/// The reader of a file. The format is told by the content, not by the name.
///
/// # Errors
/// [`Error::Data`] where there is no such file.
pub fn reader(path: &Path) -> Result<ImageReader<BufReader<File>>> {
    ImageReader::open(path).and_then(|r| r.with_guessed_format()).map_err(|e| Error::io(path, &e))
}

/// The image in a file.
///
/// # Errors
/// [`Error::Data`] where it does not decode, or has no pixels.
pub fn open(path: &Path) -> Result<DynamicImage> {
    let image = reader(path)?.decode().map_err(|e| damaged(path, e))?;
    match size(&image) {
        (0, _) | (_, 0) => Err(damaged(path, "a picture without pixels")),
        _ => Ok(image),
    }
}

/// Height and width.
pub fn size(image: &DynamicImage) -> (usize, usize) {
    (image.height() as usize, image.width() as usize)
}

/// Whether it has no colours.
pub fn is_grey(image: &DynamicImage) -> bool {
    matches!(image.color(), ColorType::L8 | ColorType::L16 | ColorType::La8 | ColorType::La16)
}

/// Whether a file's name is that of an image.
pub fn is_named_so(path: &Path) -> bool {
    let extension = path.extension().and_then(|e| e.to_str()).map(str::to_lowercase);
    extension.is_some_and(|e| ["png", "jpg", "jpeg", "bmp"].contains(&e.as_str()))
}

/// Pixels `[height, width, channels]` of `from` (height, width) at the size of `spec`.
pub fn cut(pixels: &[u8], channels: usize, from: (usize, usize), spec: &ImageSpec, filter: Filter) -> Vec<u8> {
    let wanted = (spec.height, spec.width);
    match spec.cut_from {
        None => resize(pixels, channels, from, wanted, filter),
        Some((side, stretch)) => {
            let size = if stretch { (side, side) } else { shorter_side(from, side) };
            center_crop(&resize(pixels, channels, from, size, filter), channels, size, wanted)
        }
    }
}

/// `[channels, height, width]` of one image; grey is repeated in all channels, transparency ignored.
pub fn sample(image: DynamicImage, spec: &ImageSpec) -> Vec<f32> {
    let (from, grey) = (size(&image), spec.channels == 1 || is_grey(&image));
    let (pixels, c) = if grey { (image.into_luma8().into_raw(), 1) } else { (image.into_rgb8().into_raw(), 3) };
    // The specification's filters are words of this very list.
    let filter = Filter::from_word(spec.filter).unwrap_or(Filter::Bicubic);
    let pixels = cut(&pixels, c, from, spec, filter);
    let channel = |(k, &(mean, deviation)): (usize, &(f32, f32))| {
        let bytes = pixels.iter().skip(if grey { 0 } else { k }).step_by(c);
        bytes.map(|&b| (f32::from(b) / 255.0 - mean) / deviation).collect::<Vec<f32>>()
    };
    spec.scale.iter().enumerate().flat_map(channel).collect()
}
