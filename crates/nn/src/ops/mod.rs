//! Kernels as candle operations: what autograd sees of them.

pub mod accumulator;
mod affine;
mod custom;
mod norm;
mod plan;
mod running;
pub mod scope;
mod update;
mod views;

pub use affine::affine;
pub use custom::custom;
pub use norm::batch_norm;
pub use plan::{Epilogue, Normaliser, Plan};
pub use running::mix;
pub use update::{add, update};

use std::cell::RefCell;
use std::thread::LocalKey;

use candle_core::{CpuStorage, Storage, Tensor, WithDType};

use crate::kernels::Real;
pub use crate::kernels::stage::Source;
use crate::{Error, Result};
use accumulator::GradientAccumulator;

/// f32 or f64, to the kernels and to candle.
pub trait Element: Real + WithDType {
    /// This thread's accumulator of gradients, if one is open.
    fn accumulator() -> &'static LocalKey<RefCell<Option<GradientAccumulator<Self>>>>;
}

thread_local! {
    static F32: RefCell<Option<GradientAccumulator<f32>>> = const { RefCell::new(None) };
    static F64: RefCell<Option<GradientAccumulator<f64>>> = const { RefCell::new(None) };
}

impl Element for f32 {
    fn accumulator() -> &'static LocalKey<RefCell<Option<GradientAccumulator<f32>>>> {
        &F32
    }
}

impl Element for f64 {
    fn accumulator() -> &'static LocalKey<RefCell<Option<GradientAccumulator<f64>>>> {
        &F64
    }
}

/// Lends the values of contiguous tensors on the processor to `f`.
pub fn with_slices<F: Element, R>(tensors: &[Tensor], f: impl FnOnce(&[&[F]]) -> R) -> Result<R> {
    let guards: Vec<_> = tensors.iter().map(Tensor::storage_and_layout).collect();
    let slices = guards.iter().map(|(storage, layout)| match (&**storage, layout.contiguous_offsets()) {
        (Storage::Cpu(cpu), Some((start, end))) => Ok(&cpu.as_slice::<F>()?[start..end]),
        _ => Err(Error::Shape("a kernel wants contiguous tensors on the processor".into())),
    });
    Ok(f(&slices.collect::<Result<Vec<_>>>()?))
}

/// The storage of `values`.
fn storage<F: Element>(values: Vec<F>) -> CpuStorage {
    F::to_cpu_storage_owned(values)
}
