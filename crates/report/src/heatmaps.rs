//! Contact sheets: a line a sample with image, mask, anomaly map and overlay.

use std::path::{Path, PathBuf};

use image::{ImageBuffer, Luma, Rgb, RgbImage, imageops};
use zsad_core::{Error, Result, file};

use crate::plots::canvas::{Anchor, BLACK, Canvas, GREY, encode};
use crate::plots::file_name;
use crate::stats::quantile;

/// One sample of a sheet; images, masks and maps are row-major and of one size.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// What it is called.
    pub name: String,
    /// Whether it is anomalous.
    pub anomalous: bool,
    /// Its score.
    pub score: f64,
    /// Red, green and blue of each pixel, `[height, width, 3]`.
    pub image: Vec<u8>,
    /// 1 where a pixel is anomalous, `[height, width]`; `None` where there is no mask.
    pub mask: Option<Vec<u8>>,
    /// Anomaly map, `[height, width]`.
    pub map: Vec<f32>,
}

/// Side of a thumbnail (224 pixels, what most networks see), and the space around it.
const SIDE: f64 = 112.0;
const GAP: f64 = 7.0;
const LEFT: f64 = 152.0;
const TOP: f64 = 84.0;
/// Pixels to a unit; the canvas paints at this scale.
const SCALE: f64 = 2.0;

/// Where the sheet of a category belongs: `<out>/plots/heatmaps/<category>.png`.
pub fn path(out: &Path, category: &str) -> PathBuf {
    out.join("plots").join("heatmaps").join(format!("{}.png", file_name(category)))
}

/// Writes a sheet of samples of `height` × `width` pixels under `title`, in the order given. All maps share one colour
/// scale, from the 0.5 % to the 99.5 % quantile of all their values; beyond it the colours saturate.
///
/// # Errors
/// [`Error::Failed`] without samples, or where a sample is of another size; [`Error::Data`] where the file cannot be
/// written.
pub fn write(path: &Path, title: &str, (height, width): (usize, usize), samples: &[Sample]) -> Result<()> {
    file::write(path, &encode(&sheet(title, (height, width), samples)?)?)
}

fn sheet(title: &str, size: (usize, usize), samples: &[Sample]) -> Result<RgbImage> {
    let n = size.0 * size.1;
    for s in samples {
        let sizes = (s.image.len(), s.map.len(), s.mask.as_ref().map_or(n, Vec::len));
        if n == 0 || sizes != (3 * n, n, n) {
            return Err(Error::failed(format!(
                "heat map of {}: image, map and mask are not {}×{}",
                s.name, size.0, size.1
            )));
        }
    }
    let mut values: Vec<f64> = samples.iter().flat_map(|s| &s.map).map(|v| f64::from(*v)).collect();
    values.sort_by(f64::total_cmp);
    let (Some(low), Some(high)) = (quantile(&values, 0.005), quantile(&values, 0.995)) else {
        return Err(Error::failed("there is no anomaly map to draw"));
    };
    let range = (low, if high > low { high } else { low + 1.0 });
    let mut page = frame(title, range, samples).to_image()?;
    for (row, sample) in samples.iter().enumerate() {
        for (column, thumbnail) in thumbnails(sample, size, range).into_iter().enumerate() {
            let Some(thumbnail) = thumbnail else { continue };
            let (x, y) = corner(row, column);
            // A picture that is not square stands in the middle of its square.
            let middle = |start: f64, length: u32| (start * SCALE + (SIDE * SCALE - f64::from(length)) / 2.0) as i64;
            imageops::replace(&mut page, &thumbnail, middle(x, thumbnail.width()), middle(y, thumbnail.height()));
        }
    }
    Ok(page)
}

fn corner(row: usize, column: usize) -> (f64, f64) {
    (LEFT + column as f64 * (SIDE + GAP), TOP + row as f64 * (SIDE + GAP))
}

/// Title, heads, names and the colour scale.
fn frame(title: &str, (low, high): (f64, f64), samples: &[Sample]) -> Canvas {
    let (right, bottom) = corner(samples.len(), 4);
    let mut canvas = Canvas::new(right + 90.0, bottom + 12.0);
    canvas.title((18.0, 26.0), title, 14.0, Anchor::Left);
    canvas.text((18.0, 48.0), "overlay: the map over the image, the mask's outline in green", 9.0, GREY, Anchor::Left);
    for (column, head) in ["image", "ground truth", "anomaly map", "overlay"].into_iter().enumerate() {
        let (x, y) = corner(0, column);
        canvas.text((x + SIDE / 2.0, y - 12.0), head, 11.0, BLACK, Anchor::Middle);
    }
    for (row, sample) in samples.iter().enumerate() {
        let y = corner(row, 0).1 + SIDE / 2.0;
        let truth = if sample.anomalous { "anomalous" } else { "normal" };
        canvas.text((18.0, y - 15.0), shortened(&sample.name), 10.5, BLACK, Anchor::Left);
        canvas.text((18.0, y), truth, 10.5, GREY, Anchor::Left);
        canvas.text((18.0, y + 15.0), format!("score {:.4}", sample.score), 10.5, GREY, Anchor::Left);
        if sample.mask.is_none() {
            let (x, y) = corner(row, 1);
            canvas.text((x + SIDE / 2.0, y + SIDE / 2.0), "no mask", 10.5, GREY, Anchor::Middle);
        }
    }
    let (top, steps) = (TOP + 10.0, 64);
    let step = (SIDE - 20.0) / f64::from(steps);
    for i in 0..steps {
        let Rgb([r, g, b]) = color(1.0 - (f64::from(i) + 0.5) / f64::from(steps));
        let y = top + f64::from(i) * step;
        canvas.rect((right + 8.0, y), (right + 22.0, y + step), (r, g, b, 1.0));
    }
    for (value, y) in [(high, top), (low, top + SIDE - 20.0)] {
        canvas.text((right + 28.0, y), format!("{value:.3}"), 9.0, BLACK, Anchor::Left);
    }
    canvas
}

/// The end of a long name: it holds what tells one file from another.
fn shortened(name: &str) -> String {
    const MOST: usize = 22;
    let n = name.chars().count();
    if n <= MOST { name.to_owned() } else { format!("…{}", name.chars().skip(n - MOST + 1).collect::<String>()) }
}

/// Image, mask, map and overlay of a sample, fitted into a square of [`SIDE`].
fn thumbnails(sample: &Sample, (height, width): (usize, usize), (low, high): (f64, f64)) -> [Option<RgbImage>; 4] {
    let (h, w) = (height as u32, width as u32);
    let scale = SIDE * SCALE / height.max(width) as f64;
    let fitted = |n: usize| ((n as f64 * scale).round() as u32).max(1);
    let (th, tw) = (fitted(height), fitted(width));
    let small = |i: &RgbImage| imageops::resize(i, tw, th, imageops::FilterType::Triangle);
    // `sheet` has checked the sizes, so `from_raw` gives an image every time.
    let image = RgbImage::from_raw(w, h, sample.image.clone()).map(|i| small(&i));
    // Between 0 and 1, which `resize` would cut it to.
    let shares = sample.map.iter().map(|&v| ((f64::from(v) - low) / (high - low)).clamp(0.0, 1.0) as f32).collect();
    let map = ImageBuffer::<Luma<f32>, Vec<f32>>::from_raw(w, h, shares)
        .map(|m| imageops::resize(&m, tw, th, imageops::FilterType::Triangle));
    let mask = sample.mask.as_ref().map(|m| {
        let at = |x: u32, y: u32| m[(y as usize * height / th as usize) * width + x as usize * width / tw as usize];
        ImageBuffer::from_fn(tw, th, |x, y| Luma([if at(x, y) > 0 { 255u8 } else { 0 }]))
    });
    let share = |x: u32, y: u32| map.as_ref().map_or(0.0, |m| f64::from(m.get_pixel(x, y).0[0]));
    let heat = RgbImage::from_fn(tw, th, |x, y| color(share(x, y)));
    let edge = |x: u32, y: u32| {
        let Some(mask) = &mask else { return false };
        let inside = |x: u32, y: u32| mask.get_pixel(x.min(tw - 1), y.min(th - 1)).0[0] > 0;
        // Two pixels wide, to be seen.
        let around = [(x + 2, y), (x.saturating_sub(2), y), (x, y + 2), (x, y.saturating_sub(2))];
        inside(x, y) && around.into_iter().any(|(a, b)| !inside(a, b))
    };
    let overlay = image.as_ref().map(|image| {
        RgbImage::from_fn(tw, th, |x, y| {
            if edge(x, y) {
                return Rgb([0x00, 0xe0, 0x60]);
            }
            let (t, Rgb(base), Rgb(hot)) = (share(x, y), *image.get_pixel(x, y), *heat.get_pixel(x, y));
            // What is not suspicious stays an image.
            let weight = 0.75 * t;
            Rgb([0, 1, 2].map(|c| (f64::from(base[c]) * (1.0 - weight) + f64::from(hot[c]) * weight).round() as u8))
        })
    });
    let shown = mask.as_ref().map(|m| RgbImage::from_fn(tw, th, |x, y| Rgb([m.get_pixel(x, y).0[0]; 3])));
    [image, shown, Some(heat), overlay]
}

/// The colour of 0 … 1: matplotlib's inferno between nine of its points.
fn color(t: f64) -> Rgb<u8> {
    const POINTS: [[f64; 3]; 9] = [
        [0.0, 0.0, 4.0],
        [31.0, 12.0, 72.0],
        [85.0, 15.0, 109.0],
        [136.0, 34.0, 106.0],
        [186.0, 54.0, 85.0],
        [227.0, 89.0, 51.0],
        [249.0, 140.0, 10.0],
        [249.0, 201.0, 50.0],
        [252.0, 255.0, 164.0],
    ];
    let position = t.clamp(0.0, 1.0) * (POINTS.len() - 1) as f64;
    let i = (position as usize).min(POINTS.len() - 2);
    let f = position - i as f64;
    Rgb([0, 1, 2].map(|c| (POINTS[i][c] * (1.0 - f) + POINTS[i + 1][c] * f).round() as u8))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A grey square with a bright blob, its mask, and a map that peaks there.
    fn sample(name: &str, anomalous: bool, masked: bool, size: (usize, usize)) -> Sample {
        let near = |i: usize| {
            let (y, x) = ((i / size.1) as f64 / size.0 as f64, (i % size.1) as f64 / size.1 as f64);
            (x - 0.3).hypot(y - 0.6)
        };
        let n = size.0 * size.1;
        let blob = |i: usize| anomalous && near(i) < 0.15;
        Sample {
            name: name.into(),
            anomalous,
            score: if anomalous { 3.25 } else { 0.5 },
            image: (0..n).flat_map(|i| if blob(i) { [220, 40, 40] } else { [120 + (i % 7) as u8 * 4; 3] }).collect(),
            mask: masked.then(|| (0..n).map(|i| u8::from(blob(i))).collect()),
            // Scores of any size, as a distance has them.
            map: (0..n).map(|i| if anomalous { 90.0 * (-20.0 * near(i).powi(2)).exp() as f32 } else { 9.0 }).collect(),
        }
    }

    #[test]
    fn a_sheet_shows_every_sample_and_repeats_its_bytes() {
        let size = (64, 48);
        let samples = [
            sample("bent/000.png", true, true, size),
            sample("good/a_very_long_file_name_of_a_sample_001.png", false, true, size),
            sample("scratch/002.png", true, false, size),
        ];
        let dir = tempfile::tempdir().unwrap();
        let out = std::env::var_os("ZSAD_LOOK").map_or(dir.path().to_owned(), PathBuf::from);
        let path = path(&out, "metal nut");
        assert!(path.ends_with("plots/heatmaps/metal_nut.png"));
        write(&path, "mvtec, metal nut: acr_patch", size, &samples).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        write(&path, "mvtec, metal nut: acr_patch", size, &samples).unwrap();
        assert_eq!(bytes, std::fs::read(&path).unwrap());
        let page = image::load_from_memory(&bytes).unwrap().to_rgb8();
        let at = |row: usize, column: usize, x: f64, y: f64| {
            let (cx, cy) = corner(row, column);
            // Thumbnails are 0.75 as wide as high and stand in the middle.
            let (px, py) = ((cx + (x * 0.75 + 0.125) * SIDE) * SCALE, (cy + y * SIDE) * SCALE);
            page.get_pixel(px as u32, py as u32).0
        };
        let [red, _, blue] = at(0, 0, 0.3, 0.6);
        assert!(red > 200 && blue < 60);
        assert_eq!((at(0, 1, 0.3, 0.6), at(0, 1, 0.8, 0.1)), ([255; 3], [0; 3]));
        assert_eq!(at(0, 2, 0.3, 0.6), color(1.0).0);
        let middle = at(0, 2, 0.55, 0.6);
        assert!(middle != color(0.0).0 && middle != color(1.0).0, "{middle:?}");
        assert_eq!(at(2, 1, 0.9, 0.1), [255; 3]);
        let green = page.pixels().filter(|p| p.0 == [0x00, 0xe0, 0x60]).count();
        assert!(green > 50, "{green} pixels of the mask's outline");
    }

    #[test]
    fn a_map_of_another_size_is_refused() {
        let mut wrong = sample("x", true, true, (8, 8));
        wrong.map.pop();
        let message = sheet("t", (8, 8), &[wrong]).unwrap_err().to_string();
        assert!(message.contains("heat map of x") && message.contains("8×8"), "{message}");
        assert!(sheet("t", (8, 8), &[]).is_err());
    }
}
