//! CSV and Parquet files as columns, with errors that name the file, the row and the column.

use std::fs::File;
use std::path::{Path, PathBuf};

use polars_core::prelude::*;
use polars_io::prelude::*;
use zsad_core::panics::caught;
use zsad_core::{Error, Result, suggest};

/// Rows from which the types of CSV columns are guessed before all rows are looked at.
const HEAD: usize = 1000;

/// A table in memory.
pub struct Table {
    path: PathBuf,
    frame: DataFrame,
}

impl Table {
    /// Reads `path`: Parquet where its name ends in `.parquet`, else CSV with a header (`.tsv`: separated by tabs).
    /// Types of CSV columns are inferred from all rows. `columns` of a Parquet file are read, or all.
    ///
    /// # Errors
    /// [`Error::Data`] where it is missing, damaged, or has no rows.
    pub fn read(path: &Path, columns: Option<&[&str]>) -> Result<Self> {
        let mut file = File::open(path).map_err(|e| Error::io(path, &e))?;
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        let wrong =
            |e: &dyn std::fmt::Display| Error::data(path, e, "the file must be a CSV file with a header, or Parquet");
        let frame = if extension == "parquet" {
            let columns = columns.map(|c| c.iter().map(|&c| c.to_owned()).collect());
            let read = || ParquetReader::new(file).read_parallel(ParallelStrategy::None).with_columns(columns).finish();
            // The reader may panic on damaged files.
            caught(read).map_err(|panic| wrong(&format!("damaged: {panic}")))?
        } else {
            read_csv(&mut file, if extension == "tsv" { b'\t' } else { b',' })
        };
        let frame = frame.map_err(|e| wrong(&e))?;
        if frame.height() == 0 {
            return Err(Error::data(path, "no rows", ""));
        }
        Ok(Table { path: path.to_owned(), frame })
    }

    /// The number of rows.
    pub fn height(&self) -> usize {
        self.frame.height()
    }

    /// The names of its columns.
    pub fn names(&self) -> Vec<String> {
        self.frame.get_column_names().iter().map(|n| n.to_string()).collect()
    }

    /// Whether the column holds text (and not numbers or truth values).
    ///
    /// # Errors
    /// [`Error::Data`] where there is no such column.
    pub fn is_text(&self, column: &str) -> Result<bool> {
        let dtype = self.column(column)?.dtype();
        Ok(!(dtype.is_primitive_numeric() || dtype.is_bool()))
    }

    /// Refuses a column of text that is mostly numbers: a slip, such as `n/a` or `1,5`, must not make it categorical.
    ///
    /// # Errors
    /// [`Error::Data`] with the row and the value of the first that is no number.
    pub fn refuse_strays(&self, column: &str) -> Result<()> {
        let text = self.text(column)?;
        let strays: Vec<usize> = (0..text.len()).filter(|&i| text[i].trim().parse::<f64>().is_err()).collect();
        match strays.first() {
            Some(&first) if 2 * strays.len() < text.len() => {
                let others = text.len() - strays.len();
                Err(self.at(Some(first), column, format!("`{}` is not a number, and {others} others are", text[first])))
            }
            _ => Ok(()),
        }
    }

    /// A column as text.
    ///
    /// # Errors
    /// [`Error::Data`] where there is no such column or a value is missing, naming the row.
    pub fn text(&self, column: &str) -> Result<Vec<String>> {
        let cast = self.column(column)?.cast(&DataType::String);
        let cast = cast.map_err(|e| self.at(None, column, e))?;
        let values = cast.str().map_err(|e| self.at(None, column, e))?;
        let all = values.iter().enumerate();
        all.map(|(i, v)| v.map(str::to_owned).ok_or_else(|| self.at(Some(i), column, "no value"))).collect()
    }

    /// A column as numbers; truth values are 0 and 1, numbers written as text are read, missing values are NaN.
    ///
    /// # Errors
    /// [`Error::Data`] where there is no such column or a value is no number, naming the row.
    pub fn numbers_or_nan(&self, column: &str) -> Result<Vec<f64>> {
        let source = self.column(column)?;
        if !self.is_text(column)? {
            let cast = source.cast(&DataType::Float64).map_err(|e| self.at(None, column, e))?;
            let values = cast.f64().map_err(|e| self.at(None, column, e))?;
            return Ok(values.iter().map(|v| v.unwrap_or(f64::NAN)).collect());
        }
        let text = self.text(column)?;
        let parse = |(i, v): (usize, &String)| {
            v.trim().parse().map_err(|_| self.at(Some(i), column, format!("`{v}` is not a number")))
        };
        text.iter().enumerate().map(parse).collect()
    }

    /// As [`Table::numbers_or_nan`], all of them finite.
    ///
    /// # Errors
    /// [`Error::Data`] also where a value is missing, NaN or infinite, naming the row.
    pub fn numbers(&self, column: &str) -> Result<Vec<f64>> {
        let values = self.numbers_or_nan(column)?;
        match values.iter().position(|v| !v.is_finite()) {
            None => Ok(values),
            Some(i) if values[i].is_nan() => Err(self.at(Some(i), column, "no value, or NaN")),
            Some(i) => Err(self.at(Some(i), column, "infinite")),
        }
    }

    /// An error at a place of this table; rows count from 0.
    pub fn at(&self, row: Option<usize>, column: &str, why: impl std::fmt::Display) -> Error {
        let row = row.map(|i| format!("row {} (the first is 1), ", i + 1)).unwrap_or_default();
        Error::data(&self.path, format!("{row}column `{column}`: {why}"), "")
    }

    fn column(&self, name: &str) -> Result<&Column> {
        self.frame
            .column(name)
            .map_err(|_| Error::data(&self.path, format!("no column `{name}`"), suggest::hint(name, self.names())))
    }
}

/// Reads a CSV file with a header. Types guessed from its head hold where all rows can be read with them. Where they do
/// not, the file is gone through again, for the types of all rows: keeping the first pass's texts for that would take the
/// memory of the whole file a second time, always, to save time in the rare case.
fn read_csv(file: &mut File, separator: u8) -> PolarsResult<DataFrame> {
    let mut read = |rows: Option<usize>| {
        CsvReadOptions::default()
            .with_infer_schema_length(rows)
            .with_n_threads(Some(1))
            .map_parse_options(|o| o.with_separator(separator))
            .into_reader_with_file_handle(&mut *file)
            .finish()
    };
    // A column that is empty in the head says nothing of its type.
    let unknown = |column: &Column| *column.dtype() == DataType::String && column.head(Some(HEAD)).is_null().all();
    match read(Some(HEAD)) {
        Ok(frame) if !frame.columns().iter().any(unknown) => Ok(frame),
        _ => read(None),
    }
}
