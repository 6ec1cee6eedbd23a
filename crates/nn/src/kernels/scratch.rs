//! Buffers that each thread keeps for its next use, so that a step does not ask the system for memory again and again.

use std::ops::{Deref, DerefMut};

use super::Real;

/// Buffers a thread keeps at most; the smallest go first.
const KEPT: usize = 64;

/// Bytes of a cache line, where buffers start: vectors that straddle two lines are loaded at half the rate.
const LINE: usize = 64;

/// A buffer of values that returns to its thread's store when dropped.
pub struct Buffer<F: Real> {
    values: Vec<F>,
    /// How many values come before the first line.
    start: usize,
}

/// A buffer of `len` values that may hold anything that was in an earlier one.
pub fn take<F: Real>(len: usize) -> Buffer<F> {
    if len == 0 {
        return Buffer { values: Vec::new(), start: 0 };
    }
    let room = len + LINE / size_of::<F>();
    let mut kept = F::store().take();
    // The smallest that is large enough, so that equal steps find equal buffers.
    let fit = (0..kept.len()).filter(|&i| kept[i].capacity() >= room).min_by_key(|&i| kept[i].capacity());
    let mut values =
        fit.filter(|&i| kept[i].capacity() <= 2 * room + 1024).map_or_else(Vec::new, |i| kept.swap_remove(i));
    F::store().set(kept);
    values.reserve(room.saturating_sub(values.len()));
    // The standard library may refuse to find the place: then the values start where they can.
    let start = Some(values.as_ptr().align_offset(LINE)).filter(|&start| start <= room - len).unwrap_or(0);
    values.resize(start + len, F::ZERO);
    Buffer { values, start }
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
        self.values.drain(..self.start);
        std::mem::take(&mut self.values)
    }
}

impl<F: Real> Drop for Buffer<F> {
    fn drop(&mut self) {
        if self.values.capacity() == 0 {
            return;
        }
        let mut kept = F::store().take();
        if kept.len() >= KEPT
            && let Some(i) = (0..kept.len()).min_by_key(|&i| kept[i].capacity())
        {
            kept.swap_remove(i);
        }
        kept.push(std::mem::take(&mut self.values));
        F::store().set(kept);
    }
}

impl<F: Real> Deref for Buffer<F> {
    type Target = [F];

    fn deref(&self) -> &[F] {
        &self.values[self.start..]
    }
}

impl<F: Real> DerefMut for Buffer<F> {
    fn deref_mut(&mut self) -> &mut [F] {
        &mut self.values[self.start..]
    }
}
