//! A rectangle of another picture, blended in by its gradients (Pérez et al., Poisson Image Editing, SIGGRAPH 2003).

use std::f64::consts::PI;

use rand::RngExt;
use zsad_core::rng::Rng;

use super::patch::Picture;

/// The half of a rectangle's side, as a share of the picture's: this and twice an exponential of this mean, at most that.
const LEAST: f64 = 0.03;
const MEAN: f64 = 0.05;
const MOST: f64 = 0.4;
/// A pixel belongs to the defect where its channels differ by more than this on average.
const SEEN: f32 = 1.0 / 255.0;
/// Tries to find a place where anything is seen.
const TRIES: usize = 20;

/// Blends a rectangle of `source` in; says where the picture changed: nowhere in the worst case, that all tries change nothing.
pub(super) fn apply(picture: &mut Picture, source: &Picture, rng: &mut Rng) -> Vec<u8> {
    for _ in 0..TRIES {
        let mut side = |all: usize| {
            let gamma = -MEAN * (1.0 - rng.random::<f64>()).ln() - MEAN * (1.0 - rng.random::<f64>()).ln();
            ((2.0 * (LEAST + gamma).min(MOST) * all as f64).round() as usize).clamp(3.min(all), all)
        };
        let size = (side(picture.height), side(picture.width));
        let patch = source.cut(size, rng);
        let (top, left) = picture.place(size, rng);
        let mut change = vec![0f32; size.0 * size.1];
        for channel in 0..picture.channels {
            let own = |y: usize, x: usize| f64::from(picture.values[picture.at(channel, top + y, left + x)]);
            let other = |y: usize, x: usize| f64::from(patch.values[patch.at(channel, y, x)]);
            let blended = blend(size, own, other, true);
            for y in 0..size.0 {
                for x in 0..size.1 {
                    let at = picture.at(channel, top + y, left + x);
                    let value = (blended[y * size.1 + x] as f32).clamp(0.0, 1.0);
                    change[y * size.1 + x] += (value - picture.values[at]).abs() / picture.channels as f32;
                    picture.values[at] = value;
                }
            }
        }
        let seen: Vec<u8> = change.iter().map(|&c| u8::from(c > SEEN)).collect();
        let smooth = median(&seen, size);
        // Of what is too small for the median, every pixel.
        let mask = if smooth.contains(&1) { smooth } else { seen };
        if mask.contains(&1) {
            let mut all = vec![0; picture.height * picture.width];
            for (y, row) in mask.chunks_exact(size.1).enumerate() {
                all[(top + y) * picture.width + left..][..size.1].copy_from_slice(row);
            }
            return all;
        }
    }
    vec![0; picture.height * picture.width]
}

/// The rectangle of `target` whose inside has the gradients of `source`, or, if `mixed`, of each pair of neighbours the larger
/// difference of the two; its border stays. −Δu = −div v with sine transforms in both axes.
fn blend(
    (height, width): (usize, usize),
    target: impl Fn(usize, usize) -> f64,
    source: impl Fn(usize, usize) -> f64,
    mixed: bool,
) -> Vec<f64> {
    let mut all: Vec<f64> = (0..height * width).map(|i| target(i / width, i % width)).collect();
    if height < 3 || width < 3 {
        return all;
    }
    let (rows, columns) = (height - 2, width - 2);
    let border = |y: usize, x: usize| y == 0 || x == 0 || y == height - 1 || x == width - 1;
    let mut right = vec![0.0; rows * columns];
    for (i, to) in right.iter_mut().enumerate() {
        let (y, x) = (i / columns + 1, i % columns + 1);
        for (ny, nx) in [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)] {
            let (s, t) = (source(y, x) - source(ny, nx), target(y, x) - target(ny, nx));
            *to += if mixed && t.abs() > s.abs() { t } else { s };
            if border(ny, nx) {
                *to += target(ny, nx);
            }
        }
    }
    let (of_rows, of_columns) = (sines(rows), sines(columns));
    let mut middle = both(&of_rows, &right, &of_columns);
    let eigenvalue = |k: usize, n: usize| 2.0 - 2.0 * (PI * (k + 1) as f64 / (n + 1) as f64).cos();
    for (i, v) in middle.iter_mut().enumerate() {
        *v /= eigenvalue(i / columns, rows) + eigenvalue(i % columns, columns);
    }
    for (i, v) in both(&of_rows, &middle, &of_columns).into_iter().enumerate() {
        all[(i / columns + 1) * width + i % columns + 1] = v;
    }
    all
}

/// The orthonormal, symmetric matrix of the sine transform (DST-I).
fn sines(n: usize) -> Vec<f64> {
    let scale = (2.0 / (n + 1) as f64).sqrt();
    (0..n * n).map(|i| scale * (PI * ((i / n + 1) * (i % n + 1)) as f64 / (n + 1) as f64).sin()).collect()
}

/// `rows · x · columns`, both symmetric.
fn both(rows: &[f64], x: &[f64], columns: &[f64]) -> Vec<f64> {
    product(&product(rows, x, columns.len().isqrt()), columns, columns.len().isqrt())
}

/// `a · b`, of matrices of `n` columns each, where `a` has as many columns as `b` rows.
fn product(a: &[f64], b: &[f64], n: usize) -> Vec<f64> {
    let inner = b.len() / n;
    let mut out = vec![0.0; a.len() / inner * n];
    for (row, to) in a.chunks_exact(inner).zip(out.chunks_exact_mut(n)) {
        for (&weight, from) in row.iter().zip(b.chunks_exact(n)) {
            to.iter_mut().zip(from).for_each(|(to, from)| *to += weight * from);
        }
    }
    out
}

/// What most of the 5 × 5 pixels around each say; outside there are none, so that the border, which never changes, is never in it.
fn median(mask: &[u8], (height, width): (usize, usize)) -> Vec<u8> {
    let around = |at: usize, most: usize| at.saturating_sub(2)..(at + 3).min(most);
    let vote = |i: usize| {
        let (ys, xs) = (around(i / width, height), around(i % width, width));
        let ones = ys.flat_map(|y| xs.clone().map(move |x| mask[y * width + x])).filter(|&m| m == 1).count();
        u8::from(2 * ones > 25)
    };
    (0..height * width).map(vote).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inside(blended: &[f64]) -> Vec<f64> {
        (0..9).map(|i| blended[(i / 3 + 1) * 5 + i % 3 + 1]).collect()
    }

    /// ```python
    /// import numpy as np
    /// i, j = np.mgrid[:5, :5]; t, s = i + 2. * j, np.sin(.9 * (5 * i + j))
    /// A, b = np.zeros((9, 9)), np.zeros(9)
    /// for p in range(9):
    ///     y, x = p // 3 + 1, p % 3 + 1; A[p, p] = 4
    ///     for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
    ///         b[p] += s[y, x] - s[v, u]
    ///         if 0 < v < 4 and 0 < u < 4: A[p, (v - 1) * 3 + u - 1] = -1
    ///         else: b[p] += t[v, u]
    /// print(np.linalg.solve(A, b).reshape(3, 3))
    /// ```
    #[test]
    fn the_inside_solves_poissons_equation() {
        let (target, source) =
            (|i: usize, j: usize| (i + 2 * j) as f64, |i: usize, j: usize| (0.9 * (5 * i + j) as f64).sin());
        let want = [
            2.056454168,
            4.490487672,
            7.239297371,
            3.191461749,
            4.612758325,
            6.944130363,
            5.550853623,
            6.942733432,
            8.346332785,
        ];
        let blended = blend((5, 5), target, source, false);
        let got = inside(&blended);
        assert!(got.iter().zip(want).all(|(g, w)| (g - w).abs() < 1e-8), "{got:?}");
        assert!((0..25).all(|i| ![0, 4].contains(&(i / 5)) || blended[i] == target(i / 5, i % 5)), "the border stays");
    }

    #[test]
    fn a_pictures_own_gradients_give_it_back_and_none_the_harmonic_surface() {
        let target = |i: usize, j: usize| (i + 2 * j) as f64;
        for (source, mixed) in
            [(&target as &dyn Fn(usize, usize) -> f64, false), (&|_, _| 7.0, false), (&|_, _| 7.0, true)]
        {
            let blended = blend((5, 5), target, source, mixed);
            assert!(blended.iter().enumerate().all(|(i, b)| (b - target(i / 5, i % 5)).abs() < 1e-9), "{blended:?}");
        }
    }

    #[test]
    fn lone_pixels_do_not_pass_the_median() {
        let mut mask = vec![0; 81];
        mask[40] = 1;
        assert_eq!(median(&mask, (9, 9)), vec![0; 81]);
        let square = median(&[1; 81], (9, 9));
        assert_eq!((square[40], square[2 * 9 + 2], square[0]), (1, 1, 0));
    }
}
