//! The sorted pass over all pixels of a set of maps.
//!
//! Few pixels are anomalous, and between two anomalous scores it does not matter how the normal ones are ordered. So
//! only the anomalous pixels are sorted; the normal ones are counted into the gaps between them.

use rayon::prelude::*;
use zsad_core::MetricValue;

use crate::components::{Regions, regions};
use crate::ranking::{Step, both_classes};

/// Pixels that are counted together.
const CHUNK: usize = 1 << 19;
/// Most cells that the range of the anomalous scores is cut into, to look up where a score lies.
const CELLS: usize = 1 << 20;

/// All pixels of a set of maps in the order of their scores, as far as metrics can tell them apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PixelRanking {
    /// The anomalous pixels from the highest score down: [`key`] in the upper half, region in the lower.
    anomalous: Vec<u64>,
    /// For each distinct anomalous score, the normal pixels between it and the one before, and at it; at the end, those
    /// below all.
    normal: Vec<u64>,
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
        if maps.par_chunks(CHUNK).any(|part| part.iter().any(|s| !s.is_finite())) {
            return Err("non-finite score");
        }
        let Regions { labels, sizes } = regions(masks, height, width);
        let pixels = maps.par_chunks(CHUNK).zip(labels.par_chunks(CHUNK));
        let of_chunk = |(maps, labels): (&[f32], &[u32])| {
            let pixels = maps.iter().zip(labels).filter(|(_, region)| **region > 0);
            pixels.map(|(&score, &region)| u64::from(key(score)) << 32 | u64::from(region)).collect::<Vec<_>>()
        };
        let mut anomalous = pixels.clone().map(of_chunk).collect::<Vec<_>>().concat();
        anomalous.par_sort_unstable();
        let gaps = Gaps::new(&anomalous);
        let counts = pixels.map(|(maps, labels)| gaps.count(maps, labels)).collect::<Vec<_>>();
        let normal = (0..gaps.counts()).map(|i| counts.iter().map(|c| u64::from(c[i])).sum()).collect();
        Ok(PixelRanking { anomalous, normal, region_sizes: sizes })
    }

    /// The number of pixels of each anomalous region.
    pub fn region_sizes(&self) -> &[u64] {
        &self.region_sizes
    }

    /// The steps from the highest score down, each with the regions (from 1) of the anomalous pixels that it adds.
    pub fn steps(&self) -> impl Iterator<Item = (Step, impl Iterator<Item = u32>)> {
        let mut at = Step { tp: 0, fp: 0 };
        let same = |a: &u64, b: &u64| a >> 32 == b >> 32;
        let gaps = self.anomalous.chunk_by(same).flat_map(|tied| [&tied[..0], tied]).chain([&self.anomalous[..0]]);
        let steps = gaps.zip(&self.normal).filter(|(tied, normal)| !tied.is_empty() || **normal > 0);
        steps.map(move |(tied, normal)| {
            at = Step { tp: at.tp + tied.len() as u64, fp: at.fp + normal };
            (at, tied.iter().map(|&pixel| pixel as u32))
        })
    }

    /// `f` of the steps and the totals of both classes; undefined where a class is missing.
    pub(crate) fn defined(&self, f: impl FnOnce(&mut dyn Iterator<Item = Step>, Step) -> f64) -> MetricValue {
        let total = self.total();
        both_classes(total, || f(&mut self.steps().map(|(step, _)| step), total))
    }

    /// The number of anomalous and of normal pixels.
    pub(crate) fn total(&self) -> Step {
        Step { tp: self.anomalous.len() as u64, fp: self.normal.iter().sum() }
    }
}

/// The gaps between the distinct anomalous scores.
struct Gaps {
    /// Those scores, falling.
    levels: Vec<f32>,
    /// The first level of each of the even cells between the first and the last level, and the number of levels.
    starts: Vec<u32>,
    /// Cells by unit of score.
    density: f32,
}

impl Gaps {
    fn new(anomalous: &[u64]) -> Self {
        let mut levels: Vec<f32> = anomalous.iter().map(|pixel| score((pixel >> 32) as u32)).collect();
        levels.dedup();
        let cells = (2 * levels.len()).clamp(1, CELLS);
        let range = levels.first().zip(levels.last()).map_or(0.0, |(first, last)| first - last);
        let mut gaps = Gaps { levels, starts: vec![0; cells + 1], density: cells as f32 / range };
        for i in 0..gaps.levels.len() {
            let cell = gaps.cell(gaps.levels[i]);
            gaps.starts[cell + 1] += 1;
        }
        let mut sum = 0;
        for start in &mut gaps.starts {
            sum += *start;
            *start = sum;
        }
        gaps
    }

    /// The cell of a score. It never falls as scores fall, so levels of earlier cells are higher and of later ones lower;
    /// where the density is not finite or 0 all fall into few cells, and the search in [`Gaps::count`] takes longer.
    fn cell(&self, score: f32) -> usize {
        let below = self.levels.first().map_or(0.0, |first| first - score);
        // Converting saturates, and makes 0 of what is not a number.
        ((below * self.density) as usize).min(self.starts.len() - 2)
    }

    /// Before and at every level, and after the last one.
    fn counts(&self) -> usize {
        2 * self.levels.len() + 1
    }

    /// Counts the normal pixels of a chunk, which has fewer than 2³².
    fn count(&self, maps: &[f32], labels: &[u32]) -> Vec<u32> {
        let mut counts = vec![0u32; self.counts()];
        for (&score, _) in maps.iter().zip(labels).filter(|(_, region)| **region == 0) {
            let cell = self.cell(score);
            let (start, end) = (self.starts[cell] as usize, self.starts[cell + 1] as usize);
            let levels = &self.levels[start..end];
            // Mostly there is one or none.
            let i = start
                + match levels.len() {
                    0..4 => levels.iter().map(|&level| usize::from(level > score)).sum(),
                    _ => levels.partition_point(|&level| level > score),
                };
            counts[2 * i + usize::from(i < end && self.levels[i] == score)] += 1;
        }
        counts
    }
}

/// A key that rises from the highest finite score to the lowest.
fn key(score: f32) -> u32 {
    // Adding zero turns -0.0 into 0.0: the two are equal scores.
    let bits = (score + 0.0).to_bits();
    if bits >> 31 == 1 { bits } else { !(bits | 1 << 31) }
}

/// The score of a key.
fn score(key: u32) -> f32 {
    f32::from_bits(if key >> 31 == 1 { key } else { !(key | 1 << 31) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{METRICS, evaluate};
    use proptest::prelude::*;
    use zsad_core::MetricInput;

    #[test]
    fn scores_of_any_spread_are_counted_into_their_gaps() {
        for levels in [vec![0.5f32], vec![1e-45, 0.0], vec![3e38, 1.0, -3e38], vec![2.0, 1.0, 1.0 - 6e-8, 0.5, -4.0]] {
            let masks: Vec<u8> = levels.iter().map(|_| 1).chain([0; 7]).collect();
            let normal = [f32::MAX, 1.5, 1.0, 0.5, 0.0, -1e-45, f32::MIN];
            let maps: Vec<f32> = levels.iter().copied().chain(normal).collect();
            let ranking = PixelRanking::new(&maps, &masks, 1, maps.len()).unwrap();
            let mut brute = Vec::new();
            for &level in &levels {
                let above = |or: fn(f32, f32) -> bool| normal.iter().filter(|&&s| or(s, level)).count() as u64;
                brute.extend([above(|s, l| s > l), above(|s, l| s >= l)]);
            }
            let mut sum = 0;
            let found: Vec<u64> = ranking
                .normal
                .iter()
                .map(|n| {
                    sum += n;
                    sum
                })
                .collect();
            assert_eq!(found, [&brute[..], &[7]].concat(), "{levels:?}");
        }
    }

    proptest! {
        #[test]
        fn keys_fall_as_scores_rise(a in prop::num::f32::NORMAL | prop::num::f32::ZERO, b in prop::num::f32::ANY) {
            prop_assume!(b.is_finite());
            prop_assert_eq!(key(a).cmp(&key(b)), b.partial_cmp(&a).unwrap());
            prop_assert_eq!(score(key(a)), a);
        }

        #[test]
        fn pixels_are_samples_to_auroc_and_aupr(points in prop::collection::vec((-9i8..9, any::<bool>()), 1..80)) {
            let maps: Vec<f32> = points.iter().map(|p| f32::from(p.0) / 3.0).collect();
            let masks: Vec<u8> = points.iter().map(|p| u8::from(p.1)).collect();
            let scores: Vec<f64> = maps.iter().map(|&s| f64::from(s)).collect();
            let labels: Vec<bool> = points.iter().map(|p| p.1).collect();
            let samples = evaluate(MetricInput::Samples { scores: &scores, labels: &labels }, METRICS);
            let pixels = MetricInput::Maps { maps: &maps, masks: &masks, shape: &[1, points.len()] };
            for (spec, value) in evaluate(pixels, METRICS) {
                if let Some(name) = spec.name.strip_prefix("pixel_") {
                    prop_assert_eq!(&value, &samples.iter().find(|(s, _)| s.name == name).unwrap().1);
                }
            }
        }
    }
}
