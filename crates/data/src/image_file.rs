//! Image files as samples.
//!
//! PNG and BMP give Pillow's bytes. JPEG is decoded by other code than Pillow's libjpeg and can differ by three grey
//! levels where its colours are subsampled.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ImageDecoder, ImageReader};
use zsad_core::{Error, Filter, Fit, PictureGeometry, Result};

use crate::files::damaged;
use crate::resize::{center_crop, pad_borders, resize};

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

/// A person's own picture, as viewers show it: turned as its camera says (EXIF orientation). Data sets take their files as
/// they are.
///
/// # Errors
/// [`Error::Data`] where it does not decode, or has no pixels.
pub fn open_upright(path: &Path) -> Result<DynamicImage> {
    let bad = |why: &dyn std::fmt::Display| Error::data(path, format!("no picture that can be read: {why}"), "");
    let mut decoder = reader(path)?.into_decoder().map_err(|e| bad(&e))?;
    // A damaged orientation is none.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder).map_err(|e| bad(&e))?;
    image.apply_orientation(orientation);
    match size(&image) {
        (0, _) | (_, 0) => Err(bad(&"it has no pixels")),
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

/// Whether a file's name is that of an image that a person may give beside these: data sets are of fixed formats.
pub fn is_own_picture(path: &Path) -> bool {
    let extension = path.extension().and_then(|e| e.to_str()).map(str::to_lowercase);
    is_named_so(path) || extension.is_some_and(|e| ["tif", "tiff", "webp"].contains(&e.as_str()))
}

/// Pixels `[height, width, channels]` of `from` (height, width) at the size of `spec`.
pub fn cut(pixels: &[u8], channels: usize, from: (usize, usize), spec: &PictureGeometry, filter: Filter) -> Vec<u8> {
    let (wanted, size) = ((spec.height, spec.width), spec.resized(from));
    let resized = resize(pixels, channels, from, size, filter);
    match spec.fit {
        Fit::Stretch => resized,
        Fit::Pad => pad_borders(&resized, channels, size, wanted),
        Fit::Cut(_) | Fit::StretchAndCut(_) => center_crop(&resized, channels, size, wanted),
    }
}

/// `[channels, height, width]` of one image; grey is repeated in all channels, transparency ignored.
pub fn sample(image: DynamicImage, spec: &PictureGeometry) -> Vec<f32> {
    let (from, grey) = (size(&image), spec.channels == 1 || is_grey(&image));
    let (pixels, c) = if grey { (image.into_luma8().into_raw(), 1) } else { (image.into_rgb8().into_raw(), 3) };
    let pixels = cut(&pixels, c, from, spec, spec.filter);
    let channel = |(k, &(mean, deviation)): (usize, &(f32, f32))| {
        let bytes = pixels.iter().skip(if grey { 0 } else { k }).step_by(c);
        bytes.map(|&b| (f32::from(b) / 255.0 - mean) / deviation).collect::<Vec<f32>>()
    };
    spec.scale.iter().enumerate().flat_map(channel).collect()
}
