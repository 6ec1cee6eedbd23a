//! CutPaste: a rectangle of the picture, its colours changed a little, in another place of it.

use zsad_core::rng::Rng;

use super::jitter;
use super::patch::{Picture, uniform};

/// The sides `(width, height)` of a rectangle of `area` pixels, `aspect` times as wide as high.
fn sides(area: f64, aspect: f64) -> (usize, usize) {
    (((area * aspect).sqrt().round() as usize).max(1), ((area / aspect).sqrt().round() as usize).max(1))
}

/// Pastes one of 2 to 15 % of the area and an aspect from 0.3 to 1/0.3; says where it lies.
pub(super) fn apply(picture: &mut Picture, rng: &mut Rng) -> Vec<u8> {
    let area = uniform(0.02, 0.15, rng) * (picture.height * picture.width) as f64;
    let aspect = uniform(0.3f64.ln(), -(0.3f64.ln()), rng).exp();
    let (width, height) = sides(area, aspect);
    let size = (height.min(picture.height), width.min(picture.width));
    let mut patch = picture.cut(size, rng);
    jitter::apply(&mut patch, rng);
    let (top, left) = picture.place(size, rng);
    let mut mask = vec![0; picture.height * picture.width];
    for y in 0..size.0 {
        for channel in 0..picture.channels {
            let (to, from) = (picture.at(channel, top + y, left), patch.at(channel, y, 0));
            picture.values[to..to + size.1].copy_from_slice(&patch.values[from..from + size.1]);
        }
        mask[(top + y) * picture.width + left..][..size.1].fill(1);
    }
    mask
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `Runinho/pytorch-cutpaste` has them on 224 × 224.
    #[test]
    fn sides_are_the_released_ones() {
        let pixels = 224.0 * 224.0;
        assert_eq!(sides(0.05 * pixels, 0.5), (35, 71));
        assert_eq!(sides(0.1 * pixels, 2.0), (100, 50));
    }
}
