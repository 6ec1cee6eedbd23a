//! Elastic transform: a random affine map, then a smooth random displacement of each pixel.

use super::blur::gaussian;
use super::border::Border;
use super::draws::Draws;
use super::pixels::{SIDE, bytes_f32, values_f32};

/// Constants per severity: displacement and its smoothness (standard deviation), and reach of the affine map, in pixels.
const ELASTIC: [(f64, f64, f64); 5] =
    [(0.0, 0.0, 2.56), (1.6, 6.4, 2.24), (2.56, 1.92, 1.92), (3.2, 1.28, 1.6), (3.2, 0.96, 0.96)];

/// Three corners move at random, which fixes an affine map; then each pixel is taken from a displaced place.
pub fn elastic_transform(image: &[u8], severity: usize, draws: &mut dyn Draws) -> Vec<u8> {
    let (amount, sigma, reach) = ELASTIC[severity];
    let mut moved = |x: f64| f64::from(x as f32 + (-reach + 2.0 * reach * draws.uniform()) as f32);
    let corners = [(26.0, 26.0), (26.0, 6.0), (6.0, 6.0)].map(|(x, y)| (moved(x), moved(y)));
    let x = warp(&values_f32(image), inverse_affine(corners));
    let mut displacement = || {
        let noise: Vec<f64> = (0..SIDE * SIDE).map(|_| -1.0 + 2.0 * draws.uniform()).collect();
        let smooth = gaussian(&noise, 1, sigma, 3.0, Border::Reflect);
        smooth.into_iter().map(|v| f64::from((v * amount) as f32)).collect::<Vec<f64>>()
    };
    let (dx, dy) = (displacement(), displacement());
    let at = |i: usize| {
        let pixel = i / 3;
        let (y, x_) = ((pixel / SIDE) as f64 + dy[pixel], (pixel % SIDE) as f64 + dx[pixel]);
        linear(&x, y, x_, i % 3)
    };
    bytes_f32(&(0..x.len()).map(at).collect::<Vec<_>>())
}

/// `[a, b, c, d, e, f]` with source x = a·x + b·y + c and source y = d·x + e·y + f, for the map that takes (26, 26),
/// (26, 6), (6, 6) to `corners`.
fn inverse_affine(corners: [(f64, f64); 3]) -> [f64; 6] {
    let [p, q, r] = corners;
    let along_x = ((q.0 - r.0) / 20.0, (q.1 - r.1) / 20.0);
    let along_y = ((p.0 - q.0) / 20.0, (p.1 - q.1) / 20.0);
    let shift = (p.0 - 26.0 * (along_x.0 + along_y.0), p.1 - 26.0 * (along_x.1 + along_y.1));
    let det = along_x.0 * along_y.1 - along_y.0 * along_x.1;
    let (a, b, d, e) = (along_y.1 / det, -along_y.0 / det, -along_x.1 / det, along_x.0 / det);
    [a, b, -a * shift.0 - b * shift.1, d, e, -d * shift.0 - e * shift.1]
}

/// OpenCV's `warpAffine`, bilinear: positions are rounded to 1/32 pixel by way of fixed point with 10 bits.
fn warp(values: &[f32], m: [f64; 6]) -> Vec<f32> {
    let fixed = |v: f64| (v * 1024.0).round_ties_even() as isize;
    let position =
        |x: usize, y: usize, row: &[f64]| (fixed(row[1] * y as f64 + row[2]) + 16 + fixed(row[0] * x as f64)) >> 5;
    let mut out = Vec::with_capacity(values.len());
    for (y, x) in (0..SIDE).flat_map(|y| (0..SIDE).map(move |x| (y, x))) {
        let (px, py) = (position(x, y, &m[..3]), position(x, y, &m[3..]));
        let (fx, fy) = ((px & 31) as f32 / 32.0, (py & 31) as f32 / 32.0);
        let value = |dy: isize, dx: isize, c: usize| {
            let (h, w) = (Border::Reflect101.at((py >> 5) + dy, SIDE), Border::Reflect101.at((px >> 5) + dx, SIDE));
            values[(h * SIDE + w) * 3 + c]
        };
        out.extend((0..3).map(|c| {
            let above = value(0, 0, c) * ((1.0 - fy) * (1.0 - fx)) + value(0, 1, c) * ((1.0 - fy) * fx);
            above + value(1, 0, c) * (fy * (1.0 - fx)) + value(1, 1, c) * (fy * fx)
        }));
    }
    out
}

/// `values` at a real position, between mirrored pixels.
fn linear(values: &[f32], y: f64, x: f64, c: usize) -> f32 {
    let (h, w) = (y.floor(), x.floor());
    let (fy, fx) = (y - h, x - w);
    let value = |dh: isize, dw: isize| {
        let (h, w) = (Border::Reflect.at(h as isize + dh, SIDE), Border::Reflect.at(w as isize + dw, SIDE));
        f64::from(values[(h * SIDE + w) * 3 + c])
    };
    let above = value(0, 0) * (1.0 - fy) * (1.0 - fx) + value(0, 1) * (1.0 - fy) * fx;
    (above + value(1, 0) * fy * (1.0 - fx) + value(1, 1) * fy * fx) as f32
}
