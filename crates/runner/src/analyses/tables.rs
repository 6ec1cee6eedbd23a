//! `batches.parquet` and `metrics.parquet` of a run: the metrics of single batches, and what analyses found beside them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use zsad_core::{Level, MetricInput, Result};
use zsad_metrics::{Metric, evaluate};
use zsad_store::{BatchNumbers, BatchPlace, RunFolder, numbers};

use super::Cells;

/// Writes both for the finished cells of a run, with what analyses left in the folder. Batches that are in the table
/// already are not measured again.
///
/// # Errors
/// Where scores or a file of an analysis cannot be read, or the folder cannot be written.
pub fn write(cells: &Cells, metrics: &[&'static Metric]) -> Result<()> {
    let (folder, root) = (cells.folder(), cells.folder().root());
    let keys: BTreeSet<&str> = cells.all().map(|c| c.record.cell_key.as_str()).collect();
    let sample_level: Vec<&Metric> = metrics.iter().copied().filter(|m| m.spec.level == Level::Sample).collect();
    let path = root.join("batches.parquet");
    // A damaged table is made again.
    let before = BatchNumbers::read(&path).unwrap_or_default();
    let mut table = measured(&keys, &before, &sample_level, folder)?;
    let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
    for label in labels(&root.join("analyses")) {
        let of = |ending: &str| root.join("analyses").join(format!("{label}.{ending}"));
        let of_cells = numbers::read_cells(&of("metrics.parquet"))?;
        found.extend(of_cells.into_iter().filter(|number| keys.contains(number.cell_key.as_str())));
        let added = BatchNumbers::read(&of("batches.parquet"))?;
        let rows: BTreeMap<&BatchPlace, usize> = added.places.iter().zip(0..).collect();
        for (name, values) in &added.columns {
            // Two analyses of one kind would have columns of one name.
            let name = if seen.insert(name.clone()) { name.clone() } else { format!("{label}.{name}") };
            let value = |place: &BatchPlace| rows.get(place).and_then(|&row| values[row]);
            let column = table.places.iter().map(value).collect();
            table.columns.push((name, column));
        }
    }
    table.write(&path)?;
    numbers::write_cells(&root.join("metrics.parquet"), &found)
}

/// What the analyses in a folder are called, sorted.
fn labels(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|e| e.file_name().into_string().ok());
    let mut labels: Vec<String> = names.filter_map(|n| n.strip_suffix(".json").map(str::to_owned)).collect();
    labels.retain(|label| !label.starts_with('.'));
    labels.sort();
    labels
}

/// The metrics of every batch of these cells, those in `before` as they are there.
fn measured(
    keys: &BTreeSet<&str>,
    before: &BatchNumbers,
    metrics: &[&Metric],
    folder: &RunFolder,
) -> Result<BatchNumbers> {
    let old: Option<Vec<&Vec<Option<f64>>>> = metrics
        .iter()
        .map(|m| before.columns.iter().find(|(name, _)| name == m.spec.name).map(|(_, values)| values))
        .collect();
    let mut known: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (row, place) in before.places.iter().enumerate().filter(|_| old.is_some() && !before.sizes.is_empty()) {
        known.entry(&place.cell_key).or_default().push(row);
    }
    let mut table = BatchNumbers::default();
    let mut columns = vec![Vec::new(); metrics.len()];
    for key in keys {
        if let (Some(rows), Some(old)) = (known.get(key), &old) {
            for &row in rows {
                table.places.push(before.places[row].clone());
                table.sizes.push(before.sizes[row]);
                columns.iter_mut().zip(old).for_each(|(column, values)| column.push(values[row]));
            }
            continue;
        }
        for batch in folder.scores(key)? {
            let values = evaluate(MetricInput::Samples { scores: &batch.items, labels: &batch.labels }, metrics);
            columns.iter_mut().zip(values).for_each(|(column, (_, value))| column.push(value.value()));
            let anomalous = batch.labels.iter().filter(|l| **l).count();
            table.sizes.push((batch.labels.len() as u32, anomalous as u32));
            table.places.push(BatchPlace { cell_key: (*key).to_owned(), domain: batch.domain, batch: batch.number });
        }
    }
    table.columns = metrics.iter().map(|m| m.spec.name.to_owned()).zip(columns).collect();
    Ok(table)
}
