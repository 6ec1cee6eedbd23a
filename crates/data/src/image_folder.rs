//! A folder of a person's own pictures as one batch.

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use zsad_core::{Error, PictureGeometry, Result, Samples, Values};

use crate::image_file::{self, is_grey, size};

/// What lies in a folder, each list in the order of the names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Files that are named as pictures are.
    pub pictures: Vec<PathBuf>,
    /// Names of other files. Hidden ones do not count.
    pub others: Vec<String>,
    /// Names of folders, which are not looked into.
    pub folders: Vec<String>,
}

/// Pictures as samples.
pub struct Pictures {
    /// Where each lies.
    pub paths: Vec<PathBuf>,
    /// Height and width of each, upright.
    pub sizes: Vec<(usize, usize)>,
    /// Their samples.
    pub samples: Samples,
    /// Whether none has colours.
    pub all_grey: bool,
    /// Those that cannot be read, and why.
    pub unreadable: Vec<Error>,
}

/// What lies in `folder`.
///
/// # Errors
/// [`Error::Data`] where it cannot be listed, or there are no pictures.
pub fn find(folder: &Path) -> Result<Found> {
    let io = |e: std::io::Error| Error::io(folder, &e);
    let mut entries = std::fs::read_dir(folder).map_err(io)?.collect::<std::io::Result<Vec<_>>>().map_err(io)?;
    entries.sort_by_key(std::fs::DirEntry::path);
    let mut found = Found::default();
    for entry in entries {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        match name.starts_with('.') {
            true => {}
            false if path.is_dir() => found.folders.push(name),
            false if image_file::is_own_picture(&path) => found.pictures.push(path),
            false => found.others.push(name),
        }
    }
    if found.pictures.is_empty() {
        return Err(match &found.folders[..] {
            [] => Error::data(folder, "no pictures here", "want .png, .jpg, .jpeg, .bmp, .tif, .tiff or .webp files"),
            folders => {
                let message = format!("no pictures here, and subfolders are not looked into: {}", folders.join(", "));
                Error::data(folder, message, "give one of them")
            }
        });
    }
    Ok(found)
}

/// The pictures in `paths`, each as `geometry` says; those that cannot be read are left out. They are decoded one by one
/// and not kept: many large pictures need no more memory than their samples.
pub fn read(paths: &[PathBuf], geometry: &PictureGeometry) -> Pictures {
    let one = |path: &PathBuf| {
        let image = image_file::open_upright(path)?;
        Ok((size(&image), is_grey(&image), image_file::sample(image, geometry)))
    };
    let read: Vec<Result<_>> = paths.par_iter().map(one).collect();
    let mut values = Vec::new();
    let (mut kept, mut sizes, mut all_grey, mut unreadable) = (Vec::new(), Vec::new(), true, Vec::new());
    for (path, read) in paths.iter().zip(read) {
        match read {
            Ok((size, grey, sample)) => {
                kept.push(path.clone());
                sizes.push(size);
                all_grey &= grey;
                values.extend(sample);
            }
            Err(error) => unreadable.push(error),
        }
    }
    let samples = Samples::new(geometry.modality().shape(), Values::F32(values));
    Pictures { paths: kept, sizes, samples, all_grey, unreadable }
}

/// Red, green and blue `[height, width, 3]` of a picture, upright, in its aspect and at most `longest` pixels long; with its
/// height and width.
///
/// # Errors
/// [`Error::Data`] where it cannot be read any more.
pub fn thumbnail(path: &Path, longest: usize) -> Result<(Vec<u8>, (usize, usize))> {
    let image = image_file::open_upright(path)?;
    let (h, w) = size(&image);
    let scale = (longest as f64 / h.max(w) as f64).min(1.0);
    let side = |n: usize| ((n as f64 * scale).round() as usize).max(1);
    let small = (side(h), side(w));
    let pixels = image.into_rgb8().into_raw();
    Ok((crate::resize::resize(&pixels, 3, (h, w), small, zsad_core::Filter::Box), small))
}

#[cfg(test)]
mod tests {
    use image::ColorType;
    use zsad_core::{Filter, Fit};

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
        std::fs::write(dir.path().join(".hidden"), "x").unwrap();
        std::fs::create_dir(dir.path().join("more.png")).unwrap();
        let found = find(dir.path()).unwrap();
        assert_eq!(
            (&found.others[..], &found.folders[..]),
            (&["notes.txt".to_owned()][..], &["more.png".to_owned()][..])
        );
        let pictures = read(&found.pictures, &PictureGeometry::stretched(3, 2, 3));
        let x = pictures.samples;
        assert_eq!((x.shape(), x.len(), pictures.all_grey), (&[3, 2, 3][..], 2, false));
        assert_eq!(pictures.sizes, [(9, 13), (9, 13)]);
        let plane = [15.0, 28.0, 42.0, 36.0, 50.0, 64.0];
        let colour = [0.0, 60.0, 120.0].map(|k| plane.map(|v| v + k)).concat();
        let wanted = [plane, plane, plane].concat().into_iter().chain(colour);
        assert!(bytes(&x).iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-3), "{:?}", bytes(&x));

        let scale = vec![(0.5, 0.25)];
        let (filter, fit) = (Filter::Bilinear, Fit::Cut(6));
        let x = read(&found.pictures, &PictureGeometry { filter, fit, scale, ..PictureGeometry::stretched(1, 2, 3) })
            .samples;
        for (value, byte) in x.to_f32().iter().zip([27.0, 32.0, 38.0, 35.0, 40.0, 46.0]) {
            assert!((value - (byte / 255.0 - 0.5) / 0.25).abs() < 1e-5, "{value} of {byte}");
        }
    }

    #[test]
    fn what_is_no_batch_of_pictures_is_named() {
        let dir = tempfile::tempdir().unwrap();
        assert!(find(dir.path()).unwrap_err().to_string().contains("no pictures here; hint"));
        std::fs::create_dir(dir.path().join("good")).unwrap();
        assert!(find(dir.path()).unwrap_err().to_string().contains("not looked into: good"));
        save(&dir.path().join("0.png"), (4, 4), 1);
        std::fs::write(dir.path().join("2.png"), "x").unwrap();
        let read = read(&find(dir.path()).unwrap().pictures, &PictureGeometry::stretched(1, 2, 2));
        assert_eq!((read.samples.len(), read.all_grey), (1, true));
        let message = read.unreadable[0].to_string();
        assert!(message.contains("2.png: no picture that can be read"), "{message}");
    }

    /// A camera held upright writes the lying picture, and beside it how it is to be turned: here by 90° to the right.
    #[test]
    fn pictures_are_turned_as_their_camera_says() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.jpg");
        save(&path, (2, 3), 1);
        let plain = read(std::slice::from_ref(&path), &PictureGeometry::stretched(1, 2, 3)).samples;
        // An Exif segment after the first marker: one directory, in which orientation (tag 274) is 6.
        let exif = b"\xff\xe1\0\x22Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, [&bytes[..2], exif, &bytes[2..]].concat()).unwrap();
        let turned = read(std::slice::from_ref(&path), &PictureGeometry::stretched(1, 3, 2));
        assert_eq!(turned.sizes, [(3, 2)]);
        let (plain, turned) = (plain.to_f32(), turned.samples.to_f32());
        // np.rot90([[0, 1, 2], [3, 4, 5]], -1)
        assert_eq!(turned[..], [3, 0, 4, 1, 5, 2].map(|i| plain[i]));
        assert_eq!(thumbnail(&path, 100).unwrap().1, (3, 2));
    }
}
