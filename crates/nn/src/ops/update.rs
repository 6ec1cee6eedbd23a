//! Changing a variable where it lies.

use std::sync::Mutex;

use candle_core::{CpuStorage, Error, InplaceOp2, Layout, Result, Tensor, Var, bail};

use super::Element;

/// Calls `f` with the variable's values, to change, and those of `other`, of the same shape; both on the processor.
pub fn update<F: Slices>(var: &Var, other: &Tensor, f: impl FnMut(&mut [F], &[F])) -> crate::Result<()> {
    if var.dims() != other.dims() {
        crate::error::bail_shape!("an update of {:?} by {:?}", var.dims(), other.dims());
    }
    let op = Update { f: Mutex::new(f), element: std::marker::PhantomData::<fn() -> F> };
    Ok(var.as_tensor().inplace_op2(&other.contiguous()?, &op)?)
}

/// How candle's storage lends values for change.
pub trait Slices: Element {
    /// The values.
    fn slice_mut(storage: &mut CpuStorage) -> Option<&mut [Self]>;
}

impl Slices for f32 {
    fn slice_mut(storage: &mut CpuStorage) -> Option<&mut [f32]> {
        if let CpuStorage::F32(v) = storage { Some(v) } else { None }
    }
}

impl Slices for f64 {
    fn slice_mut(storage: &mut CpuStorage) -> Option<&mut [f64]> {
        if let CpuStorage::F64(v) = storage { Some(v) } else { None }
    }
}

struct Update<F, C> {
    f: Mutex<C>,
    element: std::marker::PhantomData<fn() -> F>,
}

impl<F: Slices, C: FnMut(&mut [F], &[F])> InplaceOp2 for Update<F, C> {
    fn name(&self) -> &'static str {
        "update"
    }

    fn cpu_fwd(&self, to: &mut CpuStorage, to_layout: &Layout, by: &CpuStorage, by_layout: &Layout) -> Result<()> {
        let offsets = to_layout.contiguous_offsets().zip(by_layout.contiguous_offsets());
        let (Some(((a, b), (c, d))), Some(to)) = (offsets, F::slice_mut(to)) else {
            bail!("an update wants contiguous tensors of one type")
        };
        let mut f = self.f.lock().map_err(|_| Error::Msg("an update panicked".into()))?;
        f(&mut to[a..b], &by.as_slice::<F>()?[c..d]);
        Ok(())
    }
}
