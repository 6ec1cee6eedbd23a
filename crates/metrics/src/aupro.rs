//! Area under the per-region overlap curve, exactly.
//!
//! Bergmann et al., "The MVTec Anomaly Detection Dataset", IJCV 2021, section 4.2: the per-region overlap (PRO) of a
//! threshold is the share of a region's pixels at or above it, averaged over all regions; it is drawn against the
//! false-positive rate of all normal pixels.

use zsad_core::{MetricSpec, MetricValue};

use crate::{Formula, Metric, PixelRanking};

/// The false-positive rate up to which the curve is integrated.
const LIMIT: f64 = 0.3;

pub(crate) static DEF: Metric = Metric {
    spec: MetricSpec {
        name: "aupro",
        label: "AUPRO (FPR up to 0.3)",
        summary: "area under per-region overlap (8-connected) against pixel false-positive rate up to 0.3, over 0.3",
        headline: true,
        ..MetricSpec::PIXEL
    },
    formula: Formula::Pixels(value),
};

fn value(ranking: &PixelRanking) -> MetricValue {
    let total = ranking.total();
    crate::ranking::both_classes(total, || area(ranking, total.fp as f64) / LIMIT)
}

/// The integral of the curve from 0 to [`LIMIT`]: trapezoids between all steps, the last one cut at the
/// limit by linear interpolation.
fn area(ranking: &PixelRanking, normals: f64) -> f64 {
    let regions = ranking.region_sizes();
    let weights: Vec<f64> = regions.iter().map(|&size| 1.0 / (size as f64 * regions.len() as f64)).collect();
    let (mut area, mut fpr, mut pro) = (0.0, 0.0, 0.0);
    for (step, regions) in ranking.steps() {
        let gain: f64 = regions.map(|region| weights[region as usize - 1]).sum();
        let next = step.fp as f64 / normals;
        if next > LIMIT {
            let at_limit = pro + gain * (LIMIT - fpr) / (next - fpr);
            return area + (LIMIT - fpr) * (pro + at_limit) / 2.0;
        }
        area += (next - fpr) * (pro + pro + gain) / 2.0;
        (fpr, pro) = (next, pro + gain);
    }
    // Not reached: the last step has the rate 1, which is beyond the limit.
    area
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::regions;
    use proptest::prelude::*;

    /// One threshold at a time, every pixel looked at again for each.
    fn brute(maps: &[f32], masks: &[u8], height: usize, width: usize) -> f64 {
        let found = regions(masks, height, width);
        let mut thresholds = maps.to_vec();
        thresholds.sort_by(|a, b| b.total_cmp(a));
        let normals = masks.iter().filter(|&&m| m == 0).count() as f64;
        let mut curve = vec![(0.0, 0.0)];
        for t in thresholds {
            let fp = maps.iter().zip(masks).filter(|(s, m)| **s >= t && **m == 0).count() as f64;
            let overlaps = found.sizes.iter().enumerate().map(|(r, &size)| {
                let hit = maps.iter().zip(&found.labels).filter(|(s, l)| **s >= t && **l as usize == r + 1).count();
                hit as f64 / size as f64
            });
            curve.push((fp / normals, overlaps.sum::<f64>() / found.sizes.len() as f64));
        }
        let mut area = 0.0;
        for pair in curve.windows(2) {
            let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
            if x0 < 0.3 && x1 > x0 {
                let cut = x1.min(0.3);
                area += (cut - x0) * (y0 + y0 + (y1 - y0) * (cut - x0) / (x1 - x0)) / 2.0;
            }
        }
        area / 0.3
    }

    /// Three maps of 6 × 6, sin(0.9 i) raised by 0.8 inside of the masks: one region of two pixels that touch at a corner, two of
    /// the second image, none of the third. The areas are those of a curve through all thresholds, computed in NumPy from the
    /// definition beside SubspaceAD's code.
    #[test]
    fn equals_an_independent_curve_through_all_thresholds() {
        let mut masks = [0u8; 108];
        let inside =
            [(0, 0, 0), (0, 1, 1), (1, 2, 2), (1, 2, 3), (1, 2, 4), (1, 3, 2), (1, 3, 3), (1, 3, 4), (1, 0, 5)];
        inside.iter().for_each(|&(image, y, x)| masks[36 * image + 6 * y + x] = 1);
        let map = |(i, mask): (usize, &u8)| ((0.9 * i as f64).sin() + 0.8 * f64::from(*mask)) as f32;
        let maps: Vec<f32> = masks.iter().enumerate().map(map).collect();
        for (maps, wanted) in [(&maps[..], 0.372989151), (&maps[..72], 0.399176955)] {
            let found = value(&PixelRanking::new(maps, &masks[..maps.len()], 6, 6).unwrap());
            assert!(matches!(found, MetricValue::Defined(v) if (v - wanted).abs() < 1e-8), "{found:?} {wanted}");
        }
    }

    proptest! {
        #[test]
        fn equals_a_loop_over_thresholds(pixels in prop::collection::vec((-9i8..9, prop::bool::weighted(0.3)), 60)) {
            let maps: Vec<f32> = pixels.iter().map(|p| f32::from(p.0) / 4.0).collect();
            let masks: Vec<u8> = pixels.iter().map(|p| u8::from(p.1)).collect();
            match value(&PixelRanking::new(&maps, &masks, 5, 6).unwrap()) {
                MetricValue::Defined(ours) => {
                    let brute = brute(&maps, &masks, 5, 6);
                    prop_assert!((ours - brute).abs() < 1e-12, "{ours} {brute}");
                }
                MetricValue::Undefined(_) => prop_assert!(masks.iter().all(|&m| m == masks[0])),
            }
        }
    }
}
