//! Tokens with their neighbourhoods.

/// Sides of the neighbourhoods, in patches.
pub(super) const SIDES: [usize; 3] = [1, 3, 5];
/// Of the Gaussian that weights them, in patches.
const SIGMA: f64 = 4.0;

/// The tokens of an image, row by row, from `[width, 1 + rows · columns]`: the class token as it is, each patch as the mean of its `side` ×
/// `side` neighbours, weighted by a Gaussian; zeros beyond the edge count.
pub(super) fn tokens(map: &[f32], (rows, columns): (usize, usize), side: usize) -> Vec<f32> {
    let count = 1 + rows * columns;
    let width = map.len() / count;
    let weights = weights(side);
    let mut out = vec![0f32; map.len()];
    for (c, plane) in map.chunks_exact(count).enumerate() {
        let (class, patches) = (plane[0], &plane[1..]);
        let down = smoothed(patches, &weights, (rows, columns), (columns, 1));
        let both = smoothed(&down, &weights, (columns, rows), (1, columns));
        for (to, v) in out[c..].iter_mut().step_by(width).zip(std::iter::once(class).chain(both)) {
            *to = v;
        }
    }
    out
}

/// A Gaussian at whole distances from the middle, its sum 1.
fn weights(side: usize) -> Vec<f32> {
    let raw: Vec<f64> =
        (0..side).map(|i| (-0.5 * ((i as f64 - (side - 1) as f64 / 2.0) / SIGMA).powi(2)).exp()).collect();
    let total: f64 = raw.iter().sum();
    raw.into_iter().map(|w| (w / total) as f32).collect()
}

/// Along one axis of `along` positions, `step` apart, in `lines` lines, `apart` apart.
fn smoothed(plane: &[f32], weights: &[f32], (along, lines): (usize, usize), (step, apart): (usize, usize)) -> Vec<f32> {
    let (mut out, around) = (vec![0f32; plane.len()], weights.len() / 2);
    for line in 0..lines {
        for i in 0..along {
            let held = (i.saturating_sub(around)..(i + around + 1).min(along)).map(|j| (j, weights[j + around - i]));
            out[line * apart + i * step] = held.map(|(j, w)| w * plane[line * apart + j * step]).sum();
        }
    }
    out
}
