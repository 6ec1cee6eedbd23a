//! Masks of defects: of the size of their image, cut as it is.

use std::path::Path;

use zsad_core::{Error, PictureGeometry, Result};

use crate::files::damaged;
use crate::image_file;
use crate::resize::Filter;

/// Writes the mask in `path` to `out` (`[height, width]` of `spec`): 1 where it is not black.
///
/// # Errors
/// [`Error::Data`] where the file does not decode, or is not of the size of its `image`.
pub fn read(path: &Path, image: &Path, spec: &PictureGeometry, out: &mut [u8]) -> Result<()> {
    let mask = image_file::open(path)?.into_luma8();
    same_size(path, mask.dimensions(), image, dimensions(image)?)?;
    let size = (mask.height() as usize, mask.width() as usize);
    let pixels = image_file::cut(mask.as_raw(), 1, size, spec, Filter::Nearest);
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
    let size = image_file::reader(path)?.into_dimensions().map_err(|e| damaged(path, e))?;
    if size.0 == 0 || size.1 == 0 {
        return Err(damaged(path, "a picture without pixels"));
    }
    Ok(size)
}

/// Checks that a mask has its picture's size.
///
/// # Errors
/// [`Error::Data`] of the mask, with both sizes.
pub fn same_size(mask: &Path, size: (u32, u32), image: &Path, wanted: (u32, u32)) -> Result<()> {
    if size == wanted {
        return Ok(());
    }
    let message = format!("a mask of {}×{} for {} of {}×{}", size.0, size.1, image.display(), wanted.0, wanted.1);
    Err(Error::data(mask, message, "masks must have the size of their picture"))
}

/// Whether a mask shows a defect: is not black all over.
///
/// # Errors
/// [`Error::Data`] where the file does not decode.
pub fn shows_defect(path: &Path) -> Result<bool> {
    Ok(image_file::open(path)?.into_luma8().pixels().any(|p| p.0[0] > 0))
}
