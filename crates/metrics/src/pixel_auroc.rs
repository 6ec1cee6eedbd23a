//! Area under the ROC curve over all pixels.

use zsad_core::{Level, MetricSpec, MetricValue, Unit};

use crate::{Formula, Metric, PixelRanking, auroc};

pub(crate) static DEF: Metric = Metric {
    spec: MetricSpec {
        name: "pixel_auroc",
        label: "pixel AUROC",
        version: 1,
        summary: "auroc over the pixels of all maps",
        level: Level::Pixel,
        unit: Unit::Share,
        higher_is_better: true,
        headline: true,
    },
    formula: Formula::Pixels(value),
};

fn value(ranking: &PixelRanking) -> MetricValue {
    ranking.defined(|steps, total| auroc::area(steps, total))
}
