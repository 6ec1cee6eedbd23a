//! Kernels as candle operations: what autograd sees of them.

mod custom;
mod plan;
mod update;

pub use custom::custom;
pub use plan::Plan;
pub use update::update;

use candle_core::{CpuStorage, Storage, Tensor, WithDType};

use crate::kernels::Real;
use crate::{Error, Result};

/// f32 or f64, to the kernels and to candle.
pub trait Element: Real + WithDType {}
impl Element for f32 {}
impl Element for f64 {}

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
