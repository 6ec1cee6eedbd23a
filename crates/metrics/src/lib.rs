//! Metrics of zsad: one file each, exact with ties, and the statistics over them.
//!
//! Every metric is a walk over the distinct scores from the highest down ([`Ranking`]; [`PixelRanking`] for maps), so
//! that [`evaluate`] computes all metrics of an input from a single sort. Cases without an answer are
//! [`MetricValue::Undefined`] with their reason, never a silent 0.5 or NaN.

use zsad_core::{MetricDef, MetricInput, MetricSpec, MetricValue};

mod aupr;
mod aupro;
mod auroc;
mod components;
mod f1_max;
mod fpr95;
mod pixel_aupr;
mod pixel_auroc;
mod pixels;
mod ranking;
pub mod stats;

pub use components::{Regions, regions};
pub use pixels::PixelRanking;
pub use ranking::{Ranking, Step};

/// What a metric is computed from, once its input is sorted.
enum Formula {
    /// From samples.
    Samples(fn(&Ranking) -> MetricValue),
    /// From maps and masks.
    Pixels(fn(&PixelRanking) -> MetricValue),
}

/// A registered metric: its description and its formula.
struct Metric {
    spec: &'static MetricSpec,
    formula: Formula,
}

/// All metrics, sorted by name.
const TABLE: [&Metric; 7] =
    [&aupr::DEF, &aupro::DEF, &auroc::DEF, &f1_max::DEF, &fpr95::DEF, &pixel_aupr::DEF, &pixel_auroc::DEF];

/// All metrics, sorted by name.
pub const METRICS: &[&dyn MetricDef] = &definitions(TABLE);

const fn definitions<const N: usize>(table: [&'static Metric; N]) -> [&'static dyn MetricDef; N] {
    let mut out: [&dyn MetricDef; N] = [table[0]; N];
    let mut i = 1;
    while i < N {
        out[i] = table[i];
        i += 1;
    }
    out
}

/// The metric of this name.
pub fn find(name: &str) -> Option<&'static dyn MetricDef> {
    METRICS.iter().copied().find(|m| m.spec().name == name)
}

/// Every metric that applies to `input`, in the order of [`METRICS`], from one sort.
pub fn evaluate(input: MetricInput) -> Vec<(&'static MetricSpec, MetricValue)> {
    let sorted = Sorted::new(input);
    let pixel = matches!(input, MetricInput::Pixels { .. });
    TABLE.into_iter().filter(|m| m.spec.pixel == pixel).map(|m| (m.spec, m.of(&sorted))).collect()
}

/// [`evaluate`] on scores and labels: `aupr`, `auroc`, `f1_max`, `fpr95`.
pub fn sample_metrics(scores: &[f64], labels: &[bool]) -> Vec<(&'static MetricSpec, MetricValue)> {
    evaluate(MetricInput::Samples { scores, labels })
}

/// [`evaluate`] on maps and masks, `[n, height, width]` each: `aupro`, `pixel_aupr`, `pixel_auroc`.
pub fn pixel_metrics(
    maps: &[f32],
    masks: &[u8],
    height: usize,
    width: usize,
) -> Vec<(&'static MetricSpec, MetricValue)> {
    evaluate(MetricInput::Pixels { maps, masks, height, width })
}

/// An input after its one sort; where it cannot be ranked, the reason.
enum Sorted {
    Samples(Result<Ranking, &'static str>),
    Pixels(Result<PixelRanking, &'static str>),
}

impl Sorted {
    fn new(input: MetricInput) -> Self {
        match input {
            MetricInput::Samples { scores, labels } => Sorted::Samples(Ranking::new(scores, labels)),
            MetricInput::Pixels { maps, masks, height, width } => {
                Sorted::Pixels(PixelRanking::new(maps, masks, height, width))
            }
        }
    }
}

impl Metric {
    fn of(&self, sorted: &Sorted) -> MetricValue {
        match (&self.formula, sorted) {
            (Formula::Samples(f), Sorted::Samples(Ok(ranking))) => f(ranking),
            (Formula::Pixels(f), Sorted::Pixels(Ok(ranking))) => f(ranking),
            (_, Sorted::Samples(Err(reason)) | Sorted::Pixels(Err(reason))) => MetricValue::Undefined(reason),
            (Formula::Samples(_), Sorted::Pixels(_)) => {
                MetricValue::Undefined("computed from samples, not from pixels")
            }
            (Formula::Pixels(_), Sorted::Samples(_)) => {
                MetricValue::Undefined("computed from pixels, not from samples")
            }
        }
    }
}

impl MetricDef for Metric {
    fn spec(&self) -> &'static MetricSpec {
        self.spec
    }

    fn compute(&self, input: MetricInput) -> MetricValue {
        self.of(&Sorted::new(input))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_is_sorted_and_finds_every_metric() {
        let names: Vec<_> = METRICS.iter().map(|m| m.spec().name).collect();
        assert_eq!(names, ["aupr", "aupro", "auroc", "f1_max", "fpr95", "pixel_aupr", "pixel_auroc"]);
        assert!(names.iter().all(|n| find(n).is_some_and(|m| m.spec().name == *n)));
        assert!(find("accuracy").is_none());
    }

    #[test]
    fn evaluating_all_at_once_equals_evaluating_each() {
        let (scores, labels) = ([0.3, -1.0, 0.3, 2.0, 0.0], [true, false, false, true, false]);
        let maps: Vec<f32> = (0..32).map(|i| ((i * 7) % 11) as f32).collect();
        let masks: Vec<u8> = (0..32).map(|i| u8::from(i % 5 == 0)).collect();
        let samples = MetricInput::Samples { scores: &scores, labels: &labels };
        let pixels = MetricInput::Pixels { maps: &maps, masks: &masks, height: 4, width: 4 };
        for (input, n) in [(samples, 4), (pixels, 3)] {
            let all = evaluate(input);
            assert_eq!(all.len(), n);
            for (spec, value) in all {
                assert!(value.value().is_some(), "{}", spec.name);
                assert_eq!(find(spec.name).unwrap().compute(input), value, "{}", spec.name);
            }
        }
    }

    #[test]
    fn what_cannot_be_ranked_is_undefined_with_the_reason() {
        let reasons = |values: Vec<(&'static MetricSpec, MetricValue)>| {
            values
                .into_iter()
                .map(|(_, v)| match v {
                    MetricValue::Undefined(reason) => reason,
                    MetricValue::Defined(v) => panic!("defined: {v}"),
                })
                .collect::<Vec<_>>()
        };
        let all = |scores: &[f64], labels: &[bool], reason: &str| {
            assert_eq!(reasons(sample_metrics(scores, labels)), [reason; 4]);
        };
        all(&[], &[], "only one class: no anomaly");
        all(&[1.0, 2.0], &[false, false], "only one class: no anomaly");
        all(&[1.0, 2.0], &[true, true], "only one class: no normal");
        all(&[1.0, f64::NAN], &[true, false], "non-finite score");
        all(&[1.0, f64::INFINITY], &[true, false], "non-finite score");
        all(&[1.0], &[true, false], "scores and labels differ in number");

        let pixel = |maps: &[f32], masks: &[u8], reason: &str| {
            assert_eq!(reasons(pixel_metrics(maps, masks, 1, 2)), [reason; 3]);
        };
        pixel(&[1.0, f32::NAN], &[0, 1], "non-finite score");
        pixel(&[1.0, 2.0], &[0], "maps and masks differ in shape");
        pixel(&[1.0, 2.0], &[0, 0], "only one class: no anomaly");
        pixel(&[1.0, 2.0], &[1, 1], "only one class: no normal");
        let wrong = find("aupro").unwrap().compute(MetricInput::Samples { scores: &[1.0], labels: &[true] });
        assert_eq!(wrong, MetricValue::Undefined("computed from pixels, not from samples"));
        let wrong =
            find("auroc").unwrap().compute(MetricInput::Pixels { maps: &[1.0], masks: &[1], height: 1, width: 1 });
        assert_eq!(wrong, MetricValue::Undefined("computed from samples, not from pixels"));
    }
}
