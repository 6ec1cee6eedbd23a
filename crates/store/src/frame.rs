//! Columns of polars frames as plain vectors, and frames as bytes of CSV and Parquet.

use std::io::Cursor;
use std::path::Path;

use polars_core::prelude::*;
use polars_io::prelude::*;
use zsad_core::panics::caught;
use zsad_core::{Error, Result};

/// The type of a column.
pub trait Field: Sized {
    /// As polars names it.
    const DTYPE: DataType;
    /// A column of values.
    fn column<'a>(name: &str, values: impl Iterator<Item = &'a Self>) -> Column
    where
        Self: 'a;
    /// The values of a column of this type.
    fn values(series: &Series) -> PolarsResult<Vec<Self>>;
}

impl Field for String {
    const DTYPE: DataType = DataType::String;

    fn column<'a>(name: &str, values: impl Iterator<Item = &'a Self>) -> Column {
        Column::new(name.into(), values.map(String::as_str).collect::<Vec<_>>())
    }

    fn values(series: &Series) -> PolarsResult<Vec<Self>> {
        // An empty text is an empty field of a CSV file, and that reads back as null.
        Ok(series.str()?.iter().map(|v| v.unwrap_or_default().to_owned()).collect())
    }
}

impl Field for Option<String> {
    const DTYPE: DataType = DataType::String;

    fn column<'a>(name: &str, values: impl Iterator<Item = &'a Self>) -> Column {
        Column::new(name.into(), values.map(Option::as_deref).collect::<Vec<_>>())
    }

    fn values(series: &Series) -> PolarsResult<Vec<Self>> {
        Ok(series.str()?.iter().map(|v| v.map(str::to_owned)).collect())
    }
}

macro_rules! number {
    ($type:ty, $dtype:ident, $get:ident) => {
        impl Field for $type {
            const DTYPE: DataType = DataType::$dtype;

            fn column<'a>(name: &str, values: impl Iterator<Item = &'a Self>) -> Column {
                Column::new(name.into(), values.copied().collect::<Vec<_>>())
            }

            fn values(series: &Series) -> PolarsResult<Vec<Self>> {
                let whole: Option<Vec<_>> = series.$get()?.iter().collect();
                whole.ok_or_else(|| polars_err!(ComputeError: "column `{}` has empty fields", series.name()))
            }
        }

        impl Field for Option<$type> {
            const DTYPE: DataType = DataType::$dtype;

            fn column<'a>(name: &str, values: impl Iterator<Item = &'a Self>) -> Column {
                Column::new(name.into(), values.copied().collect::<Vec<_>>())
            }

            fn values(series: &Series) -> PolarsResult<Vec<Self>> {
                Ok(series.$get()?.iter().collect())
            }
        }
    };
}

number!(u32, UInt32, u32);
number!(u64, UInt64, u64);
number!(i32, Int32, i32);
number!(f64, Float64, f64);
number!(bool, Boolean, bool);

/// The values of column `name`, whatever integer width the file holds them in.
pub fn values<T: Field>(frame: &DataFrame, name: &str) -> PolarsResult<Vec<T>> {
    T::values(&frame.column(name)?.as_materialized_series().strict_cast(&T::DTYPE)?)
}

/// CSV with a header; floats in their shortest form that reads back exactly, null as an empty field.
pub fn to_csv(frame: &mut DataFrame) -> PolarsResult<Vec<u8>> {
    let mut bytes = Vec::new();
    CsvWriter::new(&mut bytes).finish(frame)?;
    Ok(bytes)
}

/// Parquet, compressed.
pub fn to_parquet(frame: &mut DataFrame) -> PolarsResult<Vec<u8>> {
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes).finish(frame)?;
    Ok(bytes)
}

/// Parquet as it comes: of a few rows, a compressor and threads for every column would take longer than all else of a cheap
/// method's cell.
pub fn to_plain_parquet(frame: &mut DataFrame) -> PolarsResult<Vec<u8>> {
    let mut bytes = Vec::new();
    let plain = ParquetWriter::new(&mut bytes).with_compression(ParquetCompression::Uncompressed);
    plain.with_statistics(StatisticsOptions::empty()).set_parallel(false).finish(frame)?;
    Ok(bytes)
}

/// The frame of a Parquet file.
pub(crate) fn read_parquet(path: &Path) -> Result<DataFrame> {
    let bytes = std::fs::read(path).map_err(|e| Error::io(path, &e))?;
    // The reader may panic on damaged files.
    match caught(|| ParquetReader::new(Cursor::new(bytes)).finish()) {
        Ok(frame) => frame.map_err(|e| damaged(path, e)),
        Err(panic) => Err(damaged(path, panic)),
    }
}

/// The frame of a CSV file with a header, its columns of the types in `schema`.
pub fn read_csv(path: &Path, schema: Schema) -> Result<DataFrame> {
    let bytes = std::fs::read(path).map_err(|e| Error::io(path, &e))?;
    CsvReadOptions::default()
        .with_schema_overwrite(Some(Arc::new(schema)))
        .into_reader_with_file_handle(Cursor::new(bytes))
        .finish()
        .map_err(|e| damaged(path, e))
}

/// A file whose content is not what it should be.
pub(crate) fn damaged(path: &Path, error: impl std::fmt::Display) -> Error {
    Error::data(path, format!("cannot be read: {error}"), "delete it and run the experiment again")
}
