//! Average precision over all pixels.

use zsad_core::{MetricSpec, MetricValue};

use crate::{Formula, Metric, PixelRanking, aupr};

pub(crate) static DEF: Metric = Metric {
    spec: MetricSpec {
        name: "pixel_aupr",
        label: "pixel AUPR",
        summary: "aupr over the pixels of all maps",
        ..MetricSpec::PIXEL
    },
    formula: Formula::Pixels(value),
};

fn value(ranking: &PixelRanking) -> MetricValue {
    ranking.defined(|steps, total| aupr::average_precision(steps, total))
}
