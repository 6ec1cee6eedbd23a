//! Per-sample scores of a cell, kept so that metrics can be recomputed: `records/<cell_key>.scores.parquet`.

use std::path::Path;

use polars::prelude::*;
use zsad_core::{Error, Result, file};

use crate::frame::{self, Field};

/// One scored sample.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoreRow {
    /// Domain name.
    pub domain: String,
    /// Number of the batch in its domain.
    pub batch: u32,
    /// Position in the batch.
    pub index: u32,
    /// Whether it is anomalous.
    pub label: bool,
    /// Its score; higher is more anomalous.
    pub score: f64,
}

/// Writes `rows` in their order as Parquet, atomically; `label` is an integer, 0 or 1.
///
/// # Errors
/// [`Error::Data`] where the file cannot be written.
pub fn write(path: &Path, rows: &[ScoreRow]) -> Result<()> {
    let labels: Vec<i32> = rows.iter().map(|r| i32::from(r.label)).collect();
    let columns = vec![
        String::column("domain", rows.iter().map(|r| &r.domain)),
        u32::column("batch", rows.iter().map(|r| &r.batch)),
        u32::column("index", rows.iter().map(|r| &r.index)),
        i32::column("label", labels.iter()),
        f64::column("score", rows.iter().map(|r| &r.score)),
    ];
    let bytes = DataFrame::new(rows.len(), columns).and_then(|mut frame| frame::to_parquet(&mut frame));
    file::write(path, &bytes.map_err(|e| Error::failed(format!("the scores do not make a table: {e}")))?)
}

/// The rows of a file that [`write`] wrote.
///
/// # Errors
/// [`Error::Data`] where the file is missing, damaged or holds a label other than 0 and 1.
pub fn read(path: &Path) -> Result<Vec<ScoreRow>> {
    let frame = frame::read_parquet(path)?;
    from_frame(&frame).map_err(|e| frame::damaged(path, e))
}

fn from_frame(frame: &DataFrame) -> PolarsResult<Vec<ScoreRow>> {
    let domains = frame::values::<String>(frame, "domain")?;
    let batches = frame::values::<u32>(frame, "batch")?;
    let indices = frame::values::<u32>(frame, "index")?;
    let labels = frame::values::<i32>(frame, "label")?;
    let scores = frame::values::<f64>(frame, "score")?;
    let rest = batches.into_iter().zip(indices).zip(labels).zip(scores);
    let row = |(domain, (((batch, index), label), score))| match label {
        0 | 1 => Ok(ScoreRow { domain, batch, index, label: label == 1, score }),
        other => Err(polars_err!(ComputeError: "label {other} of sample {index} in batch {batch} is not 0 or 1")),
    };
    domains.into_iter().zip(rest).map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_read_back_with_the_same_bits() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("records").join("x.scores.parquet");
        let values = [0.1, -0.0, 1e-310, f64::MAX, 1.0 / 3.0];
        let row = |(i, &score): (usize, &f64)| ScoreRow {
            domain: format!("d{}", i / 2),
            batch: i as u32 / 2,
            index: i as u32 % 2,
            label: i == 3,
            score,
        };
        let rows: Vec<_> = values.iter().enumerate().map(row).collect();
        write(&path, &rows).unwrap();
        let back = read(&path).unwrap();
        assert_eq!(back, rows);
        assert!(back.iter().zip(&rows).all(|(a, b)| a.score.to_bits() == b.score.to_bits()));
    }

    #[test]
    fn a_truncated_file_is_an_error_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.parquet");
        let row = ScoreRow { domain: "d".into(), batch: 0, index: 0, label: true, score: 1.0 };
        write(&path, &vec![row; 100]).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        let message = read(&path).unwrap_err().to_string();
        assert!(message.contains("x.parquet") && message.contains("cannot be read"), "{message}");
    }
}
