//! CSV and Parquet files as columns, with errors that name the file, the row and the column.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use polars_core::prelude::*;
use polars_io::prelude::*;
use zsad_core::panics::caught;
use zsad_core::{Error, Result, suggest};

/// Rows from which the types of CSV columns are guessed before all rows are looked at.
const HEAD: usize = 1000;

/// What stands for no value in a CSV file, beside an empty field.
const MISSING: [&str; 5] = ["NA", "?", "nan", "NaN", "NAN"];
/// What may separate the fields of a CSV file; the comma comes first, and wins where several are equally frequent.
const SEPARATORS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// A table in memory.
pub struct Table {
    path: PathBuf,
    frame: DataFrame,
    remarks: Vec<String>,
}

/// How a CSV file is to be read.
#[derive(Debug, Clone, Copy, Default)]
pub struct Csv {
    /// What separates fields; `None`: guessed from the header, a tab where the file's name ends in `.tsv`.
    pub separator: Option<u8>,
}

impl Table {
    /// Reads `path`: Parquet where its name ends in `.parquet`, else CSV with a header. Types of CSV columns are inferred
    /// from all rows; empty fields, `NA`, `?` and `nan` are missing values. `columns` of a Parquet file are read, or all.
    ///
    /// # Errors
    /// [`Error::Data`] where it is missing, damaged, or has no rows.
    pub fn read(path: &Path, columns: Option<&[&str]>) -> Result<Self> {
        Self::read_as(path, columns, Csv::default())
    }

    /// As [`Table::read`], a CSV file as `csv` says.
    ///
    /// # Errors
    /// As there.
    pub fn read_as(path: &Path, columns: Option<&[&str]>, csv: Csv) -> Result<Self> {
        let mut file = File::open(path).map_err(|e| Error::io(path, &e))?;
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        let wrong =
            |e: &dyn std::fmt::Display| Error::data(path, e, "the file must be a CSV file with a header, or Parquet");
        let mut remarks = Vec::new();
        let frame = if extension == "parquet" {
            let columns = columns.map(|c| c.iter().map(|&c| c.to_owned()).collect());
            let read = || ParquetReader::new(file).read_parallel(ParallelStrategy::None).with_columns(columns).finish();
            // The reader may panic on damaged files.
            caught(read).map_err(|panic| wrong(&format!("damaged: {panic}")))?
        } else {
            let header = header(path)?;
            let separator = csv.separator.unwrap_or_else(|| if extension == "tsv" { b'\t' } else { guess(&header) });
            if csv.separator.is_none() && separator != b',' && extension != "tsv" {
                remarks.push(format!("fields are taken as separated by {}", said(separator)));
            }
            read_csv(&mut file, separator)
        };
        let frame = frame.map_err(|e| wrong(&e))?;
        if frame.height() == 0 {
            return Err(Error::data(path, "no rows", ""));
        }
        let table = Table { path: path.to_owned(), frame, remarks };
        Ok(if extension == "parquet" { table } else { table.with_remark_on_header() })
    }

    /// A header of numbers alone is more often a row that was taken for one.
    fn with_remark_on_header(mut self) -> Self {
        // The reader tells columns of one name apart by an ending of its own.
        let is_number =
            |name: &String| name.split("_duplicated_").next().is_some_and(|n| n.trim().parse::<f64>().is_ok());
        if self.names().iter().all(is_number) {
            let remark = "every cell of the first line is a number: it is taken as the header, and no sample; if the file \
                          has none, write one above it";
            self.remarks.push(remark.into());
        }
        self
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What a person should know of how it was read, a sentence each.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// That all `columns` are there.
    ///
    /// # Errors
    /// [`Error::Data`] that names all that are not.
    pub fn require(&self, columns: &[&str]) -> Result<()> {
        let names = self.names();
        let absent: Vec<&str> = columns.iter().copied().filter(|c| names.iter().all(|n| n != c)).collect();
        match absent[..] {
            [] => Ok(()),
            [one] => self.column(one).map(|_| ()),
            _ => {
                let message = format!("no columns `{}`", absent.join("`, `"));
                Err(Error::data(&self.path, message, format!("it has {}", names.join(", "))))
            }
        }
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
        let text = self.text_or_missing(column)?;
        let there: Vec<(usize, &str)> = text.iter().enumerate().filter_map(|(i, t)| Some((i, t.as_deref()?))).collect();
        let is_stray = |(_, text): &&(usize, &str)| text.trim().parse::<f64>().is_err();
        let strays: Vec<_> = there.iter().filter(is_stray).collect();
        match strays.first() {
            Some((first, stray)) if 2 * strays.len() < there.len() => {
                let others = there.len() - strays.len();
                Err(self.at(Some(*first), column, format!("`{stray}` is not a number, and {others} others are")))
            }
            _ => Ok(()),
        }
    }

    /// A column as text.
    ///
    /// # Errors
    /// [`Error::Data`] where there is no such column or a value is missing, naming the row.
    pub fn text(&self, column: &str) -> Result<Vec<String>> {
        let all = self.texts(column)?.into_iter().enumerate();
        all.map(|(i, v)| v.ok_or_else(|| self.at(Some(i), column, "no value"))).collect()
    }

    /// A column as text; missing values and empty texts are `None`.
    ///
    /// # Errors
    /// [`Error::Data`] where there is no such column.
    pub fn text_or_missing(&self, column: &str) -> Result<Vec<Option<String>>> {
        Ok(self.texts(column)?.into_iter().map(|v| v.filter(|v| !v.is_empty())).collect())
    }

    fn texts(&self, column: &str) -> Result<Vec<Option<String>>> {
        let cast = self.column(column)?.cast(&DataType::String);
        let cast = cast.map_err(|e| self.at(None, column, e))?;
        let values = cast.str().map_err(|e| self.at(None, column, e))?;
        Ok(values.iter().map(|v| v.map(str::to_owned)).collect())
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
        let text = self.text_or_missing(column)?;
        let parse = |(i, v): (usize, &Option<String>)| match v {
            Some(v) => v.trim().parse().map_err(|_| self.at(Some(i), column, format!("`{v}` is not a number"))),
            None => Ok(f64::NAN),
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
    let missing = NullValues::AllColumns(MISSING.map(Into::into).to_vec());
    let mut read = |rows: Option<usize>| {
        CsvReadOptions::default()
            .with_infer_schema_length(rows)
            .with_n_threads(Some(1))
            .map_parse_options(|o| o.with_separator(separator).with_null_values(Some(missing.clone())))
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

/// The first line of a file.
fn header(path: &Path) -> Result<String> {
    let file = File::open(path).map_err(|e| Error::io(path, &e))?;
    let mut line = Vec::new();
    BufReader::new(file.take(HEADER)).read_until(b'\n', &mut line).map_err(|e| Error::io(path, &e))?;
    Ok(String::from_utf8_lossy(&line).into_owned())
}

/// Bytes of a header that are looked at.
const HEADER: u64 = 1 << 20;

/// The separator that is most frequent in a header, outside of quotes.
fn guess(header: &str) -> u8 {
    let mut counts = [0usize; SEPARATORS.len()];
    let mut quoted = false;
    for byte in header.bytes() {
        quoted ^= byte == b'"';
        if let Some(i) = SEPARATORS.iter().position(|&s| s == byte && !quoted) {
            counts[i] += 1;
        }
    }
    let most = counts.iter().max().copied().unwrap_or(0);
    counts.iter().position(|&c| c == most).map_or(b',', |i| SEPARATORS[i])
}

fn said(separator: u8) -> String {
    if separator == b'\t' { "tabs".into() } else { format!("`{}`", char::from(separator)) }
}
