//! Pixelation: down and up again with Pillow's box filter.

use super::draws::Draws;
use super::pixels::SIDE;
use crate::resize::{Filter, resize};

/// The picture at a fraction of its size and back.
pub fn pixelate(image: &[u8], severity: usize, _: &mut dyn Draws) -> Vec<u8> {
    let side = [30, 28, 27, 24, 20][severity];
    let small = resize(image, 3, (SIDE, SIDE), (side, side), Filter::Box);
    resize(&small, 3, (side, side), (SIDE, SIDE), Filter::Box)
}
