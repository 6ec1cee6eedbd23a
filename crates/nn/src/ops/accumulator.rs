//! Where gradients of variables add up in place.
//!
//! Candle adds each gradient to a fresh tensor of zeros, once for every part of a step. While an accumulator is open on a
//! thread, kernels that run backward there add to its sums instead, and candle sees no gradient for those variables.

use std::collections::HashMap;

use candle_core::TensorId;

use super::Element;

/// Sums by variable.
pub type GradientAccumulator<F> = HashMap<TensorId, Vec<F>>;

/// Runs `f` with an accumulator open on this thread, and returns its sums beside the result.
pub fn collect<F: Element, R>(f: impl FnOnce() -> R) -> (R, GradientAccumulator<F>) {
    let outer = F::accumulator().replace(Some(GradientAccumulator::new()));
    let result = f();
    let sums = F::accumulator().replace(outer);
    (result, sums.unwrap_or_default())
}

/// The sum of a variable so far, to add to; give it back with [`put`].
pub fn take<F: Element>(variable: TensorId) -> Option<Vec<F>> {
    F::accumulator().with_borrow_mut(|open| open.as_mut()?.remove(&variable))
}

/// Gives a sum to the open accumulator; returns it where none is open.
pub fn put<F: Element>(variable: TensorId, sum: Vec<F>) -> Option<Vec<F>> {
    F::accumulator().with_borrow_mut(|open| match open {
        Some(sums) => {
            sums.insert(variable, sum);
            None
        }
        None => Some(sum),
    })
}
