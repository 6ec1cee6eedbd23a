//! Average precision over all pixels.

use zsad_core::{MetricSpec, MetricValue};

use crate::{Formula, Metric, PixelRanking, aupr};

pub(crate) const DEF: Metric = Metric {
    spec: &MetricSpec {
        name: "pixel_aupr",
        version: 1,
        summary: "aupr over the pixels of all maps",
        pixel: true,
        higher_is_better: true,
    },
    formula: Formula::Pixels(value),
};

fn value(ranking: &PixelRanking) -> MetricValue {
    ranking.defined(|steps, total| aupr::average_precision(steps, total))
}
