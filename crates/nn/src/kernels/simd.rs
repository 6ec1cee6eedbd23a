//! Plain loops, compiled for the vectors that were chosen.

use zsad_core::Simd;

/// Runs `f` compiled for the vector instructions that were chosen. `f` and what it calls must be `inline(always)`.
#[inline]
pub fn vectorised<R>(f: impl FnOnce() -> R) -> R {
    match Simd::current() {
        // SAFETY: what is chosen the processor has.
        #[cfg(target_arch = "x86_64")]
        Simd::Avx512 => unsafe { avx512(f) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Simd::Avx2 => unsafe { avx2(f) },
        _ => f(),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw")]
unsafe fn avx512<R>(f: impl FnOnce() -> R) -> R {
    f()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn avx2<R>(f: impl FnOnce() -> R) -> R {
    f()
}

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
