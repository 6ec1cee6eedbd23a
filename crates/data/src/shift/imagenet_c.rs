//! Corruptions with the constants of ImageNet-C (Hendrycks and Dietterich, ICLR 2019), as the package `imagecorruptions`
//! has them, for pictures of any size. Values `[height, width, channels]` in 0 … 1, three channels or one.

use zsad_core::shift::Corruption;

use crate::corruptions::{Border, Draws, in_hsv};

/// What is done to a picture of `channels` and height and width `size` at `severity` 1 … 5; values may leave 0 … 1. Radii
/// are multiplied by `scale`: they are pixels of pictures as large as a camera's.
///
/// `None` for corruptions that have no constants here.
pub fn apply(
    corruption: Corruption,
    severity: u8,
    (values, channels, size): (&[f64], usize, (usize, usize)),
    scale: f64,
    draws: &mut dyn Draws,
) -> Option<Vec<f64>> {
    let level = usize::from(severity) - 1;
    Some(match corruption {
        Corruption::Brightness => brightness(values, channels, [0.1, 0.2, 0.3, 0.4, 0.5][level]),
        Corruption::Contrast => contrast(values, channels, [0.4, 0.3, 0.2, 0.1, 0.05][level]),
        Corruption::GaussianNoise => {
            let sd = [0.08, 0.12, 0.18, 0.26, 0.38][level];
            values.iter().map(|x| x + sd * draws.normal()).collect()
        }
        Corruption::DefocusBlur => {
            let (radius, alias) = [(3.0, 0.1), (4.0, 0.5), (6.0, 0.5), (8.0, 0.5), (10.0, 0.5)][level];
            correlate(values, channels, size, &Disk::new(radius * scale, alias))
        }
        _ => return None,
    })
}

/// The value of HSV is raised by `c`; of a grey picture, its one.
fn brightness(values: &[f64], channels: usize, c: f64) -> Vec<f64> {
    match channels {
        3 => in_hsv(values, |[h, s, v]| [h, s, (v + c).clamp(0.0, 1.0)]),
        _ => values.iter().map(|v| v + c).collect(),
    }
}

/// (x − mean)·c + mean, with a mean per channel.
fn contrast(values: &[f64], channels: usize, c: f64) -> Vec<f64> {
    let n = (values.len() / channels) as f64;
    let means: Vec<f64> = (0..channels).map(|k| values.iter().skip(k).step_by(channels).sum::<f64>() / n).collect();
    values.iter().enumerate().map(|(i, v)| (v - means[i % channels]) * c + means[i % channels]).collect()
}

/// A disk with softened edges, on a square grid.
struct Disk {
    /// From the middle to the border.
    reach: usize,
    /// `[2 reach + 1, 2 reach + 1]`.
    weights: Vec<f64>,
}

impl Disk {
    /// A disk of weights that sum to 1, then smoothed by a Gaussian of standard deviation `alias` over 3×3 cells (5×5 beyond
    /// a radius of 8), in single precision and mirrored at the border of the grid, as OpenCV does it.
    fn new(radius: f64, alias: f64) -> Self {
        let (reach, half) = if radius <= 8.0 { (8, 1) } else { (radius.ceil() as usize, 2) };
        let side = 2 * reach + 1;
        let at = |i: usize| i as f64 - reach as f64;
        let inside = |i: usize| at(i % side).powi(2) + at(i / side).powi(2) <= radius * radius;
        let weight = 1.0 / (0..side * side).filter(|&i| inside(i)).count() as f32;
        let disk: Vec<f32> = (0..side * side).map(|i| if inside(i) { weight } else { 0.0 }).collect();
        let raw: Vec<f64> = (0..=half).map(|d| (-0.5 * (d * d) as f64 / (alias * alias)).exp()).collect();
        let total = raw[0] + 2.0 * raw[1..].iter().sum::<f64>();
        let gaussian: Vec<f32> = raw.iter().map(|w| (w / total) as f32).collect();
        let along = |from: &[f32], stride: usize, place: fn(usize, usize) -> usize| -> Vec<f32> {
            let smoothed = |i: usize| {
                let (position, n) = (place(i, side), half as isize);
                let value = |d: isize| {
                    let there = Border::Reflect101.at(position as isize + d, side);
                    gaussian[d.unsigned_abs()] * from[i - position * stride + there * stride]
                };
                (-n..=n).map(value).sum()
            };
            (0..side * side).map(smoothed).collect()
        };
        let rows = along(&disk, 1, |i, side| i % side);
        let soft = along(&rows, side, |i, side| i / side);
        Disk { reach, weights: soft.into_iter().map(f64::from).collect() }
    }
}

/// Every channel correlated with `disk`, edges mirrored without repeating them.
fn correlate(values: &[f64], channels: usize, (h, w): (usize, usize), disk: &Disk) -> Vec<f64> {
    let (reach, side) = (disk.reach, 2 * disk.reach + 1);
    let wide = w + 2 * reach;
    let mut out = vec![0.0; values.len()];
    let mut line = vec![0.0; w];
    for channel in 0..channels {
        let inside = |y: usize, x: usize| {
            let at = |i: usize, n: usize| Border::Reflect101.at(i as isize - reach as isize, n);
            values[(at(y, h) * w + at(x, w)) * channels + channel]
        };
        let padded: Vec<f64> = (0..(h + 2 * reach) * wide).map(|i| inside(i / wide, i % wide)).collect();
        for y in 0..h {
            line.fill(0.0);
            for (i, weight) in disk.weights.iter().enumerate().filter(|(_, weight)| **weight != 0.0) {
                let start = (y + i / side) * wide + i % side;
                line.iter_mut().zip(&padded[start..start + w]).for_each(|(sum, v)| *sum += weight * v);
            }
            line.iter().enumerate().for_each(|(x, v)| out[(y * w + x) * channels + channel] = *v);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ```python
    /// def disk(radius, alias_blur):
    ///     L, ksize = (np.arange(-8, 9), (3, 3)) if radius <= 8 else (np.arange(-radius, radius + 1), (5, 5))
    ///     X, Y = np.meshgrid(L, L)
    ///     d = np.array((X ** 2 + Y ** 2) <= radius ** 2, dtype=np.float32); d /= d.sum()
    ///     return cv2.GaussianBlur(d, ksize=ksize, sigmaX=alias_blur)
    /// ```
    #[test]
    fn the_disk_is_that_of_the_package() {
        for (radius, reach, cells) in [(3.0, 8, 29), (6.0, 8, 113), (10.0, 10, 317)] {
            let disk = Disk::new(radius, 0.5);
            let sum: f64 = disk.weights.iter().sum();
            assert_eq!(disk.reach, reach);
            // What the Gaussian carries over the border of the grid is mirrored back: nothing is lost far from it.
            assert!((sum - 1.0).abs() < 1e-5 || radius == 10.0, "{sum}");
            let middle = disk.weights[disk.weights.len() / 2];
            assert!((middle - 1.0 / f64::from(cells)).abs() < 1e-7, "{middle}: pi r² cells");
        }
        // A Gaussian of 0.1 cells changes nothing: exp(-50) of a weight.
        let sharp = Disk::new(3.0, 0.1);
        assert_eq!(sharp.weights.iter().filter(|w| **w > 1e-9).count(), 29);
    }

    #[test]
    fn a_constant_picture_stays_as_it_is_and_a_point_becomes_the_disk() {
        let disk = Disk::new(3.0, 0.5);
        let flat = correlate(&vec![0.25; 20 * 30 * 3], 3, (20, 30), &disk);
        assert!(flat.iter().all(|v| (v - 0.25).abs() < 1e-6));
        let mut point = vec![0.0; 41 * 41];
        point[20 * 41 + 20] = 1.0;
        let spread = correlate(&point, 1, (41, 41), &disk);
        for (i, weight) in disk.weights.iter().enumerate() {
            assert_eq!(spread[(12 + i / 17) * 41 + 12 + i % 17], *weight);
        }
    }
}
