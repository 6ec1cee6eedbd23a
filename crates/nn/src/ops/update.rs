//! Changing a tensor where it lies.

use std::sync::Mutex;

use candle_core::{CpuStorage, DType, Error, InplaceOp2, Layout, Result, Tensor, bail};

use super::Element;
use crate::kernels::simd::vectorised;

/// Calls `f` with the values of `to`, to change, and those of `by`, of the same shape; both on the processor.
pub fn update<F: Slices>(to: &Tensor, by: &Tensor, f: impl FnMut(&mut [F], &[F])) -> crate::Result<()> {
    if to.dims() != by.dims() {
        crate::error::bail_shape!("an update of {:?} by {:?}", to.dims(), by.dims());
    }
    let op = Update { f: Mutex::new(f), element: std::marker::PhantomData::<fn() -> F> };
    Ok(to.inplace_op2(&by.contiguous()?, &op)?)
}

/// `to` += `by`, in place on the processor. `to` must not be shared.
///
/// # Errors
/// Where candle refuses.
pub fn add(to: Tensor, by: &Tensor) -> crate::Result<Tensor> {
    fn sum<F: Slices>(to: &mut [F], by: &[F]) {
        vectorised(
            #[inline(always)]
            || to.iter_mut().zip(by).for_each(|(a, &b)| *a += b),
        );
    }
    match (to.device().is_cpu(), to.dtype()) {
        (true, DType::F32) => update::<f32>(&to, by, sum)?,
        (true, DType::F64) => update::<f64>(&to, by, sum)?,
        _ => return Ok((to + by)?),
    }
    Ok(to)
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
