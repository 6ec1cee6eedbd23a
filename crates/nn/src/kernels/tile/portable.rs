//! Plain Rust for any float and any processor.

use super::{Cols, ROWS, Rows, Start, Tiles};
use crate::kernels::Real;

const WIDTH: usize = 8;

/// Plain Rust for any float and any processor.
pub fn portable<F: Real>() -> Tiles<F> {
    Tiles { width: WIDTH, rows, cols, transpose }
}

/// # Safety
/// As [`Tiles`].
unsafe fn rows<F: Real>(m: usize, t: &Rows<'_, F>) {
    // SAFETY: the caller vouches for the pointers.
    unsafe {
        let mut acc = [[F::ZERO; WIDTH]; ROWS];
        for (acc, c) in acc.iter_mut().zip(t.c).take(m) {
            for (j, acc) in acc.iter_mut().enumerate().take(t.n) {
                *acc = match t.start {
                    Start::Output => *c.add(j),
                    Start::Values(v) => *v.add(j),
                };
            }
        }
        let mut b = t.b;
        for run in t.runs {
            for k in run.offset..run.offset + run.len {
                for (acc, a) in acc.iter_mut().zip(t.a).take(m) {
                    add_scaled(acc, *a.add(k), b);
                }
                b = b.add(WIDTH);
            }
        }
        for (acc, c) in acc.iter().zip(t.c).take(m) {
            std::ptr::copy_nonoverlapping(acc.as_ptr(), c, t.n);
        }
    }
}

/// # Safety
/// As [`Tiles`].
unsafe fn cols<F: Real>(m: usize, t: &Cols<'_, F>) {
    // SAFETY: the caller vouches for the pointers.
    unsafe {
        let mut acc = [[F::ZERO; WIDTH]; ROWS];
        for (k, &row) in t.rows.iter().enumerate() {
            for (i, acc) in acc.iter_mut().enumerate().take(m) {
                add_scaled(acc, *t.a.add(row + i), t.b.add(k * WIDTH));
            }
        }
        for (i, acc) in acc.iter().enumerate().take(m) {
            for (j, &acc) in acc.iter().enumerate().take(t.n) {
                let c = t.c.add(i * t.ldc + j);
                *c = *c + acc;
            }
        }
    }
}

/// # Safety
/// None: the bounds are checked.
unsafe fn transpose<F: Real>(from: &[F], [rows, columns]: [usize; 2], to: &mut [F], stride: usize) {
    for (i, row) in from.chunks_exact(columns.max(1)).take(rows).enumerate() {
        for (&v, to) in row.iter().zip(to[i..].iter_mut().step_by(stride)) {
            *to = v;
        }
    }
}

/// # Safety
/// `b` must be valid for a panel's row.
unsafe fn add_scaled<F: Real>(acc: &mut [F; WIDTH], a: F, b: *const F) {
    for (j, acc) in acc.iter_mut().enumerate() {
        // SAFETY: j < WIDTH.
        *acc = *acc + a * unsafe { *b.add(j) };
    }
}
