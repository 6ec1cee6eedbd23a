//! A folder of a person's own pictures as one batch.

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use zsad_core::{Error, ImageSpec, Modality, Result, Samples, Values};

use crate::image_file::{self, is_grey, size};

/// All pictures of `folder` in the order of their names, each as `spec` says; without one, at their size, which must be
/// one for all, with values 0 … 1, and grey where all of them are. Other files and folders are passed over.
///
/// # Errors
/// [`Error::Data`] where there are no pictures, one does not decode, or sizes differ without a `spec`.
pub fn read(folder: &Path, spec: Option<&ImageSpec>) -> Result<(Modality, Samples)> {
    let io = |e: std::io::Error| Error::io(folder, &e);
    let entries = std::fs::read_dir(folder).map_err(io)?.collect::<std::io::Result<Vec<_>>>().map_err(io)?;
    let mut paths: Vec<PathBuf> =
        entries.iter().map(|e| e.path()).filter(|p| p.is_file() && image_file::is_named_so(p)).collect();
    paths.sort();
    let images = paths.par_iter().map(|p| image_file::open(p)).collect::<Result<Vec<_>>>()?;
    let Some(first) = images.first() else {
        return Err(Error::data(folder, "no pictures here", "want .png, .jpg, .jpeg or .bmp files"));
    };
    let spec = match spec {
        Some(spec) => spec.clone(),
        None => {
            if let Some(i) = images.iter().position(|p| size(p) != size(first)) {
                let ((h, w), (first_h, first_w)) = (size(&images[i]), size(first));
                let what = format!("{w}×{h} beside {first_w}×{first_h} of {}", paths[0].display());
                return Err(Error::data(&paths[i], what, "all pictures of a batch must have one size"));
            }
            let (height, width) = size(first);
            ImageSpec::stretched(if images.iter().all(is_grey) { 1 } else { 3 }, height, width)
        }
    };
    let values: Vec<Vec<f32>> = images.into_par_iter().map(|p| image_file::sample(p, &spec)).collect();
    let modality = spec.modality();
    Ok((modality.clone(), Samples::new(modality.shape(), Values::F32(values.concat()))))
}

#[cfg(test)]
mod tests {
    use image::ColorType;

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
        let (kind, x) = read(dir.path(), Some(&ImageSpec::stretched(3, 2, 3))).unwrap();
        assert_eq!((kind, x.len()), (Modality::Image { channels: 3, height: 2, width: 3 }, 2));
        let plane = [15.0, 28.0, 42.0, 36.0, 50.0, 64.0];
        let colour = [0.0, 60.0, 120.0].map(|k| plane.map(|v| v + k)).concat();
        let wanted = [plane, plane, plane].concat().into_iter().chain(colour);
        assert!(bytes(&x).iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-3), "{:?}", bytes(&x));

        let scale = vec![(0.5, 0.25)];
        let cut = ImageSpec { filter: "bilinear", cut_from: Some((6, false)), scale, ..ImageSpec::stretched(1, 2, 3) };
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
        let message = read(dir.path(), Some(&ImageSpec::stretched(1, 2, 2))).unwrap_err().to_string();
        assert!(message.contains("2.png: damaged"), "{message}");
    }
}
