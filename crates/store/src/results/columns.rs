//! How a part of a row becomes a column, and a column a part of a row.

use polars_core::prelude::*;
use serde_json::Value;
use zsad_core::key::canonical_json;
use zsad_core::{BatchSize, Choice, Contamination, Pooling, Shift, Supervision};

use crate::frame::{self, Field};
use crate::record::{Row, Status};

/// What a row holds, as a column holds it.
pub trait Stored: Sized {
    /// What the column holds.
    type Column: Field + std::fmt::Debug;
    /// It, written.
    fn written(&self) -> Self::Column;
    /// `None` where no such value is written so.
    fn read(column: &Self::Column) -> Option<Self>;
}

macro_rules! stored {
    ($($type:ty as $column:ty: $write:expr, $read:expr;)*) => {
        $(impl Stored for $type {
            type Column = $column;

            fn written(&self) -> $column {
                let write: fn(&$type) -> $column = $write;
                write(self)
            }

            fn read(column: &$column) -> Option<$type> {
                let read: fn(&$column) -> Option<$type> = $read;
                read(column)
            }
        })*
    };
}

stored! {
    String as String: String::clone, |v| Some(v.clone());
    u32 as u32: |v| *v, |v| Some(*v);
    u64 as u64: |v| *v, |v| Some(*v);
    usize as u64: |v| *v as u64, |v| (*v).try_into().ok();
    Option<f64> as Option<f64>: |v| *v, |v| Some(*v);
    Option<String> as String: |v| v.clone().unwrap_or_default(), |v| Some(Some(v.clone()).filter(|v| !v.is_empty()));
    Supervision as String: Supervision::to_string, |v| Choice::from_word(v);
    Pooling as String: Pooling::to_string, |v| Choice::from_word(v);
    Status as String: Status::to_string, |v| Choice::from_word(v);
    Contamination as Option<f64>: |v| v.ratio(), |v| Some((*v).into());
    // Results of versions that kept totals alone have an empty field for cells that never came as far as a batch.
    BatchSize as String: |v| v.to_column(), |v| if v.is_empty() { Some(BatchSize::All) } else { BatchSize::from_column(v) };
    Option<Shift> as String: |v| Shift::to_column(*v), |v| Shift::from_column(v);
    Value as String: |v| if v.is_null() { String::new() } else { canonical_json(v) },
        |v| if v.is_empty() { Some(Value::Null) } else { serde_json::from_str(v).ok() };
}

/// A column that is not a metric.
pub trait Fixed: Sync {
    /// Its type.
    fn dtype(&self) -> DataType;
    /// The column of these rows.
    fn write(&self, name: &str, rows: &[&Row]) -> Column;
    /// Puts what it holds into the rows.
    fn read(&self, frame: &DataFrame, name: &str, rows: &mut [Row]) -> PolarsResult<()>;
}

/// A column of what stands in a field of a row.
pub struct Of<T> {
    /// Reads it.
    pub get: fn(&Row) -> &T,
    /// Where it is written.
    pub field: fn(&mut Row) -> &mut T,
}

impl<T: Stored> Fixed for Of<T> {
    fn dtype(&self) -> DataType {
        T::Column::DTYPE
    }

    fn write(&self, name: &str, rows: &[&Row]) -> Column {
        let values: Vec<T::Column> = rows.iter().map(|r| (self.get)(r).written()).collect();
        Field::column(name, values.iter())
    }

    fn read(&self, frame: &DataFrame, name: &str, rows: &mut [Row]) -> PolarsResult<()> {
        for (row, value) in rows.iter_mut().zip(frame::values::<T::Column>(frame, name)?) {
            let read =
                T::read(&value).ok_or_else(|| polars_err!(ComputeError: "column `{}` cannot be {value:?}", name));
            *(self.field)(row) = read?;
        }
        Ok(())
    }
}

/// A column of what follows from others.
pub struct Computed<T>(pub fn(&Row) -> T);

impl<T: Field> Fixed for Computed<T> {
    fn dtype(&self) -> DataType {
        T::DTYPE
    }

    fn write(&self, name: &str, rows: &[&Row]) -> Column {
        let values: Vec<T> = rows.iter().map(|r| (self.0)(r)).collect();
        Field::column(name, values.iter())
    }

    fn read(&self, _: &DataFrame, _: &str, _: &mut [Row]) -> PolarsResult<()> {
        Ok(())
    }
}
