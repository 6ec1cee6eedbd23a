//! The transforms of Winograd's F(4×4, 3×3), in one dimension and in two: plain arithmetic, which the kernels of training and
//! those of frozen networks share.
//!
//! In one dimension four values of y_i = Σ_k x_{i+k} w_k come from six of x: y = Aᵀ [(G w) ⊙ (Bᵀ x)]. G and A evaluate
//! polynomials at six points, and Bᵀ is what undoes them (Winograd, Arithmetic Complexity of Computations, 1980). The
//! points are 0, ±√½, ±√2 and ∞: the factors stay nearer to 1 than with Lavin and Gray's 0, ±1, ±2 and ∞, and so do
//! rounding errors. Scale factors are G's.

use std::f64::consts::{FRAC_1_SQRT_2, SQRT_2};

/// A number to compute with.
pub trait Scalar:
    Copy + std::ops::Add<Output = Self> + std::ops::Sub<Output = Self> + std::ops::Mul<Output = Self>
{
    /// 0.
    const ZERO: Self;
    /// The nearest value.
    fn of(x: f64) -> Self;
}

impl Scalar for f32 {
    const ZERO: Self = 0.0;

    fn of(x: f64) -> Self {
        x as f32
    }
}

impl Scalar for f64 {
    const ZERO: Self = 0.0;

    fn of(x: f64) -> Self {
        x
    }
}

/// Values of x that a tile takes, by dimension; and the number of points.
pub const SIDE: usize = 6;
/// Values of y that a tile makes, by dimension.
pub const STEP: usize = 4;
/// Channels that are transformed at once: a register of f32.
const LANES: usize = 16;

/// A: the polynomial of coefficients `p` at all points.
#[inline(always)]
pub fn evaluate<F: Scalar, const N: usize>(p: [F; N]) -> [F; SIDE] {
    let [a, b, half, two] = [FRAC_1_SQRT_2, SQRT_2, 0.5, 2.0].map(F::of);
    let p = |i: usize| if i < N { p[i] } else { F::ZERO };
    let (even_a, odd_a) = (p(0) + half * p(2), a * (p(1) + half * p(3)));
    let (even_b, odd_b) = (p(0) + two * p(2), b * (p(1) + two * p(3)));
    [p(0), even_a + odd_a, even_a - odd_a, even_b + odd_b, even_b - odd_b, p(N - 1)]
}

/// Aᵀ.
#[inline(always)]
pub fn gather<F: Scalar, const N: usize>(v: [F; SIDE]) -> [F; N] {
    let [a, b, half, two] = [FRAC_1_SQRT_2, SQRT_2, 0.5, 2.0].map(F::of);
    let (even_a, odd_a) = (v[1] + v[2], a * (v[1] - v[2]));
    let (even_b, odd_b) = (v[3] + v[4], b * (v[3] - v[4]));
    let sums = [v[0] + even_a + even_b, odd_a + odd_b, half * even_a + two * even_b, half * odd_a + two * odd_b];
    std::array::from_fn(|i| if i == N - 1 { sums[i] + v[SIDE - 1] } else { sums[i] })
}

/// The factors by which G differs from evaluation: 1 / Π (x − other points) at each finite point x.
#[inline(always)]
pub fn scale<F: Scalar>(v: [F; SIDE]) -> [F; SIDE] {
    let [a, b] = [-2.0 / 3.0, 1.0 / 6.0].map(F::of);
    [v[0], a * v[1], a * v[2], b * v[3], b * v[4], v[5]]
}

/// Bᵀ: products with the polynomials that vanish at all finite points but one, and at all.
#[inline(always)]
pub fn input_transform<F: Scalar>(x: [F; SIDE]) -> [F; SIDE] {
    let [a, b, half, two, sum] = [FRAC_1_SQRT_2, SQRT_2, 0.5, 2.0, 2.5].map(F::of);
    let (even_a, odd_a) = (x[4] - two * x[2], a * (x[3] - two * x[1]));
    let (even_b, odd_b) = (x[4] - half * x[2], b * (x[3] - half * x[1]));
    let (first, last) = (x[0] + x[4] - sum * x[2], x[1] + x[5] - sum * x[3]);
    [first, even_a + odd_a, even_a - odd_a, even_b + odd_b, even_b - odd_b, last]
}

/// Applies `f` to the columns and then to the rows of a square of stretches of `c` channels: `from` says where those of
/// (row, column) start in `source` (nowhere: zeros), and `to` where they go in `target` (nowhere: dropped).
#[inline(always)]
pub fn transform<F: Scalar, const I: usize, const O: usize>(
    c: usize,
    (source, from): (&[F], impl Fn(usize, usize) -> Option<usize>),
    (target, to): (&mut [F], impl Fn(usize, usize) -> Option<usize>),
    f: impl Fn([F; I]) -> [F; O],
) {
    let (mut starts, mut ends) = ([[None; I]; I], [[None; O]; O]);
    for i in 0..I * I {
        starts[i / I][i % I] = from(i / I, i % I);
    }
    for i in 0..O * O {
        ends[i / O][i % O] = to(i / O, i % O);
    }
    let mut half = [[[F::ZERO; LANES]; I]; O];
    let full = c / LANES * LANES;
    for first in (0..full).step_by(LANES) {
        lanes::<F, I, O, true>(first..first + LANES, (source, &starts), (target, &ends), &mut half, &f);
    }
    if full < c {
        lanes::<F, I, O, false>(full..c, (source, &starts), (target, &ends), &mut half, &f);
    }
}

/// [`transform`] of some channels: [`LANES`] of them where `FULL`, a length that the compiler then knows.
#[inline(always)]
fn lanes<F: Scalar, const I: usize, const O: usize, const FULL: bool>(
    channels: std::ops::Range<usize>,
    (source, from): (&[F], &[[Option<usize>; I]; I]),
    (target, to): (&mut [F], &[[Option<usize>; O]; O]),
    half: &mut [[[F; LANES]; I]; O],
    f: &impl Fn([F; I]) -> [F; O],
) {
    let (first, width) = (channels.start, if FULL { LANES } else { channels.len() });
    for x in 0..I {
        let mut column = [[F::ZERO; LANES]; I];
        for y in 0..I {
            if let Some(at) = from[y][x] {
                column[y][..width].copy_from_slice(&source[at + first..][..width]);
            }
        }
        for l in 0..LANES {
            let mut values = [F::ZERO; I];
            for y in 0..I {
                values[y] = column[y][l];
            }
            let values = f(values);
            for y in 0..O {
                half[y][x][l] = values[y];
            }
        }
    }
    for y in 0..O {
        let mut row = [[F::ZERO; LANES]; O];
        for l in 0..LANES {
            let mut values = [F::ZERO; I];
            for x in 0..I {
                values[x] = half[y][x][l];
            }
            let values = f(values);
            for x in 0..O {
                row[x][l] = values[x];
            }
        }
        for x in 0..O {
            if let Some(at) = to[y][x] {
                target[at + first..][..width].copy_from_slice(&row[x][..width]);
            }
        }
    }
}
