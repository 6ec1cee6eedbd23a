//! AVX-512, and AVX2 with FMA.

#![allow(clippy::needless_range_loop, reason = "indices name rows and registers; the compiler unrolls them all")]

use std::arch::x86_64::*;

use super::{Cols, Rows, Start, Tiles};

/// Calls a tile loop with the number of rows as a constant.
macro_rules! by_rows {
    ($m:expr, $f:ident, $t:expr $(, $v:tt)?) => {
        match $m {
            1 => $f::<1 $(, $v)?>($t),
            2 => $f::<2 $(, $v)?>($t),
            3 => $f::<3 $(, $v)?>($t),
            4 => $f::<4 $(, $v)?>($t),
            5 => $f::<5 $(, $v)?>($t),
            _ => $f::<6 $(, $v)?>($t),
        }
    };
}

/// AVX-512: panels of 64 columns, four registers a row.
pub fn avx512() -> Tiles<f32> {
    Tiles { width: 64, rows: rows512, cols: cols512, transpose: transpose256 }
}

/// AVX2 and FMA: panels of 16 columns, two registers a row.
pub fn avx2() -> Tiles<f32> {
    Tiles { width: 16, rows: rows256, cols: cols256, transpose: transpose256 }
}

/// The registers' masks for `n` columns.
fn masks<const V: usize>(n: usize) -> [u16; V] {
    std::array::from_fn(|v| ((1u32 << n.saturating_sub(16 * v).min(16)) - 1) as u16)
}

/// # Safety
/// As [`Tiles`].
#[target_feature(enable = "avx512f")]
unsafe fn rows512(m: usize, t: &Rows<'_, f32>) {
    // SAFETY: passed on.
    unsafe {
        match t.n.div_ceil(16) {
            1 => by_rows!(m, rows512_mv, t, 1),
            2 => by_rows!(m, rows512_mv, t, 2),
            3 => by_rows!(m, rows512_mv, t, 3),
            _ => by_rows!(m, rows512_mv, t, 4),
        }
    }
}

/// # Safety
/// As [`Tiles`].
#[target_feature(enable = "avx512f")]
unsafe fn rows512_mv<const M: usize, const V: usize>(t: &Rows<'_, f32>) {
    // SAFETY: the caller vouches for the pointers; masks keep loads and stores of C inside its columns.
    unsafe {
        let masks = masks::<V>(t.n);
        let mut acc = [[_mm512_setzero_ps(); V]; M];
        for i in 0..M {
            for v in 0..V {
                acc[i][v] = match t.start {
                    Start::Output => _mm512_maskz_loadu_ps(masks[v], t.c[i].add(16 * v)),
                    Start::Values(s) => _mm512_loadu_ps(s.add(16 * v)),
                };
            }
        }
        let mut b = t.b;
        for run in t.runs {
            let a: [*const f32; M] = std::array::from_fn(|i| t.a[i].add(run.offset));
            for line in (0..run.len).step_by(16) {
                for i in 0..M {
                    _mm_prefetch::<_MM_HINT_T0>(t.next[i].wrapping_add(run.offset + line).cast());
                }
                for k in line..run.len.min(line + 16) {
                    let row: [__m512; V] = std::array::from_fn(|v| _mm512_loadu_ps(b.add(16 * v)));
                    b = b.add(64);
                    for i in 0..M {
                        let x = _mm512_set1_ps(*a[i].add(k));
                        for v in 0..V {
                            acc[i][v] = _mm512_fmadd_ps(x, row[v], acc[i][v]);
                        }
                    }
                }
            }
        }
        for i in 0..M {
            for v in 0..V {
                _mm512_mask_storeu_ps(t.c[i].add(16 * v), masks[v], acc[i][v]);
            }
        }
    }
}

/// # Safety
/// As [`Tiles`].
#[target_feature(enable = "avx512f")]
unsafe fn cols512(m: usize, t: &Cols<'_, f32>) {
    // SAFETY: passed on.
    unsafe {
        match t.n.div_ceil(16) {
            1 => by_rows!(m, cols512_mv, t, 1),
            2 => by_rows!(m, cols512_mv, t, 2),
            3 => by_rows!(m, cols512_mv, t, 3),
            _ => by_rows!(m, cols512_mv, t, 4),
        }
    }
}

/// # Safety
/// As [`Tiles`].
#[target_feature(enable = "avx512f")]
unsafe fn cols512_mv<const M: usize, const V: usize>(t: &Cols<'_, f32>) {
    // SAFETY: the caller vouches for the pointers; masks keep loads and stores of C inside its columns.
    unsafe {
        let masks = masks::<V>(t.n);
        let mut acc = [[_mm512_setzero_ps(); V]; M];
        let mut b = t.b;
        for &row in t.rows {
            let a = t.a.add(row);
            let row: [__m512; V] = std::array::from_fn(|v| _mm512_loadu_ps(b.add(16 * v)));
            b = b.add(64);
            for i in 0..M {
                let x = _mm512_set1_ps(*a.add(i));
                for v in 0..V {
                    acc[i][v] = _mm512_fmadd_ps(x, row[v], acc[i][v]);
                }
            }
        }
        for i in 0..M {
            for v in 0..V {
                let c = t.c.add(i * t.ldc + 16 * v);
                let sum = _mm512_add_ps(_mm512_maskz_loadu_ps(masks[v], c), acc[i][v]);
                _mm512_mask_storeu_ps(c, masks[v], sum);
            }
        }
    }
}

/// The two registers of a row of C, of which `masks` are its columns where it is not `FULL`.
///
/// # Safety
/// `c` must be valid for those columns.
#[target_feature(enable = "avx2,fma")]
#[inline]
unsafe fn load256<const FULL: bool>(c: *const f32, masks: [__m256i; 2]) -> [__m256; 2] {
    // SAFETY: the caller vouches for the columns.
    std::array::from_fn(|v| unsafe {
        let c = c.wrapping_add(8 * v);
        if FULL { _mm256_loadu_ps(c) } else { _mm256_maskload_ps(c, masks[v]) }
    })
}

/// The reverse of [`load256`].
///
/// # Safety
/// As [`load256`].
#[target_feature(enable = "avx2,fma")]
#[inline]
unsafe fn store256<const FULL: bool>(c: *mut f32, masks: [__m256i; 2], values: [__m256; 2]) {
    for v in 0..2 {
        let c = c.wrapping_add(8 * v);
        // SAFETY: the caller vouches for the columns.
        unsafe { if FULL { _mm256_storeu_ps(c, values[v]) } else { _mm256_maskstore_ps(c, masks[v], values[v]) } }
    }
}

/// The registers' masks for `n` columns.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn masks256(n: usize) -> [__m256i; 2] {
    let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    std::array::from_fn(|v| _mm256_cmpgt_epi32(_mm256_set1_epi32(n.saturating_sub(8 * v).min(8) as i32), lanes))
}

/// # Safety
/// As [`Tiles`].
#[target_feature(enable = "avx2,fma")]
unsafe fn rows256(m: usize, t: &Rows<'_, f32>) {
    // SAFETY: passed on.
    unsafe { if t.n == 16 { by_rows!(m, rows256_m, t, true) } else { by_rows!(m, rows256_m, t, false) } }
}

/// # Safety
/// As [`Tiles`]; `FULL` where there are 16 columns.
#[target_feature(enable = "avx2,fma")]
unsafe fn rows256_m<const M: usize, const FULL: bool>(t: &Rows<'_, f32>) {
    // SAFETY: the caller vouches for the pointers; masks keep loads and stores of C inside its columns.
    unsafe {
        let masks = masks256(t.n);
        let mut acc = [[_mm256_setzero_ps(); 2]; M];
        for i in 0..M {
            acc[i] = match t.start {
                Start::Output => load256::<FULL>(t.c[i], masks),
                Start::Values(s) => load256::<true>(s, masks),
            };
        }
        let mut b = t.b;
        for run in t.runs {
            let a: [*const f32; M] = std::array::from_fn(|i| t.a[i].add(run.offset));
            for line in (0..run.len).step_by(16) {
                for i in 0..M {
                    _mm_prefetch::<_MM_HINT_T0>(t.next[i].wrapping_add(run.offset + line).cast());
                }
                for k in line..run.len.min(line + 16) {
                    let row: [__m256; 2] = std::array::from_fn(|v| _mm256_loadu_ps(b.add(8 * v)));
                    b = b.add(16);
                    for i in 0..M {
                        let x = _mm256_set1_ps(*a[i].add(k));
                        for v in 0..2 {
                            acc[i][v] = _mm256_fmadd_ps(x, row[v], acc[i][v]);
                        }
                    }
                }
            }
        }
        for i in 0..M {
            store256::<FULL>(t.c[i], masks, acc[i]);
        }
    }
}

/// # Safety
/// As [`Tiles`].
#[target_feature(enable = "avx2,fma")]
unsafe fn cols256(m: usize, t: &Cols<'_, f32>) {
    // SAFETY: passed on.
    unsafe { if t.n == 16 { by_rows!(m, cols256_m, t, true) } else { by_rows!(m, cols256_m, t, false) } }
}

/// # Safety
/// As [`Tiles`]; `FULL` where there are 16 columns.
#[target_feature(enable = "avx2,fma")]
unsafe fn cols256_m<const M: usize, const FULL: bool>(t: &Cols<'_, f32>) {
    // SAFETY: the caller vouches for the pointers; masks keep loads and stores of C inside its columns.
    unsafe {
        let masks = masks256(t.n);
        let mut acc = [[_mm256_setzero_ps(); 2]; M];
        for i in 0..M {
            _mm_prefetch::<_MM_HINT_T0>(t.c.wrapping_add(i * t.ldc).cast());
        }
        let mut b = t.b;
        for &row in t.rows {
            let a = t.a.add(row);
            let row: [__m256; 2] = std::array::from_fn(|v| _mm256_loadu_ps(b.add(8 * v)));
            b = b.add(16);
            for i in 0..M {
                let x = _mm256_set1_ps(*a.add(i));
                for v in 0..2 {
                    acc[i][v] = _mm256_fmadd_ps(x, row[v], acc[i][v]);
                }
            }
        }
        for i in 0..M {
            let c = t.c.add(i * t.ldc);
            let before = load256::<FULL>(c, masks);
            store256::<FULL>(c, masks, std::array::from_fn(|v| _mm256_add_ps(before[v], acc[i][v])));
        }
    }
}

/// In blocks of 8 × 8 that stay in registers.
///
/// # Safety
/// As [`Tiles`].
#[target_feature(enable = "avx2,fma")]
unsafe fn transpose256(from: &[f32], [rows, columns]: [usize; 2], to: &mut [f32], stride: usize) {
    let (full_rows, full_columns) = (rows / 8 * 8, columns / 8 * 8);
    for j in (0..full_columns).step_by(8) {
        for i in (0..full_rows).step_by(8) {
            let (from, to) = (&from[i * columns + j..][..7 * columns + 8], &mut to[j * stride + i..][..7 * stride + 8]);
            // SAFETY: both slices reach to the end of the eighth row.
            unsafe {
                let r: [__m256; 8] = std::array::from_fn(|k| _mm256_loadu_ps(from.as_ptr().add(k * columns)));
                let base = to.as_mut_ptr();
                let low = |k: usize| _mm256_unpacklo_ps(r[2 * k], r[2 * k + 1]);
                let high = |k: usize| _mm256_unpackhi_ps(r[2 * k], r[2 * k + 1]);
                for half in 0..2 {
                    let pick = |k: usize| if half == 0 { low(k) } else { high(k) };
                    let pairs: [__m256; 4] = std::array::from_fn(pick);
                    for quarter in 0..2 {
                        let join = |a: __m256, b: __m256| match quarter {
                            0 => _mm256_shuffle_ps::<0x44>(a, b),
                            _ => _mm256_shuffle_ps::<0xEE>(a, b),
                        };
                        let (a, b) = (join(pairs[0], pairs[1]), join(pairs[2], pairs[3]));
                        let row = 2 * half + quarter;
                        let at = |row: usize| base.add(row * stride);
                        _mm256_storeu_ps(at(row), _mm256_permute2f128_ps::<0x20>(a, b));
                        _mm256_storeu_ps(at(row + 4), _mm256_permute2f128_ps::<0x31>(a, b));
                    }
                }
            }
        }
    }
    for i in 0..rows {
        let first = if i < full_rows { full_columns } else { 0 };
        for j in first..columns {
            to[j * stride + i] = from[i * columns + j];
        }
    }
}
