//! Which methods, data sets and metrics a run used, with what they say of their sources.

use std::collections::BTreeSet;

use zsad_core::Result;
use zsad_report::citations::{Used, behind, works};
use zsad_store::{RunFolder, read_results};

use crate::registry::Registry;

/// What the results in a folder rest on, sorted by name: methods, data sets, and the metrics that have values.
///
/// # Errors
/// Where results or records cannot be read.
pub fn by_run(folder: &RunFolder, registry: &Registry) -> Result<Vec<Used>> {
    let rows = read_results(folder.root())?;
    // Results call a data set by its label; records know its name.
    let records = folder.records()?;
    let mut used = BTreeSet::new();
    for row in &rows {
        let name = match records.get(&row.record.cell_key) {
            Some(record) => &record.cell.fit.data.name,
            None => &row.asked().dataset,
        };
        used.extend([name, &row.fit().method.name].into_iter().filter_map(|name| by_name(name, registry)));
        let metrics = row.result.metrics.iter().filter(|(_, value)| value.is_some());
        used.extend(metrics.filter_map(|(name, _)| by_name(name, registry)));
    }
    // Most metrics are nobody's work in particular, which need not be said.
    let works = works();
    used.retain(|used| registry.metric(&used.name).is_none() || !behind(used, &works).is_empty());
    Ok(used.into_iter().collect())
}

/// What a registered name says of its source; `None` where nothing has it. A metric is known by its name alone.
pub fn by_name(name: &str, registry: &Registry) -> Option<Used> {
    let method = registry.method(name).map(|m| m.spec().citation.to_owned());
    let dataset = || registry.dataset(name).map(|d| d.spec().citation.to_owned());
    let metric = || registry.metric(name).map(|m| format!("metric {}", m.spec.name));
    let citation = method.or_else(dataset).or_else(metric)?;
    Some(Used { name: name.to_owned(), citation })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_registered_is_cited_and_every_work_is_used() {
        let (registry, works) = (Registry::built_in(), works());
        let names = registry.method_names().into_iter().chain(registry.dataset_names());
        let mut cited = BTreeSet::new();
        for name in names {
            let used = by_name(name, &registry).unwrap();
            let behind = behind(&used, &works);
            // A program and a table of a person's own are nobody else's work.
            let own = ["external", "table"].contains(&name);
            assert_eq!(behind.is_empty(), own, "{name}: `{}` names no work of references.bib", used.citation);
            cited.extend(behind.into_iter().map(|w| w.key));
        }
        for metric in registry.metrics {
            let used = by_name(metric.spec.name, &registry).unwrap();
            cited.extend(behind(&used, &works).into_iter().map(|w| w.key));
        }
        let unused: Vec<&str> = works.iter().map(|w| w.key).filter(|key| !cited.contains(key)).collect();
        assert!(unused.is_empty(), "{unused:?}");
        assert_eq!(by_name("nothing_of_the_kind", &registry), None);
    }
}
