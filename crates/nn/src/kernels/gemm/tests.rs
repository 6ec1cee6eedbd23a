//! Every instruction set's tiles that this processor has, against plain sums in f64.

use zsad_core::{Choice, Simd};

use super::*;
use crate::kernels::tile;

fn sets() -> Vec<(&'static str, Tiles<f32>)> {
    Simd::available().iter().map(|&simd| (simd.word(), tile::of(simd))).collect()
}

fn values(n: usize, seed: f32) -> Vec<f32> {
    (0..n).map(|i| (i as f32 * 0.7 + seed).sin()).collect()
}

/// m, k and n: one, odd, and past every block.
const SHAPES: [(usize, usize, usize); 6] =
    [(1, 1, 1), (7, 13, 5), (6, 128, 64), (13, 129, 65), (200, 300, 17), (259, 40, 131)];

fn assert_close(name: &str, got: &[f32], want: impl Fn(usize) -> f64) {
    for (i, &got) in got.iter().enumerate() {
        let want = want(i);
        assert!((f64::from(got) - want).abs() < 1e-4 * (1.0 + want.abs()), "{name} at {i}: {got} {want}");
    }
}

#[test]
fn rows_of_every_instruction_set() {
    for (name, tiles) in sets() {
        for (m, k, n) in SHAPES {
            // Rows lie apart by more than their length, in both matrices.
            let (a, weight, bias) = (values(m * (k + 3), 0.1), values(n * k, 0.2), values(n, 0.3));
            let (a_map, c_map) = (RowMap::dense(k + 3), RowMap::dense(n + 2));
            let b = Packed::transposed_for(tiles, k, n, &weight);
            let mut c = vec![9.0; m * (n + 2)];
            rows_product(m, (&a, &a_map), &[Run { offset: 3, len: k }], &b, Some(&bias), (&mut c, &c_map));
            assert_close(name, &c, |i| {
                let (r, j) = (i / (n + 2), i % (n + 2));
                let term = |l: usize| f64::from(a[r * (k + 3) + 3 + l]) * f64::from(weight[j * k + l]);
                // What lies between the rows stays.
                if j < n { f64::from(bias[j]) + (0..k).map(term).sum::<f64>() } else { 9.0 }
            });
        }
    }
}

#[test]
fn columns_of_every_instruction_set() {
    for (name, tiles) in sets() {
        for (rows, m, n) in SHAPES {
            let (a, b) = (values(rows * (m + 1), 0.4), values(rows * (n + 2), 0.5));
            let (a_map, b_map) = (RowMap::dense(m + 1), RowMap::dense(n + 2));
            let mut c = vec![2.0; (m + 1) * n];
            cols_product_for(tiles, rows, (&a, &a_map), &[(1, 1, m)], (&b, &b_map), n, &mut c);
            assert_close(name, &c, |i| {
                let (r, j) = (i / n, i % n);
                let term = |l: usize| f64::from(a[l * (m + 1) + r]) * f64::from(b[l * (n + 2) + j]);
                // The first row belongs to no part.
                2.0 + if r > 0 { (0..rows).map(term).sum::<f64>() } else { 0.0 }
            });
        }
    }
}
