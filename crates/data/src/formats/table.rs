//! CSV and Parquet files as columns, with errors that name the file, the row and the column.

use std::fs::File;
use std::path::{Path, PathBuf};

use polars_core::prelude::*;
use polars_io::prelude::*;
use zsad_core::panics::caught;
use zsad_core::{Error, Result, suggest};

pub use super::csv::Csv;
use super::csv::CsvFile;

/// Rows of a part of a table that lies in memory.
const PART: usize = 1 << 16;

/// A table in memory, or some of its rows.
pub struct Table {
    path: PathBuf,
    frame: DataFrame,
    remarks: Vec<String>,
    /// The file's row that is the first of these.
    first: usize,
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
        let table = match csv_file(path, csv)? {
            Some(file) => Self::of_csv(path, &file, file.read(&[]))?,
            None => Self::of_parquet(path, columns, false)?,
        };
        table.with_rows()
    }

    /// As [`Table::read`], the columns `texts` of a CSV file as text, to the letter.
    ///
    /// # Errors
    /// As there.
    pub fn read_texts(path: &Path, texts: &[&str]) -> Result<Self> {
        match csv_file(path, Csv::default())? {
            Some(file) => Self::of_csv(path, &file, file.read(texts))?.with_rows(),
            None => Self::read(path, None),
        }
    }

    /// The columns of a table without its rows.
    ///
    /// # Errors
    /// As [`Table::read`], but for a table without rows.
    pub fn head(path: &Path) -> Result<Self> {
        match csv_file(path, Csv::default())? {
            Some(file) => Self::of_csv(path, &file, file.head()),
            None => Self::of_parquet(path, None, true),
        }
    }

    /// Goes through a long CSV file some rows at a time, which alone are in memory: `each` sees the columns `numbers` as
    /// numbers and `texts` as text, to the letter. `false` where that cannot be: it is Parquet, or holds what is no number
    /// in this strict form; `each` may have seen some rows then.
    ///
    /// # Errors
    /// Where the file cannot be read, and those of `each`.
    pub fn in_parts(
        path: &Path,
        numbers: &[&str],
        texts: &[&str],
        mut each: impl FnMut(&Table) -> Result<()>,
    ) -> Result<bool> {
        let Some(file) = csv_file(path, Csv::default())? else { return Ok(false) };
        let mut first = 0;
        for frames in file.parts(numbers, texts)? {
            let Some(frames) = frames? else { return Ok(false) };
            for frame in frames {
                let part = Table { path: path.to_owned(), frame, remarks: Vec::new(), first };
                first += part.height();
                each(&part)?;
            }
        }
        Ok(first > 0)
    }

    /// Its rows, some at a time.
    pub fn parts(&self) -> impl Iterator<Item = Table> {
        (0..self.height()).step_by(PART).map(|start| Table {
            path: self.path.clone(),
            frame: self.frame.slice(start as i64, PART),
            remarks: Vec::new(),
            first: self.first + start,
        })
    }

    fn of_csv(path: &Path, file: &CsvFile, frame: PolarsResult<DataFrame>) -> Result<Self> {
        let frame = frame.map_err(|e| file.wrong(&e))?;
        let table = Table { path: path.to_owned(), frame, remarks: file.remark().into_iter().collect(), first: 0 };
        Ok(table.with_remark_on_header())
    }

    fn of_parquet(path: &Path, columns: Option<&[&str]>, head: bool) -> Result<Self> {
        let file = File::open(path).map_err(|e| Error::io(path, &e))?;
        let columns = columns.map(|c| c.iter().map(|&c| c.to_owned()).collect());
        let reader = ParquetReader::new(file).read_parallel(ParallelStrategy::None).with_columns(columns);
        let reader = if head { reader.with_slice(Some((0, 0))) } else { reader };
        // The reader may panic on damaged files.
        let frame = caught(|| reader.finish()).map_err(|panic| damaged(path, &format!("damaged: {panic}")))?;
        let frame = frame.map_err(|e| damaged(path, &e))?;
        Ok(Table { path: path.to_owned(), frame, remarks: Vec::new(), first: 0 })
    }

    fn with_rows(self) -> Result<Self> {
        if self.height() == 0 { Err(Error::data(&self.path, "no rows", "")) } else { Ok(self) }
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

    /// The file's row that is the first of these; rows count from 0.
    pub fn first(&self) -> usize {
        self.first
    }

    /// An error at a place of this table; rows count from 0.
    pub fn at(&self, row: Option<usize>, column: &str, why: impl std::fmt::Display) -> Error {
        let row = row.map(|i| format!("row {} (the first is 1), ", self.first + i + 1)).unwrap_or_default();
        Error::data(&self.path, format!("{row}column `{column}`: {why}"), "")
    }

    fn column(&self, name: &str) -> Result<&Column> {
        self.frame
            .column(name)
            .map_err(|_| Error::data(&self.path, format!("no column `{name}`"), suggest::hint(name, self.names())))
    }
}

/// A CSV file; nothing where it is Parquet by its name.
fn csv_file(path: &Path, csv: Csv) -> Result<Option<CsvFile>> {
    let is_parquet = path.extension().is_some_and(|e| e == "parquet");
    if is_parquet { Ok(None) } else { CsvFile::open(path, csv).map(Some) }
}

fn damaged(path: &Path, why: &dyn std::fmt::Display) -> Error {
    Error::data(path, why, "the file must be a CSV file with a header, or Parquet")
}
