//! Per-sample scores of a cell, kept so that metrics can be recomputed: `records/<cell_key>.scores.parquet`.

use std::path::Path;

use polars_core::prelude::*;
use zsad_core::{Error, LabelledBatch, Result, TagValues, Tags, file};

use crate::frame::{self, Field};

/// Fewer rows than this are not worth compressing.
const FEW: usize = 1000;
/// Before the name of a tag in the names of columns.
const TAG: &str = "tag_";

/// What is known of scored samples beside label and score, one after the other in the order of the batches.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// Rows of the data set's file that they come from, counted from 0; `None` where that is not known.
    pub rows: Vec<Option<u32>>,
    /// Which they are: the letter of their subset (n, a, r) and their place in it, such as `a17`; before it, where they are of
    /// another domain than their batch, that domain and a colon. Empty in files of versions that did not say.
    pub samples: Vec<String>,
    /// What a person calls them, such as `crack/012`; empty where they have no names.
    pub names: Vec<String>,
    /// Their tags.
    pub tags: Tags,
}

impl Facts {
    /// Nothing of `n` samples.
    pub fn unknown(n: usize) -> Self {
        let texts = || vec![String::new(); n];
        Facts { rows: vec![None; n], samples: texts(), names: texts(), tags: Tags::none(n) }
    }

    /// Adds those of more samples.
    pub fn append(&mut self, other: Facts) {
        self.rows.extend(other.rows);
        self.samples.extend(other.samples);
        self.names.extend(other.names);
        self.tags.append(other.tags);
    }
}

/// The scores of a cell, with what is known of their samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Scored {
    /// Domain by domain, batch by batch.
    pub batches: Vec<LabelledBatch<f64>>,
    /// Of all samples, one after the other.
    pub facts: Facts,
}

/// Writes `batches` in their order as Parquet, atomically: `domain, batch, index, label, score, row, sample, name`, and a
/// column `tag_<name>` a tag; `label` an integer, 0 or 1.
///
/// # Errors
/// [`Error::Data`] where the file cannot be written; [`Error::Failed`] where there are not as many facts as scores.
pub fn write(path: &Path, batches: &[LabelledBatch<f64>], facts: &Facts) -> Result<()> {
    fn each<T: Copy>(batches: &[LabelledBatch<f64>], value: impl Fn(&LabelledBatch<f64>, usize) -> T) -> Vec<T> {
        batches.iter().flat_map(|b| (0..b.items.len()).map(|i| value(b, i)).collect::<Vec<_>>()).collect()
    }
    let domains = batches.iter().flat_map(|b| b.items.iter().map(|_| &b.domain));
    let mut columns = vec![
        String::column("domain", domains),
        u32::column("batch", each(batches, |b, _| b.number).iter()),
        u32::column("index", each(batches, |_, i| i as u32).iter()),
        i32::column("label", each(batches, |b, i| i32::from(b.labels[i])).iter()),
        f64::column("score", each(batches, |b, i| b.items[i]).iter()),
        Option::<u32>::column("row", facts.rows.iter()),
        String::column("sample", facts.samples.iter()),
        String::column("name", facts.names.iter()),
    ];
    columns.extend(facts.tags.iter().map(|(name, values)| {
        let name = format!("{TAG}{name}");
        match values {
            TagValues::Numbers(v) => Option::<f64>::column(&name, v.iter()),
            TagValues::Words(v) => Option::<String>::column(&name, v.iter()),
        }
    }));
    let rows = batches.iter().map(|b| b.items.len()).sum();
    let pack = if rows < FEW { frame::to_plain_parquet } else { frame::to_parquet };
    let bytes = DataFrame::new(rows, columns).and_then(|mut frame| pack(&mut frame));
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

/// The same with what is known of the samples; files of earlier versions know less.
///
/// # Errors
/// As [`read`].
pub fn read_all(path: &Path) -> Result<Scored> {
    let frame = frame::read_parquet(path)?;
    let all = from_frame(&frame).and_then(|batches| Ok(Scored { batches, facts: facts(&frame)? }));
    all.map_err(|e| frame::damaged(path, e))
}

fn facts(frame: &DataFrame) -> PolarsResult<Facts> {
    let mut facts = Facts::unknown(frame.height());
    let has = |name: &str| frame.column(name).is_ok();
    if has("row") {
        facts.rows = frame::values(frame, "row")?;
    }
    if has("sample") {
        (facts.samples, facts.names) = (frame::values(frame, "sample")?, frame::values(frame, "name")?);
    }
    for column in frame.columns() {
        let Some(name) = column.name().strip_prefix(TAG) else { continue };
        let values = match column.dtype() {
            DataType::String => TagValues::Words(frame::values(frame, column.name())?),
            _ => TagValues::Numbers(frame::values(frame, column.name())?),
        };
        facts.tags = facts.tags.with(name, values);
    }
    Ok(facts)
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
    fn scores_read_back_with_the_same_bits_and_all_that_is_known_of_them() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("records").join("x.scores.parquet");
        let batch = |domain: &str, number, scores: &[f64]| LabelledBatch {
            domain: domain.into(),
            number,
            items: scores.to_vec(),
            labels: scores.iter().map(|&s| s > 1.0).collect(),
        };
        let batches = [batch("a", 0, &[0.1, -0.0]), batch("a", 1, &[1e-310, f64::MAX]), batch("b", 1, &[1.0 / 3.0])];
        let levels = [Some(1.0), None, Some(0.25), None, Some(3.0)];
        let kinds = ["crack", "", "hole", "", "good"].map(|k| Some(k.to_owned()).filter(|k| !k.is_empty()));
        let facts = Facts {
            rows: vec![Some(7), None, Some(0), Some(3), None],
            samples: ["n0", "a1", "b:n2", "n3", "n4"].map(String::from).to_vec(),
            names: ["crack/000", "", "", "", ""].map(String::from).to_vec(),
            tags: Tags::none(5).numbers("level", levels).words("kind", kinds),
        };
        write(&path, &batches, &facts).unwrap();
        let frame = frame::read_parquet(&path).unwrap();
        let columns: Vec<&str> = frame.get_column_names().into_iter().map(|n| n.as_str()).collect();
        let first = ["domain", "batch", "index", "label", "score", "row", "sample", "name"];
        assert_eq!(columns, [&first[..], &["tag_kind", "tag_level"]].concat(), "new columns come last");
        let back = read(&path).unwrap();
        assert_eq!(back, batches);
        assert_eq!(read_all(&path).unwrap(), Scored { batches: back.clone(), facts });
        let bits = |b: &[LabelledBatch<f64>]| b.iter().flat_map(|b| &b.items).map(|s| s.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&back), bits(&batches));
    }

    #[test]
    fn a_truncated_file_is_an_error_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.parquet");
        let batch = LabelledBatch { domain: "d".into(), number: 0, items: vec![1.0; 100], labels: vec![true; 100] };
        write(&path, &[batch], &Facts::unknown(100)).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        let message = read(&path).unwrap_err().to_string();
        assert!(message.contains("x.parquet") && message.contains("cannot be read"), "{message}");
    }
}
