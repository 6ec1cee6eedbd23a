//! Snow: bright streaks over a whitened picture.

use super::draws::Draws;
use super::motion::streak;
use super::pixels::{SIDE, bytes, values, values_f32};
use super::zoom::clipped_zoom;

struct Snow {
    mean: f64,
    deviation: f64,
    zoom: f64,
    threshold: f64,
    radius: usize,
    sigma: f64,
    keep: f64,
}

const fn snowfall(mean: f64, zoom: f64, threshold: f64, streak: (usize, f64), keep: f64) -> Snow {
    let deviation = if mean < 0.12 { 0.2 } else { 0.3 };
    Snow { mean, deviation, zoom, threshold, radius: streak.0, sigma: streak.1, keep }
}

const SNOW: [Snow; 5] = [
    snowfall(0.1, 1.0, 0.6, (8, 3.0), 0.95),
    snowfall(0.1, 1.0, 0.5, (10, 4.0), 0.9),
    snowfall(0.15, 1.75, 0.55, (10, 4.0), 0.9),
    snowfall(0.25, 2.25, 0.6, (12, 6.0), 0.85),
    snowfall(0.3, 1.25, 0.65, (14, 12.0), 0.8),
];

/// Thresholded noise, zoomed and blurred along a steep line, is added twice, the second time turned round.
pub fn snow(image: &[u8], severity: usize, draws: &mut dyn Draws) -> Vec<u8> {
    let c = &SNOW[severity];
    let noise: Vec<f64> = (0..SIDE * SIDE).map(|_| c.mean + c.deviation * draws.normal()).collect();
    let flakes: Vec<f64> =
        clipped_zoom(&noise, 1, c.zoom).into_iter().map(|v| if v < c.threshold { 0.0 } else { v }).collect();
    let angle = -135.0 + 90.0 * draws.uniform();
    let layer = values(&streak(&bytes(&flakes), 1, c.radius, c.sigma, angle));
    let x = values_f32(image);
    let whiten = (1.0 - c.keep) as f32;
    let snowy = |(i, pixel): (usize, &[f32])| {
        let grey = 0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2];
        let white = |v: f32| f64::from(c.keep as f32 * v + whiten * v.max(grey * 1.5 + 0.5));
        [0, 1, 2].map(|k| white(pixel[k]) + layer[i] + layer[layer.len() - 1 - i])
    };
    bytes(&x.chunks_exact(3).enumerate().flat_map(snowy).collect::<Vec<_>>())
}
