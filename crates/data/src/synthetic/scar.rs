//! A scar: a thin rectangle of the picture, its colours changed a little, turned, in another place of it.

use zsad_core::rng::Rng;

use super::jitter;
use super::patch::{Picture, uniform};

/// The side of the pictures that the published widths and heights are meant for.
const SIDE: f64 = 256.0;

/// Pastes one 2 to 16 pixels wide and 10 to 25 high (of 256), turned by up to 45°; says where it lies.
pub(super) fn apply(picture: &mut Picture, rng: &mut Rng) -> Vec<u8> {
    let scale = picture.height.min(picture.width) as f64 / SIDE;
    let side =
        |low, high, most: usize, rng: &mut Rng| ((uniform(low, high, rng) * scale).round() as usize).clamp(1, most);
    let width = side(2.0, 16.0, picture.width, rng);
    let height = side(10.0, 25.0, picture.height, rng);
    let mut patch = picture.cut((height, width), rng);
    jitter::apply(&mut patch, rng);
    let (sin, cos) = uniform(-45.0, 45.0, rng).to_radians().sin_cos();
    // What the turned rectangle fills, and a place for it.
    let turned = |a: f64, b: f64| (a * cos + b * sin.abs()).ceil() as usize;
    let (w, h) = (width as f64, height as f64);
    let (high, wide) = (turned(h, w).clamp(1, picture.height), turned(w, h).clamp(1, picture.width));
    let (top, left) = picture.place((high, wide), rng);
    let mut mask = vec![0; picture.height * picture.width];
    for y in 0..high {
        for x in 0..wide {
            // From the middle of the box back into the rectangle, whose pixel is taken.
            let (dy, dx) = (y as f64 + 0.5 - high as f64 / 2.0, x as f64 + 0.5 - wide as f64 / 2.0);
            let (v, u) = (dy * cos - dx * sin + h / 2.0, dx * cos + dy * sin + w / 2.0);
            if !((0.0..h).contains(&v) && (0.0..w).contains(&u)) {
                continue;
            }
            for channel in 0..picture.channels {
                let to = picture.at(channel, top + y, left + x);
                picture.values[to] = patch.values[patch.at(channel, v as usize, u as usize)];
            }
            mask[(top + y) * picture.width + left + x] = 1;
        }
    }
    mask
}
