//! Where corruptions take their chance from.

use rand::RngExt;
use rand_distr::{Distribution, Poisson, StandardNormal};
use zsad_core::rng::Rng;

/// A source of draws: a random stream, or in tests a formula.
pub trait Draws {
    /// Uniform on `0 … 1`, 1 excluded.
    fn uniform(&mut self) -> f64;

    /// Standard normal.
    fn normal(&mut self) -> f64;

    /// Poisson of `mean` ≥ 0.
    fn poisson(&mut self, mean: f64) -> f64;
}

impl Draws for Rng {
    fn uniform(&mut self) -> f64 {
        self.random()
    }

    fn normal(&mut self) -> f64 {
        StandardNormal.sample(self)
    }

    fn poisson(&mut self, mean: f64) -> f64 {
        // Only a mean of 0 (a black pixel) is refused, and its only outcome is 0.
        Poisson::new(mean).map_or(0.0, |p| p.sample(self))
    }
}
