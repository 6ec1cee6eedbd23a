//! Zoom blur: the mean of the picture at growing magnifications.

use super::draws::Draws;
use super::pixels::{SIDE, bytes_f32, values_f32};

/// The mean of the picture and its zooms by 1.00, 1.01, … up to the severity's factor.
pub fn zoom_blur(image: &[u8], severity: usize, _: &mut dyn Draws) -> Vec<u8> {
    let count = [7, 12, 16, 21, 26][severity];
    let x = values_f32(image);
    // The steps of numpy.arange(1, end, 0.01), which for the ends 1.06 and 1.11 includes the end itself.
    let step = 1.01_f64 - 1.0;
    let source: Vec<f64> = x.iter().map(|v| f64::from(*v)).collect();
    let mut sums = vec![0.0_f32; x.len()];
    for i in 0..count {
        for (sum, v) in sums.iter_mut().zip(clipped_zoom(&source, 3, 1.0 + i as f64 * step)) {
            *sum += v as f32;
        }
    }
    let n = (count + 1) as f32;
    bytes_f32(&x.iter().zip(sums).map(|(x, sum)| (x + sum) / n).collect::<Vec<_>>())
}

/// The middle of `values` (`[32, 32, channels]`) magnified by `factor` ≥ 1 with linear interpolation, corner on corner
/// as `scipy.ndimage.zoom` does it.
pub fn clipped_zoom(values: &[f64], channels: usize, factor: f64) -> Vec<f64> {
    let size = (SIDE as f64 / factor).ceil() as usize;
    let top = (SIDE - size) / 2;
    let zoomed = (size as f64 * factor).round_ties_even() as usize;
    let trim = (zoomed - SIDE) / 2;
    let scale = (size - 1) as f64 / (zoomed - 1) as f64;
    let position = |i: usize| {
        let at = (i + trim) as f64 * scale;
        let low = at as usize;
        // Where rounding carries the last position beyond the last pixel, SciPy puts 0.
        (low, at - low as f64, at <= (size - 1) as f64)
    };
    let positions: Vec<_> = (0..SIDE).map(position).collect();
    let mut out = Vec::with_capacity(values.len());
    for &(h, fh, h_inside) in &positions {
        for &(w, fw, w_inside) in &positions {
            for c in 0..channels {
                let value = |dh: usize, dw: usize| {
                    let (h, w) = ((h + dh).min(size - 1) + top, (w + dw).min(size - 1) + top);
                    values[(h * SIDE + w) * channels + c]
                };
                let rows = [value(0, 0) * (1.0 - fh) * (1.0 - fw), value(0, 1) * (1.0 - fh) * fw];
                let below = [value(1, 0) * fh * (1.0 - fw), value(1, 1) * fh * fw];
                let sum = rows[0] + rows[1] + below[0] + below[1];
                out.push(if h_inside && w_inside { sum } else { 0.0 });
            }
        }
    }
    out
}
