//! From windows to patches.

use zsad_backbones::LayerShape;

use super::WINDOWS;

/// Rows and columns of patches, from the shape of the largest windows.
pub(super) fn grid(windows: LayerShape) -> (usize, usize) {
    (windows.height + WINDOWS[0] - 1, windows.width + WINDOWS[0] - 1)
}

/// The value, or 0 where there is none.
pub(super) fn finite(value: f64) -> f64 {
    if value.is_finite() { value } else { 0.0 }
}

/// For every patch the harmonic mean over the windows of `side` × `side` patches that hold it.
pub(super) fn harmonic(values: &[f64], side: usize, (rows, columns): (usize, usize)) -> Vec<f64> {
    let (down, across) = (rows + 1 - side, columns + 1 - side);
    let span = |at: usize, windows: usize| at.saturating_sub(side - 1)..(at + 1).min(windows);
    let of = |(y, x): (usize, usize)| {
        let held = span(y, down).flat_map(|wy| span(x, across).map(move |wx| values[wy * across + wx]));
        held.clone().count() as f64 / held.map(|v| 1.0 / v).sum::<f64>()
    };
    (0..rows).flat_map(|y| (0..columns).map(move |x| (y, x))).map(of).collect()
}
