//! Motion blur, as ImageMagick's `MotionBlurImage` with 16-bit quanta computes it.

use super::border::Border;
use super::draws::Draws;
use super::pixels::SIDE;

/// Half a Gaussian along a line at a random angle of −45° … 45°.
pub fn motion_blur(image: &[u8], severity: usize, draws: &mut dyn Draws) -> Vec<u8> {
    let (radius, sigma) = [(6, 1.0), (6, 1.5), (6, 2.0), (8, 2.0), (9, 2.5)][severity];
    streak(image, 3, radius, sigma, -45.0 + 90.0 * draws.uniform())
}

/// `image` (`[32, 32, channels]`) averaged along a line of `2 · radius + 1` steps that leaves each pixel at `angle`
/// degrees, with the weights of half a Gaussian; edges continued.
pub fn streak(image: &[u8], channels: usize, radius: usize, sigma: f64, angle: f64) -> Vec<u8> {
    let width = 2 * radius + 1;
    let raw: Vec<f64> = (0..width).map(|i| (-((i * i) as f64) / (2.0 * sigma * sigma)).exp()).collect();
    let total: f64 = raw.iter().sum();
    let (sin, cos) = angle.to_radians().sin_cos();
    let step = |i: usize, part: f64| (i as f64 * part - 0.5).ceil() as isize;
    let taps: Vec<_> = raw.iter().enumerate().map(|(i, w)| (step(i, sin), step(i, cos), w / total)).collect();
    let at = |i: usize| {
        let (h, w, c) = (i / (channels * SIDE), i / channels % SIDE, i % channels);
        let value = |(down, right, weight): &(isize, isize, f64)| {
            let (h, w) = (Border::Nearest.at(h as isize + down, SIDE), Border::Nearest.at(w as isize + right, SIDE));
            weight * f64::from(u32::from(image[(h * SIDE + w) * channels + c]) * 257)
        };
        // ImageMagick rounds to 16 bits, and the PNG file between the libraries cuts these to 8.
        ((taps.iter().map(value).sum::<f64>() + 0.5) as u32 / 257) as u8
    };
    (0..image.len()).map(at).collect()
}
