//! Brightness, contrast and saturation, with scikit-image's HSV conversion.

use super::draws::Draws;
use super::pixels::{bytes, values};

/// The HSV value is raised by c.
pub fn brightness(image: &[u8], severity: usize, _: &mut dyn Draws) -> Vec<u8> {
    let c = [0.05, 0.1, 0.15, 0.2, 0.3][severity];
    bytes(&in_hsv(&values(image), |[h, s, v]| [h, s, (v + c).clamp(0.0, 1.0)]))
}

/// The HSV saturation becomes s·a + b.
pub fn saturate(image: &[u8], severity: usize, _: &mut dyn Draws) -> Vec<u8> {
    let (a, b) = [(0.3, 0.0), (0.1, 0.0), (1.5, 0.0), (2.0, 0.1), (2.5, 0.2)][severity];
    bytes(&in_hsv(&values(image), |[h, s, v]| [h, (s * a + b).clamp(0.0, 1.0), v]))
}

/// (x − mean)·c + mean, with a mean per channel.
pub fn contrast(image: &[u8], severity: usize, _: &mut dyn Draws) -> Vec<u8> {
    let c = [0.75, 0.5, 0.4, 0.3, 0.15][severity];
    let x = values(image);
    let mean = |k: usize| x.iter().skip(k).step_by(3).sum::<f64>() / (x.len() / 3) as f64;
    let means = [mean(0), mean(1), mean(2)];
    bytes(&x.iter().enumerate().map(|(i, v)| (v - means[i % 3]) * c + means[i % 3]).collect::<Vec<_>>())
}

/// Values of 0 … 1 of any number of colour pixels, interleaved, with `change` done to hue, saturation and value.
pub fn in_hsv(values: &[f64], change: impl Fn([f64; 3]) -> [f64; 3]) -> Vec<f64> {
    values.chunks_exact(3).flat_map(|p| to_rgb(change(to_hsv([p[0], p[1], p[2]])))).collect()
}

/// Hue, saturation and value, all 0 … 1; grey has hue and saturation 0.
fn to_hsv([r, g, b]: [f64; 3]) -> [f64; 3] {
    let v = r.max(g).max(b);
    let delta = v - r.min(g).min(b);
    if delta == 0.0 {
        return [0.0, 0.0, v];
    }
    let sixths = if v == b {
        4.0 + (r - g) / delta
    } else if v == g {
        2.0 + (b - r) / delta
    } else {
        (g - b) / delta
    };
    [(sixths / 6.0).rem_euclid(1.0), delta / v, v]
}

fn to_rgb([h, s, v]: [f64; 3]) -> [f64; 3] {
    let sector = (h * 6.0).floor();
    let f = h * 6.0 - sector;
    let (p, q, t) = (v * (1.0 - s), v * (1.0 - f * s), v * (1.0 - (1.0 - f) * s));
    match sector as usize % 6 {
        0 => [v, t, p],
        1 => [q, v, p],
        2 => [p, v, t],
        3 => [p, q, v],
        4 => [t, p, v],
        _ => [v, p, q],
    }
}
