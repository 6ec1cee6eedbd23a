//! Points for the parity tests of the classical methods, made by one closed formula here and in Python:
//!
//! ```python
//! import numpy as np
//! i = np.arange(600)
//! w = ((i * i * 37 + i * 11 + i // 5 * 17) % 101 / 8).reshape(120, 5); w[4] = w[3]; w[11] += 20
//! x, y = w[:60], w[[70, 85, 100, 3]]
//! ```

use super::Points;

/// Sixty points of five features with ties, a duplicate (4) and an outlier (11): `x` in Python.
pub(crate) fn x() -> Points {
    wave(&(0..60).collect::<Vec<_>>())
}

/// Three further points and one of `x`: `y` in Python.
pub(crate) fn y() -> Points {
    wave(&[70, 85, 100, 3])
}

fn wave(rows: &[u64]) -> Points {
    let value = |i: u64| ((i * i * 37 + i * 11 + i / 5 * 17) % 101) as f64 / 8.0;
    let row = |&r: &u64| {
        let (from, shift) = match r {
            4 => (3, 0.0),
            11 => (11, 20.0),
            _ => (r, 0.0),
        };
        (from * 5..from * 5 + 5).map(move |i| value(i) + shift)
    };
    Points::from_values(rows.iter().flat_map(row).collect(), 5)
}

/// Fails unless the first scores are `expected` within the relative `tolerance`.
pub(crate) fn agree(scores: &[f64], expected: &[f64], tolerance: f64) {
    assert!(expected.len() <= scores.len());
    for (i, (score, expected)) in scores.iter().zip(expected).enumerate() {
        assert!((score - expected).abs() <= tolerance * expected.abs().max(1.0), "{i}: {score} and {expected}");
    }
}
