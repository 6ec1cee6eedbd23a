//! The metrics of ADer (Zhang et al., A Comprehensive Library for Benchmarking Multi-class Visual Anomaly Detection, 2024) as its
//! code defines them (zhangzjn/ADer @902937a, util/metric.py), where that differs from ours.
//!
//! There, maps are scaled to 0 … 1 over all images at once, an image's score is the greatest value of its map, F1 and IoU
//! are looked for on 21 thresholds, and AU-PRO on 200, rescaled by the greatest false-positive rate reached. To compare with
//! numbers that were printed so; ours are exact.

use crate::{Regions, regions};

/// Keeps ADer's ratios defined.
const EPSILON: f64 = 1e-8;

/// ADer's numbers of some maps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ader {
    /// Mean over the thresholds 0.2, 0.3 … 0.8 of F1, of recall (which is called accuracy there) and of IoU.
    pub mean: [f64; 3],
    /// Greatest F1 over the thresholds 0, 0.05 … 1.
    pub f1_max: f64,
    /// Greatest IoU over the same.
    pub iou_max: f64,
    /// Area under per-region overlap up to a false-positive rate of 0.3, over 200 thresholds; `None` where fewer than two of
    /// them reach a rate below that.
    pub aupro: Option<f64>,
}

/// Those of `maps` and `masks`, `[n, height, width]` both; `None` where maps are constant or no pixel is anomalous or normal.
pub fn ader(maps: &[f32], masks: &[u8], height: usize, width: usize) -> Option<Ader> {
    let (low, high) = maps.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), &v| (l.min(v), h.max(v)));
    let anomalous = masks.iter().filter(|m| **m > 0).count();
    if maps.len() != masks.len() || high <= low || anomalous == 0 || anomalous == masks.len() {
        return None;
    }
    let range = f64::from(high) - f64::from(low);
    let scaled: Vec<f64> = maps.iter().map(|&v| (f64::from(v) - f64::from(low)) / range).collect();
    let at = |threshold: f64| {
        let (mut tp, mut fp) = (0usize, 0usize);
        for (_, mask) in scaled.iter().zip(masks).filter(|(s, _)| **s > threshold) {
            *if *mask > 0 { &mut tp } else { &mut fp } += 1;
        }
        let (tp, fp, fneg) = (tp as f64, fp as f64, (anomalous - tp) as f64);
        let (precision, recall) = (tp / (tp + fp + EPSILON), tp / (tp + fneg + EPSILON));
        [2.0 * precision * recall / (precision + recall + EPSILON), recall, tp / (tp + fp + fneg + EPSILON)]
    };
    let mut mean = [0.0; 3];
    for step in 2..=8 {
        at(f64::from(step) / 10.0).iter().zip(&mut mean).for_each(|(v, sum)| *sum += v / 7.0);
    }
    let grid =
        (0..=20).map(|i| at(f64::from(i) / 20.0)).fold([0.0f64; 3], |best, v| [0, 1, 2].map(|i| best[i].max(v[i])));
    Some(Ader { mean, f1_max: grid[0], iou_max: grid[2], aupro: aupro(&scaled, masks, height, width) })
}

fn aupro(scaled: &[f64], masks: &[u8], height: usize, width: usize) -> Option<f64> {
    let Regions { labels, sizes } = regions(masks, height, width);
    let normals = masks.iter().filter(|m| **m == 0).count() as f64;
    let mut curve: Vec<(f64, f64)> = Vec::new();
    for step in 0..200 {
        let threshold = f64::from(step) / 200.0;
        let (mut hits, mut fp) = (vec![0usize; sizes.len()], 0usize);
        for (_, label) in scaled.iter().zip(&labels).filter(|(score, _)| **score > threshold) {
            match *label {
                0 => fp += 1,
                region => hits[region as usize - 1] += 1,
            }
        }
        let overlap: f64 = hits.iter().zip(&sizes).map(|(hit, size)| *hit as f64 / *size as f64).sum();
        curve.push((fp as f64 / normals, overlap / sizes.len() as f64));
    }
    curve.retain(|(fpr, _)| *fpr < 0.3);
    let (first, last) = (curve.first()?.0, curve.last()?.0);
    let range = first - last;
    let trapezoid = |w: &[(f64, f64)]| (w[0].0 - w[1].0) / range * (w[0].1 + w[1].1) / 2.0;
    (range > 0.0).then(|| curve.windows(2).map(trapezoid).sum())
}

/// The metrics whose mean is [`mad`].
pub const SEVEN: [&str; 7] = ["auroc", "aupr", "f1_max", "pixel_auroc", "pixel_aupr", "pixel_f1_max", "aupro"];

/// ADer's mAD: the mean of image AUROC, AP and F1-max, pixel AUROC, AP and F1-max, and AU-PRO.
pub fn mad(seven: [f64; 7]) -> f64 {
    seven.iter().sum::<f64>() / 7.0
}

/// The greatest IoU of pixels over all thresholds, from their greatest F1: IoU = F / (2 − F) at every threshold.
pub fn iou_of_f1(f1: f64) -> f64 {
    f1 / (2.0 - f1)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::find;
    use zsad_core::MetricInput;

    /// Three maps of 6×6 and their masks, by a formula.
    pub(crate) fn example() -> (Vec<f32>, Vec<u8>) {
        let inside = |image: usize, y: usize, x: usize| match image {
            1 => (1..=2).contains(&y) && (1..=2).contains(&x) || (4..=5).contains(&y) && (4..=5).contains(&x),
            2 => y <= 1 && x >= 3,
            _ => false,
        };
        let masks: Vec<u8> = (0..108).map(|i| u8::from(inside(i / 36, i / 6 % 6, i % 6))).collect();
        let value = |(i, mask): (usize, &u8)| (((37 * i) % 101) as f64 / 101.0 + 0.35 * f64::from(*mask)) as f32;
        (masks.iter().enumerate().map(value).collect(), masks)
    }

    /// By ADer's own `util/metric.py`; the exact ones by scikit-learn and by hand.
    #[test]
    fn they_are_aders_own_and_ours_are_exact() {
        let (maps, masks) = example();
        let found = ader(&maps, &masks, 6, 6).unwrap();
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-6, "{a} instead of {b}");
        found.mean.iter().zip([0.3597020896, 0.6632653056, 0.2207752719]).for_each(|(a, b)| near(*a, b));
        near(found.f1_max, 0.5454545403);
        near(found.iou_max, 0.3749999998);
        near(found.aupro.unwrap(), 0.5074404762);
        let exact = |name: &str| {
            let input = MetricInput::Maps { maps: &maps, masks: &masks, shape: &[6, 6] };
            find(name).unwrap().compute(input).value().unwrap()
        };
        near(exact("pixel_f1_max"), 0.6);
        near(iou_of_f1(exact("pixel_f1_max")), 0.4285714286);
        near(exact("pixel_auroc"), 0.7811550152);
        near(exact("pixel_aupr"), 0.5679290201);
        near(exact("aupro"), 0.5108353034);
    }

    #[test]
    fn what_has_no_order_or_one_class_has_no_numbers() {
        assert_eq!(ader(&[1.0; 4], &[0, 1, 0, 1], 2, 2), None);
        assert_eq!(ader(&[1.0, 2.0, 3.0, 4.0], &[0; 4], 2, 2), None);
    }
}
