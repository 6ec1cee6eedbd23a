//! Metrics of zsad: one file each, exact with ties.
//!
//! Every metric is a walk over the distinct scores from the highest down ([`Ranking`]; [`PixelRanking`] for maps), so
//! that [`evaluate`] computes all metrics of an input from a single sort. Cases without an answer are
//! [`MetricValue::Undefined`] with their reason, never a silent 0.5 or NaN.
//!
//! A new metric is one file with a `DEF` and one line in [`METRICS`]: its column in results, tables, plots, `zsad list`
//! and `zsad describe` follow from it.

use zsad_core::{Level, MetricInput, MetricSpec, MetricValue};

pub mod ader;
mod aupr;
mod aupro;
mod auroc;
mod auroc_rest;
pub mod clusters;
mod components;
pub mod explained;
mod f1_max;
mod fpr95;
pub mod graded;
pub mod grouped;
mod pixel_aupr;
mod pixel_auroc;
mod pixel_f1_max;
mod pixels;
mod precision_at_n;
mod ranking;
pub mod rejection;
pub mod stats;

pub use auroc::DEF as AUROC;
pub use components::{Regions, regions};
pub use pixels::PixelRanking;
pub use ranking::{Ranking, Step};

/// What a metric is computed from, once its input is sorted.
#[derive(Clone, Copy)]
pub enum Formula {
    /// From samples.
    Samples(fn(&Ranking) -> MetricValue),
    /// From maps and masks of images.
    Pixels(fn(&PixelRanking) -> MetricValue),
}

/// A registered metric: its description and its formula.
pub struct Metric {
    /// Its description.
    pub spec: MetricSpec,
    /// Its formula; it looks at what `spec.level` says.
    pub formula: Formula,
}

/// All metrics, in the order of their columns; new ones come last.
pub static METRICS: &[&Metric] = &[
    &auroc::DEF,
    &aupr::DEF,
    &f1_max::DEF,
    &fpr95::DEF,
    &pixel_auroc::DEF,
    &pixel_aupr::DEF,
    &aupro::DEF,
    &pixel_f1_max::DEF,
    &precision_at_n::DEF,
    &auroc_rest::DEF,
];

/// The metric of this name.
pub fn find(name: &str) -> Option<&'static Metric> {
    METRICS.iter().copied().find(|m| m.spec.name == name)
}

/// Those of `metrics` that apply to `input`, in their order, from one sort.
pub fn evaluate<'m>(input: MetricInput, metrics: &[&'m Metric]) -> Vec<(&'m MetricSpec, MetricValue)> {
    let level = match input {
        MetricInput::Samples { .. } => Level::Sample,
        MetricInput::Rest { .. } => Level::Rest,
        MetricInput::Maps { .. } => Level::Pixel,
    };
    let wanted: Vec<&Metric> = metrics.iter().copied().filter(|m| m.spec.level == level).collect();
    if wanted.is_empty() {
        return Vec::new();
    }
    let sorted = Sorted::new(input);
    wanted.into_iter().map(|m| (&m.spec, m.of(&sorted))).collect()
}

/// An input after its one sort; where it cannot be ranked, the reason.
enum Sorted {
    Samples(Result<Ranking, &'static str>),
    Pixels(Result<PixelRanking, &'static str>),
}

impl Sorted {
    fn new(input: MetricInput) -> Self {
        match input {
            MetricInput::Samples { scores, labels } | MetricInput::Rest { scores, labels } => {
                Sorted::Samples(Ranking::new(scores, labels))
            }
            MetricInput::Maps { maps, masks, shape: &[height, width] } => {
                Sorted::Pixels(PixelRanking::new(maps, masks, height, width))
            }
            MetricInput::Maps { .. } => Sorted::Pixels(Err("maps that are not images")),
        }
    }
}

impl Metric {
    /// Its value; undefined for an input that it does not look at.
    pub fn compute(&self, input: MetricInput) -> MetricValue {
        self.of(&Sorted::new(input))
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_holds_the_columns_in_order_and_finds_every_metric() {
        let names: Vec<_> = METRICS.iter().map(|m| m.spec.name).collect();
        assert_eq!(
            names,
            [
                "auroc",
                "aupr",
                "f1_max",
                "fpr95",
                "pixel_auroc",
                "pixel_aupr",
                "aupro",
                "pixel_f1_max",
                "precision_at_n",
                "auroc_rest"
            ]
        );
        assert!(names.iter().all(|n| find(n).is_some_and(|m| m.spec.name == *n)));
        for metric in METRICS {
            let of_samples = matches!(metric.formula, Formula::Samples(_));
            assert_eq!(metric.spec.level != Level::Pixel, of_samples, "{}", metric.spec.name);
        }
        assert!(find("accuracy").is_none());
    }

    #[test]
    fn evaluating_all_at_once_equals_evaluating_each() {
        let (scores, labels) = ([0.3, -1.0, 0.3, 2.0, 0.0], [true, false, false, true, false]);
        let maps: Vec<f32> = (0..32).map(|i| ((i * 7) % 11) as f32).collect();
        let masks: Vec<u8> = (0..32).map(|i| u8::from(i % 5 == 0)).collect();
        let samples = MetricInput::Samples { scores: &scores, labels: &labels };
        let pixels = MetricInput::Maps { maps: &maps, masks: &masks, shape: &[4, 4] };
        let rest = MetricInput::Rest { scores: &scores, labels: &labels };
        for (input, n) in [(samples, 5), (rest, 1), (pixels, 4)] {
            let all = evaluate(input, METRICS);
            assert_eq!(all.len(), n);
            for (spec, value) in all {
                assert!(value.value().is_some(), "{}", spec.name);
                assert_eq!(find(spec.name).unwrap().compute(input), value, "{}", spec.name);
            }
        }
    }

    #[test]
    fn what_cannot_be_ranked_is_undefined_with_the_reason() {
        let reasons = |values: Vec<(&MetricSpec, MetricValue)>| {
            values
                .into_iter()
                .map(|(_, v)| match v {
                    MetricValue::Undefined(reason) => reason,
                    MetricValue::Defined(v) => panic!("defined: {v}"),
                })
                .collect::<Vec<_>>()
        };
        let all = |scores: &[f64], labels: &[bool], reason: &str| {
            assert_eq!(reasons(evaluate(MetricInput::Samples { scores, labels }, METRICS)), [reason; 5]);
        };
        all(&[], &[], "only one class: no anomaly");
        all(&[1.0, 2.0], &[false, false], "only one class: no anomaly");
        all(&[1.0, 2.0], &[true, true], "only one class: no normal");
        all(&[1.0, f64::NAN], &[true, false], "non-finite score");
        all(&[1.0, f64::INFINITY], &[true, false], "non-finite score");
        all(&[1.0], &[true, false], "scores and labels differ in number");

        let pixel = |maps: &[f32], masks: &[u8], reason: &str| {
            assert_eq!(reasons(evaluate(MetricInput::Maps { maps, masks, shape: &[1, 2] }, METRICS)), [reason; 4]);
        };
        pixel(&[1.0, f32::NAN], &[0, 1], "non-finite score");
        pixel(&[1.0, 2.0], &[0], "maps and masks differ in shape");
        pixel(&[1.0, 2.0], &[0, 0], "only one class: no anomaly");
        pixel(&[1.0, 2.0], &[1, 1], "only one class: no normal");
        let wrong = find("aupro").unwrap().compute(MetricInput::Samples { scores: &[1.0], labels: &[true] });
        assert_eq!(wrong, MetricValue::Undefined("computed from pixels, not from samples"));
        let wrong = find("auroc").unwrap().compute(MetricInput::Maps { maps: &[1.0], masks: &[1], shape: &[1, 1] });
        assert_eq!(wrong, MetricValue::Undefined("computed from samples, not from pixels"));
    }
}
