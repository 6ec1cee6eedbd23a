//! A folder of a person's own pictures as one batch.

use std::path::{Path, PathBuf};

use image::{ColorType, DynamicImage, ImageReader};
use rayon::prelude::*;
use zsad_core::{Choice, Error, Modality, PictureSpec, Result, Samples, Values};

use crate::files::damaged;
use crate::resize::{Filter, center_crop, resize, shorter_side};

/// All pictures of `folder` in the order of their names, each as `spec` says; without one, at their size, which must be
/// one for all, with values 0 … 1, and grey where all of them are. Other files and folders are passed over.
///
/// # Errors
/// [`Error::Data`] where there are no pictures, one does not decode, or sizes differ without a `spec`.
pub fn read(folder: &Path, spec: Option<&PictureSpec>) -> Result<(Modality, Samples)> {
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
    let modality = spec.modality();
    Ok((modality.clone(), Samples::new(modality.shape(), Values::F32(values.concat()))))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The picture of the snippet below; with one channel, grey.
    fn save(path: &Path, (h, w): (usize, usize), channels: usize) {
        let value = |i: usize| {
            let (y, x, k) = (i / channels / w, i / channels % w, i % channels);
            ((5 * y + 3 * x + 60 * k + x * y / 17) % 256) as u8
        };
        let pixels: Vec<u8> = (0..h * w * channels).map(value).collect();
        let color = if channels == 1 { ColorType::L8 } else { ColorType::Rgb8 };
        image::save_buffer(path, &pixels, w as u32, h as u32, color).unwrap();
    }

    fn bytes(samples: &Samples) -> Vec<f32> {
        samples.to_f32().iter().map(|v| v * 255.0).collect()
    }

    /// ```python
    /// def picture(h, w, c):
    ///     y, x, k = np.mgrid[0:h, 0:w, 0:c]; return ((5 * y + 3 * x + 60 * k + x * y // 17) % 256).astype(np.uint8)
    /// a = Image.fromarray(picture(9, 13, 3)).resize((3, 2), Image.BICUBIC)
    /// im = Image.fromarray(picture(9, 13, 1)[:, :, 0]).resize((int(6 * 13 / 9), 6), Image.BILINEAR); w, h = im.size
    /// t, l = int(round((h - 2) / 2)), int(round((w - 3) / 2)); b = im.crop((l, t, l + 3, t + 2))
    /// print(np.asarray(a).transpose(2, 0, 1), np.asarray(b))
    /// ```
    #[test]
    fn pictures_become_samples_as_pillow_does_it() {
        let dir = tempfile::tempdir().unwrap();
        save(&dir.path().join("b.png"), (9, 13), 3);
        save(&dir.path().join("a.BMP"), (9, 13), 1);
        std::fs::write(dir.path().join("notes.txt"), "x").unwrap();
        std::fs::create_dir(dir.path().join("more.png")).unwrap();
        let (kind, x) = read(dir.path(), Some(&PictureSpec::stretched(3, 2, 3))).unwrap();
        assert_eq!((kind, x.len()), (Modality::Image { channels: 3, height: 2, width: 3 }, 2));
        let plane = [15.0, 28.0, 42.0, 36.0, 50.0, 64.0];
        let colour = [0.0, 60.0, 120.0].map(|k| plane.map(|v| v + k)).concat();
        let wanted = [plane, plane, plane].concat().into_iter().chain(colour);
        assert!(bytes(&x).iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-3), "{:?}", bytes(&x));

        let scale = vec![(0.5, 0.25)];
        let cut =
            PictureSpec { filter: "bilinear", cut_from: Some((6, false)), scale, ..PictureSpec::stretched(1, 2, 3) };
        let (_, x) = read(dir.path(), Some(&cut)).unwrap();
        for (value, byte) in x.to_f32().iter().zip([27.0, 32.0, 38.0, 35.0, 40.0, 46.0]) {
            assert!((value - (byte / 255.0 - 0.5) / 0.25).abs() < 1e-5, "{value} of {byte}");
        }
        let (kind, _) = read(dir.path(), None).unwrap();
        assert_eq!(kind, Modality::Image { channels: 3, height: 9, width: 13 }, "not all are grey");
    }

    #[test]
    fn what_is_no_batch_of_pictures_is_named() {
        let dir = tempfile::tempdir().unwrap();
        assert!(read(dir.path(), None).unwrap_err().to_string().contains("no pictures here"));
        save(&dir.path().join("0.png"), (4, 4), 1);
        save(&dir.path().join("1.png"), (4, 5), 1);
        assert!(read(dir.path(), None).unwrap_err().to_string().contains("1.png: 5×4 beside 4×4"));
        std::fs::write(dir.path().join("2.png"), "x").unwrap();
        let message = read(dir.path(), Some(&PictureSpec::stretched(1, 2, 2))).unwrap_err().to_string();
        assert!(message.contains("2.png: damaged"), "{message}");
    }
}
