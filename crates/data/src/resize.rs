//! Resizing of 8-bit images with the arithmetic of Pillow's `Image.resize`: the same bytes.
//!
//! Pillow widens a filter by the reduction (antialiasing), rounds its weights to fixed point with 22 fractional bits,
//! and runs a horizontal and a vertical pass, rounding and clipping to 8 bits after each. Published image pipelines
//! rest on it, so [`resize`] repeats it step by step; [`shorter_side`] and [`center_crop`] do what torchvision's
//! `Resize(n)` and `CenterCrop(n)` do around it.
//!
//! The horizontal pass comes first, unless the height loses more than twice as many pixels as the width. Older Pillow
//! never made this exception; there a tall image that is reduced can differ by one grey level.

use std::f64::consts::PI;
use std::ops::Range;

pub use zsad_core::Filter;
pub use zsad_core::picture::shorter_side;

/// The reach of a filter in output pixels.
fn radius(filter: Filter) -> f64 {
    match filter {
        Filter::Nearest | Filter::Box => 0.5,
        Filter::Bilinear => 1.0,
        Filter::Bicubic => 2.0,
        Filter::Lanczos => 3.0,
    }
}

/// The weight of a filter at the distance `x`.
fn weight(filter: Filter, x: f64) -> f64 {
    let sinc = |x: f64| if x == 0.0 { 1.0 } else { (x * PI).sin() / (x * PI) };
    let r = x.abs();
    match filter {
        Filter::Nearest | Filter::Box => f64::from(x > -0.5 && x <= 0.5),
        Filter::Bilinear => (1.0 - r).max(0.0),
        Filter::Bicubic if r < 1.0 => (1.5 * r - 2.5) * r * r + 1.0,
        Filter::Bicubic if r < 2.0 => (((r - 5.0) * r + 8.0) * r - 4.0) * -0.5,
        Filter::Lanczos if (-3.0..3.0).contains(&x) => sinc(x) * sinc(x / 3.0),
        Filter::Bicubic | Filter::Lanczos => 0.0,
    }
}

/// `src` (`[h, w, channels]`, interleaved) at the size `(out_h, out_w)`, byte for byte as Pillow resizes it.
///
/// # Panics
/// Where `src` is not `h · w · channels` long or a side is 0 (a mistake of the caller).
pub fn resize(
    src: &[u8],
    channels: usize,
    (h, w): (usize, usize),
    (out_h, out_w): (usize, usize),
    filter: Filter,
) -> Vec<u8> {
    assert_eq!(src.len(), h * w * channels, "an image of {h} x {w} x {channels}");
    assert!(h > 0 && w > 0 && out_h > 0 && out_w > 0, "an image without pixels");
    if filter == Filter::Nearest {
        return nearest(src, channels, (h, w), (out_h, out_w));
    }
    let across = (out_w != w).then(|| Taps::all(w, out_w, filter));
    let down = (out_h != h).then(|| Taps::all(h, out_h, filter));
    match (across, down) {
        (None, None) => src.to_vec(),
        (Some(across), None) => horizontal(src, channels, w, &across),
        (None, Some(down)) => vertical(src, w * channels, &down),
        (Some(across), Some(down)) if h > out_h && h - out_h > 2 * w.saturating_sub(out_w) => {
            horizontal(&vertical(src, w * channels, &down), channels, w, &across)
        }
        (Some(across), Some(down)) => vertical(&horizontal(src, channels, w, &across), out_w * channels, &down),
    }
}

/// The middle `(out_h, out_w)` of `src` (`[h, w, channels]`), as torchvision's `CenterCrop`: an odd rest is split with
/// halves to even, and a side that is too short is padded with zeros.
pub fn center_crop(src: &[u8], channels: usize, (h, w): (usize, usize), (out_h, out_w): (usize, usize)) -> Vec<u8> {
    let (top, pad_top) = crop_start(h, out_h);
    let (left, pad_left) = crop_start(w, out_w);
    let len = out_w.min(w) * channels;
    let mut out = vec![0; out_h * out_w * channels];
    for y in 0..out_h.min(h) {
        let from = ((top + y) * w + left) * channels;
        let to = ((pad_top + y) * out_w + pad_left) * channels;
        out[to..to + len].copy_from_slice(&src[from..from + len]);
    }
    out
}

/// `src` (`[h, w, channels]`) in the middle of `(out_h, out_w)`, at least as large; its borders are repeated around it.
pub fn pad_borders(src: &[u8], channels: usize, (h, w): (usize, usize), (out_h, out_w): (usize, usize)) -> Vec<u8> {
    let (top, left) = ((out_h - h) / 2, (out_w - w) / 2);
    let from = |at: usize, before: usize, n: usize| at.saturating_sub(before).min(n - 1);
    let row = |y: usize| {
        let start = from(y, top, h) * w;
        (0..out_w).flat_map(move |x| {
            let pixel = (start + from(x, left, w)) * channels;
            &src[pixel..pixel + channels]
        })
    };
    (0..out_h).flat_map(row).copied().collect()
}

/// Where a centre crop of `out` begins in `len` pixels, and how many zeros come before them.
fn crop_start(len: usize, out: usize) -> (usize, usize) {
    if out > len {
        return (0, (out - len) / 2);
    }
    let (half, odd) = ((len - out) / 2, (len - out) % 2);
    (half + odd * (half % 2), 0)
}

/// The weights of one output position over a range of input positions, in fixed point.
struct Taps {
    range: Range<usize>,
    weights: Vec<i32>,
}

impl Taps {
    /// Fractional bits: 32 less 8 of the pixel less 2 for sign and overshoot.
    const BITS: u32 = 22;

    /// The taps of all `out` positions over `len` input positions.
    fn all(len: usize, out: usize, filter: Filter) -> Vec<Taps> {
        let scale = len as f64 / out as f64;
        let stretch = scale.max(1.0);
        let support = radius(filter) * stretch;
        let inverse = 1.0 / stretch;
        let at = |i: usize| {
            let center = (i as f64 + 0.5) * scale;
            // `as usize` truncates and takes a negative bound to 0, as Pillow does.
            let range = (center - support + 0.5) as usize..((center + support + 0.5) as usize).min(len);
            let raw: Vec<f64> = range.clone().map(|x| weight(filter, (x as f64 - center + 0.5) * inverse)).collect();
            let total: f64 = raw.iter().sum();
            let fixed = |w: &f64| {
                let w = if total == 0.0 { *w } else { w / total };
                (w * f64::from(1 << Self::BITS) + 0.5_f64.copysign(w)) as i32
            };
            Taps { weights: raw.iter().map(fixed).collect(), range }
        };
        (0..out).map(at).collect()
    }
}

/// Half a unit: what a sum starts from, so that the shift rounds.
const HALF: i32 = 1 << (Taps::BITS - 1);

fn to_byte(sum: i32) -> u8 {
    (sum >> Taps::BITS).clamp(0, 255) as u8
}

fn horizontal(src: &[u8], channels: usize, w: usize, columns: &[Taps]) -> Vec<u8> {
    let mut out = Vec::with_capacity(src.len() / w * columns.len());
    for row in src.chunks_exact(w * channels) {
        for taps in columns {
            let pixels = &row[taps.range.start * channels..taps.range.end * channels];
            for c in 0..channels {
                let products = pixels[c..].iter().step_by(channels).zip(&taps.weights).map(|(p, k)| i32::from(*p) * k);
                out.push(to_byte(products.fold(HALF, |a, b| a + b)));
            }
        }
    }
    out
}

fn vertical(src: &[u8], row_len: usize, rows: &[Taps]) -> Vec<u8> {
    let mut out = Vec::with_capacity(row_len * rows.len());
    let mut sums = vec![0; row_len];
    for taps in rows {
        sums.fill(HALF);
        for (y, k) in taps.range.clone().zip(&taps.weights) {
            for (sum, p) in sums.iter_mut().zip(&src[y * row_len..(y + 1) * row_len]) {
                *sum += i32::from(*p) * k;
            }
        }
        out.extend(sums.iter().map(|s| to_byte(*s)));
    }
    out
}

fn nearest(src: &[u8], channels: usize, (h, w): (usize, usize), (out_h, out_w): (usize, usize)) -> Vec<u8> {
    let (rows, columns) = (nearest_positions(h, out_h), nearest_positions(w, out_w));
    let mut out = Vec::with_capacity(out_h * out_w * channels);
    for y in rows {
        for x in &columns {
            out.extend_from_slice(&src[(y * w + x) * channels..][..channels]);
        }
    }
    out
}

/// Pillow adds up the step instead of multiplying it, which shows where a centre falls on a pixel's edge.
fn nearest_positions(len: usize, out: usize) -> Vec<usize> {
    let step = len as f64 / out as f64;
    let mut at = step * 0.5;
    let mut positions = Vec::with_capacity(out);
    for _ in 0..out {
        positions.push((at as usize).min(len - 1));
        at += step;
    }
    positions
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    fn picture(h: usize, w: usize, channels: usize) -> Vec<u8> {
        let mut out = Vec::new();
        for (y, x) in (0..h).flat_map(|y| (0..w).map(move |x| (y, x))) {
            let white = (x / 3 + y / 3) % 5 == 0;
            out.extend(
                (0..channels).map(|c| if white { 255 } else { 7 * y + 13 * x + 29 * c + (x * y) % 31 * 5 } as u8),
            );
        }
        out
    }

    fn digest(bytes: &[u8]) -> String {
        Sha256::digest(bytes)[..8].iter().map(|b| format!("{b:02x}")).collect()
    }

    /// ```python
    /// import hashlib, numpy as np
    /// from PIL import Image                                                      # 13.0
    /// def picture(h, w, c):
    ///     y, x, k = np.mgrid[0:h, 0:w, 0:c]
    ///     a = (7 * y + 13 * x + 29 * k + (x * y) % 31 * 5) % 256
    ///     a[(x // 3 + y // 3) % 5 == 0] = 255
    ///     return a.astype(np.uint8)
    /// a = picture(h, w, c)
    /// o = Image.fromarray(a[:, :, 0] if c == 1 else a).resize((out_w, out_h), filter)
    /// hashlib.sha256(np.asarray(o).tobytes()).hexdigest()[:16]
    /// ```
    #[test]
    fn bytes_equal_pillow() {
        let filters = [Filter::Nearest, Filter::Box, Filter::Bilinear, Filter::Bicubic, Filter::Lanczos];
        type Case = (usize, (usize, usize), (usize, usize), [&'static str; 5]);
        let cases: &[Case] = &[
            (
                1,
                (105, 105),
                (28, 28),
                ["39a6649970843dcf", "fbb9d3cfcf3cca17", "7cc369640baead7f", "137d66672374280f", "97fe6258e5ccbbc1"],
            ),
            (
                3,
                (75, 100),
                (32, 43),
                ["48e379253b02e562", "2e859fc58487359f", "6e54854529396691", "bda336945430fc25", "f8afb15517957043"],
            ),
            (
                3,
                (20, 31),
                (53, 31),
                ["5de6a7d82136ca35", "5de6a7d82136ca35", "705d915b06bb211b", "50e5769278ddedff", "2a3dfffe5b1274d2"],
            ),
            (
                1,
                (33, 17),
                (33, 40),
                ["2825894be15c1e0c", "2825894be15c1e0c", "353fa2c1a5bec5b4", "aa66c930afc7a329", "93fba535f7ce9be9"],
            ),
            (
                3,
                (64, 64),
                (1, 1),
                ["5ae7e6a42304dc6e", "38e41a2838243396", "38e41a2838243396", "38e41a2838243396", "38e41a2838243396"],
            ),
            (
                1,
                (1, 1),
                (3, 2),
                ["ce8bee525d6736e9", "ce8bee525d6736e9", "ce8bee525d6736e9", "ce8bee525d6736e9", "ce8bee525d6736e9"],
            ),
            (
                3,
                (37, 41),
                (11, 90),
                ["8801c2e3d82824d3", "dccb14d99b914d7e", "5cc887e5c8989225", "09430f4ac2a75c8b", "40ae9ce300d00d3d"],
            ),
        ];
        for (channels, from, to, expected) in cases {
            for (filter, expected) in filters.into_iter().zip(expected) {
                let out = resize(&picture(from.0, from.1, *channels), *channels, *from, *to, filter);
                assert_eq!(&digest(&out), expected, "{channels} channels, {from:?} -> {to:?}, {filter:?}");
            }
        }
    }

    /// ```python
    /// np.asarray(Image.fromarray(picture(6, 8, 1)[:, :, 0]).resize((3, 4), Image.Resampling.BICUBIC)).tolist()
    /// ```
    #[test]
    fn a_small_bicubic_picture_equals_pillow() {
        let out = resize(&picture(6, 8, 1), 1, (6, 8), (4, 3), Filter::Bicubic);
        assert_eq!(out, [253, 89, 85, 241, 117, 143, 59, 130, 178, 64, 164, 124]);
    }

    #[test]
    fn sizes_and_crops_follow_torchvision() {
        assert_eq!(shorter_side((900, 900), 256), (256, 256));
        assert_eq!(shorter_side((429, 160), 256), (686, 256));
        assert_eq!(shorter_side((109, 333), 256), (256, 782));
        let src: Vec<u8> = (0..35).collect();
        // A rest of 3 rows begins at round(1.5) = 2, one of 1 column at round(0.5) = 0.
        assert_eq!(center_crop(&src, 1, (5, 7), (2, 6)), [14, 15, 16, 17, 18, 19, 21, 22, 23, 24, 25, 26]);
        assert_eq!(center_crop(&[1, 2, 3, 4], 2, (1, 2), (2, 3)), [1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(center_crop(&src, 1, (5, 7), (5, 7)), src);
        // np.pad([[1, 2], [3, 4]], ((1, 1), (0, 1)), "edge")
        assert_eq!(pad_borders(&[1, 2, 3, 4], 1, (2, 2), (4, 3)), [1, 2, 2, 1, 2, 2, 3, 4, 4, 3, 4, 4]);
        assert_eq!(pad_borders(&[1, 2, 3, 4], 2, (1, 2), (1, 4)), [1, 2, 1, 2, 3, 4, 3, 4]);
    }
}
