//! The metric columns of a row.

use zsad_core::record::Row;

/// A metric column.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Column name.
    pub name: &'static str,
    /// Name for people.
    pub label: &'static str,
    /// Whether more is better.
    pub higher_is_better: bool,
    /// The value of a row.
    pub value: fn(&Row) -> Option<f64>,
}

/// All metric columns, in column order. All are shares between 0 and 1 and are printed in per cent.
pub const METRICS: &[Metric] = &[
    Metric { name: "auroc", label: "AUROC", higher_is_better: true, value: |r| r.auroc },
    Metric { name: "aupr", label: "AUPR (average precision)", higher_is_better: true, value: |r| r.aupr },
    Metric { name: "f1_max", label: "F1max", higher_is_better: true, value: |r| r.f1_max },
    Metric { name: "fpr95", label: "FPR at 95 % TPR (lower is better)", higher_is_better: false, value: |r| r.fpr95 },
    Metric { name: "pixel_auroc", label: "pixel AUROC", higher_is_better: true, value: |r| r.pixel_auroc },
    Metric { name: "pixel_aupr", label: "pixel AUPR", higher_is_better: true, value: |r| r.pixel_aupr },
    Metric { name: "aupro", label: "AUPRO (FPR up to 0.3)", higher_is_better: true, value: |r| r.aupro },
];

impl Metric {
    /// The metric of that name.
    pub fn find(name: &str) -> Option<&'static Metric> {
        METRICS.iter().find(|m| m.name == name)
    }
}
