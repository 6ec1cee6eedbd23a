//! Gaussian blur, as `scipy.ndimage.gaussian_filter` computes it.

use super::border::Border;
use super::draws::Draws;
use super::pixels::{SIDE, bytes, values};

/// A Gaussian of the given standard deviation in pixels, edges continued.
pub fn gaussian_blur(image: &[u8], severity: usize, _: &mut dyn Draws) -> Vec<u8> {
    let sigma = [0.4, 0.6, 0.7, 0.8, 1.0][severity];
    bytes(&gaussian(&values(image), 3, sigma, 4.0, Border::Nearest))
}

/// `values` (`[32, 32, channels]`) smoothed with a Gaussian that is cut off at `truncate` standard deviations: down
/// the columns first, then along the rows.
pub fn gaussian(values: &[f64], channels: usize, sigma: f64, truncate: f64, border: Border) -> Vec<f64> {
    let radius = (truncate * sigma + 0.5) as usize;
    if radius == 0 {
        return values.to_vec();
    }
    let raw: Vec<f64> = (0..=radius).map(|d| (-0.5 / (sigma * sigma) * (d * d) as f64).exp()).collect();
    let total = raw[0] + 2.0 * raw[1..].iter().sum::<f64>();
    let weights: Vec<f64> = raw.iter().map(|w| w / total).collect();
    let row = SIDE * channels;
    let down = correlate(values, &weights, border, |i| (i / row, i % row, row));
    correlate(&down, &weights, border, |i| (i / channels % SIDE, i / row * row + i % channels, channels))
}

/// A symmetric filter of half-width `weights` along one axis; `locate` splits an index into its position on the axis,
/// the start of its line and the line's stride.
fn correlate(
    values: &[f64],
    weights: &[f64],
    border: Border,
    locate: impl Fn(usize) -> (usize, usize, usize),
) -> Vec<f64> {
    let at = |i: usize| {
        let (position, start, stride) = locate(i);
        let value = |p: isize| values[start + border.at(p, SIDE) * stride];
        let p = position as isize;
        let far_to_near = (1..weights.len()).rev();
        far_to_near
            .fold(values[i] * weights[0], |sum, d| sum + (value(p - d as isize) + value(p + d as isize)) * weights[d])
    };
    (0..values.len()).map(at).collect()
}
