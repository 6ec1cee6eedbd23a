//! Noise: Gaussian, shot (Poisson), impulse (salt and pepper) and speckle.

use super::draws::Draws;
use super::pixels::{bytes, values};

/// x + N(0, c²).
pub fn gaussian_noise(image: &[u8], severity: usize, draws: &mut dyn Draws) -> Vec<u8> {
    let c = [0.04, 0.06, 0.08, 0.09, 0.10][severity];
    bytes(&values(image).into_iter().map(|x| x + c * draws.normal()).collect::<Vec<_>>())
}

/// Poisson(x·c) / c: c photons make white.
pub fn shot_noise(image: &[u8], severity: usize, draws: &mut dyn Draws) -> Vec<u8> {
    let c = [500.0, 250.0, 100.0, 75.0, 50.0][severity];
    bytes(&values(image).into_iter().map(|x| draws.poisson(x * c) / c).collect::<Vec<_>>())
}

/// Each channel of each pixel is replaced with the given probability, by 0 or 1 alike.
pub fn impulse_noise(image: &[u8], severity: usize, draws: &mut dyn Draws) -> Vec<u8> {
    let amount = [0.01, 0.02, 0.03, 0.05, 0.07][severity];
    let replaced: Vec<bool> = image.iter().map(|_| draws.uniform() < amount).collect();
    let salt = replaced.iter().map(|_| if draws.uniform() < 0.5 { 255 } else { 0 });
    image.iter().zip(&replaced).zip(salt).map(|((x, replaced), salt)| if *replaced { salt } else { *x }).collect()
}

/// x + x·N(0, c²).
pub fn speckle_noise(image: &[u8], severity: usize, draws: &mut dyn Draws) -> Vec<u8> {
    let c = [0.06, 0.1, 0.12, 0.16, 0.2][severity];
    bytes(&values(image).into_iter().map(|x| x + x * (c * draws.normal())).collect::<Vec<_>>())
}
