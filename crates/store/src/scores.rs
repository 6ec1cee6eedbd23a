//! Per-sample scores of a cell, kept so that metrics can be recomputed: `records/<cell_key>.scores.parquet`.

use std::path::Path;

use polars_core::prelude::*;
use zsad_core::{Error, Result, file};

use crate::frame::{self, Field};

/// The scores of one batch.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchScores {
    /// Domain name.
    pub domain: String,
    /// Number of the batch in its domain.
    pub batch: u32,
    /// Which samples are anomalous.
    pub labels: Vec<bool>,
    /// One score a sample; higher is more anomalous.
    pub scores: Vec<f64>,
}

/// Writes `batches` in their order as Parquet, atomically: `domain, batch, index, label, score`, `label` an integer,
/// 0 or 1.
///
/// # Errors
/// [`Error::Data`] where the file cannot be written.
pub fn write(path: &Path, batches: &[BatchScores]) -> Result<()> {
    fn each<T: Copy>(batches: &[BatchScores], value: impl Fn(&BatchScores, usize) -> T) -> Vec<T> {
        batches.iter().flat_map(|b| (0..b.scores.len()).map(|i| value(b, i)).collect::<Vec<_>>()).collect()
    }
    let domains = batches.iter().flat_map(|b| b.scores.iter().map(|_| &b.domain));
    let columns = vec![
        String::column("domain", domains),
        u32::column("batch", each(batches, |b, _| b.batch).iter()),
        u32::column("index", each(batches, |_, i| i as u32).iter()),
        i32::column("label", each(batches, |b, i| i32::from(b.labels[i])).iter()),
        f64::column("score", each(batches, |b, i| b.scores[i]).iter()),
    ];
    let rows = batches.iter().map(|b| b.scores.len()).sum();
    let bytes = DataFrame::new(rows, columns).and_then(|mut frame| frame::to_parquet(&mut frame));
    file::write(path, &bytes.map_err(|e| Error::failed(format!("the scores do not make a table: {e}")))?)
}

/// The batches of a file that [`write`] wrote.
///
/// # Errors
/// [`Error::Data`] where the file is missing, damaged or holds a label other than 0 and 1.
pub fn read(path: &Path) -> Result<Vec<BatchScores>> {
    let frame = frame::read_parquet(path)?;
    from_frame(&frame).map_err(|e| frame::damaged(path, e))
}

fn from_frame(frame: &DataFrame) -> PolarsResult<Vec<BatchScores>> {
    let domains = frame::values::<String>(frame, "domain")?;
    let numbers = frame::values::<u32>(frame, "batch")?;
    let labels = frame::values::<i32>(frame, "label")?;
    let scores = frame::values::<f64>(frame, "score")?;
    let mut batches: Vec<BatchScores> = Vec::new();
    for (((domain, batch), label), score) in domains.into_iter().zip(numbers).zip(labels).zip(scores) {
        let label = match label {
            0 | 1 => label == 1,
            other => return Err(polars_err!(ComputeError: "label {other} in batch {batch} is not 0 or 1")),
        };
        match batches.last_mut() {
            Some(last) if last.domain == domain && last.batch == batch => {
                last.labels.push(label);
                last.scores.push(score);
            }
            _ => batches.push(BatchScores { domain, batch, labels: vec![label], scores: vec![score] }),
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
        let batch = |domain: &str, batch, scores: &[f64]| BatchScores {
            domain: domain.into(),
            batch,
            labels: scores.iter().map(|&s| s > 1.0).collect(),
            scores: scores.to_vec(),
        };
        let batches = [batch("a", 0, &[0.1, -0.0]), batch("a", 1, &[1e-310, f64::MAX]), batch("b", 1, &[1.0 / 3.0])];
        write(&path, &batches).unwrap();
        let back = read(&path).unwrap();
        assert_eq!(back, batches);
        let bits = |b: &[BatchScores]| b.iter().flat_map(|b| &b.scores).map(|s| s.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&back), bits(&batches));
    }

    #[test]
    fn a_truncated_file_is_an_error_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.parquet");
        let batch = BatchScores { domain: "d".into(), batch: 0, labels: vec![true; 100], scores: vec![1.0; 100] };
        write(&path, &[batch]).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        let message = read(&path).unwrap_err().to_string();
        assert!(message.contains("x.parquet") && message.contains("cannot be read"), "{message}");
    }
}
