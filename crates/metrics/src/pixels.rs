//! The sorted pass over all pixels of a set of maps.

use zsad_core::MetricValue;

use crate::components::{Regions, regions};
use crate::ranking::{Step, both_classes};

/// All pixels in the order of their scores, each with the anomalous region that it lies in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PixelRanking {
    /// The complement of the score's order in the upper half, the region (0: normal) in the lower.
    sorted: Vec<u64>,
    region_sizes: Vec<u64>,
}

impl PixelRanking {
    /// Finds the regions of `masks` and sorts `maps`, `[n, height, width]` both.
    ///
    /// # Errors
    /// The reason why nothing can be ranked: a score is not finite, or the shapes differ.
    pub fn new(maps: &[f32], masks: &[u8], height: usize, width: usize) -> Result<Self, &'static str> {
        if maps.len() != masks.len() || height * width == 0 || !maps.len().is_multiple_of(height * width) {
            return Err("maps and masks differ in shape");
        }
        if maps.iter().any(|s| !s.is_finite()) {
            return Err("non-finite score");
        }
        let Regions { labels, sizes } = regions(masks, height, width);
        let entries = maps.iter().zip(&labels).map(|(&score, &region)| pack(score, region));
        Ok(PixelRanking { sorted: radix_sort(entries.collect()), region_sizes: sizes })
    }

    /// The number of pixels of each anomalous region.
    pub fn region_sizes(&self) -> &[u64] {
        &self.region_sizes
    }

    /// For each distinct score from the highest down, the regions of its pixels (0: normal).
    pub fn groups(&self) -> impl Iterator<Item = impl Iterator<Item = u32>> {
        self.sorted.chunk_by(|a, b| a >> 32 == b >> 32).map(|tied| tied.iter().map(|&e| e as u32))
    }

    /// `f` of the steps and the totals of both classes; undefined where a class is missing.
    pub(crate) fn defined(&self, f: impl FnOnce(&mut dyn Iterator<Item = Step>, Step) -> f64) -> MetricValue {
        let mut at = Step { tp: 0, fp: 0 };
        let mut steps = self.groups().map(|tied| {
            for region in tied {
                if region == 0 { at.fp += 1 } else { at.tp += 1 }
            }
            at
        });
        let total = self.total();
        both_classes(total, || f(&mut steps, total))
    }

    /// The number of anomalous and of normal pixels.
    pub(crate) fn total(&self) -> Step {
        let tp = self.region_sizes.iter().sum();
        Step { tp, fp: self.sorted.len() as u64 - tp }
    }
}

/// A key that sorts upwards from the highest finite score to the lowest, above the region.
fn pack(score: f32, region: u32) -> u64 {
    // Adding zero turns -0.0 into 0.0: the two are equal scores.
    let bits = (score + 0.0).to_bits();
    let ascending = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
    u64::from(!ascending) << 32 | u64::from(region)
}

/// Sorts by the upper half: least significant digit first, 11 bits a pass, stable.
fn radix_sort(mut entries: Vec<u64>) -> Vec<u64> {
    const BITS: u32 = 11;
    let digit = |e: u64, pass: u32| (e >> (32 + pass * BITS)) as usize & ((1 << BITS) - 1);
    let mut counts = [[0usize; 1 << BITS]; 3];
    for &e in &entries {
        for pass in 0..3 {
            counts[pass as usize][digit(e, pass)] += 1;
        }
    }
    let mut sorted = vec![0; entries.len()];
    for (pass, counts) in (0..).zip(&mut counts) {
        let mut start = 0;
        for count in counts.iter_mut() {
            start += std::mem::replace(count, start);
        }
        for &e in &entries {
            let slot = &mut counts[digit(e, pass)];
            sorted[*slot] = e;
            *slot += 1;
        }
        std::mem::swap(&mut entries, &mut sorted);
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{pixel_metrics, sample_metrics};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn radix_order_is_score_order(scores in prop::collection::vec(prop::num::f32::NORMAL | prop::num::f32::ZERO, 0..200)) {
            let sorted = radix_sort(scores.iter().zip(0..).map(|(&s, i)| pack(s, i)).collect());
            let ours: Vec<f32> = sorted.iter().map(|&e| scores[e as u32 as usize]).collect();
            let mut expected = scores.clone();
            expected.sort_by(|a, b| b.partial_cmp(a).unwrap());
            prop_assert_eq!(ours, expected);
        }

        #[test]
        fn pixels_are_samples_to_auroc_and_aupr(points in prop::collection::vec((-9i8..9, any::<bool>()), 1..80)) {
            let maps: Vec<f32> = points.iter().map(|p| f32::from(p.0) / 3.0).collect();
            let masks: Vec<u8> = points.iter().map(|p| u8::from(p.1)).collect();
            let scores: Vec<f64> = maps.iter().map(|&s| f64::from(s)).collect();
            let labels: Vec<bool> = points.iter().map(|p| p.1).collect();
            let samples = sample_metrics(&scores, &labels);
            for (spec, value) in pixel_metrics(&maps, &masks, 1, points.len()) {
                if let Some(name) = spec.name.strip_prefix("pixel_") {
                    prop_assert_eq!(&value, &samples.iter().find(|(s, _)| s.name == name).unwrap().1);
                }
            }
        }
    }
}
