//! Kernels on plain slices, for the processor: matrix products, convolutions and norms. They know no tensors.

pub mod adam;
pub mod chain;
pub mod compose;
pub mod conv;
pub mod dense;
pub mod gemm;
pub mod loss;
pub mod norm;
pub mod scratch;
pub mod simd;
pub mod stage;
pub mod tile;

use std::cell::Cell;
use std::thread::LocalKey;

use zsad_core::Simd;
pub use zsad_core::winograd::Scalar;

/// f32, for work, and f64, in which the same code is checked by finite differences.
pub trait Real: Scalar + PartialOrd + Send + Sync + 'static + std::ops::Div<Output = Self> {
    /// In double precision.
    fn f64(self) -> f64;
    /// The square root.
    fn sqrt(self) -> Self;
    /// The tile loops for this type on this processor.
    fn tiles() -> tile::Tiles<Self>;
    /// This thread's store of buffers.
    fn store() -> &'static LocalKey<Cell<Vec<Vec<Self>>>>;
}

thread_local! {
    static F32: Cell<Vec<Vec<f32>>> = const { Cell::new(Vec::new()) };
    static F64: Cell<Vec<Vec<f64>>> = const { Cell::new(Vec::new()) };
}

impl Real for f32 {
    fn f64(self) -> f64 {
        f64::from(self)
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        f32::sqrt(self)
    }

    fn tiles() -> tile::Tiles<f32> {
        tile::of(Simd::current())
    }

    fn store() -> &'static LocalKey<Cell<Vec<Vec<f32>>>> {
        &F32
    }
}

impl Real for f64 {
    fn f64(self) -> f64 {
        self
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        f64::sqrt(self)
    }

    fn tiles() -> tile::Tiles<f64> {
        tile::portable()
    }

    fn store() -> &'static LocalKey<Cell<Vec<Vec<f64>>>> {
        &F64
    }
}

#[cfg(test)]
#[path = "../../tests/common/every_path.rs"]
mod every_path;
