//! Parts of a batch, which threads share.

use rayon::prelude::*;

/// Cuts `values` into `count` parts of `len`, the last one shorter; without values all are empty.
pub fn cut<T>(values: &mut [T], len: usize, count: usize) -> Vec<&mut [T]> {
    if len == 0 || values.is_empty() {
        return (0..count).map(|_| &mut [][..]).collect();
    }
    values.chunks_mut(len).collect()
}

/// As [`cut`], to be read.
pub fn cut_ref<T>(values: &[T], len: usize, count: usize) -> Vec<&[T]> {
    if len == 0 || values.is_empty() {
        return (0..count).map(|_| &[][..]).collect();
    }
    values.chunks(len).collect()
}

/// Calls `f` with each part and its number; the results in order.
pub fn each<T: Send, R: Send>(parts: Vec<T>, f: impl Fn(usize, T) -> R + Sync) -> Vec<R> {
    if parts.len() == 1 {
        return parts.into_iter().enumerate().map(|(at, part)| f(at, part)).collect();
    }
    parts.into_par_iter().enumerate().map(|(at, part)| f(at, part)).collect()
}
