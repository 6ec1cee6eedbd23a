//! AUROC of the samples that were not labelled.

use zsad_core::{Level, MetricSpec};

use crate::{AUROC, Metric};

/// The registry's entry. The rest of a batch differs with the way in which samples are chosen to be labelled: one that takes
/// the anomalies that are easy to find leaves the hard ones.
pub(crate) static DEF: Metric = Metric {
    spec: MetricSpec {
        name: "auroc_rest",
        label: "AUROC of the rest",
        summary: "AUROC of the samples of a batch that were not labelled, where labels of it are given",
        level: Level::Rest,
        on_request: true,
        ..MetricSpec::SAMPLE
    },
    formula: AUROC.formula,
};
