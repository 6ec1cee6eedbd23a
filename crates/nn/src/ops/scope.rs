//! What holds for all operations that a thread runs inside a closure: no gradients, or a meter of what they keep.

use std::cell::Cell;

use candle_core::Tensor;

thread_local! {
    static NO_GRAD: Cell<bool> = const { Cell::new(false) };
    static METER: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Puts a value in place while it lives.
struct Restore<T: Copy + 'static>(&'static std::thread::LocalKey<Cell<T>>, T);

impl<T: Copy + 'static> Drop for Restore<T> {
    fn drop(&mut self) {
        self.0.set(self.1);
    }
}

/// Runs `f` without gradients on this thread: layers, networks and losses of this crate keep nothing for a way back, and
/// their results are detached. For scoring, where a batch may be a whole data set.
pub fn no_grad<R>(f: impl FnOnce() -> R) -> R {
    let _restore = Restore(&NO_GRAD, NO_GRAD.replace(true));
    f()
}

/// Whether gradients are wanted of something that depends on `args`.
pub fn tracks(args: &[Tensor]) -> bool {
    !NO_GRAD.get() && args.iter().any(Tensor::track_op)
}

/// A variable as layers read it: detached where there are no gradients.
pub fn value(var: &candle_core::Var) -> Tensor {
    read(var.as_tensor())
}

/// A tensor as an operation reads it: detached where there are no gradients.
pub fn read(x: &Tensor) -> Tensor {
    if NO_GRAD.get() { x.detach() } else { x.clone() }
}

/// Runs `f` and returns the bytes that its operations keep for the way back, beside its result.
pub fn measure_saved_bytes<R>(f: impl FnOnce() -> R) -> (R, usize) {
    let outer = METER.replace(Some(0));
    let _restore = Restore(&METER, outer);
    let result = f();
    (result, METER.get().unwrap_or(0))
}

/// Runs `f`, which may share its work out among threads, with nothing of this thread's in force: while it waits it may be
/// given work that knows of no scope but its own.
pub fn isolated<R>(f: impl FnOnce() -> R) -> R {
    let _grad = Restore(&NO_GRAD, NO_GRAD.replace(false));
    let _meter = Restore(&METER, METER.replace(None));
    f()
}

/// Counts bytes that an operation keeps.
pub fn record_saved_bytes(bytes: usize) {
    METER.set(METER.get().map(|sum| sum + bytes));
}

/// Counts a tensor that candle's own operations keep.
pub fn record_saved_tensor(x: &Tensor) {
    record_saved_bytes(x.elem_count() * x.dtype().size_in_bytes());
}
