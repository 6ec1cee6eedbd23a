//! The metrics of a pack's cells, again from their scores.

use std::collections::BTreeMap;

use zsad_core::{Level, Result};
use zsad_store::{CellRecord, DomainResult, MetricRecord, RunFolder, Status};

use super::check::{Report, label};
use crate::evaluate;
use crate::registry::Registry;

/// Values that differ by no more are the same: metrics lie between 0 and 1, and sums are taken in one order.
const SAME: f64 = 1e-12;

/// The results of a cell, every metric of samples from its scores; compares them with what the record says.
///
/// # Errors
/// Where a metric that was computed later comes from a newer zsad.
pub fn recompute(
    folder: &RunFolder,
    record: &CellRecord,
    registry: &Registry,
    report: &mut Report,
) -> Result<Vec<DomainResult>> {
    if record.status != Status::Ok {
        return Ok(vec![DomainResult::default()]);
    }
    report.cells += 1;
    let key = &record.cell_key;
    let scores = format!("records/{key}.scores.parquet");
    let batches = match folder.scores(key) {
        Ok(batches) => batches,
        Err(error) => {
            report.differences.push(format!("{scores}: {}: {error}", label(record)));
            return Ok(record.domains.clone());
        }
    };
    if batches.iter().flat_map(|b| &b.items).any(|score| !score.is_finite()) {
        report.differences.push(format!("{scores}: {}: scores that are no finite numbers", label(record)));
        return Ok(record.domains.clone());
    }
    let of_samples: Vec<_> = registry.metrics.iter().copied().filter(|m| m.spec.level == Level::Sample).collect();
    let computed = evaluate::by_domain(&batches, record.cell.point.pooling, &of_samples);
    let mut computed: BTreeMap<String, DomainResult> = computed.into_iter().map(|r| (r.domain.clone(), r)).collect();
    let mut all = Vec::new();
    for stored in &record.domains {
        let place = format!("records/{key}.json: {}, domain {}", label(record), stored.domain);
        // A domain that was too small for a batch has a result without any.
        let of_domain = computed.remove(&stored.domain).or_else(|| (stored.n_batches == 0).then(|| stored.clone()));
        let Some(mut result) = of_domain else {
            report.differences.push(format!("{place}: no scores"));
            all.push(stored.clone());
            continue;
        };
        counts(&place, stored, &result, report);
        let mut wanted = stored.metrics.clone();
        for metric in registry.metrics {
            let later = folder.metric(key, &metric.spec.id())?.map(|m: MetricRecord| m.domains);
            if let Some(value) = later.and_then(|domains| domains.get(&stored.domain).copied()) {
                wanted.insert(metric.spec.name.to_owned(), value);
            }
        }
        // A metric that nobody asked for has no value in the results.
        result.metrics.retain(|name, _| wanted.contains_key(name));
        for (name, stored) in wanted {
            let today = registry.metric(&name).filter(|m| m.spec.level == Level::Sample);
            let other = record.metrics.iter().find(|id| id.split('@').next() == Some(name.as_str()));
            let same_version = |m: &&zsad_metrics::Metric| other.is_none_or(|id| *id == m.spec.id());
            match today.filter(same_version) {
                Some(_) => {
                    value(&place, &name, stored, result.metrics.get(&name).copied().flatten(), report);
                    report.recomputed += usize::from(stored.is_some());
                }
                None => {
                    if stored.is_some() {
                        let why = match (registry.metric(&name), other) {
                            (Some(m), _) if m.spec.level == Level::Pixel => format!("{name}: its maps are not stored"),
                            (Some(m), _) if m.spec.level == Level::Rest => {
                                format!("{name}: labels are not given again")
                            }
                            (_, Some(id)) => format!("{id}: of another version of zsad"),
                            (_, None) => format!("{name}: not known to this version of zsad"),
                        };
                        *report.not_recomputed.entry(why).or_default() += 1;
                    }
                    result.metrics.insert(name, stored);
                }
            }
        }
        all.push(result);
    }
    for domain in computed.keys() {
        report.differences.push(format!("{scores}: {}, domain {domain}: not in the record", label(record)));
    }
    Ok(all)
}

/// Numbers of batches and samples.
pub fn counts(place: &str, stored: &DomainResult, computed: &DomainResult, report: &mut Report) {
    let numbers = |r: &DomainResult| [r.n_batches, r.n_undefined, r.n_normal, r.n_anomalous];
    let names = ["n_batches", "n_undefined", "n_normal", "n_anomalous"];
    for ((name, stored), computed) in names.iter().zip(numbers(stored)).zip(numbers(computed)) {
        if stored != computed {
            report.differences.push(format!("{place}: {name}: stored {stored}, recomputed {computed}"));
        }
    }
}

/// One value.
pub fn value(place: &str, name: &str, stored: Option<f64>, computed: Option<f64>, report: &mut Report) {
    let same = match (stored, computed) {
        (Some(a), Some(b)) => (a - b).abs() <= SAME,
        (a, b) => a.is_none() && b.is_none(),
    };
    if !same {
        let shown = |v: Option<f64>| v.map_or("none".to_owned(), |v| v.to_string());
        let (stored, computed) = (shown(stored), shown(computed));
        report.differences.push(format!("{place}: {name}: stored {stored}, recomputed {computed}"));
    }
}
