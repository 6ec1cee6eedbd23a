//! Pixels of heat maps: the colour scale, thumbnails, and a map over its picture.

use image::{ImageBuffer, Luma, Rgb, RgbImage, imageops};
use zsad_core::{Error, Result};

use super::{SCALE, SIDE, Sample};
use crate::plots::canvas::encode;
use crate::stats::quantile;

/// More values than this are not looked at for the ends of a colour scale: every so-manieth is.
const ENOUGH: usize = 1 << 20;

/// The colour scale that some maps share: from the 0.5 % to the 99.5 % quantile of all their values. Beyond it colours
/// saturate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// Where it begins.
    pub low: f64,
    /// Where it ends.
    pub high: f64,
    /// The least value.
    pub min: f64,
    /// The greatest value.
    pub max: f64,
}

impl Range {
    /// The scale of some maps.
    ///
    /// # Errors
    /// [`Error::Failed`] where there is no value.
    pub fn of<'a>(maps: impl Iterator<Item = &'a [f32]> + Clone) -> Result<Self> {
        let all = || maps.clone().flatten().map(|v| f64::from(*v));
        let step = maps.clone().map(<[f32]>::len).sum::<usize>().div_ceil(ENOUGH).max(1);
        let mut values: Vec<f64> = all().step_by(step).collect();
        values.sort_by(f64::total_cmp);
        let (Some(low), Some(high)) = (quantile(&values, 0.005), quantile(&values, 0.995)) else {
            return Err(Error::failed("there is no anomaly map to draw"));
        };
        let (min, max) = all().fold((low, high), |(a, b), v| (a.min(v), b.max(v)));
        Ok(Range { low, high: if high > low { high } else { low + 1.0 }, min, max })
    }

    /// Where a value lies on the scale, 0 … 1.
    fn share(&self, value: f32) -> f64 {
        ((f64::from(value) - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }
}

/// A PNG file of a picture (`[height, width, 3]` bytes) under its map: one value a pixel, `None` where it was not scored;
/// there the picture is darkened.
///
/// # Errors
/// [`Error::Failed`] where picture and map are not of `size` (height, width).
pub fn overlay(image: &[u8], map: &[Option<f32>], size: (usize, usize), range: &Range) -> Result<Vec<u8>> {
    encode(&painted(image, map, size, range)?)
}

/// [`overlay`] as red, green and blue, `[height, width, 3]`.
///
/// # Errors
/// As there.
pub fn pixels(image: &[u8], map: &[Option<f32>], size: (usize, usize), range: &Range) -> Result<Vec<u8>> {
    Ok(painted(image, map, size, range)?.into_raw())
}

fn painted(image: &[u8], map: &[Option<f32>], size: (usize, usize), range: &Range) -> Result<RgbImage> {
    let (height, width) = size;
    let mut page = RgbImage::from_raw(width as u32, height as u32, image.to_vec())
        .filter(|_| map.len() == height * width && image.len() == 3 * height * width)
        .ok_or_else(|| Error::failed(format!("a picture and its map are not {height}×{width}")))?;
    for (pixel, value) in page.pixels_mut().zip(map) {
        *pixel = match value.map(|v| range.share(v)) {
            Some(share) => blended(*pixel, color(share), share),
            None => Rgb(pixel.0.map(|v| v / 3)),
        };
    }
    Ok(page)
}

/// Image, mask, map and overlay of a sample, fitted into a square of [`SIDE`].
pub(super) fn thumbnails(sample: &Sample, range: &Range) -> [Option<RgbImage>; 4] {
    let (height, width) = sample.size;
    let (h, w) = (height as u32, width as u32);
    let scale = SIDE * SCALE / height.max(width) as f64;
    let fitted = |n: usize| ((n as f64 * scale).round() as u32).max(1);
    let (th, tw) = (fitted(height), fitted(width));
    let small = |i: &RgbImage| imageops::resize(i, tw, th, imageops::FilterType::Triangle);
    // `sheet` has checked the sizes, so `from_raw` gives an image every time.
    let image = RgbImage::from_raw(w, h, sample.image.clone()).map(|i| small(&i));
    // Between 0 and 1, which `resize` would cut it to.
    let shares = sample.map.iter().map(|&v| range.share(v) as f32).collect();
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
            blended(*image.get_pixel(x, y), *heat.get_pixel(x, y), share(x, y))
        })
    });
    let shown = mask.as_ref().map(|m| RgbImage::from_fn(tw, th, |x, y| Rgb([m.get_pixel(x, y).0[0]; 3])));
    [image, shown, Some(heat), overlay]
}

/// A pixel under its heat, whose share of the colour scale is `t`: what is not suspicious stays an image.
fn blended(Rgb(base): Rgb<u8>, Rgb(hot): Rgb<u8>, t: f64) -> Rgb<u8> {
    let weight = 0.75 * t;
    Rgb([0, 1, 2].map(|c| (f64::from(base[c]) * (1.0 - weight) + f64::from(hot[c]) * weight).round() as u8))
}

/// The colour of 0 … 1: matplotlib's inferno between nine of its points.
pub(super) fn color(t: f64) -> Rgb<u8> {
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
