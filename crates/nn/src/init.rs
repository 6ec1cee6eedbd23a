//! Initial values, drawn from one of zsad's own streams on the CPU in f32, so that every device starts alike.

use candle_core::{DType, Device, Tensor};
use rand::RngExt;
use zsad_core::rng::Rng;

use crate::Result;

/// How a parameter starts. Fans are PyTorch's: of a weight `[out, in, k…]`, fan in is `in · k…` and fan out `out · k…`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Init {
    /// One value everywhere.
    Constant(f64),
    /// U(lo, hi).
    Uniform(f64, f64),
    /// N(mean, std²).
    Normal(f64, f64),
    /// U(−a, a) with a = √(6 / (fan in + fan out)): `torch.nn.init.xavier_uniform_`.
    XavierUniform,
    /// U(−a, a) with a = √(6 / fan in): `torch.nn.init.kaiming_uniform_` for ReLU.
    KaimingUniform,
    /// N(0, 2 / fan in): `torch.nn.init.kaiming_normal_` for ReLU.
    KaimingNormal,
    /// U(−a, a) with a = 1/√(fan in): what `torch.nn.Linear` and `torch.nn.Conv2d` give their weights.
    TorchWeight,
    /// U(−a, a) with a = 1/√n for the n given, the weight's fan in: what they give their biases.
    TorchBias(usize),
}

impl Init {
    /// All zeros.
    pub const ZEROS: Init = Init::Constant(0.0);
    /// All ones.
    pub const ONES: Init = Init::Constant(1.0);

    /// Draws the values of a parameter of `shape`, in row-major order.
    pub fn draw(self, shape: &[usize], rng: &mut Rng) -> Vec<f32> {
        let n: usize = shape.iter().product();
        let (out, rest) = shape.split_first().map_or((1, 1), |(o, r)| (*o, r.iter().product::<usize>()));
        let kernel: usize = shape.iter().skip(2).product();
        let (fan_in, fan_out) = (rest as f64, (out * kernel) as f64);
        let bound = match self {
            Init::Constant(c) => return vec![c as f32; n],
            Init::Uniform(lo, hi) => return uniform(lo, hi, n, rng),
            Init::Normal(mean, std) => return normal(mean, std, n, rng),
            Init::KaimingNormal => return normal(0.0, (2.0 / fan_in).sqrt(), n, rng),
            Init::XavierUniform => (6.0 / (fan_in + fan_out)).sqrt(),
            Init::KaimingUniform => (6.0 / fan_in).sqrt(),
            Init::TorchWeight => (1.0 / fan_in).sqrt(),
            Init::TorchBias(fan_in) => (1.0 / fan_in as f64).sqrt(),
        };
        uniform(-bound, bound, n, rng)
    }

    /// [`Init::draw`] as a tensor.
    ///
    /// # Errors
    /// Where the device refuses the memory.
    pub fn tensor(self, shape: &[usize], dtype: DType, device: &Device, rng: &mut Rng) -> Result<Tensor> {
        Ok(Tensor::from_vec(self.draw(shape, rng), shape, device)?.to_dtype(dtype)?)
    }
}

fn uniform(lo: f64, hi: f64, n: usize, rng: &mut Rng) -> Vec<f32> {
    (0..n).map(|_| (lo + (hi - lo) * rng.random::<f64>()) as f32).collect()
}

/// Box and Muller's transform in f64; two draws of the stream a value, so that values do not depend on their count.
fn normal(mean: f64, std: f64, n: usize, rng: &mut Rng) -> Vec<f32> {
    let mut draw = || {
        let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
        mean + std * radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()
    };
    (0..n).map(|_| draw() as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use zsad_core::rng::stream;

    fn moments(init: Init, shape: &[usize]) -> (f64, f64, f64) {
        let v = init.draw(shape, &mut stream(7, &[("purpose", "init")]));
        let n = v.len() as f64;
        let mean = v.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
        let var = v.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / n;
        (mean, var.sqrt(), v.iter().fold(0.0, |m: f64, &x| m.max(f64::from(x).abs())))
    }

    #[test]
    fn moments_and_bounds_are_those_of_torch() {
        // A conv weight [64, 32, 3, 3]: fan in 288, fan out 576. std of U(-a, a) is a / sqrt(3).
        let shape = [64, 32, 3, 3];
        for (init, bound) in [
            (Init::XavierUniform, (6.0f64 / 864.0).sqrt()),
            (Init::KaimingUniform, (6.0f64 / 288.0).sqrt()),
            (Init::TorchWeight, (1.0f64 / 288.0).sqrt()),
            (Init::TorchBias(288), (1.0f64 / 288.0).sqrt()),
        ] {
            let (mean, std, max) = moments(init, &shape);
            assert!(mean.abs() < 0.02 * bound && (std / (bound / 3f64.sqrt()) - 1.0).abs() < 0.02, "{init:?}");
            assert!(max <= bound * 1.000_001 && max > 0.99 * bound, "{init:?}");
        }
        for (init, mean, std) in
            [(Init::Normal(3.0, 2.0), 3.0, 2.0), (Init::KaimingNormal, 0.0, (2.0f64 / 288.0).sqrt())]
        {
            let (m, s, _) = moments(init, &shape);
            assert!((m - mean).abs() < 0.03 * std && (s / std - 1.0).abs() < 0.02, "{init:?}: {m} {s}");
        }
    }

    #[test]
    fn the_same_stream_gives_the_same_bits() {
        let draw = || Init::Normal(0.0, 1.0).draw(&[5, 7], &mut stream(1, &[("a", "b")]));
        assert_eq!(draw(), draw());
    }
}
