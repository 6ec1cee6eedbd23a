//! From a file to `[3, crop, crop]` in 0 … 1, and from a mask to `[crop, crop]` of 0 and 1.
//!
//! PNG and BMP give Pillow's bytes. JPEG is decoded by other code than Pillow's libjpeg and can differ by three grey
//! levels where its colours are subsampled.

use std::path::Path;

use image::{ColorType, DynamicImage, ImageReader};
use zsad_core::{Choice, Error, PictureSpec, Result};

use crate::files::damaged;
use crate::resize::{Filter, center_crop, resize, shorter_side};

/// How pictures are brought to one size: torchvision's `Resize(resize)` and `CenterCrop(crop)` on Pillow images.
pub struct Geometry {
    resize: usize,
    /// Side of the result in pixels.
    pub crop: usize,
    stretch: bool,
    filter: Filter,
}

impl Geometry {
    /// This geometry.
    ///
    /// # Errors
    /// [`Error::Config`] where more is to be cut out than there is.
    pub fn new(resize: usize, crop: usize, stretch: bool, filter: Filter) -> Result<Self> {
        if crop > resize {
            return Err(Error::Config(format!("crop {crop} is larger than resize {resize}")));
        }
        Ok(Geometry { resize, crop, stretch, filter })
    }

    /// The same for a person's own pictures.
    pub fn spec(&self) -> PictureSpec {
        let plain = PictureSpec::stretched(3, self.crop, self.crop);
        PictureSpec { filter: self.filter.word(), cut_from: Some((self.resize, self.stretch)), ..plain }
    }

    fn apply(&self, pixels: &[u8], channels: usize, (h, w): (usize, usize), filter: Filter) -> Vec<u8> {
        let size = if self.stretch { (self.resize, self.resize) } else { shorter_side((h, w), self.resize) };
        center_crop(&resize(pixels, channels, (h, w), size, filter), channels, size, (self.crop, self.crop))
    }
}

/// Writes the picture in `path` to `out` (`[3, crop, crop]`); grey is repeated in all channels, transparency ignored.
///
/// # Errors
/// [`Error::Data`] where the file does not decode.
pub fn read(path: &Path, geometry: &Geometry, out: &mut [f32]) -> Result<()> {
    let image = decode(path)?;
    let size = (image.height() as usize, image.width() as usize);
    let grey = matches!(image.color(), ColorType::L8 | ColorType::La8 | ColorType::L16 | ColorType::La16);
    let (pixels, channels) = if grey { (image.into_luma8().into_raw(), 1) } else { (image.into_rgb8().into_raw(), 3) };
    let pixels = geometry.apply(&pixels, channels, size, geometry.filter);
    let plane = geometry.crop * geometry.crop;
    for (i, value) in out.iter_mut().enumerate() {
        let channel = if grey { 0 } else { i / plane };
        *value = f32::from(pixels[i % plane * channels + channel]) / 255.0;
    }
    Ok(())
}

/// Writes the mask in `path` to `out` (`[crop, crop]`): 1 where it is not black.
///
/// # Errors
/// [`Error::Data`] where the file does not decode, or is not of the size of its `picture`.
pub fn read_mask(path: &Path, picture: &Path, geometry: &Geometry, out: &mut [u8]) -> Result<()> {
    let mask = decode(path)?.into_luma8();
    same_size(path, mask.dimensions(), picture, dimensions(picture)?)?;
    let size = (mask.height() as usize, mask.width() as usize);
    let pixels = geometry.apply(mask.as_raw(), 1, size, Filter::Nearest);
    for (out, pixel) in out.iter_mut().zip(pixels) {
        *out = u8::from(pixel > 0);
    }
    Ok(())
}

/// Width and height, from the header alone.
///
/// # Errors
/// [`Error::Data`] where this is no picture.
pub fn dimensions(path: &Path) -> Result<(u32, u32)> {
    let size = reader(path)?.into_dimensions().map_err(|e| damaged(path, e))?;
    if size.0 == 0 || size.1 == 0 {
        return Err(damaged(path, "a picture without pixels"));
    }
    Ok(size)
}

/// Checks that a mask has its picture's size.
///
/// # Errors
/// [`Error::Data`] of the mask, with both sizes.
pub fn same_size(mask: &Path, size: (u32, u32), picture: &Path, wanted: (u32, u32)) -> Result<()> {
    if size == wanted {
        return Ok(());
    }
    let message = format!("a mask of {}×{} for {} of {}×{}", size.0, size.1, picture.display(), wanted.0, wanted.1);
    Err(Error::data(mask, message, "masks must have the size of their picture"))
}

fn decode(path: &Path) -> Result<DynamicImage> {
    reader(path)?.decode().map_err(|e| damaged(path, e))
}

/// The format is told by the content, not by the name.
fn reader(path: &Path) -> Result<ImageReader<std::io::BufReader<std::fs::File>>> {
    ImageReader::open(path).and_then(|r| r.with_guessed_format()).map_err(|e| Error::io(path, &e))
}
