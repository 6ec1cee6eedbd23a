//! Kernels as candle operations: what autograd sees of them.

mod affine;
mod custom;
mod norm;
mod plan;
pub mod scope;
pub mod sink;
mod update;
mod views;

pub use affine::affine;
pub use custom::custom;
pub use norm::batch_norm;
pub use plan::Plan;
pub use update::{add, update};

use std::cell::RefCell;
use std::thread::LocalKey;

use candle_core::{CpuStorage, Storage, Tensor, WithDType};

use crate::kernels::Real;
use crate::{Error, Result};

/// f32 or f64, to the kernels and to candle.
pub trait Element: Real + WithDType {
    /// This thread's sink of gradients, if one is open.
    fn sink() -> &'static LocalKey<RefCell<Option<sink::Sums<Self>>>>;
}

thread_local! {
    static F32: RefCell<Option<sink::Sums<f32>>> = const { RefCell::new(None) };
    static F64: RefCell<Option<sink::Sums<f64>>> = const { RefCell::new(None) };
}

impl Element for f32 {
    fn sink() -> &'static LocalKey<RefCell<Option<sink::Sums<f32>>>> {
        &F32
    }
}

impl Element for f64 {
    fn sink() -> &'static LocalKey<RefCell<Option<sink::Sums<f64>>>> {
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
