//! Random views of a sample for contrastive training, drawn from a step's own stream.
//!
//! Images: shifted by up to an eighth of their size with the edge repeated, mirrored left to right half of the time
//! where they are in colour (letters and digits are not symmetric), brightness × U(0.6, 1.4), Gaussian noise. Rows:
//! each feature replaced by the pool's mean with probability 0.2, Gaussian noise. The noise has a tenth of each
//! feature's standard deviation.

use candle_core::{Tensor, Var};
use rand::RngExt;
use zsad_core::rng::Rng;
use zsad_nn::{Init, params::Builder};

use super::pool::PoolSource;

const NOISE: f32 = 0.1;
const MASKED: f64 = 0.2;

/// The augmentation of one data set.
pub(crate) struct Augment {
    shape: Vec<usize>,
    mean: Var,
    deviation: Var,
}

impl Augment {
    /// Registers the pool's mean and deviation; `shape` is one sample's.
    pub fn new(shape: &[usize], b: &mut Builder) -> zsad_nn::Result<Self> {
        let d = shape.iter().product();
        let mean = b.buffer("mean", &[d], Init::ZEROS)?;
        Ok(Augment { shape: shape.to_vec(), mean, deviation: b.buffer("deviation", &[d], Init::ONES)? })
    }

    /// Takes mean and deviation from the pool.
    pub fn learn(&self, pool: &PoolSource) -> zsad_nn::Result<()> {
        let (mean, deviation) = pool.moments()?;
        self.mean.set(&mean)?;
        Ok(self.deviation.set(&deviation)?)
    }

    /// One view of every sample of `x`, `[n, shape…]`.
    pub fn view(&self, x: &Tensor, rng: &mut Rng) -> zsad_nn::Result<Tensor> {
        let mean: Vec<f32> = self.mean.to_vec1()?;
        let deviation: Vec<f32> = self.deviation.to_vec1()?;
        let values: Vec<f32> = x.flatten_all()?.to_vec1()?;
        let mut out = Vec::with_capacity(values.len());
        for sample in values.chunks(mean.len()) {
            let noise = Init::Normal(0.0, f64::from(NOISE)).draw(&[sample.len()], rng);
            let view = match self.shape[..] {
                [c, h, w] => image(sample, [c, h, w], rng),
                _ => {
                    sample.iter().zip(&mean).map(|(&x, &m)| if rng.random::<f64>() < MASKED { m } else { x }).collect()
                }
            };
            out.extend(view.iter().zip(noise.iter().zip(&deviation)).map(|(x, (e, s))| x + e * s));
        }
        Ok(Tensor::from_vec(out, x.dims(), x.device())?)
    }
}

/// A shifted, mirrored, brightened copy.
fn image(pixels: &[f32], [c, h, w]: [usize; 3], rng: &mut Rng) -> Vec<f32> {
    let mut shift = |size: usize| rng.random_range(-(size as i64 / 8)..=size as i64 / 8);
    let (down, right) = (shift(h), shift(w));
    let mirrored = rng.random::<bool>() && c == 3;
    let brightness = 0.6 + 0.8 * rng.random::<f32>();
    let clamp = |at: i64, size: usize| at.clamp(0, size as i64 - 1) as usize;
    let mut out = Vec::with_capacity(pixels.len());
    for plane in pixels.chunks(h * w) {
        for y in 0..h as i64 {
            for x in 0..w as i64 {
                let x = if mirrored { w as i64 - 1 - x } else { x };
                out.push(brightness * plane[clamp(y - down, h) * w + clamp(x - right, w)]);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use zsad_core::rng::stream;

    #[test]
    fn a_constant_image_changes_in_brightness_alone_and_views_differ() {
        let mut rng = stream(0, &[]);
        let view = image(&[0.5; 64], [1, 8, 8], &mut rng);
        assert!(view.iter().all(|&v| v == view[0]) && (0.3..0.7).contains(&view[0]));
        let ramp: Vec<f32> = (0..64).map(|i| i as f32).collect();
        assert_ne!(image(&ramp, [1, 8, 8], &mut rng), image(&ramp, [1, 8, 8], &mut rng));
        // A shift repeats the edge: no value that the image does not have, but for the brightness.
        let view = image(&ramp, [1, 8, 8], &mut rng);
        let scale = view.iter().copied().fold(0.0, f32::max) / 63.0;
        assert!(scale > 0.5 && scale < 1.4 + 1e-6, "{scale}");
    }
}
