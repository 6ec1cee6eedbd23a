//! Average precision over all pixels.

use zsad_core::{Level, MetricSpec, MetricValue, Unit};

use crate::{Formula, Metric, PixelRanking, aupr};

pub(crate) static DEF: Metric = Metric {
    spec: MetricSpec {
        name: "pixel_aupr",
        label: "pixel AUPR",
        version: 1,
        summary: "aupr over the pixels of all maps",
        level: Level::Pixel,
        unit: Unit::Share,
        higher_is_better: true,
        headline: false,
    },
    formula: Formula::Pixels(value),
};

fn value(ranking: &PixelRanking) -> MetricValue {
    ranking.defined(|steps, total| aupr::average_precision(steps, total))
}
