//! The inner loop of every dense convolution: [`MR`] pixels × up to 32 output channels over all input values.
//!
//! AVX-512 (intrinsics: 24 accumulators stay in registers), AVX2 + FMA, or plain code.

use zsad_core::Simd;

/// Pixels of a tile.
pub(crate) const MR: usize = 12;

/// One tile: `dst[i][oc..] = clamp(bias + Σ_tap Σ_k src[i][tap + k] · weights + add[i][oc..])`.
pub(crate) struct Tile<'a> {
    /// Where each pixel's window begins.
    pub src: &'a [*const f32; MR],
    /// Offsets of the window's contiguous runs.
    pub taps: &'a [usize],
    /// Length of each run.
    pub inner: usize,
    /// `[taps, inner, lanes of this block]`.
    pub weights: *const f32,
    /// The block's biases.
    pub bias: *const f32,
    /// Where each output pixel begins.
    pub dst: &'a [*mut f32; MR],
    /// Where each pixel of what is added begins.
    pub add: Option<&'a [*const f32; MR]>,
    /// First output channel of the block.
    pub oc: usize,
    /// Least output value.
    pub low: f32,
    /// Greatest output value.
    pub high: f32,
}

/// Computes a tile of a block of 16 lanes or of 32.
///
/// # Safety
/// Every pointer of the [`Tile`] must be valid for its documented extent; `dst` must not overlap the inputs; repeated
/// entries of `dst` are written with equal values.
pub(crate) type TileFn = unsafe fn(&Tile);

/// The kernels that were chosen: (16 lanes, 32 lanes).
pub(crate) fn kernels() -> (TileFn, TileFn) {
    of(Simd::current())
}

/// Those of an instruction set that the processor has.
fn of(simd: Simd) -> (TileFn, TileFn) {
    match simd {
        #[cfg(target_arch = "x86_64")]
        Simd::Avx512 => (avx512_tile::<1>, avx512_tile::<2>),
        #[cfg(target_arch = "x86_64")]
        Simd::Avx2 => (avx2_tile::<1>, avx2_tile::<2>),
        _ => (plain_tile::<1>, plain_tile::<2>),
    }
}

/// # Safety
/// As [`TileFn`]; the processor must have AVX-512F.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn avx512_tile<const NV: usize>(t: &Tile) {
    use std::arch::x86_64::*;
    let mut acc = [[_mm512_setzero_ps(); NV]; MR];
    let mut weights = t.weights;
    for &tap in t.taps {
        let mut src = *t.src;
        for pixel in &mut src {
            *pixel = pixel.wrapping_add(tap);
        }
        for k in 0..t.inner {
            // SAFETY: `weights` walks over `taps · inner` blocks of 16 NV values, `src[i] + tap` over `inner` values.
            unsafe {
                let mut w = [_mm512_setzero_ps(); NV];
                for (v, w) in w.iter_mut().enumerate() {
                    *w = _mm512_loadu_ps(weights.add(16 * v));
                }
                for (acc, pixel) in acc.iter_mut().zip(&src) {
                    let a = _mm512_set1_ps(*pixel.add(k));
                    for (acc, w) in acc.iter_mut().zip(&w) {
                        *acc = _mm512_fmadd_ps(a, *w, *acc);
                    }
                }
                weights = weights.add(16 * NV);
            }
        }
    }
    let (low, high) = (_mm512_set1_ps(t.low), _mm512_set1_ps(t.high));
    for (i, acc) in acc.iter().enumerate() {
        for (v, acc) in acc.iter().enumerate() {
            // SAFETY: output pixels, added pixels and biases hold 16 NV values from the block's first channel on.
            unsafe {
                let mut sum = _mm512_add_ps(*acc, _mm512_loadu_ps(t.bias.add(16 * v)));
                if let Some(add) = t.add {
                    sum = _mm512_add_ps(sum, _mm512_loadu_ps(add[i].add(t.oc + 16 * v)));
                }
                let clamped = _mm512_min_ps(_mm512_max_ps(sum, low), high);
                _mm512_storeu_ps(t.dst[i].add(t.oc + 16 * v), clamped);
            }
        }
    }
}

/// # Safety
/// As [`TileFn`]; the processor must have AVX2 and FMA.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2_tile<const NV: usize>(t: &Tile) {
    // SAFETY: passed on from the caller.
    unsafe { tile::<NV, true>(t) }
}

/// # Safety
/// As [`TileFn`].
unsafe fn plain_tile<const NV: usize>(t: &Tile) {
    // SAFETY: passed on from the caller.
    unsafe { tile::<NV, false>(t) }
}

/// The tile in pieces of 4 pixels × 16 lanes, which compilers keep in the registers of narrower vectors.
///
/// # Safety
/// As [`TileFn`].
#[inline(always)]
unsafe fn tile<const NV: usize, const FMA: bool>(t: &Tile) {
    const PIXELS: usize = 4;
    for (v, first) in (0..NV).flat_map(|v| (0..MR).step_by(PIXELS).map(move |first| (v, first))) {
        let mut acc = [[0f32; 16]; PIXELS];
        for (tap, k) in
            t.taps.iter().enumerate().flat_map(|(j, &tap)| (0..t.inner).map(move |k| (tap + k, j * t.inner + k)))
        {
            // SAFETY: `k < taps · inner` rows of 16 NV weights; `src[i] + tap + k` lies in the pixel's window.
            let (w, a) = unsafe {
                let w = *t.weights.add(k * 16 * NV + 16 * v).cast::<[f32; 16]>();
                let mut a = [0f32; PIXELS];
                for (a, src) in a.iter_mut().zip(&t.src[first..]) {
                    *a = *src.add(tap);
                }
                (w, a)
            };
            for (acc, a) in acc.iter_mut().zip(a) {
                for (acc, w) in acc.iter_mut().zip(w) {
                    *acc = if FMA { a.mul_add(w, *acc) } else { *acc + a * w };
                }
            }
        }
        for (i, acc) in acc.iter().enumerate() {
            for (lane, acc) in acc.iter().enumerate() {
                let at = 16 * v + lane;
                // SAFETY: output pixels, added pixels and biases hold 16 NV values from the block's first channel on.
                unsafe {
                    let added = t.add.map_or(0.0, |add| *add[first + i].add(t.oc + at));
                    *t.dst[first + i].add(t.oc + at) = (acc + *t.bias.add(at) + added).max(t.low).min(t.high);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every kernel that this processor can run against the sum written out in f64.
    #[test]
    fn all_kernels_compute_the_tile() {
        let value = |i: usize| ((i * 37 + 11) % 101) as f32 / 50.0 - 1.0;
        let (taps, inner, oc) = ([0usize, 40, 90], 7usize, 16usize);
        let src: Vec<f32> = (0..400).map(value).collect();
        let add: Vec<f32> = (0..MR * 64).map(|i| value(i + 5)).collect();
        for lanes in [16usize, 32] {
            let weights: Vec<f32> = (0..taps.len() * inner * lanes).map(|i| value(i + 3)).collect();
            let bias: Vec<f32> = (0..lanes).map(|i| value(i + 9)).collect();
            for &name in Simd::available() {
                let run = if lanes == 16 { of(name).0 } else { of(name).1 };
                let mut out = vec![f32::NAN; MR * 64];
                let base = out.as_mut_ptr();
                let tile = Tile {
                    src: &std::array::from_fn(|i| src[13 * i..].as_ptr()),
                    taps: &taps,
                    inner,
                    weights: weights.as_ptr(),
                    bias: bias.as_ptr(),
                    dst: &std::array::from_fn(|i| base.wrapping_add(64 * i)),
                    add: Some(&std::array::from_fn(|i| add[64 * i..].as_ptr())),
                    oc,
                    low: -1.5,
                    high: 1.5,
                };
                // SAFETY: 12 windows of at most 143 + 97 values in `src`; 64 values a pixel in `out` and `add`.
                unsafe { run(&tile) };
                for i in 0..MR {
                    for lane in 0..64 {
                        let got = out[64 * i + lane];
                        if !(oc..oc + lanes).contains(&lane) {
                            assert!(got.is_nan(), "{name} writes outside its block");
                            continue;
                        }
                        let mut want = f64::from(bias[lane - oc]) + f64::from(add[64 * i + lane]);
                        for (j, tap) in taps.iter().enumerate() {
                            for k in 0..inner {
                                let w = weights[(j * inner + k) * lanes + lane - oc];
                                want += f64::from(src[13 * i + tap + k]) * f64::from(w);
                            }
                        }
                        let want = want.clamp(-1.5, 1.5);
                        assert!((f64::from(got) - want).abs() < 1e-5, "{name} {lanes} {i} {lane}: {got} {want}");
                    }
                }
            }
        }
    }
}
