//! Whether a map points at what is wrong: the best overlap with the mask, and where its greatest value lies.
//!
//! After Rashid et al., Trustworthiness of Visual Anomaly Detection Explanations, xAI 2024, whose threshold of a map is the one
//! that fits its mask best, and whose threshold of images is the greatest geometric mean of both rates.

/// The greatest IoU of a map's highest pixels with its mask, over all thresholds: the mask picks the threshold, so that this is
/// what a threshold could reach at best. `None` where the mask is empty.
pub fn best_iou(map: &[f32], mask: &[u8]) -> Option<f64> {
    let inside = mask.iter().filter(|m| **m > 0).count();
    if inside == 0 || map.len() != mask.len() {
        return None;
    }
    let mut order: Vec<(f32, bool)> = map.iter().copied().zip(mask.iter().map(|m| *m > 0)).collect();
    order.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
    let (mut tp, mut all, mut best) = (0usize, 0usize, 0.0f64);
    for tied in order.chunk_by(|a, b| a.0 == b.0) {
        tp += tied.iter().filter(|p| p.1).count();
        all += tied.len();
        best = best.max(tp as f64 / (inside + all - tp) as f64);
    }
    Some(best)
}

/// Whether the map's greatest value, the first of several, lies in the mask. `None` where the mask is empty.
pub fn points_at(map: &[f32], mask: &[u8]) -> Option<bool> {
    if !mask.contains(&1) || map.len() != mask.len() {
        return None;
    }
    let greatest = map.iter().enumerate().reduce(|a, b| if b.1 > a.1 { b } else { a })?.0;
    Some(mask[greatest] > 0)
}

/// The threshold of scores at which √(TPR (1 − FPR)) is greatest, the highest of several: what is at or above it alarms. `None`
/// where a class is missing.
pub fn image_threshold(scores: &[f64], labels: &[bool]) -> Option<f64> {
    let anomalous = labels.iter().filter(|l| **l).count() as f64;
    let normal = labels.len() as f64 - anomalous;
    if anomalous == 0.0 || normal == 0.0 {
        return None;
    }
    let mut order: Vec<(f64, bool)> = scores.iter().copied().zip(labels.iter().copied()).collect();
    order.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
    let (mut tp, mut fp, mut best) = (0.0, 0.0, (f64::NEG_INFINITY, 0.0));
    for tied in order.chunk_by(|a, b| a.0 == b.0) {
        let hits = tied.iter().filter(|s| s.1).count() as f64;
        (tp, fp) = (tp + hits, fp + tied.len() as f64 - hits);
        let mean = tp / anomalous * (1.0 - fp / normal);
        if mean > best.0 {
            best = (mean, tied[0].0);
        }
    }
    Some(best.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlap_and_place_are_those_counted_by_hand() {
        let (maps, masks) = crate::ader::tests::example();
        let image = |i: usize| (&maps[36 * i..36 * (i + 1)], &masks[36 * i..36 * (i + 1)]);
        assert_eq!(best_iou(image(1).0, image(1).1), Some(0.5));
        assert_eq!(best_iou(image(2).0, image(2).1), Some(1.0 / 3.0));
        assert_eq!([1, 2].map(|i| points_at(image(i).0, image(i).1)), [Some(true), Some(true)]);
        assert_eq!((best_iou(image(0).0, image(0).1), points_at(image(0).0, image(0).1)), (None, None));
        assert_eq!(points_at(&[0.0, 2.0, 2.0], &[1, 0, 1]), Some(false), "the first of two");
    }

    #[test]
    fn the_image_threshold_balances_both_rates() {
        let labels = [false, false, false, true, true];
        assert_eq!(image_threshold(&[0.1, 0.2, 0.8, 0.7, 0.9], &labels), Some(0.7));
        assert_eq!(image_threshold(&[0.1, 0.2], &[true, true]), None);
    }
}
