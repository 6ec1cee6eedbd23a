//! The greatest F1 score of pixels over all thresholds.

use zsad_core::{MetricSpec, MetricValue};

use crate::{Formula, Metric, PixelRanking, f1_max};

pub(crate) static DEF: Metric = Metric {
    spec: MetricSpec {
        name: "pixel_f1_max",
        label: "pixel F1max",
        summary: "f1_max over the pixels of all maps",
        ..MetricSpec::PIXEL
    },
    formula: Formula::Pixels(value),
};

fn value(ranking: &PixelRanking) -> MetricValue {
    ranking.defined(|steps, total| f1_max::max(steps, total))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn equals_a_loop_over_thresholds(pixels in prop::collection::vec((-4i8..4, any::<bool>()), 24)) {
            let maps: Vec<f32> = pixels.iter().map(|p| f32::from(p.0) / 3.0).collect();
            let masks: Vec<u8> = pixels.iter().map(|p| u8::from(p.1)).collect();
            let anomalous = pixels.iter().filter(|p| p.1).count();
            let brute = (-4i8..4).map(|t| {
                let tp = pixels.iter().filter(|p| p.0 >= t && p.1).count() as f64;
                let precision = tp / pixels.iter().filter(|p| p.0 >= t).count() as f64;
                let recall = tp / anomalous as f64;
                if tp > 0.0 { 2.0 * precision * recall / (precision + recall) } else { 0.0 }
            }).fold(0.0, f64::max);
            match value(&PixelRanking::new(&maps, &masks, 3, 4).unwrap()) {
                MetricValue::Defined(ours) => prop_assert!((ours - brute).abs() < 1e-12, "{ours} {brute}"),
                MetricValue::Undefined(_) => prop_assert!(anomalous == 0 || anomalous == 24),
            }
        }
    }
}
