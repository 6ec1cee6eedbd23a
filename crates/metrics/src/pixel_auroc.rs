//! Area under the ROC curve over all pixels.

use zsad_core::{MetricSpec, MetricValue};

use crate::{Formula, Metric, PixelRanking, auroc};

pub(crate) static DEF: Metric = Metric {
    spec: MetricSpec {
        name: "pixel_auroc",
        label: "pixel AUROC",
        summary: "auroc over the pixels of all maps",
        headline: true,
        ..MetricSpec::PIXEL
    },
    formula: Formula::Pixels(value),
};

fn value(ranking: &PixelRanking) -> MetricValue {
    ranking.defined(|steps, total| auroc::area(steps, total))
}
