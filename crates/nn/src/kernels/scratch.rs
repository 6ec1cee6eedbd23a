//! Buffers that each thread keeps for its next use, so that a step does not ask the system for memory again and again.

use std::ops::{Deref, DerefMut};

use super::Real;

/// Buffers a thread keeps at most; the smallest go first.
const KEPT: usize = 64;

/// A buffer of values that returns to its thread's store when dropped.
pub struct Buffer<F: Real>(Vec<F>);

/// A buffer of `len` values that may hold anything that was in an earlier one.
pub fn take<F: Real>(len: usize) -> Buffer<F> {
    let mut kept = F::store().take();
    // The smallest that is large enough, so that equal steps find equal buffers.
    let fit = (0..kept.len()).filter(|&i| kept[i].capacity() >= len).min_by_key(|&i| kept[i].capacity());
    let mut buffer =
        fit.filter(|&i| kept[i].capacity() <= 2 * len + 1024).map_or_else(Vec::new, |i| kept.swap_remove(i));
    F::store().set(kept);
    buffer.resize(len, F::ZERO);
    Buffer(buffer)
}

/// As [`take`], all zero.
pub fn zeros<F: Real>(len: usize) -> Buffer<F> {
    let mut buffer = take(len);
    buffer.fill(F::ZERO);
    buffer
}

/// A copy of `values`.
pub fn copy<F: Real>(values: &[F]) -> Buffer<F> {
    let mut buffer = take(values.len());
    buffer.copy_from_slice(values);
    buffer
}

impl<F: Real> Buffer<F> {
    /// The size of the values.
    pub fn bytes(&self) -> usize {
        size_of_val(&**self)
    }

    /// The values, for good.
    pub fn into_vec(mut self) -> Vec<F> {
        std::mem::take(&mut self.0)
    }
}

impl<F: Real> Drop for Buffer<F> {
    fn drop(&mut self) {
        if self.0.capacity() == 0 {
            return;
        }
        let mut kept = F::store().take();
        if kept.len() >= KEPT
            && let Some(i) = (0..kept.len()).min_by_key(|&i| kept[i].capacity())
        {
            kept.swap_remove(i);
        }
        kept.push(std::mem::take(&mut self.0));
        F::store().set(kept);
    }
}

impl<F: Real> Deref for Buffer<F> {
    type Target = [F];

    fn deref(&self) -> &[F] {
        &self.0
    }
}

impl<F: Real> DerefMut for Buffer<F> {
    fn deref_mut(&mut self) -> &mut [F] {
        &mut self.0
    }
}
