//! Area under the ROC curve over all pixels.

use zsad_core::{MetricSpec, MetricValue};

use crate::{Formula, Metric, PixelRanking, auroc};

pub(crate) const DEF: Metric = Metric {
    spec: &MetricSpec {
        name: "pixel_auroc",
        version: 1,
        summary: "auroc over the pixels of all maps",
        pixel: true,
        higher_is_better: true,
    },
    formula: Formula::Pixels(value),
};

fn value(ranking: &PixelRanking) -> MetricValue {
    ranking.defined(|steps, total| auroc::area(steps, total))
}
