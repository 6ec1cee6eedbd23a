//! Glass blur: blur, stir neighbouring pixels, blur.

use super::blur::gaussian;
use super::border::Border;
use super::draws::Draws;
use super::pixels::{SIDE, bytes, values};

/// Gaussian blur before and after each pixel takes the place of a near one.
///
/// The published script means to swap two pixels, but its two sides are views of one array, so that both end up with
/// the value of the second. The released files were made so, and so are these.
pub fn glass_blur(image: &[u8], severity: usize, draws: &mut dyn Draws) -> Vec<u8> {
    let (sigma, rounds) = [(0.05, 1), (0.25, 1), (0.4, 1), (0.25, 2), (0.4, 2)][severity];
    let mut x = bytes(&gaussian(&values(image), 3, sigma, 4.0, Border::Nearest));
    for _ in 0..rounds {
        for h in (2..SIDE).rev() {
            for w in (2..SIDE).rev() {
                let mut step = || usize::from(draws.uniform() < 0.5);
                let (left, up) = (step(), step());
                let from = ((h - up) * SIDE + w - left) * 3;
                x.copy_within(from..from + 3, (h * SIDE + w) * 3);
            }
        }
    }
    bytes(&gaussian(&values(&x), 3, sigma, 4.0, Border::Nearest))
}
