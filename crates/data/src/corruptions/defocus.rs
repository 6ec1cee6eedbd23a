//! Defocus blur: a disk with softened edges.

use super::border::Border;
use super::draws::Draws;
use super::pixels::{SIDE, bytes, values};

/// Correlation with a disk of the given radius that was itself blurred by a 3×3 Gaussian; edges mirrored.
pub fn defocus_blur(image: &[u8], severity: usize, _: &mut dyn Draws) -> Vec<u8> {
    let (radius, alias) = [(0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1.0, 0.2), (1.5, 0.1)][severity];
    let kernel = kernel(radius, alias);
    let x = values(image);
    let at = |i: usize| {
        let (h, w, c) = ((i / (3 * SIDE)) as isize, (i / 3 % SIDE) as isize, i % 3);
        let value = |(dh, dw, weight): &(isize, isize, f64)| {
            let (h, w) = (Border::Reflect101.at(h + dh, SIDE), Border::Reflect101.at(w + dw, SIDE));
            x[(h * SIDE + w) * 3 + c] * weight
        };
        kernel.iter().map(value).sum()
    };
    bytes(&(0..x.len()).map(at).collect::<Vec<f64>>())
}

/// The softened disk as (rows down, columns right, weight), in single precision as OpenCV makes it: along the rows, then
/// down the columns.
fn kernel(radius: f64, alias: f64) -> Vec<(isize, isize, f64)> {
    let reach = radius as isize + 1;
    let inside = |h: isize, w: isize| ((h * h + w * w) as f64) <= radius * radius;
    let cells = || (-reach..=reach).flat_map(move |h| (-reach..=reach).map(move |w| (h, w)));
    let weight = 1.0 / cells().filter(|&(h, w)| inside(h, w)).count() as f32;
    let disk = |h, w| if inside(h, w) { weight } else { 0.0 };
    let edge = (-0.5 / (alias * alias)).exp();
    let (middle, side) = ((1.0 / (1.0 + 2.0 * edge)) as f32, (edge / (1.0 + 2.0 * edge)) as f32);
    let along = |h, w| middle * disk(h, w) + side * (disk(h, w - 1) + disk(h, w + 1));
    let soft = |(h, w)| (h, w, f64::from(middle * along(h, w) + side * (along(h - 1, w) + along(h + 1, w))));
    cells().map(soft).filter(|k| k.2 != 0.0).collect()
}
