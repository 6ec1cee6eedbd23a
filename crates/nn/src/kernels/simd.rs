//! Plain loops, compiled for the vectors that were chosen.

pub use zsad_core::simd::vectorised;

/// Asks for the cache lines of the first `len` of `values`.
#[inline(always)]
pub fn prefetch<F>(values: &[F], len: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        let line = (64 / size_of::<F>()).max(1);
        for i in (0..len).step_by(line) {
            // SAFETY: a prefetch may name any address.
            unsafe { _mm_prefetch::<_MM_HINT_T1>(values.as_ptr().wrapping_add(i).cast()) };
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (values, len);
}
