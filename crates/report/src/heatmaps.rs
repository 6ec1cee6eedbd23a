//! Contact sheets: a line a sample with image, mask, anomaly map and overlay.

mod paint;

use std::path::{Path, PathBuf};

use image::{Rgb, RgbImage, imageops};
use zsad_core::{Error, Result, file};

use crate::plots::canvas::{Anchor, BLACK, Canvas, GREY, encode};
use crate::plots::file_name;
pub use paint::{Range, overlay, pixels};
use paint::{color, thumbnails};

/// One sample of a sheet; image, mask and map are row-major and of one size.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// What it is called.
    pub name: String,
    /// Whether it is anomalous, where that is known.
    pub anomalous: Option<bool>,
    /// Its score.
    pub score: f64,
    /// Height and width.
    pub size: (usize, usize),
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

/// Writes a sheet of samples under `title`, in the order given. All maps share the colour scale `range`; where there is
/// none, that of their own values. Without any mask there is no column of them.
///
/// # Errors
/// [`Error::Failed`] without samples, or where the parts of a sample are of different sizes; [`Error::Data`] where the file
/// cannot be written.
pub fn write(path: &Path, title: &str, samples: &[Sample], range: Option<&Range>) -> Result<()> {
    file::write(path, &encode(&sheet(title, samples, range)?)?)
}

fn sheet(title: &str, samples: &[Sample], range: Option<&Range>) -> Result<RgbImage> {
    for s in samples {
        let n = s.size.0 * s.size.1;
        let sizes = (s.image.len(), s.map.len(), s.mask.as_ref().map_or(n, Vec::len));
        if n == 0 || sizes != (3 * n, n, n) {
            return Err(Error::failed(format!(
                "heat map of {}: image, map and mask are not {}×{}",
                s.name, s.size.0, s.size.1
            )));
        }
    }
    let range = match range {
        Some(range) => *range,
        None => Range::of(samples.iter().map(|s| s.map.as_slice()))?,
    };
    let masked = samples.iter().any(|s| s.mask.is_some());
    let mut page = frame(title, &range, samples, masked).to_image()?;
    for (row, sample) in samples.iter().enumerate() {
        let mut shown = thumbnails(sample, &range).to_vec();
        if !masked {
            shown.remove(MASKS);
        }
        for (column, thumbnail) in shown.into_iter().enumerate() {
            let Some(thumbnail) = thumbnail else { continue };
            let (x, y) = corner(row, column);
            // A picture that is not square stands in the middle of its square.
            let middle = |start: f64, length: u32| (start * SCALE + (SIDE * SCALE - f64::from(length)) / 2.0) as i64;
            imageops::replace(&mut page, &thumbnail, middle(x, thumbnail.width()), middle(y, thumbnail.height()));
        }
    }
    Ok(page)
}

/// Heads of the columns, and which one is that of the masks.
const HEADS: [&str; 4] = ["image", "ground truth", "anomaly map", "overlay"];
const MASKS: usize = 1;

fn corner(row: usize, column: usize) -> (f64, f64) {
    (LEFT + column as f64 * (SIDE + GAP), TOP + row as f64 * (SIDE + GAP))
}

/// Title, heads, names and the colour scale.
fn frame(title: &str, range: &Range, samples: &[Sample], masked: bool) -> Canvas {
    let heads: Vec<&str> = HEADS.iter().enumerate().filter(|(i, _)| masked || *i != MASKS).map(|(_, h)| *h).collect();
    let (right, bottom) = corner(samples.len(), heads.len());
    let mut canvas = Canvas::new(right + 90.0, bottom + 12.0);
    canvas.title((18.0, 26.0), title, 14.0, Anchor::Left);
    let how = if masked {
        "overlay: the map over the image, the mask's outline in green"
    } else {
        "overlay: the map over the image"
    };
    let ends = match range.max > range.high {
        true => format!("; colours end at {:.3}, values at {:.3}", range.high, range.max),
        false => String::new(),
    };
    canvas.text((18.0, 48.0), format!("{how}{ends}"), 9.0, GREY, Anchor::Left);
    for (column, head) in heads.into_iter().enumerate() {
        let (x, y) = corner(0, column);
        canvas.text((x + SIDE / 2.0, y - 12.0), head, 11.0, BLACK, Anchor::Middle);
    }
    for (row, sample) in samples.iter().enumerate() {
        let y = corner(row, 0).1 + SIDE / 2.0;
        canvas.text((18.0, y - 15.0), shortened(&sample.name), 10.5, BLACK, Anchor::Left);
        let truth = sample.anomalous.map(|a| if a { "anomalous" } else { "normal" });
        canvas.text((18.0, y), truth.unwrap_or_default(), 10.5, GREY, Anchor::Left);
        let score_at = if truth.is_some() { y + 15.0 } else { y };
        canvas.text((18.0, score_at), format!("score {:.4}", sample.score), 10.5, GREY, Anchor::Left);
        if masked && sample.mask.is_none() {
            let (x, y) = corner(row, MASKS);
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
    // Beyond its ends the scale says no more.
    let high = if range.max > range.high { "≥ " } else { "" };
    let low = if range.min < range.low { "≤ " } else { "" };
    for (sign, value, y) in [(high, range.high, top), (low, range.low, top + SIDE - 20.0)] {
        canvas.text((right + 28.0, y), format!("{sign}{value:.3}"), 9.0, BLACK, Anchor::Left);
    }
    canvas
}

/// The end of a long name: it holds what tells one file from another.
fn shortened(name: &str) -> String {
    const MOST: usize = 22;
    let n = name.chars().count();
    if n <= MOST { name.to_owned() } else { format!("…{}", name.chars().skip(n - MOST + 1).collect::<String>()) }
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
            anomalous: Some(anomalous),
            size,
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
        write(&path, "mvtec, metal nut: acr_patch", &samples, None).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        write(&path, "mvtec, metal nut: acr_patch", &samples, None).unwrap();
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
        let message = sheet("t", &[wrong], None).unwrap_err().to_string();
        assert!(message.contains("heat map of x") && message.contains("8×8"), "{message}");
        assert!(sheet("t", &[], None).is_err());
    }

    #[test]
    fn without_masks_there_is_no_column_of_them_and_a_clipped_scale_says_so() {
        let masked = [sample("a", true, true, (64, 48)), sample("b", false, true, (48, 64))];
        let plain = masked.clone().map(|s| Sample { mask: None, anomalous: None, ..s });
        let width = |samples: &[Sample]| sheet("t", samples, None).unwrap().width();
        assert_eq!(width(&masked) - width(&plain), ((SIDE + GAP) * SCALE) as u32);
        let texts = |range: &Range| {
            let shapes = frame("t", range, &plain, false).shapes;
            let text = |s| if let crate::plots::canvas::Shape::Text(label) = s { Some(label.text) } else { None };
            shapes.into_iter().filter_map(text).collect::<Vec<_>>().join("|")
        };
        let range = Range { low: 0.0, high: 36.7, min: 0.0, max: 57.7 };
        assert!(
            texts(&range).contains("colours end at 36.700, values at 57.700") && texts(&range).contains("≥ 36.700")
        );
        assert!(!texts(&Range { max: 36.7, ..range }).contains('≥'));
        assert!(!texts(&range).contains("normal") && !texts(&range).contains("ground truth"));
    }

    #[test]
    fn an_overlay_glows_where_the_map_does_and_is_dark_where_nothing_was_scored() {
        let map = [Some(0.0), Some(1.0), None];
        let range = Range { low: 0.0, high: 1.0, min: 0.0, max: 1.0 };
        let bytes = overlay(&[90; 9], &map, (1, 3), &range).unwrap();
        let page = image::load_from_memory(&bytes).unwrap().to_rgb8();
        assert_eq!((page.get_pixel(0, 0).0, page.get_pixel(2, 0).0), ([90; 3], [30; 3]));
        assert!(page.get_pixel(1, 0).0[0] > 200);
        assert!(overlay(&[90; 9], &map[..2], (1, 3), &range).is_err());
    }
}
