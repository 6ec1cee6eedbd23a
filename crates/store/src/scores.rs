//! Per-sample scores of a cell, kept so that metrics can be recomputed: `records/<cell_key>.scores.parquet`.

use std::path::Path;

use polars_core::prelude::*;
use zsad_core::{Error, LabelledBatch, Result, file};

use crate::frame::{self, Field};

/// Writes `batches` in their order as Parquet, atomically: `domain, batch, index, label, score, row`, `label` an integer,
/// 0 or 1. `rows` are the rows of the data set's file that the samples come from, one after the other and counted from 0;
/// null where that is not known.
///
/// # Errors
/// [`Error::Data`] where the file cannot be written; [`Error::Failed`] where there is not one of `rows` a score.
pub fn write(path: &Path, batches: &[LabelledBatch<f64>], rows: &[Option<u32>]) -> Result<()> {
    fn each<T: Copy>(batches: &[LabelledBatch<f64>], value: impl Fn(&LabelledBatch<f64>, usize) -> T) -> Vec<T> {
        batches.iter().flat_map(|b| (0..b.items.len()).map(|i| value(b, i)).collect::<Vec<_>>()).collect()
    }
    let domains = batches.iter().flat_map(|b| b.items.iter().map(|_| &b.domain));
    let columns = vec![
        String::column("domain", domains),
        u32::column("batch", each(batches, |b, _| b.number).iter()),
        u32::column("index", each(batches, |_, i| i as u32).iter()),
        i32::column("label", each(batches, |b, i| i32::from(b.labels[i])).iter()),
        f64::column("score", each(batches, |b, i| b.items[i]).iter()),
        Option::<u32>::column("row", rows.iter()),
    ];
    let rows = batches.iter().map(|b| b.items.len()).sum();
    let bytes = DataFrame::new(rows, columns).and_then(|mut frame| frame::to_parquet(&mut frame));
    file::write(path, &bytes.map_err(|e| Error::failed(format!("the scores do not make a table: {e}")))?)
}

/// The batches of a file that [`write`] wrote.
///
/// # Errors
/// [`Error::Data`] where the file is missing, damaged or holds a label other than 0 and 1.
pub fn read(path: &Path) -> Result<Vec<LabelledBatch<f64>>> {
    let frame = frame::read_parquet(path)?;
    from_frame(&frame).map_err(|e| frame::damaged(path, e))
}

fn from_frame(frame: &DataFrame) -> PolarsResult<Vec<LabelledBatch<f64>>> {
    let domains = frame::values::<String>(frame, "domain")?;
    let numbers = frame::values::<u32>(frame, "batch")?;
    let labels = frame::values::<i32>(frame, "label")?;
    let scores = frame::values::<f64>(frame, "score")?;
    let mut batches: Vec<LabelledBatch<f64>> = Vec::new();
    for (((domain, batch), label), score) in domains.into_iter().zip(numbers).zip(labels).zip(scores) {
        let label = match label {
            0 | 1 => label == 1,
            other => return Err(polars_err!(ComputeError: "label {other} in batch {batch} is not 0 or 1")),
        };
        match batches.last_mut() {
            Some(last) if last.domain == domain && last.number == batch => {
                last.labels.push(label);
                last.items.push(score);
            }
            _ => batches.push(LabelledBatch { domain, number: batch, items: vec![score], labels: vec![label] }),
        }
    }
    Ok(batches)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_read_back_with_the_same_bits() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("records").join("x.scores.parquet");
        let batch = |domain: &str, number, scores: &[f64]| LabelledBatch {
            domain: domain.into(),
            number,
            items: scores.to_vec(),
            labels: scores.iter().map(|&s| s > 1.0).collect(),
        };
        let batches = [batch("a", 0, &[0.1, -0.0]), batch("a", 1, &[1e-310, f64::MAX]), batch("b", 1, &[1.0 / 3.0])];
        let rows = [Some(7), None, Some(0), Some(3), None];
        write(&path, &batches, &rows).unwrap();
        let frame = frame::read_parquet(&path).unwrap();
        assert_eq!(frame::values::<Option<u32>>(&frame, "row").unwrap(), rows);
        assert_eq!(frame.get_column_names().last().map(|n| n.as_str()), Some("row"), "a new column comes last");
        let back = read(&path).unwrap();
        assert_eq!(back, batches);
        let bits = |b: &[LabelledBatch<f64>]| b.iter().flat_map(|b| &b.items).map(|s| s.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&back), bits(&batches));
    }

    #[test]
    fn a_truncated_file_is_an_error_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.parquet");
        let batch = LabelledBatch { domain: "d".into(), number: 0, items: vec![1.0; 100], labels: vec![true; 100] };
        write(&path, &[batch], &[None; 100]).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        let message = read(&path).unwrap_err().to_string();
        assert!(message.contains("x.parquet") && message.contains("cannot be read"), "{message}");
    }
}
