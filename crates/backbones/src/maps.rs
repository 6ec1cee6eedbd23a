//! Plain array code on maps `[c, h, w]`: pooling, resizing, smoothing.

use crate::layer::LayerShape;

/// Mean over 3 × 3 neighbours, zeros beyond the edge counted (PyTorch's `avg_pool2d(x, 3, 1, 1)`): the locally aware
/// patch features of PatchCore. `[c, h, w]` → the same shape.
pub fn mean3x3(shape: LayerShape, map: &[f32]) -> Vec<f32> {
    box_mean(shape, map, 3)
}

/// The same over `side` × `side` neighbours, `side` odd (PyTorch's `avg_pool2d(x, side, 1, side // 2)`).
pub fn box_mean(shape: LayerShape, map: &[f32], side: usize) -> Vec<f32> {
    let (LayerShape { height, width, .. }, around, size) = (shape, side / 2, (side * side) as f32);
    let mut out = Vec::with_capacity(map.len());
    for plane in map.chunks_exact(height * width) {
        for y in 0..height {
            for x in 0..width {
                let mut sum = 0.0;
                let rows = plane.chunks_exact(width).take((y + around + 1).min(height)).skip(y.saturating_sub(around));
                for row in rows {
                    sum += row[x.saturating_sub(around)..(x + around + 1).min(width)].iter().sum::<f32>();
                }
                out.push(sum / size);
            }
        }
    }
    out
}

/// Bilinear resizing with the corners of pixels aligned (PyTorch's `interpolate(mode="bilinear",
/// align_corners=False)`): every plane of `[c, h, w]` → `[c, height, width]`.
pub fn resize_bilinear(shape: LayerShape, map: &[f32], height: usize, width: usize) -> Vec<f32> {
    resize(shape, map, (taps(shape.height, height), taps(shape.width, width)))
}

/// The same with the centres of the corner pixels aligned (PyTorch's `align_corners=True`).
pub fn resize_bilinear_corners(shape: LayerShape, map: &[f32], height: usize, width: usize) -> Vec<f32> {
    resize(shape, map, (corner_taps(shape.height, height), corner_taps(shape.width, width)))
}

/// Resizing by the nearest position above and to the left (PyTorch's `interpolate(mode="nearest")`): every plane of
/// `[c, h, w]` → `[c, height, width]`.
pub fn resize_nearest(shape: LayerShape, map: &[f32], height: usize, width: usize) -> Vec<f32> {
    let planes = map.chunks_exact(shape.height * shape.width);
    let at = |y: usize, x: usize| y * shape.height / height * shape.width + x * shape.width / width;
    planes.flat_map(|plane| (0..height).flat_map(move |y| (0..width).map(move |x| plane[at(y, x)]))).collect()
}

fn resize(shape: LayerShape, map: &[f32], (rows, columns): (Vec<Tap>, Vec<Tap>)) -> Vec<f32> {
    let (height, width) = (rows.len(), columns.len());
    let mut out = Vec::with_capacity(shape.channels * height * width);
    for plane in map.chunks_exact(shape.height * shape.width) {
        for &(y0, y1, fy) in &rows {
            let (top, bottom) = (&plane[y0 * shape.width..], &plane[y1 * shape.width..]);
            for &(x0, x1, fx) in &columns {
                let upper = top[x0] * (1.0 - fx) + top[x1] * fx;
                let lower = bottom[x0] * (1.0 - fx) + bottom[x1] * fx;
                out.push(upper * (1.0 - fy) + lower * fy);
            }
        }
    }
    out
}

/// Both neighbours of an output position, and the weight of the second.
type Tap = (usize, usize, f32);

fn taps(from: usize, to: usize) -> Vec<Tap> {
    let scale = from as f32 / to as f32;
    (0..to).map(|i| tap(((i as f32 + 0.5) * scale - 0.5).max(0.0), from)).collect()
}

fn corner_taps(from: usize, to: usize) -> Vec<Tap> {
    let scale = if to > 1 { (from - 1) as f32 / (to - 1) as f32 } else { 0.0 };
    (0..to).map(|i| tap(i as f32 * scale, from)).collect()
}

fn tap(at: f32, from: usize) -> Tap {
    let first = (at as usize).min(from - 1);
    (first, (first + 1).min(from - 1), at - first as f32)
}

/// Gaussian smoothing of one `[height, width]` plane in place: radius 4 σ, edges mirrored with the edge pixel repeated
/// (scipy's `gaussian_filter` with its defaults, which PatchCore, PaDiM and SPADE use with σ 4).
pub fn gaussian_blur(plane: &mut [f32], width: usize, sigma: f64) {
    let height = plane.len() / width;
    let radius = (4.0 * sigma + 0.5) as usize;
    let weight = |i: usize| (-0.5 * (i as f64 / sigma).powi(2)).exp();
    let total = weight(0) + 2.0 * (1..=radius).map(weight).sum::<f64>();
    let kernel: Vec<f64> = (0..=radius).map(|i| weight(i) / total).collect();
    let mut line = Vec::new();
    let mut smooth = |plane: &mut [f32], start: usize, step: usize, n: usize| {
        line.clear();
        line.extend((0..n).map(|i| f64::from(plane[start + i * step])));
        for i in 0..n {
            let sum = (1..=radius).fold(kernel[0] * line[i], |sum, r| {
                sum + kernel[r] * (line[mirror(i as isize - r as isize, n)] + line[mirror((i + r) as isize, n)])
            });
            plane[start + i * step] = sum as f32;
        }
    };
    for x in 0..width {
        smooth(plane, x, width, height);
    }
    for y in 0..height {
        smooth(plane, y * width, 1, width);
    }
}

/// `… b a | a b c | c b …`
fn mirror(i: isize, n: usize) -> usize {
    let i = i.rem_euclid(2 * n as isize) as usize;
    if i < n { i } else { 2 * n - 1 - i }
}

/// From one score a position to an anomaly map of the image's size: bilinear, then [`gaussian_blur`] with `sigma`
/// pixels (0: none). `[h, w]` → `[height, width]`.
pub fn anomaly_map(scores: &[f32], (h, w): (usize, usize), (height, width): (usize, usize), sigma: f64) -> Vec<f32> {
    let mut map = resize_bilinear(LayerShape { channels: 1, height: h, width: w }, scores, height, width);
    if sigma > 0.0 {
        gaussian_blur(&mut map, width, sigma);
    }
    map
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: LayerShape = LayerShape { channels: 2, height: 3, width: 4 };

    fn wave(n: usize) -> Vec<f32> {
        (0..n).map(|i| (i as f64 * 0.9).sin() as f32).collect()
    }

    fn assert_near(got: &[f32], want: &[f32]) {
        assert_eq!(got.len(), want.len());
        for (i, (g, w)) in got.iter().zip(want).enumerate() {
            assert!((g - w).abs() < 2e-6, "{i}: {g} {w}");
        }
    }

    // import torch, numpy as np, torch.nn.functional as F; from scipy.ndimage import gaussian_filter
    // x = torch.sin(torch.arange(24, dtype=torch.float64) * 0.9).float().reshape(1, 2, 3, 4)
    // F.avg_pool2d(x, 3, 1, 1)[0, 1]; F.avg_pool2d(x, 5, 1, 2)[0, 1, 1]; F.interpolate(x, (5, 3), mode="bilinear", align_corners=False)[0, 1]
    // F.interpolate(x, (5, 3), mode="bilinear", align_corners=True)[0, 1]
    // gaussian_filter(x[0].numpy().astype(np.float64).reshape(4, 6), 1.5)
    #[test]
    fn pooling_resizing_and_smoothing_are_pytorchs_and_scipys() {
        let x = wave(24);
        assert_near(&mean3x3(SHAPE, &x)[12..], &POOLED);
        assert_near(&box_mean(SHAPE, &x, 5)[16..20], &WIDE);
        assert_eq!(box_mean(SHAPE, &x, 1), x);
        assert_near(&resize_bilinear(SHAPE, &x, 5, 3)[15..], &RESIZED);
        assert_near(&resize_bilinear_corners(SHAPE, &x, 5, 3)[15..], &CORNERS);
        let mut plane = x.clone();
        gaussian_blur(&mut plane, 6, 1.5);
        assert_near(&plane, &BLURRED);
    }

    #[test]
    fn an_anomaly_map_has_the_images_size_and_keeps_its_peak() {
        let mut scores = vec![0f32; 49];
        scores[3 * 7 + 5] = 1.0;
        let map = anomaly_map(&scores, (7, 7), (56, 56), 4.0);
        let peak = (0..map.len()).max_by(|&a, &b| map[a].total_cmp(&map[b])).unwrap();
        assert!((peak / 56).abs_diff(28) <= 1 && (peak % 56).abs_diff(44) <= 1, "{peak}");
        assert!((map.iter().sum::<f32>() - 64.0).abs() < 1e-2, "smoothing keeps the sum");
    }

    const POOLED: [f32; 12] = [
        -0.04228016,
        -0.09103559,
        -0.1093692,
        -0.06878661,
        -0.1201207,
        -0.0784679,
        0.09343629,
        0.1284163,
        0.07353709,
        0.111454,
        0.08505586,
        0.03537106,
    ];
    const WIDE: [f32; 4] = [-0.02824844, 0.002986438, 0.002986438, 0.03363707];
    const RESIZED: [f32; 15] = [
        -0.9444441,
        -0.3641803,
        0.6754243,
        -0.2183311,
        -0.2336444,
        0.04573804,
        0.8708382,
        -0.03784069,
        -0.8987912,
        -0.02211629,
        0.2440927,
        0.2024275,
        -0.6174189,
        0.4320482,
        0.9365729,
    ];
    const CORNERS: [f32; 15] = [
        -0.9809362,
        -0.3641803,
        0.8037844,
        -0.007639229,
        -0.2010105,
        -0.09014028,
        0.9656578,
        -0.03784069,
        -0.984065,
        0.1073353,
        0.1971038,
        -0.01145613,
        -0.7509872,
        0.4320482,
        0.9611527,
    ];
    const BLURRED: [f32; 24] = [
        -0.001722184,
        0.1527015,
        0.2963933,
        0.2721121,
        0.0889861,
        -0.08516418,
        -0.1765616,
        -0.009983499,
        0.1892674,
        0.2715309,
        0.2058818,
        0.1061365,
        -0.3958904,
        -0.2284733,
        0.02710806,
        0.2453925,
        0.344321,
        0.3542434,
        -0.5310984,
        -0.3746498,
        -0.09499768,
        0.2090241,
        0.4231256,
        0.5136714,
    ];
}
