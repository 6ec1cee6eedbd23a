//! What was measured, as a table and beside the results.

use std::path::Path;

use zsad_core::protocol::percent;
use zsad_core::shift::NONE;
use zsad_report::plots::cost;
use zsad_store::Row;

use super::Measured;
use crate::analyses::{Entry, Table};

/// What was measured beside the AUROC that the folder's results have, a panel a data set and protocol point; none where the
/// experiment was not run there.
pub(super) fn panels(all: &[Measured], root: &Path) -> Vec<cost::Panel> {
    let rows = zsad_store::read_results(root).unwrap_or_default();
    let mut panels: Vec<cost::Panel> = Vec::new();
    for m in all.iter().filter(|m| m.p50_ms > 0.0) {
        let same = |row: &&Row| {
            let point = row.point();
            let place = (row.asked().dataset.as_str(), row.method(), point.size.to_column());
            place == (&m.dataset, &m.method, m.batch_size.clone())
                && point.contamination.ratio() == m.contamination
                && zsad_core::Shift::to_column(point.shift) == m.shift
                && row.asked().params == m.params
        };
        let aurocs: Vec<f64> = rows.iter().filter(same).filter_map(|row| row.metric("auroc")).collect();
        if aurocs.is_empty() {
            continue;
        }
        let level = m.contamination.map_or("natural".to_owned(), |c| format!("{} %", percent(c)));
        let shift = if m.shift == NONE { String::new() } else { format!(", {}", m.shift) };
        let heading = format!("{}: batch {}, {level}{shift}", m.dataset, m.batch_size);
        let auroc = aurocs.iter().sum::<f64>() / aurocs.len() as f64;
        let spot = cost::Spot { label: m.method.clone(), ms: m.p50_ms, auroc };
        match panels.iter_mut().find(|p| p.heading == heading) {
            Some(panel) => panel.spots.push(spot),
            None => panels.push(cost::Panel { heading, spots: vec![spot] }),
        }
    }
    panels
}

/// A line a cell.
pub(super) fn table(all: &[Measured]) -> Table {
    let mut table = Table::new(&[
        "dataset",
        "method",
        "batch_size",
        "contamination",
        "shift",
        "samples",
        "cold_ms",
        "p50_ms",
        "p95_ms",
        "ms_per_sample",
        "samples_per_second",
        "features_ms",
        "peak_mb",
        "model_mb",
        "parameters",
    ]);
    for m in all {
        let number = |v: f64| Entry::Number(Some(v));
        table.push(vec![
            m.dataset.as_str().into(),
            m.method.as_str().into(),
            m.batch_size.as_str().into(),
            Entry::Number(m.contamination),
            m.shift.as_str().into(),
            m.samples.into(),
            number(m.cold_ms),
            number(m.p50_ms),
            number(m.p95_ms),
            number(m.ms_per_sample),
            number(m.samples_per_second),
            Entry::Number(m.features_ms),
            Entry::Number(m.peak_mb),
            number(m.model_mb),
            (m.parameters as usize).into(),
        ]);
    }
    table
}
