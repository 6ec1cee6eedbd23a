//! Numbers beside the results: of single batches (`batches.parquet`), and of cells (`metrics.parquet`).

use std::path::Path;

use polars_core::prelude::*;
use zsad_core::{Error, Result, file};

use crate::frame::{self, Field};

/// A number of a cell that is none of the columns of results.
#[derive(Debug, Clone, PartialEq)]
pub struct CellNumber {
    /// The cell.
    pub cell_key: String,
    /// The domain.
    pub domain: String,
    /// What it is.
    pub metric: String,
    /// Of which samples: a value of a tag, a level; empty where it is all of them.
    pub group: String,
    /// The number; `None` where it is not defined.
    pub value: Option<f64>,
}

/// Writes numbers of cells: `cell_key, domain, metric, group, value`.
///
/// # Errors
/// Where the file cannot be written.
pub fn write_cells(path: &Path, numbers: &[CellNumber]) -> Result<()> {
    let columns = vec![
        String::column("cell_key", numbers.iter().map(|n| &n.cell_key)),
        String::column("domain", numbers.iter().map(|n| &n.domain)),
        String::column("metric", numbers.iter().map(|n| &n.metric)),
        String::column("group", numbers.iter().map(|n| &n.group)),
        Option::<f64>::column("value", numbers.iter().map(|n| &n.value)),
    ];
    write(path, numbers.len(), columns)
}

/// The numbers of a file that [`write_cells`] wrote; none where there is no such file.
///
/// # Errors
/// [`Error::Data`] where it is damaged.
pub fn read_cells(path: &Path) -> Result<Vec<CellNumber>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let frame = frame::read_parquet(path)?;
    let read = || -> PolarsResult<Vec<CellNumber>> {
        let text = |name: &str| frame::values::<String>(&frame, name);
        let texts = text("cell_key")?.into_iter().zip(text("domain")?).zip(text("metric")?).zip(text("group")?);
        let of = |((((cell_key, domain), metric), group), value)| CellNumber { cell_key, domain, metric, group, value };
        Ok(texts.zip(frame::values::<Option<f64>>(&frame, "value")?).map(of).collect())
    };
    read().map_err(|e| frame::damaged(path, e))
}

/// Which batch a line is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BatchPlace {
    /// The cell.
    pub cell_key: String,
    /// The domain.
    pub domain: String,
    /// The batch's number in its domain.
    pub batch: u32,
}

/// Numbers of batches, a line each.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BatchNumbers {
    /// The batches.
    pub places: Vec<BatchPlace>,
    /// Samples and anomalies of each; empty where the table does not say.
    pub sizes: Vec<(u32, u32)>,
    /// Names and values of the columns, a value each batch.
    pub columns: Vec<(String, Vec<Option<f64>>)>,
}

impl BatchNumbers {
    /// Writes it: `cell_key, domain, batch`, then `n, n_anomalous` where they are known, then its columns.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let (n, anomalous): (Vec<u32>, Vec<u32>) = self.sizes.iter().copied().unzip();
        let mut columns = vec![
            String::column("cell_key", self.places.iter().map(|p| &p.cell_key)),
            String::column("domain", self.places.iter().map(|p| &p.domain)),
            u32::column("batch", self.places.iter().map(|p| &p.batch)),
        ];
        if !self.sizes.is_empty() {
            columns.extend([u32::column("n", n.iter()), u32::column("n_anomalous", anomalous.iter())]);
        }
        columns.extend(self.columns.iter().map(|(name, values)| Option::<f64>::column(name, values.iter())));
        write(path, self.places.len(), columns)
    }

    /// What [`BatchNumbers::write`] wrote; nothing where there is no such file.
    ///
    /// # Errors
    /// [`Error::Data`] where it is damaged.
    pub fn read(path: &Path) -> Result<Self> {
        if !path.exists() {
            return Ok(BatchNumbers::default());
        }
        let frame = frame::read_parquet(path)?;
        let read = || -> PolarsResult<Self> {
            let text = |name: &str| frame::values::<String>(&frame, name);
            let numbers = frame::values::<u32>(&frame, "batch")?;
            let place = |((cell_key, domain), batch)| BatchPlace { cell_key, domain, batch };
            let places = text("cell_key")?.into_iter().zip(text("domain")?).zip(numbers).map(place).collect();
            let mut sizes = Vec::new();
            if frame.column("n").is_ok() {
                let anomalous = frame::values::<u32>(&frame, "n_anomalous")?;
                sizes = frame::values::<u32>(&frame, "n")?.into_iter().zip(anomalous).collect();
            }
            let mut columns = Vec::new();
            for name in frame.get_column_names().into_iter().map(|name| name.to_string()) {
                if !["cell_key", "domain", "batch", "n", "n_anomalous"].contains(&name.as_str()) {
                    let values = frame::values::<Option<f64>>(&frame, &name)?;
                    columns.push((name, values));
                }
            }
            Ok(BatchNumbers { places, sizes, columns })
        };
        read().map_err(|e| frame::damaged(path, e))
    }
}

fn write(path: &Path, rows: usize, columns: Vec<Column>) -> Result<()> {
    let bytes = DataFrame::new(rows, columns).and_then(|mut frame| frame::to_parquet(&mut frame));
    file::write(path, &bytes.map_err(|e| Error::failed(format!("{}: no table: {e}", path.display())))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_back_as_they_were() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("metrics.parquet");
        assert_eq!(read_cells(&path).unwrap(), []);
        let number = |group: &str, value| CellNumber {
            cell_key: "k".into(),
            domain: "d".into(),
            metric: "auroc_level".into(),
            group: group.into(),
            value,
        };
        let numbers = [number("1", Some(1.0 / 3.0)), number("2", None)];
        write_cells(&path, &numbers).unwrap();
        assert_eq!(read_cells(&path).unwrap(), numbers);

        let path = dir.path().join("batches.parquet");
        let place = |batch| BatchPlace { cell_key: "k".into(), domain: "d".into(), batch };
        let whole = BatchNumbers {
            places: vec![place(0), place(1)],
            sizes: vec![(20, 2), (20, 3)],
            columns: vec![("auroc".into(), vec![Some(0.5), None])],
        };
        let bare = BatchNumbers { sizes: vec![], ..whole.clone() };
        for table in [whole, bare, BatchNumbers::default()] {
            table.write(&path).unwrap();
            assert_eq!(BatchNumbers::read(&path).unwrap(), table);
        }
    }
}
